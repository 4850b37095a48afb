"""What the batch step and the collectors on the nodes say to each other, over the collectors' input and output.

One line each. To all collectors: first the order, at the end of the script its exit code. From each collector:
``ready NODE``, ``failed NODE reason``, and ``others NODE`` if steps of the job go on there after the script's end.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

READY: Final = "ready"
FAILED: Final = "failed"
OTHERS: Final = "others"
ASKS: Final = "asks"
HERE: Final = b"here\n"  # the answer


class Order(NamedTuple):
    """What a collector is to do.

    Attributes:
        run_id: The run, the same on all nodes.
        spool: Folder that holds the run's folder; shared by the nodes, as a rule.
        name: Name of the run.
        overrides: Settings that the user gave for this job.
        slurm: Facts about the job, see ``greenai.host.facts.slurm_facts``.
        nodes: All nodes of the job: names, or Slurm's lists of them, ``n[1-100]``.
        environ: By node, how its environment must change, see ``greenai.slurm.job_host.job_environ``; under "" for
            all nodes that are not named.
        script_folder: Where the batch step keeps the script, on its own node; empty if there is none.
        exclusive: Whether no other job may use the nodes meanwhile; None if Slurm did not say.
        until_sigterm: Whether a collector of the site's own is meant, started before the job and outside of it: it
            hears nothing of the script's end, and goes on until it is told to stop by a signal.
    """

    run_id: str
    spool: str
    name: str
    overrides: dict[str, Any]
    slurm: dict[str, str]
    nodes: tuple[str, ...]
    environ: dict[str, dict[str, str | None]] = {}  # noqa: RUF012  # never changed
    script_folder: str = ""
    exclusive: bool | None = None
    until_sigterm: bool = False

    def environ_of(self, node: str) -> dict[str, str | None]:
        """Return how the environment of a node must change."""
        return self.environ.get(node, self.environ.get("", {}))

    def to_line(self) -> bytes:
        """Return the order as a line."""
        return json.dumps(self._asdict()).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """Read what ``to_line`` wrote.

        Raises:
            ValueError: It is no order.
        """
        fields = json.loads(line)
        return cls(**{**fields, "nodes": tuple(fields["nodes"])})


class ScriptEnd(NamedTuple):
    """How the batch script ended: exit code, or minus the signal that ended it."""

    code: int

    def to_line(self) -> bytes:
        """Return it as a line."""
        return json.dumps({"code": self.code}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ScriptEnd:
        """Read what ``to_line`` wrote.

        Raises:
            ValueError: It says nothing about an end.
        """
        try:
            return cls(int(json.loads(line)["code"]))
        except (KeyError, TypeError) as error:
            raise ValueError(line) from error

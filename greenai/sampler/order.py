"""What a sampler of its own process is told to do: one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import NamedTuple

from greenai.core.vocabulary import Scope
from greenai.host import SiteKnowledge


class SamplingOrder(NamedTuple):
    """What the sampler is to do.

    Attributes:
        folder: The run's folder in the spool.
        interval_s: Sampling interval.
        knowledge: What the settings say about the machine.
        scope: Whose energy the run is.
        database: Where to take the run when it is over; None leaves that to the next reader.
        service: Whether the run may go on for months.
        pid: The tracked program.
        started_ticks: When that started, as procfs says; None if unknown.
        bell: File descriptor of the sampler; what comes there asks it to read at once.
        plugins: Names and values of the entry points to load collectors from; None for all that are installed.
            The tracked program has found out which of them are of use here: the others need no time any more.
    """

    folder: str
    interval_s: float
    knowledge: SiteKnowledge
    scope: Scope
    database: str | None
    service: bool
    pid: int
    started_ticks: int | None
    bell: int = -1
    plugins: tuple[tuple[str, str], ...] | None = None

    def to_line(self) -> bytes:
        """Return the order as the first line on the sampler's stdin."""
        return json.dumps({**self._asdict(), "knowledge": asdict(self.knowledge)}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> SamplingOrder:
        """Read what ``to_line`` wrote."""
        fields = json.loads(line)
        return cls(
            **{**fields, "knowledge": SiteKnowledge(**fields["knowledge"]), "scope": Scope(fields["scope"])}
        )

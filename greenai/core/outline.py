"""What is known of a run before any of its hosts is accounted: who began it, what it is, and on what terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.core.checkpoints import moments
from greenai.core.vocabulary import Role, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from greenai.core.checkpoints import Moment
    from greenai.core.events import ProcessLog

_DESCRIBE_FIRST = (Role.OWNER, Role.NODE)


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms each host of a run is accounted.

    Attributes:
        scope: Whose energy the run is.
        count_rest: Whether the estimate of the rest of the node is part of the total.
        hourly: Whether it is a service, which is evaluated hour by hour.
        moments: When any host saved its work.
        began_ns: When the first collector of a batch job began by its wall clock (epoch ns); None of another run.
    """

    scope: Scope
    count_rest: bool
    hourly: bool
    moments: tuple[Moment, ...] = ()
    began_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """Who began a run, and what it is.

    Attributes:
        first: The process that describes it: its owner, else the first collector of a batch job by the wall clock,
            else the first process.
        meta: Its description; what it left open is filled in by a tracked program inside the run.
        terms: On what terms its hosts are accounted.
    """

    first: ProcessLog
    meta: Mapping[str, Any]
    terms: Terms

    @classmethod
    def of(cls, processes: Iterable[ProcessLog], *, is_part: bool = False) -> Outline:
        """Return the outline of a run.

        Args:
            processes: All of them; of each, its first line and its checkpoints are enough.
            is_part: Whether only a window is looked at, which is too short to go by the hour.

        Raises:
            ValueError: There is none.
        """
        processes = list(processes)
        if not processes:
            raise ValueError("a run without a journal has no account")
        first = min(processes, key=lambda process: (_rank(process.role), process.wall_ns))
        meta = _meta(processes, first)
        terms = Terms(
            scope=_scope(meta),
            count_rest=bool(meta.get("rest_of_node")),
            hourly=bool(meta.get("service")) and not is_part,
            moments=tuple(moment for process in processes for moment in moments(process)),
            began_ns=first.wall_ns if first.role is Role.NODE and not is_part else None,
        )
        return cls(first, meta, terms)

    @property
    def is_job(self) -> bool:
        """Whether it is told by the collectors of a batch job alone."""
        return self.first.role is Role.NODE


def _rank(role: Role) -> int:
    return _DESCRIBE_FIRST.index(role) if role in _DESCRIBE_FIRST else len(_DESCRIBE_FIRST)


def _meta(processes: Iterable[ProcessLog], first: ProcessLog) -> dict[str, Any]:
    meta = dict(first.meta)
    for process in processes:
        if process.role in (Role.MEMBER, Role.RANK) and process.meta:
            for key in ("project", "task", "approach", "phase", "unit"):
                meta[key] = meta.get(key) or process.meta.get(key)
            meta["tags"] = {**(process.meta.get("tags") or {}), **(meta.get("tags") or {})}
            if not meta.get("name_given") and process.meta.get("name_given"):
                meta["name"], meta["name_given"] = process.meta["name"], True
    return meta


def _scope(meta: Mapping[str, Any]) -> Scope:
    try:
        return Scope(meta.get("scope") or Scope.MACHINE)
    except ValueError:  # of a later version
        return Scope.MACHINE

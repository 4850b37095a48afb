"""The requests of a service in the record of its run: sums, quantiles, hours. A figure is None when unknown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# What a request delivers if nobody says, and what else is known by its name.
DEFAULT_UNIT = "request"
TOKENS = ("token", "tokens")


@dataclass(frozen=True, slots=True)
class Requests:
    """All requests of a run, and the energy of the time with and without them.

    ``busy_j`` and ``idle_j`` add up to the energy of the run. What a request, a unit or a token took is its part
    of ``busy_j``: idle energy is not in it.

    Attributes:
        count: Requests that ended, failed ones included.
        failed: Those that ended with an exception. Their energy is part of ``busy_j``.
        units: Functional units they delivered.
        tokens: Tokens they delivered; None if none were reported.
        busy_s: Seconds with at least one active request, added up over the hosts.
        idle_s: The other seconds of the run, added up over the hosts.
        busy_j: Joules of the busy seconds.
        idle_j: Joules of the idle seconds.
    """

    count: int
    failed: int
    units: float
    tokens: float | None
    busy_s: float
    idle_s: float
    busy_j: float | None
    idle_j: float | None
    energy_per_request_p50_j: float | None
    energy_per_request_p95_j: float | None
    energy_per_unit_p50_j: float | None
    energy_per_unit_p95_j: float | None
    energy_per_token_p50_j: float | None
    energy_per_token_p95_j: float | None

    @property
    def energy_per_request_j(self) -> float | None:
        """Mean joules of a request, idle energy left out."""
        return _each(self.busy_j, self.count)

    @property
    def energy_per_request_with_idle_j(self) -> float | None:
        """Mean joules of a request with its part of the idle energy: all of the run."""
        if self.busy_j is None or self.idle_j is None:
            return None
        return _each(self.busy_j + self.idle_j, self.count)

    @property
    def energy_per_unit_j(self) -> float | None:
        """Mean joules of a unit, idle energy left out."""
        return _each(self.busy_j, self.units)

    @property
    def energy_per_token_j(self) -> float | None:
        """Mean joules of a token, idle energy left out."""
        return _each(self.busy_j, self.tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return the published form."""
        return asdict(self) | {name: getattr(self, name) for name in _MEANS}


_MEANS = ("energy_per_request_j", "energy_per_request_with_idle_j", "energy_per_unit_j", "energy_per_token_j")

# Of a run that is no service.
NO_REQUESTS: dict[str, Any] = dict.fromkeys((*Requests.__slots__, *_MEANS))


@dataclass(frozen=True, slots=True)
class Hour:
    """One clock hour (UTC) of a service, or the part of it that the run was there.

    Attributes:
        started_ms: Begin, epoch milliseconds.
        duration_s: Length, seconds.
        energy_j: Joules of the run: ``busy_j`` and ``idle_j``.
        requests: Those that ended in it.
    """

    started_ms: int
    duration_s: float
    energy_j: float | None
    busy_j: float | None
    idle_j: float | None
    requests: int
    failed: int
    units: float
    tokens: float | None
    energy_per_request_p50_j: float | None
    energy_per_request_p95_j: float | None


def _each(energy_j: float | None, count: float | None) -> float | None:
    return energy_j / count if energy_j is not None and count else None

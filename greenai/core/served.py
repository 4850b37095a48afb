"""What a meter writes down: sums of what a process has served, and histograms of its requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.sketch import Sketch

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ActivityMark:
    """What one process has served since its meter was opened.

    Attributes:
        t_ns: Monotonic time.
        busy_ns: Time with at least one active request.
        active_ns: Integral of the number of active requests.
        count: Requests that ended, failed ones included.
        failed: Those that ended with an exception.
        units: Functional units delivered.
        tokens: Tokens delivered; None if none were reported.
        since_ns: When a request was active for the first time after the mark before; None if none was.
        until_ns: When the last one ended; None if one is active now.
    """

    t_ns: int
    busy_ns: int
    active_ns: int
    count: int
    failed: int
    units: float
    tokens: float | None
    since_ns: int | None
    until_ns: int | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"t": self.t_ns, **{name: getattr(self, name) for name in self.__slots__ if name != "t_ns"}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ActivityMark:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        since_ns, until_ns, tokens = data["since_ns"], data["until_ns"], data["tokens"]
        return cls(
            t_ns=int(data["t"]),
            busy_ns=int(_amount(data["busy_ns"])),
            active_ns=int(_amount(data["active_ns"])),
            count=int(_amount(data["count"])),
            failed=int(_amount(data["failed"])),
            units=_amount(data["units"]),
            tokens=None if tokens is None else _amount(tokens),
            since_ns=None if since_ns is None else int(since_ns),
            until_ns=None if until_ns is None else int(until_ns),
        )


@dataclass(frozen=True, slots=True)
class ExclusiveTimes:
    """Exclusive seconds of the requests of one process that ended from ``t0_ns`` to ``t1_ns``.

    Attributes:
        t0_ns: Monotonic time.
        t1_ns: Monotonic time.
        per_request: Seconds of each request.
        per_unit: Seconds of each request for one of its units, where it delivered any.
        per_token: The same for tokens.
    """

    t0_ns: int
    t1_ns: int
    per_request: Sketch = field(default_factory=Sketch)
    per_unit: Sketch = field(default_factory=Sketch)
    per_token: Sketch = field(default_factory=Sketch)

    def plus(self, other: ExclusiveTimes) -> ExclusiveTimes:
        """Return both together."""
        sketches = {name: getattr(self, name).merged(getattr(other, name)) for name in SKETCHES}
        return ExclusiveTimes(min(self.t0_ns, other.t0_ns), max(self.t1_ns, other.t1_ns), **sketches)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        sketches = {name: getattr(self, name).to_json() for name in SKETCHES}
        return {"t": self.t1_ns, "t0_ns": self.t0_ns, **sketches}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExclusiveTimes:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        return cls(int(data["t0_ns"]), int(data["t"]), **{name: Sketch.from_json(data[name]) for name in SKETCHES})


SKETCHES = ("per_request", "per_unit", "per_token")


def _amount(value: Any) -> float:
    """Return a number that is 0 or more.

    Raises:
        ValueError: It is none.
    """
    if not isfinite(value) or value < 0:
        raise ValueError(f"no amount: {value}")
    return value if isinstance(value, int) else float(value)

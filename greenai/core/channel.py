"""A channel: one stream of readings, and everything needed to know what its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from math import inf
from typing import Any

from greenai.core.text import Text

# Gauges are not polled faster than this: the cost of reading grows, what is known hardly does.
FASTEST_POLL_S = 0.05


class Component(StrEnum):
    """The part of a machine that a channel speaks of."""

    NODE = "node"
    MODULE = "module"
    CPU = "cpu"
    DRAM = "dram"
    GPU = "gpu"
    REST = "rest"


class Kind(StrEnum):
    """How a channel counts: an ever-growing energy counter, or a momentary power."""

    COUNTER = "counter"
    POWER = "power"


class Quality(StrEnum):
    """How an energy came about. An estimate never looks like a measurement."""

    MEASURED = "measured"
    ALLOCATED = "allocated"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of readings.

    Attributes:
        id: Unique on its host, stable between processes of one run, e.g. ``rapl:package-0``.
        collector: Name of the collector that reads it.
        component: What it speaks of.
        kind: Counter (µJ) or power (µW).
        quality: Measured, allocated or estimated.
        device: The device as its users name it, e.g. ``package-0`` or ``GPU-1 NVIDIA A100``.
        host: Host name.
        method: Key of the method, e.g. ``rapl_powercap``.
        uncertainty_rel: Half-width of the ~95 % interval, relative; the upper side if skewed.
        uncertainty_low_rel: Lower half-width where the interval is skewed, else None.
        uncertainty_short: Steps (below this many seconds, this uncertainty), shortest first, for
            sensors that need time to become accurate.
        resolution_uj: The step in which a counter counts; an energy is known to one step at best.
        update_s: Period at which the sensor renews its value, seconds; None if nobody knows. A gauge is polled
            twice as often, within limits.
        share: The part of this channel's energy that belongs to those who may use it (a MIG slice of a board).
        policy: Name of the rule behind ``share``, e.g. ``mig_slice_share``; None where nothing is shared out.
        includes: Components already contained in this channel beside its own.
        gpu_vendor: Whose GPUs it speaks of (``nvidia``, ``amd``, ``intel``); a machine may have several makers',
            and each is counted. Empty: all GPUs of the machine, or none.
        wrap_uj: The counter restarts at 0 after this value; None if it never wraps or nobody knows.
        max_power_uw: A reading that implies more than this is a fault, not a load.
        note: A caveat to print beside the figure.
        per_process: Each process that reads the counter has a zero of its own, so that only differences within
            one process mean anything (a kernel counter begins when it is opened).
    """

    id: str
    collector: str
    component: Component
    kind: Kind
    quality: Quality
    device: str
    host: str
    method: str
    uncertainty_rel: float
    max_power_uw: int
    uncertainty_low_rel: float | None = None
    uncertainty_short: tuple[tuple[float, float], ...] = ()
    resolution_uj: int = 0
    update_s: float | None = None
    share: float = 1.0
    policy: str | None = None
    includes: frozenset[Component] = frozenset()
    gpu_vendor: str = ""
    wrap_uj: int | None = None
    note: Text | None = None
    per_process: bool = False

    def uncertainty_at(self, duration_s: float) -> tuple[float, float]:
        """Return the relative half-widths (low, high) for a measurement of this length."""
        for below_s, uncertainty_rel in self.uncertainty_short:
            if duration_s < below_s:
                return uncertainty_rel, uncertainty_rel
        low = self.uncertainty_rel if self.uncertainty_low_rel is None else self.uncertainty_low_rel
        return low, self.uncertainty_rel

    def poll_s(self, interval_s: float) -> float:
        """Return how often the channel must be read, seconds.

        A counter needs only its wraps to be seen: twice per shortest possible wrap. A gauge misses whatever
        happens between two readings, so it is polled twice per renewal.

        Args:
            interval_s: The sampling interval that was asked for; never exceeded.
        """
        if self.kind is Kind.COUNTER:
            shortest_wrap_s = self.wrap_uj / self.max_power_uw if self.wrap_uj and self.max_power_uw else inf
            return min(interval_s, shortest_wrap_s / 2)
        return interval_s if self.update_s is None else min(interval_s, max(self.update_s / 2, FASTEST_POLL_S))

    def to_json(self) -> dict[str, Any]:
        """Return the channel as the journal writes it; defaults are left out."""
        named = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: _plain(value) for field, value in named if value != field.default}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Channel:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, ValueError, TypeError, AttributeError: ``data`` is not a channel.
        """
        short = tuple((float(s), float(u)) for s, u in data.get("uncertainty_short", ()))
        figures = [data["uncertainty_rel"], *(figure for step in short for figure in step)]
        figures += [data.get(name) or 0 for name in ("uncertainty_low_rel", "update_s", "wrap_uj")]
        if not all(isinstance(figure, (int, float)) and 0 <= figure < inf for figure in figures):
            raise ValueError(f"no uncertainties, period or range: {figures}")
        share = float(data.get("share", 1.0))
        if not 0 <= share <= 1:
            raise ValueError(f"no share: {share}")
        return cls(
            id=str(data["id"]),
            collector=str(data["collector"]),
            component=Component(data["component"]),
            kind=Kind(data["kind"]),
            quality=Quality(data["quality"]),
            device=str(data["device"]),
            host=str(data["host"]),
            method=str(data["method"]),
            uncertainty_rel=float(data["uncertainty_rel"]),
            max_power_uw=int(data["max_power_uw"]),
            uncertainty_low_rel=data.get("uncertainty_low_rel"),
            uncertainty_short=short,
            resolution_uj=int(data.get("resolution_uj", 0)),
            update_s=data.get("update_s"),
            share=share,
            policy=data.get("policy"),
            includes=frozenset(Component(name) for name in data.get("includes", ())),
            gpu_vendor=str(data.get("gpu_vendor", "")),
            wrap_uj=data.get("wrap_uj"),
            note=Text.from_json(data["note"]) if "note" in data else None,
            per_process=bool(data.get("per_process", False)),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [list(step) for step in value]
    return value.to_json() if isinstance(value, Text) else value

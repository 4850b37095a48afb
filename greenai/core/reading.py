"""What a sensor says at one moment. A failed read is a ``Gap`` with its reason, never a 0."""

from __future__ import annotations

from dataclasses import dataclass

from greenai.core.units import NS_PER_MS

# Two readers of one counter may disagree about the order of their reads by this much (scheduling).
READ_JITTER_NS = 50 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class CounterReading:
    """The state of an energy counter, in microjoules since some unknown start."""

    channel_id: str
    t_mono_ns: int
    energy_uj: int


@dataclass(frozen=True, slots=True)
class PowerReading:
    """A momentary power, in microwatts."""

    channel_id: str
    t_mono_ns: int
    power_uw: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A read that gave nothing, and why (a short machine-readable reason)."""

    channel_id: str
    t_mono_ns: int
    reason: str


Reading = CounterReading | PowerReading | Gap

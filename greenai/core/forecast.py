"""What a run will have taken at its end, told from the steps it has already done. Pure arithmetic.

A lap is the time from the end of one step to the end of the next: the step and the pause before it. Short laps are
put together into blocks (batch means: Law, Simulation Modeling and Analysis, 5th ed. 2015, section 9.5.3), so that
counters have time to be renewed and what neighbouring laps have in common is no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, hypot
from typing import TYPE_CHECKING

from greenai.core import quantity
from greenai.core.prediction import Range, sum_of_next
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.account import Account
    from greenai.core.events import ProcessLog, RunLog, WindowMark
    from greenai.core.text import Language
    from greenai.core.traces import ChannelTrace

# The first block holds what happens only once (loading, compiling); it is left out as soon as there are others.
_BLOCKS_WITHOUT_WARM_UP = 3
_MOST_BLOCKS = 40
# A block shows the energy of its laps only if the slowest counter was renewed several times in it.
_RENEWALS = 10

_ENERGY = Text(
    de="{name} {done}/{planned}: am Ende etwa {energy} ({energies})",
    en="{name} {done}/{planned}: about {energy} at the end ({energies})",
)
_NO_ENERGY = Text(
    de="{name} {done}/{planned}: Energie unbekannt",
    en="{name} {done}/{planned}: energy unknown",
)
_MASS = Text(de=", {mass} ({masses})", en=", {mass} ({masses})")
_TIME = Text(de="; noch etwa {time} ({times}).", en="; about {time} left ({times}).")
_OVER = Text(de="; fertig.", en="; done.")


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the run is expected to have taken when its plan is done, each figure with a ~95 % range.

    Nothing is foreseen that comes after the last planned step. Grams use the factor of the run so far; its own
    uncertainty is not in their range.

    Attributes:
        name: The windows it is about.
        done: How many of them have ended.
        planned: How many there will be.
        based_on: How many of those that ended it was computed from.
        energy_j: IT energy of the whole run, joules; None if energy is unknown.
        low_j: Lower end of the range.
        high_j: Upper end of the range.
        location_g: Location-based emissions of the whole run, grams; None without a grid factor.
        location_low_g: Lower end of the range.
        location_high_g: Upper end of the range.
        location_gases: What they count, by the factor: ``CO2`` or ``CO2e``; None without one.
        at_ms: When it was made, milliseconds since the epoch.
        remaining_s: Time from then to the end of the plan, seconds.
        remaining_low_s: Lower end of the range.
        remaining_high_s: Upper end of the range.
    """

    name: str
    done: int
    planned: int
    based_on: int
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    location_g: float | None
    location_low_g: float | None
    location_high_g: float | None
    location_gases: str | None
    at_ms: int
    remaining_s: float
    remaining_low_s: float
    remaining_high_s: float

    @property
    def ends_at(self) -> datetime:
        """When the plan will be done, in UTC; ``datetime.max`` if that is after the year 9999."""
        return self._after(self.remaining_s)

    @property
    def ends_at_low(self) -> datetime:
        """The earliest likely end, in UTC."""
        return self._after(self.remaining_low_s)

    @property
    def ends_at_high(self) -> datetime:
        """The latest likely end, in UTC."""
        return self._after(self.remaining_high_s)

    def to(self, language: Language) -> str:
        """Write it as one sentence."""
        parts = [_NO_ENERGY if self.energy_j is None else _ENERGY]
        if self.location_g is not None:
            parts.append(_MASS)
        parts.append(_TIME if self.done < self.planned else _OVER)
        times = [quantity.duration(value_s, language) for value_s in (self.remaining_low_s, self.remaining_high_s)]
        return "".join(part.to(language) for part in parts).format(
            name=self.name,
            done=quantity.integer(self.done, language),
            planned=quantity.integer(self.planned, language),
            energy=quantity.energy(self.energy_j, language),
            energies=quantity.energy_range(self.low_j, self.high_j, language, like=self.energy_j),
            mass=" ".join(filter(None, (quantity.mass(self.location_g, language), self.location_gases))),
            masses=quantity.mass_range(self.location_low_g, self.location_high_g, language, like=self.location_g),
            time=quantity.duration(self.remaining_s, language),
            times=quantity.interval(*times).to(language),
        )

    def __str__(self) -> str:
        return self.to("en")

    def _after(self, seconds: float) -> datetime:
        try:
            return datetime.fromtimestamp(self.at_ms / 1000 + seconds, tz=UTC)
        except (OverflowError, ValueError, OSError):  # a plan that takes longer than any calendar reaches
            return datetime.max.replace(tzinfo=UTC)


def forecast(
    log: RunLog,
    account: Account,
    process: tuple[str, int],
    plans: Mapping[str, int],
    now_ns: int,
    part: str | None = None,
) -> Forecast | None:
    """Tell how a run will end; None if fewer than two blocks of laps are known.

    Args:
        log: Its journals.
        account: What they amount to so far; with its footprint, if grams are wanted.
        process: Host and id of the process whose windows were planned.
        plans: How many windows there will be, by name. The first plan that is not done yet counts.
        now_ns: The present on the monotonic clock of that host.
        part: The window that ``account`` is confined to, if it is; then only windows since its begin count.
    """
    logs = [one for one in log.processes if (one.host, one.pid) == process and one.windows]
    if not logs or not plans:
        return None
    since_ns = max((w.t0_ns for one in logs for w in one.windows if w.window_id == part), default=0)
    windows = [window for one in logs for window in one.windows if window.t0_ns >= since_ns]
    name, ends_ns = _current(windows, plans)
    if not ends_ns:
        return None
    first_ns = min(window.t0_ns for window in windows if window.name == name)
    meter = _Meter(log, account, logs[0])
    edges_ns, laps_each = _blocks([first_ns, *ends_ns], meter.slowest_s)
    blocks = list(pairwise(edges_ns))
    if len(blocks) < 2:  # noqa: PLR2004
        return None
    planned = max(plans[name], len(ends_ns))
    missing = (planned - len(ends_ns)) / laps_each
    times_s = sum_of_next([(end_ns - begin_ns) / NS_PER_S for begin_ns, end_ns in blocks], missing)
    gone_s = max(now_ns - ends_ns[-1], 0) / NS_PER_S
    energy = meter.at_the_end(blocks, missing, (ends_ns[-1], now_ns))
    return Forecast(
        name=name,
        done=len(ends_ns),
        planned=planned,
        based_on=len(blocks) * laps_each,
        energy_j=energy.value if energy else None,
        low_j=energy.low if energy else None,
        high_j=energy.high if energy else None,
        location_g=meter.grams(energy.value) if energy else None,
        location_low_g=meter.grams(energy.low) if energy else None,
        location_high_g=meter.grams(energy.high) if energy else None,
        location_gases=meter.gases,
        at_ms=logs[0].wall_at(now_ns) // NS_PER_MS,
        remaining_s=max(times_s.value - gone_s, 0.0),
        remaining_low_s=max(times_s.low - gone_s, 0.0),
        remaining_high_s=max(times_s.high - gone_s, 0.0),
    )


def _current(windows: Sequence[WindowMark], plans: Mapping[str, int]) -> tuple[str, list[int]]:
    """Return the first plan that is not done, else the first, and when its windows ended."""
    ends_ns: dict[str, list[int]] = {name: [] for name in plans}
    for window in windows:
        if window.name in ends_ns and window.t1_ns is not None:
            ends_ns[window.name].append(window.t1_ns)
    name = next((name for name, total in plans.items() if len(ends_ns[name]) < total), next(iter(plans)))
    return name, sorted(ends_ns[name])


def _blocks(edges_ns: Sequence[int], slowest_s: float) -> tuple[list[int], int]:
    """Put laps together: return the edges of the blocks, and of how many laps each is made."""
    laps = len(edges_ns) - 1
    lap_s = (edges_ns[-1] - edges_ns[0]) / NS_PER_S / laps
    enough = ceil(_RENEWALS * slowest_s / lap_s) if lap_s > 0 else laps
    size = max(ceil(laps / _MOST_BLOCKS), min(enough, laps), 1)
    found = list(edges_ns[::-1][::size][::-1])
    return (found[1:] if len(found) - 1 > _BLOCKS_WITHOUT_WARM_UP else found), size


class _Meter:
    """Energy of a run between two moments of one of its hosts."""

    def __init__(self, log: RunLog, account: Account, here: ProcessLog) -> None:
        counted = {(row.host, row.id) for row in account.record.energy.channels if row.counted}
        self._record = account.record
        self._traces = [t for t in account.traces if (t.channel.host, t.channel.id) in counted]
        zeros_ns = {process.host: process.mono_ns - process.wall_ns for process in reversed(log.processes)}
        self._shift_ns = {host: zero_ns - zeros_ns[here.host] for host, zero_ns in zeros_ns.items()}

    @property
    def slowest_s(self) -> float:
        """How rarely the slowest of the counted counters is renewed, seconds."""
        return max((trace.channel.update_s or 0.0 for trace in self._traces), default=0.0)

    def at_the_end(self, blocks: Sequence[tuple[int, int]], missing: float, rest: tuple[int, int]) -> Range | None:
        """Return what the run will have taken.

        Args:
            blocks: Begin and end of the known blocks.
            missing: How many more there will be.
            rest: From the end of the last block to the present.
        """
        energy = self._record.energy
        known_j = [found for block in blocks if (found := self._between(*block)) is not None]
        if energy.total_j is None or energy.low_j is None or energy.high_j is None or len(known_j) < 2:  # noqa: PLR2004
            return None
        more = sum_of_next(known_j, missing)
        value_j = max(energy.total_j - (self._between(*rest) or 0.0) + more.value, energy.total_j)
        scale = value_j / energy.total_j if energy.total_j > 0 else 1.0
        low_j = value_j - hypot(more.value - more.low, scale * (energy.total_j - energy.low_j))
        high_j = value_j + hypot(more.high - more.value, scale * (energy.high_j - energy.total_j))
        return Range(value_j, max(low_j, energy.low_j), high_j)

    def grams(self, energy_j: float) -> float | None:
        """Return location-based emissions of an energy, at the factor of the run so far."""
        emissions, total_j = self._record.emissions, self._record.energy.total_j
        if emissions is None or emissions.location_g is None or not total_j:
            return None
        return energy_j / total_j * emissions.location_g

    @property
    def gases(self) -> str | None:
        """What those grams count, None without a factor."""
        emissions = self._record.emissions
        return emissions.factor.gases if emissions is not None and emissions.factor is not None else None

    def _between(self, begin_ns: int, end_ns: int) -> float | None:
        amounts_j = [self._of(trace, begin_ns, end_ns) for trace in self._traces]
        known_j = [amount_j for amount_j in amounts_j if amount_j is not None]
        return sum(known_j) if known_j and len(known_j) == len(amounts_j) else None

    def _of(self, trace: ChannelTrace, begin_ns: int, end_ns: int) -> float | None:
        shift_ns = self._shift_ns.get(trace.channel.host, 0)
        return trace.own_energy(begin_ns + shift_ns, end_ns + shift_ns).energy_j

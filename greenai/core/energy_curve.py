"""Energy over time: interval by interval, and as a curve that answers how much fell into any window."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import sub
from typing import TYPE_CHECKING, NamedTuple, overload

from greenai.core.reading import READ_JITTER_NS
from greenai.core.units import NS_PER_MS, NS_PER_S, UJ_PER_J

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A highest power is that of a stretch of at least this length: over less, the jitter of the readings decides.
_PEAK_NS = 100 * NS_PER_MS


class EnergyInterval(NamedTuple):
    """The energy between two readings; None where it cannot be known.

    Attributes:
        t0_ns: Monotonic time of the earlier reading.
        t1_ns: Monotonic time of the later reading.
        energy_uj: Microjoules, or None.
    """

    t0_ns: int
    t1_ns: int
    energy_uj: float | None


class EvenIntervals(Sequence[EnergyInterval]):
    """Adjacent intervals, at least one, whose energy is known, as bare numbers: tuples take several times as long.

    Attributes:
        times_ns: Begin of the first interval, and the end of each.
        energies_uj: Microjoules, by interval.
    """

    __slots__ = ("energies_uj", "times_ns")

    def __init__(self, times_ns: Sequence[int], energies_uj: Sequence[float]) -> None:
        self.times_ns = times_ns
        self.energies_uj = energies_uj

    def lengths_ns(self) -> Iterator[int]:
        """Return how long each is."""
        return map(sub, self.times_ns[1:], self.times_ns)

    @overload
    def __getitem__(self, index: int) -> EnergyInterval: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[EnergyInterval]: ...
    def __getitem__(self, index: int | slice) -> EnergyInterval | Sequence[EnergyInterval]:
        return list(self)[index]

    def __iter__(self) -> Iterator[EnergyInterval]:
        return map(EnergyInterval, self.times_ns, self.times_ns[1:], self.energies_uj)

    def __len__(self) -> int:
        return len(self.energies_uj)


@dataclass(frozen=True, slots=True)
class EnergyAmount:
    """Energy within a window.

    Attributes:
        energy_j: What is known of it, joules; None if nothing is.
        gap_s: For how much of the window nothing is known, seconds.
    """

    energy_j: float | None
    gap_s: float


class EnergyCurve:
    """Cumulated energy of one channel over time. Between two readings it rises evenly."""

    def __init__(self, intervals: Sequence[EnergyInterval], peak_w: float = 0.0) -> None:
        """Sum up intervals.

        Args:
            intervals: Adjacent, in order of time.
            peak_w: The highest power, watts, that was seen where the intervals are too coarse to show it.
        """
        self._peak_w = peak_w
        if isinstance(intervals, EvenIntervals):
            self._t_ns: Sequence[int] = intervals.times_ns
            self._known_uj = list(accumulate(intervals.energies_uj, initial=0.0))
            self._known_ns = [t_ns - self._t_ns[0] for t_ns in self._t_ns]
            return
        begins_ns, ends_ns, energies_uj = zip(*intervals, strict=True) if intervals else ((), (), ())
        known_uj: Iterable[float] = energies_uj
        known_ns: Iterable[int] = map(sub, ends_ns, begins_ns)
        if None in energies_uj:
            known_uj = [energy_uj or 0.0 for energy_uj in energies_uj]
            lengths_ns = zip(known_ns, energies_uj, strict=True)
            known_ns = [0 if energy_uj is None else length_ns for length_ns, energy_uj in lengths_ns]
        self._t_ns = [*begins_ns[:1], *ends_ns]
        self._known_uj = list(accumulate(known_uj, initial=0.0))  # cumulated energy at each time
        self._known_ns = list(accumulate(known_ns, initial=0))  # cumulated time with known energy

    @property
    def times_ns(self) -> Sequence[int]:
        """The monotonic times at which one interval ends and the next begins."""
        return self._t_ns

    def peak_w(self, t0_ns: int, t1_ns: int) -> float:
        """Return the highest power (W) over any known stretch of 0.1 s or more in [t0, t1]; 0 if there is none."""
        known = dict(zip(self._t_ns, zip(self._known_uj, self._known_ns, strict=True), strict=False))
        points = [(t_ns, *known[t_ns]) for t_ns in spaced(self._t_ns, _PEAK_NS) if t0_ns <= t_ns <= t1_ns]
        highest_w = self._peak_w
        for (begin_ns, begin_uj, begin_known_ns), (end_ns, end_uj, end_known_ns) in pairwise(points):
            length_ns = end_ns - begin_ns
            gap_ns = length_ns - (end_known_ns - begin_known_ns)
            if length_ns > 0 and gap_ns <= _forgiven_ns(length_ns):
                highest_w = max(highest_w, (end_uj - begin_uj) / UJ_PER_J / (length_ns / NS_PER_S))
        return highest_w

    def since(self, start_ns: int) -> list[EnergyInterval]:
        """Return the intervals from a monotonic time on; the one that it lies in is cut there."""
        times_ns = [start_ns, *self._t_ns[bisect_right(self._t_ns, start_ns) :]]
        if len(times_ns) < 2:  # noqa: PLR2004
            return []
        marks = zip(times_ns, *self.known_at(times_ns), strict=True)
        return [
            EnergyInterval(t0_ns, t1_ns, uj1 - uj0 if ns1 > ns0 else None)
            for (t0_ns, uj0, ns0), (t1_ns, uj1, ns1) in pairwise(marks)
        ]

    def between(self, t0_ns: int, t1_ns: int) -> EnergyAmount:
        """Return the energy in [t0, t1], interpolated linearly inside an interval.

        Args:
            t0_ns: Start of the window, monotonic nanoseconds.
            t1_ns: End of the window, not before the start.
        """
        length_ns = max(t1_ns - t0_ns, 0)
        if not self._t_ns or length_ns == 0:
            return EnergyAmount(None, length_ns / NS_PER_S)
        (known0_uj, known1_uj), (known0_ns, known1_ns) = self.known_at((t0_ns, t1_ns))
        known_ns = known1_ns - known0_ns
        if known_ns <= 0:
            return EnergyAmount(None, length_ns / NS_PER_S)
        gap_ns = length_ns - known_ns
        gap_s = gap_ns / NS_PER_S if gap_ns > _forgiven_ns(length_ns) else 0.0
        return EnergyAmount((known1_uj - known0_uj) / UJ_PER_J, gap_s)

    def known_at(self, times_ns: Sequence[int]) -> tuple[list[float], list[float]]:
        """Return the energy (µJ) and the time (ns) that are known up to each of these times.

        Only for a curve with at least one interval.
        """
        all_ns, all_uj, all_known_ns = self._t_ns, self._known_uj, self._known_ns
        energies_uj: list[float] = []
        lengths_ns: list[float] = []
        for t_ns in times_ns:
            after = bisect_right(all_ns, t_ns)
            if 0 < after < len(all_ns):
                before = after - 1
                share = (t_ns - all_ns[before]) / (all_ns[after] - all_ns[before])
                energy_uj, length_ns = all_uj[before], all_known_ns[before]
                energies_uj.append(energy_uj + share * (all_uj[after] - energy_uj))
                lengths_ns.append(length_ns + share * (all_known_ns[after] - length_ns))
            else:
                edge = -1 if after else 0
                energies_uj.append(all_uj[edge])
                lengths_ns.append(all_known_ns[edge])
        return energies_uj, lengths_ns


def _forgiven_ns(length_ns: int) -> int:
    """Return how long a gap may be: a mark and its readings are some microseconds apart."""
    return min(READ_JITTER_NS, length_ns // 100)


def spaced(times_ns: Sequence[int], step_ns: int) -> list[int]:
    """Return the first and the last of these times, and of those between them as many as lie a step apart.

    Args:
        times_ns: Rising.
        step_ns: How far apart, at least; the last two may be closer.
    """
    found = list(times_ns[:1])
    next_ns = found[0] + step_ns if found else 0
    for t_ns in times_ns[1:-1]:
        if t_ns >= next_ns:
            found.append(t_ns)
            next_ns = t_ns + step_ns
    return found + list(times_ns[1:][-1:])

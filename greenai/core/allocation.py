"""Sharing a machine's energy out to the run that used part of it. Pure arithmetic; each rule has a name.

=================== ===============================================================================================
``cpu_time_share``  CPU energy by the run's share of all CPU time that was worked in the interval; the machine's is
                    counted in ticks of 10 ms, so intervals are as long as it takes to count enough of them
``memory_share``    DRAM energy by the run's share of the memory in use
``job_cpu_time_share``, ``job_memory_share``
                    the same in a batch job, of the CPU time and memory of all jobs on the node: the shares of its
                    jobs add up to the node, and the system's own work is spread over them
``sm_share``        a GPU used by several programs: by the run's share of the multiprocessors' work; a GPU that the
                    run has to itself is the run's, idle or not
``parts_share``     node, module and rest: by the run's share of their parts' energy, where parts are known; else
                    by CPU time
``mig_slice_share`` a slice of a board: by slices (from the collector, see ``Channel.share``)
``allotment``       estimated from what our own container or job used: the run's, with nothing left to share out
=================== ===============================================================================================

The rules bill idle power by use: whoever works more pays more of it. This is the rule of CEEMS and of alumet too.

How wrong can it be? A CPU second of one program may take twice or half the power of another's (Kepler's
documentation speaks of two to three times). With the run at ``r`` times the others' power per use, its true share
is ``r*s / (r*s + 1 - s)``; for r from 1/2 to 2 this lies between ``1/(2-s)`` and ``2/(1+s)`` times ``s``. A run
that is alone (s = 1) has no such error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from greenai.core.channel import Component
from greenai.core.energy_curve import EnergyCurve, EnergyInterval, spaced
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.usage import Usage

CPU_TIME_SHARE = "cpu_time_share"
MEMORY_SHARE = "memory_share"
JOB_CPU_TIME_SHARE = "job_cpu_time_share"
JOB_MEMORY_SHARE = "job_memory_share"
SM_SHARE = "sm_share"
PARTS_SHARE = "parts_share"
ALLOTMENT = "allotment"

PARTS = frozenset({Component.CPU, Component.DRAM, Component.GPU})

# /proc/stat counts in ticks of 10 ms (proc_stat(5)), a control group in nanoseconds: over less time, or with less
# work on the machine, their ratio is chance, and chance is billed (no tick: everything, a tick: hardly anything).
_SHORTEST_STEP_NS = NS_PER_S // 2
_LEAST_WORK_US = 100_000
# A part and its share are cut at the same readings; their gaps differ by rounding only.
_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class ShareStep:
    """The run's share of a device over a stretch of time; None where it is not known."""

    t0_ns: int
    t1_ns: int
    share: float | None


def allocation_bounds(share: float) -> tuple[float, float]:
    """Return how far (relative: low, high) an energy shared out by use may be off. See the module's text.

    Args:
        share: The share (0..1) that the run got.
    """
    return 1 - 1 / (2 - share), 2 / (1 + share) - 1


def share_steps(channel: Channel, usages: Sequence[Usage]) -> tuple[str | None, list[ShareStep]]:
    """Return the rule for a channel and its steps over time; no rule if the channel is the run's own.

    Node, module and rest are not shared out by this, but by ``parts_steps``. What a channel says of itself
    (``share``, ``policy``: the part that this machine or container got) is applied before, not instead.

    Args:
        channel: A CPU, DRAM or GPU channel.
        usages: What was used, in order of time.
    """
    if channel.component is Component.CPU:
        return _cpu_rule(usages)
    if channel.component is Component.DRAM:
        alike, of_jobs = _alike(usages)
        rule = JOB_MEMORY_SHARE if of_jobs else MEMORY_SHARE
        return rule, [_memory_step(a, b) for a, b in pairwise(alike)]
    if channel.component is Component.GPU:
        return _gpu_steps(channel, usages)
    return None, []


def parts_steps(
    usages: Sequence[Usage], parts: Mapping[Channel, tuple[EnergyCurve, EnergyCurve]]
) -> tuple[str, list[ShareStep]]:
    """Return the rule and the steps for something that contains, or depends on, the parts of a host.

    Args:
        usages: What was used, in order of time.
        parts: CPU, DRAM and GPU channels that may be added up, each with the curve of the machine and that of
            the run.
    """
    if not parts:
        return _cpu_rule(usages)
    times = spaced([usage.t_mono_ns for usage in usages], _SHORTEST_STEP_NS)
    return PARTS_SHARE, [ShareStep(a, b, _parts_share(parts.values(), a, b)) for a, b in pairwise(times)]


def allocated(intervals: Sequence[EnergyInterval], steps: Sequence[ShareStep]) -> list[EnergyInterval]:
    """Return the run's part of a channel's energy; unknown wherever energy or share are.

    Args:
        intervals: The channel's energy, adjacent and in order of time.
        steps: The share, adjacent and in order of time.
    """
    if not steps:
        return [EnergyInterval(i.t0_ns, i.t1_ns, None) for i in intervals]
    result: list[EnergyInterval] = []
    index = 0
    for interval in intervals:
        t_ns = interval.t0_ns
        while t_ns < interval.t1_ns:
            while index < len(steps) - 1 and steps[index].t1_ns <= t_ns:
                index += 1
            step = steps[index]
            if t_ns < step.t0_ns:
                end_ns, share = min(step.t0_ns, interval.t1_ns), None
            elif t_ns < step.t1_ns:
                end_ns, share = min(step.t1_ns, interval.t1_ns), step.share
            else:
                end_ns, share = interval.t1_ns, None
            part = (end_ns - t_ns) / (interval.t1_ns - interval.t0_ns)
            known = interval.energy_uj is not None and share is not None
            energy_uj = (interval.energy_uj or 0.0) * part * (share or 0.0) if known else None
            result.append(EnergyInterval(t_ns, end_ns, energy_uj))
            t_ns = end_ns
    return result


def _parts_share(curves: Iterable[tuple[EnergyCurve, EnergyCurve]], t0_ns: int, t1_ns: int) -> float | None:
    whole_j = own_j = 0.0
    for machine, own in curves:
        whole, part = machine.between(t0_ns, t1_ns), own.between(t0_ns, t1_ns)
        if whole.energy_j is None:
            continue
        if part.energy_j is None or part.gap_s > whole.gap_s + _ROUNDING_S:
            return None  # the part's energy is known, the run's share of it is not
        whole_j += whole.energy_j
        own_j += part.energy_j
    return min(own_j / whole_j, 1.0) if whole_j > 0 else None


def _cpu_rule(usages: Sequence[Usage]) -> tuple[str, list[ShareStep]]:
    alike, of_jobs = _alike(usages)
    return JOB_CPU_TIME_SHARE if of_jobs else CPU_TIME_SHARE, _cpu_steps(alike)


def _alike(usages: Sequence[Usage]) -> tuple[Sequence[Usage], bool]:
    """Return the looks that may be compared with each other, and whether they are at all jobs of the node.

    Not all processes of a run need to see the node's jobs; those that do are to be believed.
    """
    of_jobs = [usage for usage in usages if usage.of_jobs]
    return (of_jobs, True) if of_jobs else (usages, False)


def _cpu_steps(usages: Sequence[Usage]) -> list[ShareStep]:
    """Return the run's share of CPU time. It is cumulated: a failed read between two good ones costs nothing."""
    known = [
        (usage.t_mono_ns, usage.own_cpu_us, usage.machine_cpu_us)
        for usage in usages
        if usage.own_cpu_us is not None and usage.machine_cpu_us is not None
    ]
    marks = known[:1]
    anew = 0  # where the count began
    for last, mark in pairwise(known):
        if mark[1] < last[1] or mark[2] < last[2]:
            # It began anew: what was counted before is known, and what is counted from now on.
            marks += [mark] if marks[-1] is last else [last, mark]
            anew = len(marks) - 1
            continue
        if mark[0] - marks[-1][0] >= _SHORTEST_STEP_NS and mark[2] - marks[-1][2] >= _LEAST_WORK_US:
            marks.append(mark)
    if len(known) > 1 and marks[-1] is not known[-1]:
        # What is left at the end is too little to stand alone.
        marks = [*(marks[:-1] if len(marks) - 1 > anew else marks), known[-1]]
    return [_cpu_step(a, b) for a, b in pairwise(marks)]


def _gpu_steps(channel: Channel, usages: Sequence[Usage]) -> tuple[str | None, list[ShareStep]]:
    looked = [(usage.t_mono_ns, usage.gpu_shares) for usage in usages if usage.gpu_shares is not None]
    if not any(channel.id in shares for _, shares in looked):
        return None, []  # nobody else computed there: the run's own, idle or not
    # A share speaks of the time since the last look; before the first and after the last the nearest holds.
    times = [usages[0].t_mono_ns, *(t_ns for t_ns, _ in looked), usages[-1].t_mono_ns]
    shares = [given.get(channel.id, 1.0) for _, given in looked]
    steps = zip(pairwise(times), [*shares, shares[-1]], strict=True)
    return SM_SHARE, [ShareStep(t0_ns, t1_ns, share) for (t0_ns, t1_ns), share in steps if t1_ns > t0_ns]


def _cpu_step(a: tuple[int, int, int], b: tuple[int, int, int]) -> ShareStep:
    own_us, machine_us = b[1] - a[1], b[2] - a[2]
    if own_us < 0 or machine_us < 0:
        # A process left the tree and took its time along (a daemon), or the container went to another machine.
        return ShareStep(a[0], b[0], None)
    # The machine's time may lag behind the run's, which is counted finely.
    machine_us = max(machine_us, own_us)
    return ShareStep(a[0], b[0], own_us / machine_us if machine_us else None)


def _memory_step(a: Usage, b: Usage) -> ShareStep:
    shares = [
        min(usage.own_memory_bytes / usage.machine_memory_bytes, 1.0)
        for usage in (a, b)
        if usage.own_memory_bytes is not None and usage.machine_memory_bytes
    ]
    return ShareStep(a.t_mono_ns, b.t_mono_ns, sum(shares) / len(shares) if shares else None)

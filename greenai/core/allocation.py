"""Sharing a machine's energy out to the run that used part of it. Pure arithmetic; each rule has a name.

=================== ===============================================================================================
``cpu_time_share``  CPU energy by the run's share of all CPU time that was worked in the interval
``memory_share``    DRAM energy by the run's share of the memory in use
``sm_share``        a GPU used by several programs: by the run's share of the multiprocessors' work; a GPU that the
                    run has to itself is the run's, idle or not
``parts_share``     node, module and rest: by the run's share of their parts' energy, where parts are known; else
                    by CPU time
``mig_slice_share`` a slice of a board: by slices (from the collector, see ``Channel.share``)
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
from greenai.core.energy import EnergyCurve, EnergyInterval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.usage import Usage

CPU_TIME_SHARE = "cpu_time_share"
MEMORY_SHARE = "memory_share"
SM_SHARE = "sm_share"
PARTS_SHARE = "parts_share"

_PARTS = (Component.CPU, Component.DRAM, Component.GPU)


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

    Node, module and rest are not shared out by this, but by ``parts_steps``.

    Args:
        channel: A CPU, DRAM or GPU channel.
        usages: What was used, in order of time.
    """
    if channel.policy is not None:
        return None, []  # the collector shares it out
    if channel.component is Component.CPU:
        return CPU_TIME_SHARE, [_cpu_step(a, b) for a, b in pairwise(usages)]
    if channel.component is Component.DRAM:
        return MEMORY_SHARE, [_memory_step(a, b) for a, b in pairwise(usages)]
    if channel.component is Component.GPU and any(channel.id in usage.gpu_shares for usage in usages):
        # A share speaks of the time since the last one; without one nobody computed there, and it is the run's.
        return SM_SHARE, [
            ShareStep(a.t_mono_ns, b.t_mono_ns, b.gpu_shares.get(channel.id, 1.0)) for a, b in pairwise(usages)
        ]
    return None, []


def parts_steps(
    usages: Sequence[Usage], parts: Mapping[Channel, tuple[EnergyCurve, EnergyCurve]]
) -> tuple[str, list[ShareStep]]:
    """Return the rule and the steps for something that contains, or depends on, the parts of a host.

    Args:
        usages: What was used, in order of time.
        parts: CPU, DRAM and GPU channels, each with the curve of the machine and that of the run.
    """
    curves = [curves for channel, curves in parts.items() if channel.component in _PARTS]
    if not curves:
        return CPU_TIME_SHARE, [_cpu_step(a, b) for a, b in pairwise(usages)]
    steps = []
    for a, b in pairwise(usages):
        whole_j = sum(curve.between(a.t_mono_ns, b.t_mono_ns).energy_j or 0.0 for curve, _ in curves)
        own_j = sum(own.between(a.t_mono_ns, b.t_mono_ns).energy_j or 0.0 for _, own in curves)
        steps.append(ShareStep(a.t_mono_ns, b.t_mono_ns, min(own_j / whole_j, 1.0) if whole_j > 0 else None))
    return PARTS_SHARE, steps


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


def _cpu_step(a: Usage, b: Usage) -> ShareStep:
    if a.own_cpu_us is None or b.own_cpu_us is None or a.machine_cpu_us is None or b.machine_cpu_us is None:
        return ShareStep(a.t_mono_ns, b.t_mono_ns, None)
    own_us = max(b.own_cpu_us - a.own_cpu_us, 0)  # a process that nobody waited for takes its time along
    # The machine's time is counted in ticks and may lag behind the run's, which is counted finely.
    machine_us = max(b.machine_cpu_us - a.machine_cpu_us, own_us)
    return ShareStep(a.t_mono_ns, b.t_mono_ns, own_us / machine_us if machine_us else 0.0)


def _memory_step(a: Usage, b: Usage) -> ShareStep:
    shares = [
        min(usage.own_memory_bytes / usage.machine_memory_bytes, 1.0)
        for usage in (a, b)
        if usage.own_memory_bytes is not None and usage.machine_memory_bytes
    ]
    return ShareStep(a.t_mono_ns, b.t_mono_ns, sum(shares) / len(shares) if shares else None)

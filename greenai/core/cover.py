"""Which channels may be added up without counting a joule twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WHOLE_NODE = frozenset(Component)
_WHOLE_MODULE = frozenset({Component.MODULE, Component.CPU, Component.DRAM, Component.GPU})

_QUALITY = {Quality.MEASURED: 0, Quality.ALLOCATED: 1, Quality.ESTIMATED: 2}

# A source that saw less of the run than this was partly blind.
WELL_COVERED = 0.9

# Sensors of a whole and of its parts may differ by their uncertainties; a whole that says this much less is wrong.
PARTS_EXCEED = 1.25

Key = tuple[str, str]
"""(host, channel id)."""


Claim = frozenset[tuple[Component, str]]
"""Components, each with the maker of the devices (of GPUs only; empty is every maker)."""

_Group = tuple[str, str, bool, Component, Claim]
"""(host, family, estimated, component, claim): channels that stand or fall together."""


def claims(channel: Channel) -> Claim:
    """Return everything whose energy is inside this channel."""
    if channel.component is Component.NODE:
        components = _WHOLE_NODE
    elif channel.component is Component.MODULE:
        components = _WHOLE_MODULE | channel.includes
    else:
        components = frozenset({channel.component}) | channel.includes
    return frozenset((c, channel.gpu_vendor if c is Component.GPU else "") for c in components)


def counted(
    known_shares: Mapping[Channel, float], energies_j: Mapping[Channel, float] | None = None
) -> frozenset[Key]:
    """Choose the channels to sum up, host by host.

    In this order: a measurement before an allocation, an allocation before an estimate; the whole before its
    parts; the more certain. All devices of one family that claim the same stand or fall together (eight GPUs are
    summed, never averaged). A group that contains something already covered is left out.

    A group that was blind for a part of the run gives way to others that measure what it contains, if these add up
    to more: each of the two is less than the truth, so the greater is nearer to it. It never gives way to an
    estimate; the time it missed is shown as a gap.

    Args:
        known_shares: All channels, each with the share (0..1) of the run its energy is known for. One at 0
            displaces nothing, and makes its group partly blind: three of four modules are no whole node.
        energies_j: What is known of their energies, joules; 0 where nothing is said.
    """
    groups: dict[_Group, list[Channel]] = defaultdict(list)
    for channel in known_shares:
        estimated = channel.quality is Quality.ESTIMATED
        # By the family in its id: one socket may be read by one door, the other by another (rapl, rapl_perf).
        family = channel.id.partition(":")[0]
        groups[channel.host, family, estimated, channel.component, claims(channel)].append(channel)
    chosen: set[Key] = set()
    for host in sorted({key[0] for key in groups}):
        candidates = [
            _candidate(key, members, known_shares, energies_j or {})
            for key, members in groups.items()
            if key[0] == host and any(known_shares[channel] > 0 for channel in members)
        ]
        for candidate in _select(sorted(candidates, key=lambda candidate: candidate.rank)):
            chosen.update((c.host, c.id) for c in candidate.members if known_shares[c] > 0)
    return frozenset(chosen)


class _Candidate(NamedTuple):
    """A group that may be counted."""

    members: tuple[Channel, ...]
    claim: Claim
    energy_j: float
    blind: bool
    estimated: bool
    rank: tuple[object, ...]


def _candidate(
    key: _Group,
    members: Sequence[Channel],
    known_shares: Mapping[Channel, float],
    energies_j: Mapping[Channel, float],
) -> _Candidate:
    _, family, estimated, component, claim = key
    rank = (
        max(_QUALITY[channel.quality] for channel in members),
        -len(claim),
        min(channel.uncertainty_rel for channel in members),
        family,
        component,
        sorted(claim),
    )
    blind = min(known_shares[channel] for channel in members) < WELL_COVERED
    energy_j = sum(energies_j.get(channel, 0.0) for channel in members)
    return _Candidate(tuple(members), claim, energy_j, blind, estimated, rank)


def _select(ranked: Sequence[_Candidate]) -> list[_Candidate]:
    """Return the groups to count, from those of one host in their order."""
    chosen: list[_Candidate] = []
    for index, candidate in enumerate(ranked):
        if any(_overlap(candidate.claim, other.claim) for other in chosen):
            continue
        if not candidate.estimated and _more_without(candidate, ranked[index + 1 :], chosen):
            continue
        chosen.append(candidate)
    return chosen


def _more_without(candidate: _Candidate, later: Sequence[_Candidate], chosen: Sequence[_Candidate]) -> bool:
    """Say whether other measurements of what a group contains explain more energy than it does itself.

    A group that saw the whole run must fall clearly below its own parts: then it is out of order.
    """
    others = [
        other
        for other in later
        if not other.estimated
        and _overlap(other.claim, candidate.claim)
        and not any(_overlap(other.claim, taken.claim) for taken in chosen)
        and (candidate.blind or (len(other.claim) < len(candidate.claim) and not other.blind))
    ]
    instead = _select(others)
    if not instead:
        return False
    energy_j = sum(other.energy_j for other in instead)
    return energy_j >= candidate.energy_j if candidate.blind else energy_j > PARTS_EXCEED * candidate.energy_j


def _overlap(one: Claim, two: Claim) -> bool:
    return any(_same(a, b) for a in one for b in two)


def _same(one: tuple[Component, str], two: tuple[Component, str]) -> bool:
    return one[0] is two[0] and (one[1] == two[1] or not one[1] or not two[1])


def part_of(channel: Channel, chosen: Iterable[Channel]) -> str | None:
    """Return the id of a counted channel of the same host that contains this one, None if there is none.

    Args:
        channel: One that is not counted itself.
        chosen: The counted channels.
    """
    claim = claims(channel)
    for whole in chosen:
        around = claims(whole)
        wider = whole.host == channel.host and len(around) > len(claim)
        if wider and all(any(_same(part, other) for other in around) for part in claim):
            return whole.id
    return None


def without_redundant_estimates(channels: Iterable[Channel]) -> list[Channel]:
    """Drop each estimate of a component that a sensor of the same host measures on its own.

    Where only the whole is measured (the node), the estimates of its parts stay: as its breakdown, and because a
    battery is silent while it is charged.
    """
    channels = list(channels)
    measured: dict[str, set[Component]] = defaultdict(set)
    for channel in channels:
        if channel.quality is not Quality.ESTIMATED and channel.component is not Component.NODE:
            measured[channel.host] |= {component for component, _ in claims(channel)}
    return [
        channel
        for channel in channels
        if channel.quality is not Quality.ESTIMATED or channel.component not in measured[channel.host]
    ]

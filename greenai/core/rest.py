"""The rest of the node: power supply, fans, board, network and disks, estimated from what is measured.

Packages, memory and GPUs are not all that a machine takes. Where nothing measures the whole node:

    E_rest = 0.33 (0.2 to 0.6) x (CPU + DRAM)  +  0.15 (0.05 to 0.3) x (GPU + module)

0.33 is BoaviztAPI's ratio of other consumption; the range covers a desktop (280 W at the wall against 171 W by
RAPL) as well as a dense server. 0.15 for accelerators is this project's choice after the DGX H100 (10.2 kW at
most, of which GPUs and CPUs account for about 62 %; recalled, unverified). The result is an estimate, is labelled
so, and counts only if the setting ``rest_of_node`` says so (docs/decisions/0010-rest-of-node.md).
"""

from __future__ import annotations

from itertools import chain, pairwise
from operator import add
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy_curve import EnergyCurve, EnergyInterval, spaced
from greenai.core.text import Text
from greenai.core.units import NS_PER_S, UW_PER_W

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

METHOD = "rest_of_node_factor"
COLLECTOR = "rest_of_node"

HOST_FACTOR, HOST_LOW, HOST_HIGH = 0.33, 0.2, 0.6
ACCELERATOR_FACTOR, ACCELERATOR_LOW, ACCELERATOR_HIGH = 0.15, 0.05, 0.3

# Between these times the rest is a straight line: eight GPUs polled 20 times a second would be a day's work.
_STEP_NS = NS_PER_S // 2
# Where it is not counted, only its sum is shown: this many steps are enough for that and for its gaps.
_ENOUGH_STEPS = 1000

_NOTE = Text(
    de="Geschätzt: 33 % von CPU und Speicher, 15 % der GPUs, für Netzteil, Lüfter, Platine und Platten. {switch}",
    en="Estimated: 33 % of CPU and memory, 15 % of the GPUs, for power supply, fans, board and disks. {switch}",
)
_NOT_COUNTED = Text(
    de="Nicht in der Summe; einschalten mit: greenai config set rest_of_node true",
    en="Not in the total; switch on with: greenai config set rest_of_node true",
)
_COUNTED = Text(de="In der Summe enthalten.", en="Included in the total.")


def factor(component: Component) -> float:
    """Return what a joule of this component adds to the rest of the node, joules."""
    if component in (Component.CPU, Component.DRAM):
        return HOST_FACTOR
    return ACCELERATOR_FACTOR if component in (Component.GPU, Component.MODULE) else 0.0


def rest_channel(host: str, energies_j: Mapping[Channel, float], *, is_counted: bool) -> Channel | None:
    """Return the channel of the rest of a host; None where it is measured, or where there is nothing to go by.

    Args:
        host: The host.
        energies_j: Its counted channels with their energy, joules.
        is_counted: Whether the rest is to be part of the total.
    """
    host_j = sum(j for c, j in energies_j.items() if c.component in (Component.CPU, Component.DRAM))
    accelerator_j = sum(j for c, j in energies_j.items() if c.component in (Component.GPU, Component.MODULE))
    measured = any({Component.NODE, Component.REST} & {c.component, *c.includes} for c in energies_j)
    energy_j = HOST_FACTOR * host_j + ACCELERATOR_FACTOR * accelerator_j
    if measured or energy_j <= 0:
        return None
    return Channel(
        id=f"{COLLECTOR}:rest",
        collector=COLLECTOR,
        component=Component.REST,
        kind=Kind.COUNTER,
        quality=Quality.ESTIMATED,
        device="",
        host=host,
        method=METHOD,
        uncertainty_rel=(HOST_HIGH * host_j + ACCELERATOR_HIGH * accelerator_j) / energy_j - 1,
        uncertainty_low_rel=1 - (HOST_LOW * host_j + ACCELERATOR_LOW * accelerator_j) / energy_j,
        max_power_uw=100_000 * UW_PER_W,
        note=_NOTE.format(switch=_COUNTED if is_counted else _NOT_COUNTED),
    )


def step_ns(length_ns: int, *, is_counted: bool) -> int:
    """Return how finely the rest of a host is to be known.

    Args:
        length_ns: The run's length.
        is_counted: Whether the rest is part of the total.
    """
    return _STEP_NS if is_counted else max(_STEP_NS, length_ns // _ENOUGH_STEPS)


def rest_intervals(
    curves: Sequence[tuple[Component, EnergyCurve]], longest_ns: int = _STEP_NS, exact_ns: Sequence[int] = ()
) -> list[EnergyInterval]:
    """Return the energy of the rest over time.

    Args:
        curves: Of a host's counted channels.
        longest_ns: Between times this far apart the rest is a straight line.
        exact_ns: Times between which it is to be exact: the ends of the run.
    """
    weighted = [(factor(component), curve) for component, curve in curves if factor(component) and curve.times_ns]
    every_ns = chain.from_iterable(spaced(curve.times_ns, longest_ns) for _, curve in weighted)
    times_ns = spaced(sorted(every_ns), longest_ns)
    inside_ns = {t_ns for t_ns in exact_ns if times_ns and times_ns[0] < t_ns < times_ns[-1]}
    times_ns = sorted({*times_ns, *inside_ns})
    rest_uj, known_ns = [0.0] * len(times_ns), [0.0] * len(times_ns)  # up to each time; the latter of all parts
    for weight, curve in weighted:
        energies_uj, lengths_ns = curve.known_at(times_ns)
        rest_uj = [uj + weight * part_uj for uj, part_uj in zip(rest_uj, energies_uj, strict=True)]
        known_ns = list(map(add, known_ns, lengths_ns))
    marks = zip(times_ns, rest_uj, known_ns, strict=True)
    return [
        EnergyInterval(t0_ns, t1_ns, uj1 - uj0 if known1_ns > known0_ns else None)
        for (t0_ns, uj0, known0_ns), (t1_ns, uj1, known1_ns) in pairwise(marks)
    ]

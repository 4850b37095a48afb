"""The simulated machine: what it is made of, and one such machine with its phases drawn and its clock started."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from benchmarks.accuracy.curves import Curve

Component = Literal["cpu", "dram", "gpu"]
FaultKind = Literal["fail", "sentinel", "reset", "lost"]
COMPONENTS: tuple[Component, ...] = ("cpu", "dram", "gpu")

# Intel's usual RAPL unit, 2^-14 J, and what the kernel then gives as the largest value of a 32-bit counter.
UNIT_UJ = 1e6 / 2**14
RANGE_UJ = float(math.floor(UNIT_UJ * (2**32 - 1)))
RAPL_RENEWAL_NS = 1_000_000
# NVIDIA A100 after Yang, Adámek, Armour (SC24, arXiv:2312.02741).
ENERGY_RENEWAL_NS = 100_300_000
POWER_RENEWAL_NS = 100_000_000
POWER_WINDOW_NS = 25_000_000
_PASCAL, _AMPERE = 4, 7  # nvmlDeviceArchitecture_t


@dataclass(frozen=True, slots=True)
class Zone:
    """A RAPL zone; ``path`` as in its folder's name: "0", or "0:0" for one inside it."""

    path: str
    label: str
    curve: Curve
    range_uj: float = RANGE_UJ
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, with or without energy counter."""

    curve: Curve
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one sensor, in seconds after the work began."""

    sensor: Literal["zone", "gpu"]
    device: int
    kind: FaultKind
    from_s: float
    to_s: float = 1e6


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine. ``visible`` are the GPUs that the program may use; ``cuda_visible`` is how it is told."""

    zones: tuple[Zone, ...]
    gpus: tuple[Gpu, ...] = ()
    faults: tuple[Fault, ...] = ()
    visible: tuple[int, ...] | None = None
    cuda_visible: str | None = None

    def devices_of(self, component: Component) -> list[int]:
        """Return which zones or GPUs make up a component. A psys zone belongs to none."""
        if component == "gpu":
            return [i for i in range(len(self.gpus)) if self.visible is None or i in self.visible]
        label = {"cpu": "package", "dram": "dram"}[component]
        return [i for i, zone in enumerate(self.zones) if zone.label.startswith(label)]

    def curves_of(self, component: Component) -> list[Curve]:
        """Return the power curves whose sum is the component's."""
        parts: tuple[Zone | Gpu, ...] = self.gpus if component == "gpu" else self.zones
        return [parts[i].curve for i in self.devices_of(component)]


@dataclass(frozen=True, slots=True)
class CounterView:
    """What counters can show that are renewed now and then.

    Attributes:
        two_reads_j: What two flawless reads at the very begin and end of the work give.
        too_much_j: The energy of one renewal before the begin: what may be counted in at most.
        too_little_j: The energy of one renewal before the end: what may be left out at most.
    """

    two_reads_j: float
    too_much_j: float
    too_little_j: float


def uuid_of(gpu: int) -> str:
    """Return the UUID of a GPU."""
    return f"GPU-{gpu + 1:08x}-5a1d-4c0f-8e57-0123456789ab"


class Simulation:
    """One machine at one time: phases and counter states drawn at random, and its clock started.

    Attributes:
        epoch_ns: When its clock started, monotonic nanoseconds.
        work_ns: When the tracked work began and ended; (0, 0) before.
    """

    def __init__(self, machine: Machine, random: Random, epoch_ns: int) -> None:
        self.machine = machine
        self.epoch_ns = epoch_ns
        self.work_ns = (0, 0)
        self._rapl_ns = [random.randrange(RAPL_RENEWAL_NS) for _ in machine.zones]
        self._start_uj = [random.uniform(0, zone.range_uj) for zone in machine.zones]
        self._energy_ns = [random.randrange(ENERGY_RENEWAL_NS) for _ in machine.gpus]
        self._power_ns = [random.randrange(POWER_RENEWAL_NS) for _ in machine.gpus]
        self._start_mj = [float(random.randrange(10**6, 10**10)) for _ in machine.gpus]

    def specification(self, work_file: Path) -> str:
        """Return what ``lab/sim.h`` reads."""
        curves = [zone.curve for zone in self.machine.zones] + [gpu.curve for gpu in self.machine.gpus]
        return "\n".join(
            (
                f"machine {self.epoch_ns} {work_file}",
                *(self._curve_line(curve) for curve in curves),
                *self._zone_lines(),
                *self._gpu_lines(len(self.machine.zones)),
                *(
                    f"fault {fault.sensor} {fault.device} {fault.kind} {fault.from_s!r} {fault.to_s!r}"
                    for fault in self.machine.faults
                ),
                "",
            )
        )

    def truth_j(self, component: Component) -> float:
        """Return the energy of a component while the work went on, joules."""
        return sum(self._between(curve, *self.work_ns) for curve in self.machine.curves_of(component))

    def counter_view(self, component: Component) -> CounterView | None:
        """Return what the counters can show of the work at best. None where there is no counter."""
        if component == "gpu" and not all(gpu.counts for gpu in self.machine.gpus):
            return None
        phases = self._energy_ns if component == "gpu" else self._rapl_ns
        period_ns = ENERGY_RENEWAL_NS if component == "gpu" else RAPL_RENEWAL_NS
        two_reads_j = before_begin_j = before_end_j = 0.0
        begin_ns, end_ns = self.work_ns
        for device, curve in zip(
            self.machine.devices_of(component), self.machine.curves_of(component), strict=True
        ):
            shown_ns = [_renewed(t, self.epoch_ns + phases[device], period_ns) for t in self.work_ns]
            two_reads_j += self._between(curve, *shown_ns)
            before_begin_j += self._between(curve, begin_ns - period_ns, begin_ns)
            before_end_j += self._between(curve, end_ns - period_ns, end_ns)
        return CounterView(two_reads_j, before_begin_j, before_end_j)

    def energy_counter_j(self, gpu: int, t_ns: int) -> float:
        """Return what the energy counter of a GPU shows, joules."""
        renewed_ns = _renewed(t_ns, self.epoch_ns + self._energy_ns[gpu], ENERGY_RENEWAL_NS)
        return self._start_mj[gpu] / 1e3 + self._at(self.machine.gpus[gpu].curve, renewed_ns)

    def power_w(self, gpu: int, t_ns: int) -> float:
        """Return what a GPU gives as its power, watts."""
        renewed_ns = _renewed(t_ns, self.epoch_ns + self._power_ns[gpu], POWER_RENEWAL_NS)
        curve = self.machine.gpus[gpu].curve
        return self._between(curve, renewed_ns - POWER_WINDOW_NS, renewed_ns) / (POWER_WINDOW_NS / 1e9)

    def zone_uj(self, zone: int, t_ns: int) -> float:
        """Return what a RAPL counter shows, microjoules, before it is rounded to its unit."""
        renewed_ns = _renewed(t_ns, self.epoch_ns + self._rapl_ns[zone], RAPL_RENEWAL_NS)
        part = self.machine.zones[zone]
        return math.fmod(self._start_uj[zone] + self._at(part.curve, renewed_ns) * 1e6, part.range_uj + UNIT_UJ)

    def _at(self, curve: Curve, t_ns: int) -> float:
        return curve.cumulated_j(t_ns, self.epoch_ns, self.work_ns[0] or t_ns)

    def _between(self, curve: Curve, from_ns: int, to_ns: int) -> float:
        return self._at(curve, to_ns) - self._at(curve, from_ns)

    def _curve_line(self, curve: Curve) -> str:
        base = "clock" if curve.before_w is None else "work"
        points = " ".join(f"{t_s!r} {power_w!r}" for t_s, power_w in curve.points)
        numbers = f"{curve.before_w or 0.0!r} {curve.period_s!r} {curve.phase_s!r} {len(curve.points)}"
        return f"curve {base} {numbers} {points}"

    def _zone_lines(self) -> Iterator[str]:
        for i, zone in enumerate(self.machine.zones):
            yield (
                f"zone {zone.path} {zone.label} {i} {UNIT_UJ!r} {zone.range_uj!r} {self._start_uj[i]!r} "
                f"{self._rapl_ns[i]} {int(zone.readable)}"
            )

    def _gpu_lines(self, first_curve: int) -> Iterator[str]:
        for i, gpu in enumerate(self.machine.gpus):
            model, name = (_AMPERE, "NVIDIA A100-SXM4-40GB") if gpu.counts else (_PASCAL, "Tesla P100-SXM2-16GB")
            yield (
                f"gpu {i} {uuid_of(i)} {first_curve + i} {model} {int(gpu.counts)} {self._start_mj[i]!r} "
                f"{self._energy_ns[i]} {self._power_ns[i]} {name}"
            )


def _renewed(t_ns: int, start_ns: int, period_ns: int) -> int:
    return t_ns - (t_ns - start_ns) % period_ns

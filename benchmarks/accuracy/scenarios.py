"""What is measured: one list, the same for greenai and for every tool beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.accuracy.curves import Curve, bursts, constant, job, ramp, square, step
from benchmarks.accuracy.machines import Fault, Gpu, Machine, Zone, uuid_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from benchmarks.accuracy.machines import FaultKind


@dataclass(frozen=True, slots=True)
class Scenario:
    """A machine and a length of work. Phases and times of steps and faults are drawn anew for each repetition."""

    name: str
    seconds: float
    build: Callable[[Random], Machine]


def _one(cpu: Curve, gpu: Curve | None = None, *, counts: bool = True, faults: tuple[Fault, ...] = ()) -> Machine:
    """Return a machine with one package, its memory (12 W), and one GPU."""
    zones = (Zone("0", "package-0", cpu), Zone("0:0", "dram", constant(12)))
    return Machine(zones, (Gpu(gpu, counts),) if gpu else (), faults)


def _shapes(name: str, seconds: float, counts: bool = True) -> list[Scenario]:
    def square_of(on_s: float, period_s: float) -> Callable[[Random], Machine]:
        return lambda r: _one(
            square(40, 180, on_s, period_s, r), square(60, 350, on_s, period_s, r), counts=counts
        )

    return [
        Scenario(f"{name}constant", seconds, lambda _: _one(constant(100), constant(300), counts=counts)),
        Scenario(f"{name}bursts of 2 s", seconds, square_of(2.0, 4.13)),
        Scenario(f"{name}bursts of 0.2 s", seconds, square_of(0.2, 0.73)),
        Scenario(
            f"{name}random bursts", seconds, lambda r: _one(bursts(40, 200, r), bursts(60, 400, r), counts=counts)
        ),
    ]


def _short(seconds: float) -> list[Scenario]:
    return [
        Scenario(f"{seconds:g} s, constant", seconds, lambda _: _one(constant(100), constant(300))),
        Scenario(
            f"{seconds:g} s, idle around it", seconds, lambda _: _one(job(30, 150, seconds), job(60, 350, seconds))
        ),
    ]


def _step(r: Random) -> Machine:
    return _one(step(40, 180, r.uniform(6, 14)), step(80, 350, r.uniform(6, 14)))


def _wraps(r: Random) -> Machine:
    """Return a machine whose counters wrap each 6 s. Real ones have 40 times this range, or more."""
    package = Zone("0", "package-0", square(250, 310, 1.5, 3.1, r), range_uj=1.6e9)
    return Machine((package, Zone("0:0", "dram", constant(100), range_uj=6.4e8)))


def _two_packages(_: Random) -> Machine:
    return Machine(
        (
            Zone("0", "package-0", constant(100)), Zone("0:0", "dram", constant(12)),
            Zone("1", "package-1", constant(80)), Zone("1:0", "dram", constant(14)),
            Zone("2", "psys", constant(260)),
        )
    )  # fmt: skip


def _gpus(*powers_w: float, visible: int | None = None, by_uuid: bool = False) -> Callable[[Random], Machine]:
    def build(_: Random) -> Machine:
        told = None if visible is None else uuid_of(visible) if by_uuid else str(visible)
        return Machine(
            (Zone("0", "package-0", constant(100)), Zone("0:0", "dram", constant(12))),
            tuple(Gpu(constant(power_w)) for power_w in powers_w),
            visible=None if visible is None else (visible,),
            cuda_visible=told,
        )

    return build


def _unreadable(_: Random) -> Machine:
    zones = (
        Zone("0", "package-0", constant(100), readable=False),
        Zone("0:0", "dram", constant(12), readable=False),
    )
    return Machine(zones, (Gpu(constant(300)),))


_FAULTY_S = 10.0


def _faulty(kind: FaultKind, least_s: float, most_s: float, counts: bool = True) -> Callable[[Random], Machine]:
    """Return a machine whose package and GPU both fail for a time."""

    def build(r: Random) -> Machine:
        zone_s, gpu_s, seconds = r.uniform(3.0, 6.0), r.uniform(3.0, 6.0), r.uniform(least_s, most_s)
        faults = (
            Fault("zone", 0, kind, zone_s, zone_s + seconds),
            Fault("gpu", 0, kind, gpu_s, gpu_s + seconds),
        )
        gpu = constant(300) if counts else square(60, 350, 0.2, 0.73, r)
        return _one(constant(100), gpu, counts=counts, faults=faults)

    return build


def _fails_at_the_end(r: Random) -> Machine:
    from_s = _FAULTY_S - r.uniform(0.2, 0.8)
    return _one(
        constant(100), constant(300), faults=(Fault("zone", 0, "fail", from_s), Fault("gpu", 0, "fail", from_s))
    )


def _one_of_two_lost(r: Random) -> Machine:
    package = Zone("0", "package-0", constant(100))
    return Machine(
        (package,), (Gpu(constant(300)), Gpu(constant(250))), (Fault("gpu", 1, "lost", r.uniform(4, 7)),)
    )


SCENARIOS = (
    *_shapes("", 20.0),
    Scenario("step", 20.0, _step),
    Scenario("ramp", 20.0, lambda _: _one(ramp(20, 200, 20), ramp(50, 400, 20))),
    *_short(0.5),
    *_short(2.0),
    *_short(5.0),
    Scenario("RAPL wraps 3 times", 20.0, _wraps),
    Scenario("2 packages and psys", 10.0, _two_packages),
    Scenario("2 GPUs", 10.0, _gpus(300, 250)),
    Scenario("4 GPUs", 10.0, _gpus(300, 250, 200, 120)),
    Scenario("4 GPUs, CUDA_VISIBLE_DEVICES=2", 10.0, _gpus(300, 250, 200, 120, visible=2)),
    Scenario("4 GPUs, one visible by UUID", 10.0, _gpus(300, 250, 200, 120, visible=2, by_uuid=True)),
    Scenario("energy_uj unreadable", 10.0, _unreadable),
    *_shapes("no counter, ", 20.0, counts=False),
    Scenario("no counter, 2 s, constant", 2.0, lambda _: _one(constant(100), constant(300), counts=False)),
    Scenario("reads fail for 1 s", _FAULTY_S, _faulty("fail", 1.0, 1.0)),
    Scenario("0xFFFFFFFF for 1 s", _FAULTY_S, _faulty("sentinel", 1.0, 1.0)),
    Scenario("counters restart at 0", _FAULTY_S, _faulty("reset", 1e6, 1e6)),
    Scenario("reads fail at the end", _FAULTY_S, _fails_at_the_end),
    Scenario("1 of 2 GPUs lost", _FAULTY_S, _one_of_two_lost),
    Scenario("no counter, reads fail 0.5 to 3 s", _FAULTY_S, _faulty("fail", 0.5, 3.0, counts=False)),
    Scenario("no counter, 0xFFFFFFFF 0.5 to 3 s", _FAULTY_S, _faulty("sentinel", 0.5, 3.0, counts=False)),
)

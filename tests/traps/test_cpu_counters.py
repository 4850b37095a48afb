"""RAPL, from the counter in sysfs to the joules on the record."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component
from greenai.testing import FakeMachine
from greenai.testing.machines import MACHINES
from greenai.testing.machines.rapl import DRAM_RANGE_UJ, RANGE_UJ, Zone, powercap

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S = 3600.0


def zones(*tree: Zone) -> Any:
    """Return the builder of a machine with these zones."""

    def build(folder: Path) -> FakeMachine:
        machine = FakeMachine(folder)
        powercap(machine, tree)
        return machine

    return build


ONE_SOCKET = zones(Zone("package-0", 0, inside=(Zone("dram", 0, DRAM_RANGE_UJ),)))
RANGE_J = RANGE_UJ / 1e6


def one_socket(play: Any, watts: float = 150.0, start_j: float = 1000.0) -> tuple[Any, Any]:
    """A socket with memory; return the stage and the socket."""
    stage = play(ONE_SOCKET)
    socket = stage.rapl("intel-rapl:0", watts, start_j)
    stage.rapl("intel-rapl:0:0", 20.0)
    return stage, socket


def test_psys_and_mmio_counted_as_more_cpus(play: Any) -> None:
    """zeus: psys becomes a second CPU; codecarbon: the MMIO zone is one more package."""
    stage = play(MACHINES["rapl/rapl_core_laptop"])
    stage.rapl("intel-rapl:0", 15.0)
    stage.rapl("intel-rapl:0:2", 3.0)
    for around_or_inside in ("intel-rapl:1", "intel-rapl-mmio:0", "intel-rapl:0:0", "intel-rapl:0:1"):
        stage.rapl(around_or_inside, 12.0)
    run = stage.run(60)
    assert run.counted == {"rapl:package-0", "rapl:package-0/dram"}
    assert run.energy_j == pytest.approx(60 * (15 + 3))


@pytest.mark.parametrize("layout", ["nested", "flat"])
def test_dram_selected_and_not_counted(play: Any, layout: str) -> None:
    """codecarbon#1305: nested memory is skipped, flat memory is read and then dropped by a regular expression."""
    memory = [Zone("dram", 0, DRAM_RANGE_UJ)] * 2
    if layout == "nested":
        stage = play(zones(*(Zone(f"package-{n}", 0, inside=(memory[n],)) for n in range(2))))
        names = [f"intel-rapl:{n}:0" for n in range(2)]
    else:
        stage = play(zones(Zone("package-0", 0), Zone("package-1", 0), *memory))
        names = ["intel-rapl:2", "intel-rapl:3"]
    for number, name in enumerate(names):
        stage.rapl(f"intel-rapl:{number}", 100.0)
        stage.rapl(name, 30.0 + number)
    run = stage.run(60)
    assert run.joules(Component.CPU) == pytest.approx(60 * 200)
    assert run.joules(Component.DRAM) == pytest.approx(60 * 61)
    assert run.energy_j == pytest.approx(sum(run.truth_j))


def test_dram_measured_and_estimated_as_well(play: Any) -> None:
    """codecarbon#1268: once the counter works, the memory model is added on top of it."""
    stage, _ = one_socket(play)
    run = stage.run(60)
    assert run.energy_j == pytest.approx(60 * 170)
    assert not [row.id for row in run.record.energy.channels if "memory_estimate" in row.id]
    assert run.record.energy.measured_share == 1


def test_sixteen_sockets_and_only_the_first_ten_counted(play: Any) -> None:
    """perun: a zone's number is one digit (``intel-rapl:(\\d)$``), the kernel's are hexadecimal."""
    stage = play(MACHINES["rapl/rapl_xeon_16_sockets"])
    for number in range(16):
        stage.rapl(f"intel-rapl:{number:x}", 100.0 + number)
        stage.rapl(f"intel-rapl:{number:x}:0", 10.0)
    run = stage.run(10)
    assert run.energy_j == pytest.approx(10 * (sum(range(100, 116)) + 160))


@pytest.mark.parametrize("name", ["rapl_threadripper_mirrored", "rapl_epyc_chiplets"])
def test_one_counter_listed_by_die_is_summed_over_the_dies(play: Any, name: str) -> None:
    """codecarbon#788: "almost twice as high as other tools based on the same interface"."""
    stage = play(MACHINES[f"rapl/{name}"])
    sockets, dies = (2, 12) if name == "rapl_epyc_chiplets" else (1, 2)
    for number in range(sockets * dies):
        stage.rapl(f"intel-rapl:{number:x}", 68.0 + number // dies)
    run = stage.run(30)
    assert run.joules(Component.CPU) == pytest.approx(30 * sum(68 + n for n in range(sockets)))


def test_one_failed_read_adds_a_whole_range(play: Any) -> None:
    """codecarbon and perun: a failed read is 0, which looks like a wrap; 200 J become 262,344 J."""
    stage, socket = one_socket(play, 20.0)
    socket.fails(4.5, 5.5, lambda: stage.machine.write("sys/class/powercap/intel-rapl:0/energy_uj", ""))
    run = stage.run(10)
    assert run.joules(Component.CPU) == pytest.approx(200)
    assert run.lost == {"rapl_garbage": 1}
    assert run.record.incidents == ()


@pytest.mark.parametrize(
    "start_j", [1000.0, RANGE_J - 500.0], ids=["far from a wrap", "so near that 0 looks like one"]
)
@pytest.mark.parametrize("value", [0, 2**32 - 1, 2**63])
def test_a_failed_read_that_comes_as_a_number(play: Any, value: int, start_j: float) -> None:
    """The same fault where kernel or firmware itself says 0 or all ones (0xFFFFFFFF)."""
    stage, socket = one_socket(play, 20.0, start_j)
    file = "sys/class/powercap/intel-rapl:0/energy_uj"
    socket.fails(4.5, 5.5, lambda: stage.machine.write(file, f"{value}\n"))
    run = stage.run(10)
    gap_s = run.row("rapl:package-0").gap_s
    assert gap_s == (0 if value or start_j == 1000 else pytest.approx(2.0))  # a 0 before a wrap may be the wrap
    assert run.joules(Component.CPU) == pytest.approx(20 * (10 - gap_s))
    assert sum(run.lost.values()) == 1


def test_a_sensor_that_vanishes_becomes_zero_watts(play: Any) -> None:
    """carbontracker: a reading that fails is 0.0 W for all devices. Here: what was read, and a gap said aloud."""
    stage, socket = one_socket(play)
    socket.fails(4.5, 99.0, lambda: stage.machine.write("sys/class/powercap/intel-rapl:0/energy_uj", ""))
    run = stage.run(10)
    package = run.row("rapl:package-0")
    assert package.energy_j == pytest.approx(150 * 4.1)
    assert package.gap_s == pytest.approx(10 - 4.1)
    assert run.lost == {"rapl_garbage": 6}  # five beats and the stop mark
    assert "5.90" in run.incidents["energy_incomplete"].message.en


def test_counter_reset(play: Any) -> None:
    """A counter that starts anew (suspend, firmware) is no wrap: one interval is unknown, not 62 kJ."""
    stage = play(ONE_SOCKET)
    memory = stage.rapl("intel-rapl:0:0", 20.0)
    wrap_uj = round(RANGE_UJ / (2**32 - 1) * 2**32)
    zero_j = [-200_000.0]

    def show(joules: float, _watts: float) -> None:
        count_uj = round((joules - zero_j[0]) * 1e6) % wrap_uj
        stage.machine.write("sys/class/powercap/intel-rapl:0/energy_uj", f"{count_uj}\n")

    package = stage.drive(150.0, show)
    stage.at(4.5, lambda: zero_j.__setitem__(0, package.joules))
    run = stage.run(20)
    assert memory.joules == 400
    assert run.joules(Component.CPU) == pytest.approx(150 * 19)  # one beat of a second is not known
    assert run.row("rapl:package-0").gap_s == pytest.approx(1.0)
    assert run.lost == {"counter_reset": 1}


def test_many_wraps_in_a_long_run(play: Any) -> None:
    """codecarbon#322: at most one wrap is undone. Here 900 W for an hour: twelve wraps, a reading each minute."""
    stage, _ = one_socket(play, 900.0, RANGE_J - 1.0)
    run = stage.run(HOUR_S, interval_s=60)
    assert run.energy_j == pytest.approx(HOUR_S * 920)
    assert run.lost == {}


def test_two_wraps_per_interval(play: Any) -> None:
    """codecarbon, perun: one wrap per sample. Asked for a reading an hour, the loop reads as often as it must."""
    stage, _ = one_socket(play, 150.0)
    run = stage.run(3 * HOUR_S, interval_s=HOUR_S)
    assert run.energy_j == pytest.approx(3 * HOUR_S * 170)
    readings = [reading for process in run.log.processes for reading in process.readings["rapl:package-0"]]
    assert len(readings) > 3 * HOUR_S / 131  # 262 kJ at 1 kW, twice per wrap


def test_two_wraps_that_nobody_saw_are_unknown(play: Any) -> None:
    """codecarbon's task mode: read at start and end only, 150 W for 3 h are 0.0131 kWh instead of 0.45."""
    stage, _ = one_socket(play, 150.0)
    run = stage.run(3 * HOUR_S, sampler=False)
    assert run.energy_j is None
    assert run.record.to_dict()["energy"]["total_j"] is None
    assert run.lost == {"wrap_ambiguous": 2}
    assert run.row("rapl:package-0").note is not None


@pytest.mark.parametrize("content", [None, "", "Operation not permitted\n"])
def test_unreadable_range_gives_negative_energy(play: Any, content: str | None) -> None:
    """codecarbon#1309: without ``max_energy_range_uj`` the wrap is subtracted."""
    stage = play(ONE_SOCKET)
    file = stage.machine.root / "sys/class/powercap/intel-rapl:0/max_energy_range_uj"
    stage.rapl("intel-rapl:0", 150.0, RANGE_J - 700.0)
    stage.rapl("intel-rapl:0:0", 20.0)
    file.unlink()
    if content is not None:
        file.write_text(content)
    run = stage.run(20)
    assert run.joules(Component.CPU) == pytest.approx(150 * 19)
    assert run.row("rapl:package-0").gap_s == pytest.approx(1.0)
    assert run.lost == {"counter_reset": 1}


def test_no_permission_and_the_cpu_is_silently_missing(play: Any) -> None:
    """zeus: ``cpu_energy=None`` silently; carbontracker: 0; perun: a debug message and a smaller sum."""
    stage = play(MACHINES["rapl/rapl_xeon_perf_only"])
    stage.machine.perf_denied = True
    run = stage.run(10)
    incident = run.incidents["rapl_unreadable"]
    assert incident.remedy is not None
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj" in incident.remedy.en
    for text in (incident.message, incident.remedy):
        assert "\n" not in text.de + text.en
    codes = [each.code for each in run.record.incidents]
    assert len(codes) == len(set(codes))
    (cpu,) = (row for row in run.record.energy.channels if row.component is Component.CPU)
    assert (cpu.counted, cpu.quality.value) == (True, "estimated")
    assert run.record.energy.measured_share == 0


def test_no_permission_where_the_kernel_has_another_door(play: Any) -> None:
    """Peers stop at powercap; the same counters by perf_event_open are whole, and then nothing is missing."""
    stage = play(MACHINES["rapl/rapl_xeon_perf_only"])
    perf = stage.machine.perf

    def show(key: tuple[int, int, int], joules: float, _watts: float) -> None:
        perf[key] = round(joules * 2**32)

    for key in sorted(perf):
        stage.drive(90.0 if key[1] == 2 else 15.0, partial(show, key))
    run = stage.run(60, windows={"epoch": (20.0, 30.0)})
    assert run.energy_j == pytest.approx(60 * 2 * 105, rel=1e-3)
    assert run.window("epoch") == pytest.approx(10 * 2 * 105, rel=1e-3)
    assert run.record.incidents == ()

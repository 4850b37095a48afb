"""Cray: the whole node is counted, its parts are shown, and a controller that restarts or hangs gives no energy."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.units import NS_PER_S
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.cray import MACHINES, counters, ex235a, ex254n, ex255a, ex425, xc50
from greenai_collectors.cray import CrayCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

J = 1_000_000
FOLDER = "sys/cray/pm_counters"
START_US = 1_778_580_757_634_187


def probed(machine: FakeMachine) -> Available:
    found = CrayCollector(machine.host).probe()
    assert isinstance(found, Available)
    return found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id: channel for channel in probed(machine).channels}


def total(machine: FakeMachine, without: str = "") -> set[str]:
    channels = [channel for name, channel in offered(machine).items() if name != without]
    return {name for _, name in counted(dict.fromkeys(channels, 1.0))}


class Controller:
    """A machine with a node counter only, its collector, and the readings so far."""

    def __init__(self, folder: Path) -> None:
        self.machine = FakeMachine(folder)
        self.time_us = 5_000_000
        self.energy_j = 1_000
        self.startup = START_US
        self.readings: list[Reading] = []
        self.show()
        self.collector = self.opened()
        self.channel = offered(self.machine)["cray:node"]

    def opened(self) -> CrayCollector:
        collector = CrayCollector(self.machine.host)
        collector.open(probed(self.machine).channels)
        return collector

    def show(self) -> None:
        counters(self.machine, {"": self.energy_j}, self.time_us, self.startup)

    def run(self, seconds: float, power_w: float) -> None:
        self.machine.clock.advance(seconds)
        self.time_us += round(seconds * 1e6)
        self.energy_j += round(seconds * power_w)
        self.show()

    def restart(self, energy_j: int) -> None:
        self.startup += 600_000_000
        self.time_us = 1_000_000
        self.energy_j = energy_j
        self.show()

    def read(self, collector: CrayCollector | None = None) -> Reading:
        (reading,) = (collector or self.collector).read()
        self.readings.append(reading)
        return reading

    def energy(self, from_s: float, to_s: float) -> tuple[float | None, float]:
        """Return joules and seconds of gap between two times after the start."""
        start_ns = self.readings[0].t_mono_ns
        curve = EnergyCurve(integrate(self.channel, self.readings).intervals)
        amount = curve.between(start_ns + round(from_s * NS_PER_S), start_ns + round(to_s * NS_PER_S))
        return amount.energy_j, amount.gap_s


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    controller = Controller(tmp_path / "machine")
    yield controller
    controller.collector.close()


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in MACHINES.items()])
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    channels = check_collector(CrayCollector, build(tmp_path))
    assert {(channel.kind, channel.quality, channel.resolution_uj) for channel in channels} == {
        (Kind.COUNTER, Quality.MEASURED, J)
    }


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in MACHINES.items()])
def test_the_node_is_counted_and_nothing_beside_it(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    assert total(build(tmp_path)) == {"cray:node"}


def test_mi250x_cards_are_parts_with_two_dies_each(tmp_path: Path) -> None:
    channels = offered(ex235a(tmp_path))
    assert {name: channel.component for name, channel in channels.items()} == {
        "cray:node": Component.NODE,
        "cray:cpu": Component.CPU,
        "cray:memory": Component.DRAM,
        "cray:accel0": Component.GPU,
        "cray:accel1": Component.GPU,
        "cray:accel2": Component.GPU,
        "cray:accel3": Component.GPU,
    }
    assert channels["cray:node"].uncertainty_at(60) == (0.03, 0.03)
    assert channels["cray:node"].uncertainty_at(1) == (0.15, 0.15)
    note = channels["cray:accel3"].note
    assert note is not None
    assert "MI250X" in note.de
    assert channels["cray:cpu"].note is None


def test_without_the_node_the_parts_are_summed(tmp_path: Path) -> None:
    machine = ex235a(tmp_path)
    parts = total(machine, without="cray:node")
    assert parts == {"cray:cpu", "cray:memory", *(f"cray:accel{n}" for n in range(4))}


def test_a_sum_of_sockets_and_the_sockets_are_never_both_offered(tmp_path: Path) -> None:
    machine = ex254n(tmp_path)
    assert set(offered(machine)) == {"cray:node", "cray:cpu", *(f"cray:accel{n}" for n in range(4))}
    (machine.root / FOLDER / "cpu_energy").unlink()
    assert {name for name in offered(machine) if "cpu" in name} == {f"cray:cpu{n}" for n in range(4)}


def test_a_sum_of_accelerators_and_the_accelerators_are_never_both_offered(tmp_path: Path) -> None:
    machine = ex235a(tmp_path)
    counters(machine, {"accel_": 1_000_842_181})
    assert "cray:accel" not in offered(machine)


def test_ten_accelerators_are_ordered_by_number(tmp_path: Path) -> None:
    machine = ex235a(tmp_path)
    counters(machine, {f"accel{n}_": 100 + n for n in range(11)})
    assert [name for name in offered(machine) if "accel" in name] == [f"cray:accel{n}" for n in range(11)]


def test_a_superchip_is_never_added_to_its_cpu(tmp_path: Path) -> None:
    machine = ex254n(tmp_path)
    accel = offered(machine)["cray:accel0"]
    assert accel.component is Component.GPU
    assert accel.includes == {Component.CPU, Component.DRAM}
    assert accel.note is not None
    assert total(machine, without="cray:node") == {f"cray:accel{n}" for n in range(4)}


def test_an_apu_is_a_module(tmp_path: Path) -> None:
    machine = ex255a(tmp_path)
    channels = offered(machine)
    assert set(channels) == {"cray:node", *(f"cray:accel{n}" for n in range(4))}
    assert channels["cray:accel0"].component is Component.MODULE
    assert channels["cray:accel0"].note is not None


def test_an_unnumbered_accelerator_without_cpu_counter_is_a_card(tmp_path: Path) -> None:
    machine = xc50(tmp_path)
    for part in ("cpu", "memory"):
        (machine.root / FOLDER / f"{part}_energy").unlink()
    assert offered(machine)["cray:accel"].component is Component.GPU


def test_an_accelerator_that_is_not_there_is_not_offered(tmp_path: Path) -> None:
    found = probed(ex425(tmp_path))
    assert {channel.id for channel in found.channels} == {"cray:node", "cray:cpu", "cray:memory"}
    assert found.incidents == ()


def test_what_only_looks_like_a_counter_is_left_alone(tmp_path: Path) -> None:
    machine = ex255a(tmp_path)
    machine.write(f"{FOLDER}/energy_source", "grid\n")
    machine.write(f"{FOLDER}/cpu0_energy_cap", "5 J 6 us\n")
    assert set(offered(machine)) == {"cray:node", *(f"cray:accel{n}" for n in range(4))}


def test_the_sources_are_the_files(tmp_path: Path) -> None:
    machine = ex425(tmp_path)
    assert probed(machine).sources == {
        "cray:node": str(machine.root / FOLDER / "energy"),
        "cray:cpu": str(machine.root / FOLDER / "cpu_energy"),
        "cray:memory": str(machine.root / FOLDER / "memory_energy"),
    }


def test_joules_between_two_readings(controller: Controller) -> None:
    first = controller.read()
    controller.run(60, 500)
    second = controller.read()
    assert isinstance(first, CounterReading)
    assert isinstance(second, CounterReading)
    assert second.energy_uj - first.energy_uj == 30_000 * J
    assert second.t_mono_ns - first.t_mono_ns == 60 * NS_PER_S
    assert controller.energy(0, 60) == (30_000, 0)


def test_the_energy_of_a_node_and_its_parts_by_hand(tmp_path: Path) -> None:
    machine = ex235a(tmp_path)
    channels = probed(machine).channels
    collector = CrayCollector(machine.host)
    collector.open(channels)
    before = collector.read()
    machine.clock.advance(10)
    grown_j = {
        "": 8_730,
        "cpu_": 830,
        "memory_": 750,
        "accel0_": 990,
        "accel1_": 1970,
        "accel2_": 2630,
        "accel3_": 1230,
    }
    start_j = {"": 1_360_621_494, "cpu_": 139_431_088, "memory_": 104_283_458, "accel0_": 208_970_342}
    start_j |= {"accel1_": 268_461_017, "accel2_": 271_696_890, "accel3_": 251_713_932}
    counters(machine, {part: start_j[part] + grown_j[part] for part in grown_j}, 1_734_094_396_462_336)
    energies_j = {}
    for channel, one, two in zip(channels, before, collector.read(), strict=True):
        (interval,) = integrate(channel, [one, two]).intervals
        assert interval.energy_uj is not None
        energies_j[channel.id] = interval.energy_uj / J
    collector.close()
    assert energies_j["cray:node"] == 8_730
    assert energies_j["cray:accel2"] == 2_630
    assert sum(energies_j[name] for name in total(machine)) == 8_730


def test_a_counter_that_fell_after_a_restart_gives_no_energy_there(controller: Controller) -> None:
    controller.read()
    for _ in range(2):
        controller.run(10, 500)
        controller.read()
    controller.machine.clock.advance(60)
    controller.restart(energy_j=50)
    for _ in range(3):
        controller.read()
        controller.run(10, 500)
    controller.read()
    assert controller.energy(0, 20) == (10_000, 0)
    assert controller.energy(20, 80) == (None, 60)
    assert controller.energy(80, 110) == (15_000, 0)


def test_a_counter_that_grew_past_its_old_value_after_a_restart_gives_no_energy_there(
    controller: Controller,
) -> None:
    controller.read()
    controller.run(10, 500)
    controller.read()
    controller.machine.clock.advance(60)
    controller.restart(energy_j=controller.energy_j + 7_000)  # as if it had drawn 117 W
    for _ in range(3):
        controller.read()
        controller.run(10, 500)
    controller.read()
    assert controller.energy(0, 10) == (5_000, 0)
    assert controller.energy(10, 70) == (None, 60)
    assert controller.energy(70, 100) == (15_000, 0)


def test_two_processes_agree_before_and_after_a_restart(controller: Controller) -> None:
    other = controller.opened()
    assert controller.read(other) == controller.read()
    controller.restart(energy_j=9_000)
    late = controller.opened()
    assert controller.read(other) == controller.read() == controller.read(late)
    other.close()
    late.close()


def test_restarts_stay_implausible_whatever_startup_looks_like(tmp_path: Path) -> None:
    controller = Controller(tmp_path / "machine")
    levels = set()
    for startup in (0, 1, 2, 3, 255, 256, START_US, START_US + 90_000_000, START_US + 86_400_000_000):
        controller.startup = startup
        controller.show()
        reading = controller.read()
        assert isinstance(reading, CounterReading)
        assert 0 <= reading.energy_uj < 2**62
        levels.add(reading.energy_uj)
    a_day_uj = controller.channel.max_power_uw * 86_400
    assert all(abs(one - two) > a_day_uj for one, two in itertools.combinations(levels, 2))
    assert len(levels) == 9
    controller.collector.close()


def test_a_startup_time_that_flickers_is_no_restart(controller: Controller) -> None:
    controller.read()
    controller.startup += 1_234
    controller.run(10, 500)
    controller.read()
    assert controller.energy(0, 10) == (5_000, 0)


def test_a_new_power_cap_is_no_restart(controller: Controller) -> None:
    controller.machine.write(f"{FOLDER}/generation", "16\n")
    controller.read()
    controller.machine.write(f"{FOLDER}/generation", "17\n")
    controller.run(10, 500)
    controller.read()
    assert controller.energy(0, 10) == (5_000, 0)


def test_a_startup_that_cannot_be_read_any_more_is_a_gap(controller: Controller) -> None:
    controller.machine.write(f"{FOLDER}/startup", "")
    reading = controller.read()
    assert isinstance(reading, Gap)
    assert reading.reason == "cray_garbage"


def test_no_startup_is_no_obstacle(controller: Controller) -> None:
    (controller.machine.root / FOLDER / "startup").unlink()
    collector = controller.opened()
    assert controller.read(collector) == CounterReading("cray:node", controller.machine.clock.mono_ns(), 1_000 * J)
    collector.close()


def test_a_controller_that_hangs_gives_gaps_and_catches_up(controller: Controller) -> None:
    controller.read()
    controller.run(1, 500)
    controller.read()
    for _ in range(5):
        controller.machine.clock.advance(1)  # the controller shows the same scan again and again
        reading = controller.read()
        assert isinstance(reading, Gap)
        assert reading.reason == "cray_stale"
    controller.run(1, 3_000)
    controller.read()
    assert controller.energy(0, 7) == (3_500, 0)


def test_a_controller_that_hangs_for_ever_never_says_zero(controller: Controller) -> None:
    for _ in range(10):
        controller.read()
        controller.machine.clock.advance(1)
    assert controller.energy(0, 9)[0] is None


def test_reading_faster_than_the_controller_scans_is_no_hang(controller: Controller) -> None:
    for _ in range(5):
        assert isinstance(controller.read(), CounterReading)
        controller.machine.clock.advance(0.1)


def test_lines_without_time_are_read(tmp_path: Path) -> None:
    machine = xc50(tmp_path)
    collector = CrayCollector(machine.host)
    collector.open(probed(machine).channels)
    first = collector.read()
    machine.clock.advance(5)
    again = collector.read()
    collector.close()
    for one, two in zip(first, again, strict=True):
        assert isinstance(one, CounterReading)
        assert isinstance(two, CounterReading)
        assert one.energy_uj == two.energy_uj


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "garbage\n",
        "-5 J 6 us\n",
        "5 W 6 us\n",
        "5\n",
        "5.5 J 6 us\n",
        "18446744073709551615 J 6 us\n",
        "\xff",
        "5 J 6 us\n7 J",
    ],
)
def test_garbage_is_a_gap(controller: Controller, content: str) -> None:
    controller.machine.write(f"{FOLDER}/energy", content)
    reading = controller.read()
    assert isinstance(reading, Gap)
    assert reading.reason == "cray_garbage"


def test_zero_is_a_gap(controller: Controller) -> None:
    controller.energy_j = 0
    controller.show()
    reading = controller.read()
    assert isinstance(reading, Gap)
    assert reading.reason == "cray_zero"


def test_a_sensor_that_vanishes_is_a_gap(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    pread = os.pread
    counter = controller.collector._files[0][1].number

    def gone(file: int, count: int, offset: int) -> bytes:
        if file == counter:
            raise OSError(19, "No such device")
        return pread(file, count, offset)

    monkeypatch.setattr(os, "pread", gone)
    reading = controller.read()
    assert isinstance(reading, Gap)
    assert reading.reason == "cray_unreadable"


def test_a_counter_that_went_before_it_was_opened_is_a_gap(tmp_path: Path) -> None:
    machine = ex425(tmp_path)
    channels = probed(machine).channels
    (machine.root / FOLDER / "memory_energy").unlink()
    collector = CrayCollector(machine.host)
    collector.open(channels)
    assert [type(reading) for reading in collector.read()] == [CounterReading, CounterReading, Gap]
    collector.close()


def closed(machine: FakeMachine, file: str) -> None:
    path = machine.root / FOLDER / file
    path.unlink()
    path.mkdir()  # root may read any file, but no folder


def test_an_unreadable_counter_names_the_remedy(tmp_path: Path) -> None:
    machine = ex425(tmp_path)
    closed(machine, "energy")
    found = probed(machine)
    (incident,) = found.incidents
    assert (incident.code, incident.channel_id) == ("cray_unreadable", "cray:node")
    assert {channel.id for channel in found.channels} == {"cray:cpu", "cray:memory"}
    assert "cray:node" not in found.sources
    assert incident.remedy is not None
    for words in (incident.message, incident.remedy):
        assert words.de
        assert words.en
        assert words.de != words.en
    assert "sudo chmod a+r /sys/cray/pm_counters/*" in incident.remedy.en


def test_nothing_readable_is_unavailable(tmp_path: Path) -> None:
    machine = ex425(tmp_path)
    for file in ("energy", "cpu_energy", "memory_energy"):
        closed(machine, file)
    found = CrayCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "cray_unreadable")


def test_a_folder_that_may_not_be_listed_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: object) -> list[str]:
        raise PermissionError

    machine = ex425(tmp_path)
    monkeypatch.setattr(os, "listdir", refuse)
    found = CrayCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "cray_unreadable")
    assert found.reason.remedy is not None


@pytest.mark.parametrize("content", ["0 J 5 us\n", "", "N/A\n"])
def test_a_node_counter_that_says_nothing_is_an_incident(tmp_path: Path, content: str) -> None:
    machine = ex235a(tmp_path)
    machine.write(f"{FOLDER}/energy", content)
    found = probed(machine)
    assert [incident.code for incident in found.incidents] == ["cray_silent"]
    assert "cray:node" not in {channel.id for channel in found.channels}


@pytest.mark.parametrize("folder", [None, FOLDER])
def test_a_machine_that_is_no_cray_is_expected(tmp_path: Path, folder: str | None) -> None:
    machine = FakeMachine(tmp_path)
    if folder:
        (machine.root / folder).mkdir(parents=True)
    found = CrayCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (True, "cray_absent")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_gives_the_files_back(tmp_path: Path) -> None:
    machine = ex235a(tmp_path)
    before = open_files()
    collector = CrayCollector(machine.host)
    collector.open(probed(machine).channels)
    assert open_files() == before + 8  # seven counters and startup
    assert all(not os.get_inheritable(file.number) for _, file in collector._files)
    collector.close()
    collector.close()
    assert open_files() == before
    assert collector.read() == []

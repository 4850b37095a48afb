"""What monitoring systems are told of runs: joules that only grow and end as the journal's, power now or nothing."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component
from greenai.core.errors import StoreError
from greenai.core.exposition import Point, prometheus_text
from greenai.core.text import Text
from greenai.journal import format as f
from greenai.journal.tail import read_tail
from greenai.monitoring import Monitor, monitor
from greenai.monitoring.families import LiveRunNow, families_of_runs
from greenai.monitoring.followed import ChannelNow
from greenai.monitoring.sums import MOST_PROJECTS, OTHERS, bounded, folder_bytes
from greenai.store.project_sums import ProjectSum

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.analysis import Analysis
    from greenai.core.run_energy import ChannelEnergy

    Values = Callable[..., dict[str, float]]

STEP_J = 2 / 64  # two series, each rounded
CPU, MEMORY = "rapl:package-0", "est:memory"


def advance(journals: Any, journal: Any, machine: Any, seconds: int) -> None:
    for _ in range(seconds):
        machine.clock.advance(1.0)
        journals.mark(journal, machine, f.TICK)


def test_power_and_energy_by_channel_with_quality(
    journals: Any, watching: Monitor, clock: Any, values: Values
) -> None:
    _, machine = journals.begin("aaaa0001", seconds=100, project="churn")
    clock(machine)
    found = watching.look()
    assert values(found, "hw.power") == pytest.approx({CPU: 100, MEMORY: 5})
    assert values(found, "hw.energy") == pytest.approx({CPU: 10_000, MEMORY: 500}, rel=1e-3)
    (energy,) = (family for family in found if family.name == "hw.energy")
    (memory,) = (point for point in energy.points if point.labels["hw.id"] == MEMORY)
    assert memory.labels == {
        "run": "aaaa0001", "host.name": "fake", "hw.id": MEMORY, "hw.type": "memory", "hw.name": "memory",
        "quality": "estimated",
    }  # fmt: skip
    assert values(found, "greenai.run.info", "project") == {"churn": 1}
    assert values(found, "greenai.project.energy", "project")["churn"] == pytest.approx(10_500, rel=1e-3)
    assert not any(family.points for family in found if family.name == "greenai.project.emissions")  # no zone


@pytest.mark.parametrize("pause", [1, 15, 400])
def test_joules_between_looks_are_each_counted_once(
    journals: Any, watching: Monitor, clock: Any, values: Values, monkeypatch: pytest.MonkeyPatch, pause: int
) -> None:
    journal, machine = journals.begin("aaaa0001", seconds=20)
    clock(machine)
    watching.look()
    # From here on the database hears nothing more until the end.
    monkeypatch.setattr(type(watching._analysis), "refresh", lambda _self: NothingTaken)
    before_j = 0.0
    for look in range(1, 5):
        advance(journals, journal, machine, pause)
        energy_j = values(watching.look(), "hw.energy")
        assert energy_j == pytest.approx(
            {CPU: 100 * (20 + look * pause), MEMORY: 5 * (20 + look * pause)}, rel=1e-3
        )
        assert sum(energy_j.values()) > before_j
        before_j = sum(energy_j.values())
    monkeypatch.undo()
    clock(machine)
    journals.end(journal, machine)
    assert sum(values(watching.look(), "hw.energy").values()) == pytest.approx(before_j, rel=1e-3)
    record = watching._analysis.run("aaaa0001")
    assert sum(values(watching.look(), "hw.energy").values()) == pytest.approx(record.energy_j, abs=STEP_J)


class NothingTaken:
    """What a refresh returns that another thread is at already."""

    problems = ()


def test_one_who_begins_late_begins_with_all_joules(
    journals: Any, watching: Monitor, analysis: Analysis, clock: Any, values: Values
) -> None:
    journal, machine = journals.begin("aaaa0001", seconds=60)
    clock(machine)
    analysis.refresh()
    advance(journals, journal, machine, 60)
    assert values(watching.look(), "hw.energy")[CPU] == pytest.approx(12_000, rel=1e-3)
    assert values(Monitor(analysis).look(), "hw.energy")[CPU] == pytest.approx(12_000, rel=1e-3)


def test_an_ended_run_keeps_its_last_joule_for_a_while_and_has_no_power(
    journals: Any, watching: Monitor, clock: Any, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, machine = journals.begin("aaaa0001", seconds=60)
    clock(machine)
    watching.look()
    advance(journals, journal, machine, 7)
    journals.end(journal, machine)
    found = watching.look()
    assert values(found, "hw.energy") == pytest.approx({CPU: 6700, MEMORY: 335}, rel=1e-2)
    assert sum(values(found, "hw.energy").values()) == pytest.approx(
        watching._analysis.run("latest").energy_j, abs=STEP_J
    )
    assert values(found, "hw.power") == {}
    assert values(found, "greenai.run.info", "state") == {"completed": 1}
    machine.clock.advance(monitor.KEPT_S + 200)
    later_s = time.monotonic() + monitor.KEPT_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    assert values(watching.look(), "hw.energy") == {}
    assert values(watching.look(), "greenai.run.info", "run") == {}


def test_a_run_that_came_and_went_between_two_looks_is_shown(
    journals: Any, watching: Monitor, clock: Any, values: Values
) -> None:
    watching.look()
    journal, machine = journals.begin("aaaa0001", seconds=5)
    clock(machine)
    journals.end(journal, machine)
    assert values(watching.look(), "hw.energy")[CPU] == pytest.approx(500, rel=1e-3)


def test_silence_is_no_power_and_no_loss(journals: Any, watching: Monitor, values: Values) -> None:
    journal, _ = journals.begin("aaaa0001", seconds=60)
    before = values(watching.look(), "hw.energy")
    now_s = time.time()
    os.utime(journal.path, (now_s - 12, now_s - 12))
    found = watching.look()
    assert values(found, "hw.power") == {}
    assert values(found, "hw.energy") == before
    assert set(before) == {CPU, MEMORY}


def test_journals_out_of_reach_leave_what_is_stored(journals: Any, watching: Monitor, values: Values) -> None:
    journal, _ = journals.begin("aaaa0001", seconds=60)
    before = values(watching.look(), "hw.energy")
    journal.path.unlink()
    assert values(watching.look(), "hw.energy") == before
    watching._analysis.store.delete("aaaa0001")
    assert values(watching.look(), "hw.energy") == {}


def test_a_damaged_journal_does_not_hide_the_others(
    journals: Any, watching: Monitor, clock: Any, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, machine = journals.begin("aaaa0001", seconds=60)
    journals.begin("aaaa0002", seconds=60)
    clock(machine)
    known = watching.look()
    assert values(known, "greenai.run.info", "run").keys() == {"aaaa0001", "aaaa0002"}

    def damaged(folder: Path, *rest: Any) -> Any:
        if folder.name == "aaaa0001":
            raise ValueError
        return read_tail(folder, *rest)

    monkeypatch.setattr("greenai.monitoring.followed.read_tail", damaged)
    (power,) = (family for family in watching.look() if family.name == "hw.power")
    assert {point.labels["run"] for point in power.points} == {"aaaa0002"}


def test_too_many_runs_are_counted(
    journals: Any, watching: Monitor, clock: Any, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        _, machine = journals.begin(f"aaaa000{number}", seconds=10)
    clock(machine)
    monkeypatch.setattr(monitor, "MOST_CHANNELS", 3)
    found = watching.look()
    assert len(values(found, "greenai.run.info", "run")) == 1
    assert values(found, "greenai.runs.left_out", "") == {"": 2}


def test_however_many_ask_one_looks(
    journals: Any, analysis: Analysis, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, machine = journals.begin("aaaa0001", seconds=10)
    clock(machine)
    patient = Monitor(analysis)
    first = patient.look()
    monkeypatch.setattr(analysis, "refresh", lambda: pytest.fail("looked again at once"))
    assert patient.look() is first


def test_a_long_intake_keeps_nobody_waiting(
    journals: Any, watching: Monitor, clock: Any, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, machine = journals.begin("aaaa0001", seconds=20)
    clock(machine)
    watching.look()
    over = threading.Event()
    times = []

    def refresh() -> type[NothingTaken]:
        times.append(1)
        over.wait(30)
        return NothingTaken

    monkeypatch.setattr(watching._analysis, "refresh", refresh)
    monkeypatch.setattr(monitor, "_PATIENCE_S", 0.01)
    for seconds in (30, 40):
        advance(journals, journal, machine, 10)
        assert values(watching.look(), "hw.energy")[CPU] == pytest.approx(100 * seconds, rel=1e-3)
    over.set()
    assert times == [1]


def test_a_database_that_refuses_is_said_until_it_does_not(
    watching: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StoreError(Text(de="weg", en="gone"))

    with monkeypatch.context() as broken:
        broken.setattr(watching._analysis, "refresh", refuse)
        with pytest.raises(StoreError, match="gone"):
            watching.look()
    assert watching.look()


def test_a_whole_node_has_a_name_of_its_own(journals: Any, watching: Monitor, clock: Any, values: Values) -> None:
    _, machine = journals.begin("aaaa0001", seconds=10)
    clock(machine)
    watching.look()
    record = watching._analysis.run("aaaa0001")
    row: ChannelEnergy = replace(record.energy.channels[0], id="ipmi:node", component=Component.NODE)
    found = families_of_runs([LiveRunNow(record, (ChannelNow(row, 7.0, 1.0),))], 0)
    assert values(found, "hw.host.energy") == {"ipmi:node": 7}
    assert values(found, "hw.host.power") == {"ipmi:node": 1}
    assert values(found, "hw.energy") == {}
    assert all("hw.type" not in point.labels for family in found for point in family.points)


def test_projects_are_bounded_and_nothing_is_lost() -> None:
    many = {f"p{number}": ProjectSum({"measured": float(number)}, 1.0, 1) for number in range(MOST_PROJECTS + 50)}
    found = bounded(many)
    assert len(found) == MOST_PROJECTS + 1
    assert found[OTHERS].runs == 50
    assert found[OTHERS].location_g == 50
    assert sum(each.total_j for each in found.values()) == sum(each.total_j for each in many.values())


def test_the_page_names_every_family(journals: Any, watching: Monitor, clock: Any) -> None:
    _, machine = journals.begin("aaaa0001", seconds=10)
    clock(machine)
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| (?:`(\w+)`|none) \| `([\w.]+)`", page, re.MULTILINE)
    some = (Point(1),)
    families = [replace(family, points=some) for family in watching.look()]
    assert {by_otel for _, by_otel in named} == {family.name for family in families} | {"greenai.push.failures"}
    made = {line.split()[2] for line in prometheus_text(families).splitlines() if line.startswith("# TYPE")}
    assert {by_prometheus for by_prometheus, _ in named} - {""} == made


def test_size_of_the_spool(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path / "none") == 0
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "link").symlink_to("/dev/zero")
    assert 6 <= (folder_bytes(tmp_path) or 0) < 100

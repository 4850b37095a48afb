"""A service of three hours: its record hour by hour, and its page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from greenai.core.account import account
from greenai.core.served import ActivityMark, ExclusiveTimes
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.reader import read_run
from greenai.journal.writer import JournalWriter

MINUTES = 180
BUSY_S = 15  # of each minute, 30 requests of half a second, one of them fails


@pytest.fixture
def service(journals: Any) -> JournalWriter:
    """100 W of CPU (and a gauge that is hardly read) for three hours, a quarter of the time busy."""
    journal, machine = journals.begin("5e00beef", 0, name="bot", project="bot", unit="answer", service=True)
    folder = journals.spool / "5e00beef"
    meter = JournalWriter(folder, machine.host, Role.MEMBER, (), 1.0, {"unit": "answer"}, part="meter")
    begun_ns = machine.clock.mono_ns()
    for minute in range(1, MINUTES + 1):
        machine.clock.advance(60.0 - BUSY_S)
        since_ns = machine.clock.mono_ns()
        machine.clock.advance(float(BUSY_S))
        t_ns = machine.clock.mono_ns()
        busy_ns = minute * BUSY_S * NS_PER_S
        meter.event(
            f.REQUESTS,
            **ActivityMark(
                t_ns, busy_ns, busy_ns, minute * 30, minute, minute * 29.0, minute * 290.0, since_ns, t_ns
            ).to_json(),
        )
        times = ExclusiveTimes(t_ns - 60 * NS_PER_S, t_ns)
        times.per_request.add(BUSY_S / 30, 30)
        times.per_unit.add(BUSY_S / 30, 29)
        times.per_token.add(BUSY_S / 300, 29)
        meter.event(f.SHARES, **times.to_json())
        journals.mark(journal, machine, f.TICK)
    assert machine.clock.mono_ns() - begun_ns == MINUTES * 60 * NS_PER_S
    meter.close()
    journals.end(journal, machine)
    return meter


def test_hour_by_hour(service: JournalWriter, cli: Any) -> None:
    data = cli("runs", "show", "bot", "--json").data
    found, hours = data["requests"], data["hours"]
    cpu_j = 100.0 * MINUTES * 60
    assert (found["count"], found["failed"], found["units"], found["tokens"]) == (5400, 180, 5220, 52200)
    # The memory's gauge was read a few times only: what it gave is part of both.
    assert found["busy_j"] + found["idle_j"] == pytest.approx(data["energy"]["total_j"])
    assert found["busy_j"] == pytest.approx(cpu_j / 4, rel=0.001)
    assert (found["busy_s"], found["idle_s"]) == (pytest.approx(2700), pytest.approx(8100))
    assert found["energy_per_request_j"] == pytest.approx(50, rel=0.001)
    assert found["energy_per_request_with_idle_j"] == pytest.approx(200, rel=0.001)
    assert found["energy_per_request_p50_j"] == pytest.approx(50, rel=0.021)
    assert found["energy_per_request_p95_j"] == pytest.approx(50, rel=0.021)
    assert found["energy_per_unit_j"] == pytest.approx(cpu_j / 4 / 5220, rel=0.001)
    assert found["energy_per_token_p50_j"] == pytest.approx(5, rel=0.021)
    assert data["work"]["units"] == 5220
    assert data["work"]["energy_per_unit_j"] == pytest.approx(data["energy"]["total_j"] / 5220)
    starts = [datetime.fromisoformat(hour["started_at"]) for hour in hours]
    assert len(hours) in (3, 4)
    assert all((start.minute, start.second) == (0, 0) for start in starts[1:])
    for start, after, hour in zip(starts, starts[1:], hours, strict=False):
        assert start + timedelta(seconds=hour["duration_s"]) == after
    for name, whole in (("requests", "count"), ("failed", "failed"), ("units", "units"), ("tokens", "tokens")):
        assert sum(hour[name] for hour in hours) == found[whole]
    for name in ("busy_j", "idle_j"):
        assert sum(hour[name] for hour in hours) == pytest.approx(found[name])
    assert all(hour["energy_per_request_p50_j"] == pytest.approx(50, rel=0.021) for hour in hours)
    assert account(read_run(service.path.parent)).record.to_dict()["hours"] == hours


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "de",
            [
                "Anfragen", "5.400, davon fehlgeschlagen: 180", "75,0 Wh in 45 min 00 s", "50,0 J ohne Leerlauf, 200 J mit",
                "je answer", "je Token", "Stunde", "davon Leerlauf", "5.220 x answer",
            ],
        ),
        (
            "en",
            [
                "Requests", "5,400, of them failed: 180", "50.0 J without idle, 200 J with it", "per answer", "per token",
                "Hour", "of it idle", "5,220 x answer",
            ],
        ),
    ],
)  # fmt: skip
def test_the_page(
    service: JournalWriter, cli: Any, monkeypatch: pytest.MonkeyPatch, language: str, expected: list[str]
) -> None:
    monkeypatch.setenv("GREENAI_LANGUAGE", language)
    page = cli("runs", "show", "bot").out.replace("\u202f", " ")
    for words in expected:
        assert words in page, page


def test_the_page_of_any_other_run_says_nothing_of_requests(runs: Any, cli: Any) -> None:
    assert "Anfragen" not in cli("runs", "show", "aa00").out


def test_a_service_before_its_first_request(journals: Any, cli: Any) -> None:
    journal, machine = journals.begin("5e01beef", 5, name="bot")
    t_ns = machine.clock.mono_ns()
    meter = JournalWriter(journals.spool / "5e01beef", machine.host, Role.MEMBER, (), 1.0, {}, part="meter")
    meter.event(f.REQUESTS, **ActivityMark(t_ns, 0, 0, 0, 0, 0, None, None, t_ns).to_json())
    meter.close()
    journals.end(journal, machine)
    found = cli("runs", "show", "bot", "--json").data["requests"]
    assert (found["count"], found["tokens"], found["energy_per_request_j"]) == (0, None, None)
    assert found["idle_j"] == pytest.approx(500, rel=0.1)
    page = cli("runs", "show", "bot").out
    assert "–, " not in page


def test_a_damaged_line_costs_itself_only(service: JournalWriter) -> None:
    lines = service.path.read_bytes().splitlines(keepends=True)
    lines[101] = lines[101].replace(b'"busy_ns":', b'"busy_ns":-')
    lines[103] = lines[103].replace(b'"per_request":{"zeros":0', b'"per_request":{"zeros":null')
    lines[200] = lines[200][:40] + b"\n"
    service.path.write_bytes(b"".join(lines))
    record = account(read_run(service.path.parent)).record
    assert record.journal.bad_lines in (2, 3)
    assert record.requests is not None
    assert record.requests.count == 5400
    assert record.requests.busy_j == pytest.approx(100.0 * MINUTES * 60 / 4, rel=0.01)

"""Intensities from a user's own CSV file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greenai.carbon.intensity import csv_file
from greenai.carbon.intensity.download import Answer
from greenai.carbon.intensity.errors import NoDataError
from greenai.core.errors import ConfigError, GreenAIError


def parse(text: str | bytes) -> Any:
    body = text if isinstance(text, bytes) else text.encode()
    return csv_file.parse("DE", Answer("mine.csv", body, ms("2027-01-01")))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def test_a_plain_file() -> None:
    series = parse(
        "start_utc,intensity_g_per_kwh\n2026-11-22T00:00,300\n2026-11-22T01:00,\n2026-11-22T02:00,100.5\n"
    )
    assert [tuple(step) for step in series.steps] == [
        (ms("2026-11-22T00:00"), ms("2026-11-22T01:00"), 300.0, "actual"),
        (ms("2026-11-22T01:00"), ms("2026-11-22T02:00"), None, "actual"),
        (ms("2026-11-22T02:00"), ms("2026-11-22T03:00"), 100.5, "actual"),
    ]
    origin = series.origin
    assert (origin.service, origin.zone, origin.gases, origin.boundary) == ("csv", "DE", None, None)


def test_everything_said() -> None:
    series = parse(
        "\ufeffStart, End, G_per_kWh, Forecast, gases, boundary, basis, source, licence, remark\r\n"
        "2026-11-22T00:00+01:00, 2026-11-22T00:15+01:00, 300, false, CO2e, lifecycle, consumed, Stadtwerk, own, x\r\n"
        "2026-11-22T00:15+01:00, 2026-11-22T00:30+01:00, 200, TRUE, CO2e, lifecycle, consumed, Stadtwerk, own, y\r\n"
    )
    assert [step.status.value for step in series.steps] == ["actual", "forecast"]
    assert series.span_ms == (ms("2026-11-21T23:00"), ms("2026-11-21T23:30"))
    origin = series.origin
    assert (origin.gases, origin.boundary, origin.basis, origin.source, origin.licence) == (
        "CO2e", "lifecycle", "consumed", "Stadtwerk", "own",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "said", "g_per_kwh"),
    [
        ("g_per_kwh", "344", 344),
        ("carbon_kg_per_mwh", "344", 344),
        ("kg_per_kwh", "0.344", 344),
        ("t_per_mwh", "0.344", 344),
        ("x_lb_per_mwh", "1000", 453.59237),
        ("g_per_mj", "100", 360),
    ],
)
def test_units(unit: str, said: str, g_per_kwh: float) -> None:
    series = parse(f"start_unix_s,end_unix_s,{unit}\n0,3600,{said}\n")
    assert series.steps[0].g_per_kwh == pytest.approx(g_per_kwh)


def test_the_night_on_which_the_clocks_go_back() -> None:
    series = parse(
        "start,g_per_kwh\n2026-10-25T02:00+02:00,1\n2026-10-25T02:00+01:00,2\n2026-10-25T03:00+01:00,3\n"
    )
    assert [step.end_ms - step.start_ms for step in series.steps] == [3_600_000] * 3


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("", ["no column says when"], None),
        ("time,g_per_kwh\n0,1\n", ["no column says when", "time, g_per_kwh", "start_utc"], None),
        ("start_utc,intensity\n2026-01-01,1\n", ["known unit", "intensity_g_per_kwh"], None),
        ("start_utc,intensity_g_per_mwh\n2026-01-01,1\n", ["known unit", "kg_per_mwh"], None),
        ("start_utc,a_g_per_kwh,b_kg_per_mwh\n2026-01-01,1,1\n", ["several columns", "a_g_per_kwh"], None),
        ("start_utc,g_per_kwh\n", ["no values"], None),
        ("start_utc,g_per_kwh\n2026-01-01,300\n", ["how long"], 2),
        ("start,g_per_kwh\n2026-01-01T00:00,300\n", ["time zone", "start"], 2),
        ("start_utc,g_per_kwh\n2026-01-01,300\ntomorrow,1\n", ["tomorrow", "no time"], 3),
        ("start_utc,g_per_kwh\n2026-01-01,300\n2026-01-02,-1\n", ["-1", "between 0 and 5000", "unit"], 3),
        ("start_utc,g_per_kwh\n2026-01-01,300\n2026-01-02,nan\n", ["nan"], 3),
        ("start_utc,g_per_kwh\n2026-01-01,300\n2026-01-02,1e9\n", ["1e9"], 3),
        ('start_utc,g_per_kwh\n2026-01-01,300\n2026-01-02,"3,5"\n', ["3,5", "decimal point"], 3),
        ("start_utc,g_per_kwh\n2026-01-01,300\n2026-01-02,3,5\n", ["as many fields"], 3),
        ("start_utc,g_per_kwh\n2026-01-01,300\n2026-01-02\n", ["as many fields"], 3),
        ("start_utc,g_per_kwh\n2026-01-02,300\n2026-01-01,1\n", ["begins before"], 3),
        ("start_utc,g_per_kwh\n2026-01-02,300\n2026-01-02,1\n", ["begins before"], 3),
        ("start_unix_s,end_unix_s,g_per_kwh\n0,900,1\n800,1700,1\n", ["begins before"], 3),
        ("start_unix_s,end_unix_s,g_per_kwh\n0,0,1\n", ["not end after"], 2),
        ("start_unix_s,g_per_kwh,forecast\n0,1,maybe\n", ["maybe", "true, false"], 2),
        ("start_unix_s,g_per_kwh,gases\n0,1,CO3\n", ["CO3", "CO2, CO2e"], 2),
        ("start_unix_s,g_per_kwh,gases\n0,1,CO2\n9,1,CO2e\n", ["gases", "same in every line"], 3),
        ("start_unix_s,g_per_kwh\n1e3,1\n", ["1e3"], 2),
        ("start_unix_s,g_per_kwh\n" + "9" * 30 + ",1\n", ["no time"], 2),
        ('start_unix_s,g_per_kwh\n0,"1\n', [""], None),
        ('"', ["unexpected end"], 1),
        ("start_unix_s\r,g_per_kwh\n", ["new-line"], 1),
        ("start_utc,g_per_kwh\n2026-01-01,4_00\n", ["4_00", "no number"], 2),
        ("start_utc,g_per_kwh\n2026-01-01,\uff14\uff10\n", ["no number"], 2),
        ("start_unix_s,g_per_kwh\n\uff11,400\n", ["no time"], 2),
        ("start_unix_s,g_per_kwh\n1_0,400\n", ["1_0", "no time"], 2),
        ("start_utc,g_per_kwh\n9999-12-31,400\n", ["9999", "1970 and 2100"], 2),
        ("start_utc,g_per_kwh\n1969-12-31,400\n", ["1970 and 2100"], 2),
        ("start_utc,g_per_kwh\n2025-01-01,400\n2026-01-01,300\n", ["longer than a day"], 2),
        ("start_utc,x_g_per_kwh\n2026-01-01,0.4\n2026-01-02,0.3\n", ["x_g_per_kwh", "0.4", "unit", "kg_per_kwh"], None),
        ("start_unix_s,g_per_kwh,boundary\n0,0,lifecycle\n9,0,lifecycle\n", ["unit"], None),
        (b"start_unix_s,g_per_kwh\n0,\xff\n", ["UTF-8"], None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str | bytes, words: list[str], line: int | None) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    message = str(error.value)
    assert "mine.csv" in message
    for word in words:
        assert word in message
    if line is not None:
        assert f"line {line}:" in message


def test_nobody_has_measured_the_future() -> None:
    series = parse("start_utc,g_per_kwh\n2026-12-31T23:00,300\n2027-01-01T00:00,200\n2027-01-01T01:00,\n")
    assert [step.status.value for step in series.steps] == ["actual", "forecast", "actual"]


def test_nothing_emitted_is_possible_where_only_generation_counts() -> None:
    assert parse("start_unix_s,g_per_kwh\n0,0\n900,0\n").steps[0].g_per_kwh == 0


def test_a_file_does_not_steer_the_terminal() -> None:
    series = parse("start_unix_s,g_per_kwh,source\n0,1,\x1b[31mEVIL\x1b[2J\n900,1,\x1b[31mEVIL\x1b[2J\n")
    assert series.origin.source == "\ufffd[31mEVIL\ufffd[2J"
    for text in ("\x1b[2J,a_g_per_kwh\n", "start_unix_s,g_per_kwh\n0,\x1b[2J" + "9" * 200_000):
        with pytest.raises(ConfigError) as error:
            parse(text)
        assert "\x1b" not in str(error.value)
        assert len(str(error.value)) < 1_000


def test_only_unknown_values() -> None:
    with pytest.raises(NoDataError):
        parse("start_unix_s,g_per_kwh\n0,\n900,\n")


@example(b'"')
@example(b"a\rb")
@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: f"start_utc,g_per_kwh\n{text}".encode())
    )
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        series = parse(body)
    except GreenAIError:
        return
    assert series.steps

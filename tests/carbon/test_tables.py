"""The user's own factor tables: they go first, and whatever is wrong with one is named by file, line and column."""

from __future__ import annotations

import csv
import io
import os
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenai.carbon import table_file
from greenai.carbon.factors import embodied, location_factor, pue, residual_factor
from greenai.carbon.tables import KINDS, layers
from greenai.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = "zone,year,value_g_per_kwh,gases,boundary,basis,source,edition"
GOOD = "DE,2025,300,CO2e,generation,consumed,Utility,2026"
TODAY = date(2026, 6, 1)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "own.csv"


def write(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    layers.cache_clear()
    location_factor.cache_clear()
    residual_factor.cache_clear()
    return file


def fault(file: Path) -> str:
    layers.cache_clear()
    with pytest.raises(ConfigError) as raised:
        layers(file)
    assert raised.value.remedy is not None
    assert raised.value.message.de != raised.value.message.en
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_own_tables_go_first(table: Path) -> None:
    write(table, HEADER, GOOD, "SWE,2020,20,CO2e,generation,consumed,Utility,2026")
    germany, sweden, france = (location_factor(zone, TODAY, table) for zone in ("DE", "SE", "FR"))
    assert germany is not None
    assert sweden is not None
    assert (germany.factor.value_g_per_kwh, germany.factor.table, germany.upstream_g_per_kwh) == (
        300,
        "own.csv",
        None,
    )
    assert (sweden.factor.value_g_per_kwh, sweden.factor.year, sweden.factor.verified) == (20, 2020, False)
    assert france == location_factor("FR", TODAY)


def test_a_folder_with_headers_and_several_kinds(tmp_path: Path) -> None:
    write(
        tmp_path / "ours.csv",
        "first_day,last_day,value_g_per_kwh",
        "2025-01-01,2025-06-30,100",
        "2025-07,2026-12,200",
    )
    (tmp_path / "ours.toml").write_text(
        'zone = "DE"\ngases = "CO2e"\nboundary = "generation"\nbasis = "consumed"\nsource = "U"\nedition = "1"\n'
        "verified = true\nretrieved = 2026-01-31\n"
    )
    write(tmp_path / "rest.csv", f"{HEADER},method", "FR,2024,50,CO2,generation,consumed,AIB,1,residual")
    write(tmp_path / "pue.csv", "place,pue,source,edition", "our room,1.31,operator,2026")
    (tmp_path / "pue.toml").write_text('kind = "pue"')
    write(
        tmp_path / "cards.csv",
        "device,match,embodied_kg,lifetime_years,source,edition",
        "x,NVIDIA X1,99,5,maker,1",
    )
    (tmp_path / "cards.toml").write_text('kind = "embodied"')
    found = [
        location_factor("DE", day, tmp_path) for day in (date(2025, 6, 30), date(2025, 7, 1), date(2027, 1, 1))
    ]
    assert [f.factor.value_g_per_kwh for f in found if f] == [100, 200, 200]
    assert found[0] is not None
    assert (found[0].factor.verified, found[0].factor.retrieved) == (True, "2026-01-31")
    residual = residual_factor("FR", TODAY, tmp_path)
    room, card = pue("our room", TODAY, tmp_path), embodied("NVIDIA X1 PCIe", tmp_path)
    assert residual is not None
    assert room is not None
    assert card is not None
    assert (residual.value_g_per_kwh, room.value, card.value, card.lifetime_years) == (50, 1.31, 99, 5)
    assert embodied("server", tmp_path) == embodied("server")


def test_of_two_editions_the_newest_is_in_force(table: Path) -> None:
    write(table, f"{HEADER},published", f"{GOOD},2026-03", "DE,2025,310,CO2e,generation,consumed,Utility,2027,2027-03",
          "DE,2024,320,CO2e,generation,consumed,Utility,2028,2028-03")  # fmt: skip
    found = location_factor("DE", date(2025, 2, 1), table)
    assert found is not None
    assert found.factor.value_g_per_kwh == 310


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("value_g_per_kwh", "viele", "from 0 to 5000"), ("value_g_per_kwh", "", "0, or 1 to 5000"),
        ("value_g_per_kwh", "-1", "from 0 to 5000"), ("value_g_per_kwh", "nan", "decimal point"),
        ("value_g_per_kwh", "inf", "decimal point"), ("value_g_per_kwh", "1e400", "decimal point"),
        ("value_g_per_kwh", "352000", "decimal point"), ("value_g_per_kwh", "0.352", "multiply kilograms by 1000"),
        ("value_g_per_kwh", "３５２", "decimal point"), ("value_g_per_kwh", "3_5", "decimal point"), ("value_g_per_kwh", '"352,5"', "decimal point"),
        ("year", "25", "a year such as 2025"), ("year", "２０２５", "a year such as 2025"), ("year", "", "first_day"),
        ("zone", "Germany", "ISO 3166"), ("zone", "", "zone"), ("gases", "CO3", "CO2, CO2e"),
        ("boundary", "all", "generation"), ("basis", "produced", "generated, consumed"), ("source", "", "source"),
        ("edition", "a\u202eb", "printable"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named(table: Path, column: str, value: str, expected: str) -> None:
    columns = HEADER.split(",")
    cells = GOOD.split(",")
    cells[columns.index(column)] = value
    write(table, HEADER, GOOD.replace("DE", "AT"), ",".join(cells))
    said = fault(table)
    assert f"{table}, line 3" in said
    assert column in said
    assert expected in said


@pytest.mark.parametrize(
    ("column", "factor"),
    [
        ("value_kg_per_kwh", "1000"), ("kg_per_kwh", "1000"), ("g_per_mwh", "0.001"), ("kg_per_mwh", "1"),
        ("t_per_mwh", "1000"),
        ("kg_co2e_per_kwh", "1000"), ("lb_per_mwh", "0.45359237"), ("kg_per_gj", "3.6"), ("g_per_kwh", "1"),
    ],
)  # fmt: skip
def test_a_wrong_unit_is_named_with_what_to_do(table: Path, column: str, factor: str) -> None:
    write(table, HEADER.replace("value_g_per_kwh", column), GOOD)
    said = fault(table)
    assert f'{table}, line 1: column "{column}" has the wrong unit; expected is value_g_per_kwh' in said
    assert f"multiply each value by {factor}." in said


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "no lines"),
        ([""], "no lines"),
        ([HEADER.replace(",", ";"), GOOD.replace(",", ";")], "semicolons"),
        ([HEADER, GOOD + ",x"], "9 cells instead of 8"),
        ([HEADER, "DE,2025"], "2 cells instead of 8"),
        ([HEADER, GOOD.replace("300", "300,5")], "decimal point"),
        ([f"{HEADER},zone", f"{GOOD},DE"], '"zone" is there twice'),
        ([f"{HEADER},licens", f"{GOOD},x"], "Allowed are: licence"),
        ([HEADER, GOOD, GOOD.replace("300", "301")], "already"),
        ([HEADER, GOOD, GOOD.replace("DE", "DEU").replace("2026", "2027")], "line 3: there is such a factor"),
        ([f"{HEADER},id", f"{GOOD},a", f"{GOOD.replace('DE', 'FR')},a"], "there once"),
        ([HEADER, '"DE,2025'], "no readable table"),
        ([HEADER], "no lines"),
        ([HEADER, "DE\x00" + GOOD[2:]], "own.csv"),
        ([HEADER.replace("year", "first_day,last_day"), GOOD.replace("2025", "2025-12,2025-11")], "not before the first"),
        ([HEADER.replace("year", "first_day,last_day"), GOOD.replace("2025", "2025-02-30,2025-11")], "a day such as"),
        ([HEADER.replace("year", "first_day,last_day"), GOOD.replace("2025", "2025-00,2025-11")], "a day such as"),
        ([HEADER.replace("year", "first_day,last_day"), GOOD.replace("2025", "0000,2025-11")], "a day such as"),
        ([HEADER.replace("year", "first_day,last_day"), GOOD.replace("2025", "2025,9999-99")], "a day such as"),
        ([HEADER.replace("year", "first_day"), GOOD], "first_day and last_day"),
    ],
)  # fmt: skip
def test_a_broken_table_is_named(table: Path, lines: list[str], expected: str) -> None:
    write(table, *lines)
    said = fault(table)
    assert str(table) in said
    assert expected in said


def test_overlapping_periods_name_both_lines(table: Path) -> None:
    columns = HEADER.replace("year", "first_day,last_day")
    write(
        table,
        columns,
        GOOD.replace("2025", "2025-06-30,2025-12-31"),
        GOOD.replace("2025", "2025-01-01,2025-06-30"),
    )
    said = fault(table)
    assert "line 2" in said
    assert "own.csv, line 3" in said
    write(
        table,
        columns,
        GOOD.replace("2025", "2025-07-01,2025-12-31"),
        GOOD.replace("2025", "2025-01-01,2025-06-30"),
    )
    assert len(layers(table)[0].grid["DE"]) == 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["place,pue,source,edition", "x,0.9,s,e"], "from 1 to 5"),
        (["place,pue,source,edition", "x,,s,e"], "a lower and an upper"),
        (["place,pue,pue_low,source,edition", "x,1.2,1.3,s,e"], "not above"),
        (["place,pue,source,edition", "x,1.2,s,e", "x,1.3,s,f"], "own.csv, line 2"),
        (["place,value_g_per_kwh", "x,1.2"], "no column"),
    ],
)  # fmt: skip
def test_a_wrong_figure_is_named(table: Path, lines: list[str], expected: str) -> None:
    table.with_suffix(".toml").write_text('kind = "pue"')
    write(table, *lines)
    said = fault(table)
    assert str(table) in said
    assert expected in said


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("url = " + "1" * 5000, "too many digits"), ("x = " + "[" * 5000, "too deep"), ("url = 0x" + "f" * 5000, "too many digits"),
        ("kind = ", "no readable table"), ('kind = "cars"', "embodied"), ('zones = "DE"', "zone"), ("gases = [1]", "gases"),
        ('value_kg_per_kwh = "1"', "wrong unit"), ("x = 1", "no column"),
    ],
)  # fmt: skip
def test_a_wrong_header_is_named(table: Path, header: str, expected: str) -> None:
    table.with_suffix(".toml").write_text(header)
    write(table, HEADER, GOOD)
    said = fault(table)
    assert "own.toml" in said
    assert expected in said


def test_places_without_a_table(tmp_path: Path) -> None:
    for nothing in (tmp_path, tmp_path / "none", tmp_path / "none.csv"):
        assert "config unset factors" in fault(nothing)
    (tmp_path / "lonely.toml").write_text('kind = "grid"')
    write(tmp_path / "other.csv", HEADER, GOOD)
    assert "lonely.csv" in fault(tmp_path)


def test_hostile_files(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table.write_bytes(b"\xff\xfe\x00zone")
    assert "no readable table" in fault(table)
    monkeypatch.setattr(table_file, "MOST_BYTES", 100)
    write(table, HEADER, *[GOOD.replace("DE", "FR")] * 10)
    assert "20 MB" in fault(table)


def to_nowhere(file: Path) -> None:
    file.symlink_to("nowhere")


def to_a_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


@pytest.mark.parametrize("name", ["own.csv", "own.toml", "second.csv"])
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, to_a_device, to_nowhere])
def test_what_is_no_file_is_named_and_nobody_waits_for_it(
    table: Path, make: Callable[[Path], None], name: str
) -> None:
    if name != "own.csv":
        write(table, HEADER, GOOD)
    make(table.with_name(name))
    assert f"{table.with_name(name)} is no readable table" in fault(table.parent)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "own.csv/more"])
def test_a_path_that_leads_nowhere(table: Path, name: str) -> None:
    write(table, HEADER, GOOD)
    assert "config unset factors" in fault(table.parent / name)


def test_a_folder_that_others_may_not_read(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(table, HEADER, GOOD)

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    for look in ("iterdir", "stat"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, look, refuse)
            said = fault(table.parent)
        assert f"{table.parent}, which cannot be read: Permission denied." in said


def test_a_complaint_repeats_little_of_what_is_wrong(table: Path) -> None:
    long = "x" * 100_000
    for lines in ([f"{HEADER},{long}", GOOD], [f"{HEADER},{long},{long}", GOOD], [f"{HEADER},{long}_kg_per_kwh", GOOD],
                  [HEADER, GOOD.replace("300", long)], [HEADER, GOOD.replace("DE", long)]):  # fmt: skip
        write(table, *lines)
        assert len(fault(table)) < 700
    table.with_suffix(".toml").write_text(f"{long} = []")
    assert len(fault(table)) < 700


@pytest.mark.parametrize("published", ["9.3.2025", "March 2024", "2026-13", "2026-02-30", "２０２６", "26"])
def test_the_date_of_an_edition_is_a_date(table: Path, published: str) -> None:
    write(
        table, f"{HEADER},published", f"{GOOD},{published}", "DE,2025,310,CO2e,generation,consumed,U,2027,2026-03"
    )
    assert "line 2, column published" in fault(table)
    table.with_suffix(".toml").write_text(f'kind = "pue"\npublished = "{published}"')
    write(table, "place,pue,source,edition", "x,1.2,s,e")
    assert "line 2, column published" in fault(table)


@pytest.mark.parametrize(
    ("one", "other"), [("", ""), ("", "2026"), ("2026", "2026"), ("2026", "2026-03"), ("2026-03", "2026-03-01")]
)
def test_editions_of_which_none_is_the_newer_are_refused(table: Path, one: str, other: str) -> None:
    first, second = f"{GOOD},{one}", f"{GOOD.replace('300', '310').replace('2026', 'second')},{other}"
    for lines in ((first, second), (second, first)):
        write(table, f"{HEADER},published", *lines)
        said = fault(table)
        assert (
            "own.csv, line 3: there is such a factor for the same days of DE already, in own.csv, line 2" in said
        )


def test_an_edition_without_a_date_in_another_file_is_refused(table: Path) -> None:
    write(table.with_name("a.csv"), HEADER, GOOD.replace("2025", "2024"), GOOD)
    write(table, f"{HEADER},published", f"{GOOD},2026-03")
    assert "own.csv, line 2: there is such a factor for the same days of DE already, in a.csv, line 3" in fault(
        table.parent
    )


def test_of_two_bases_that_of_electricity_consumed(table: Path) -> None:
    generated, consumed = f"{GOOD.replace('consumed', 'generated')},2026-03", f"{GOOD.replace('300', '310')},2025"
    for lines in ((generated, consumed), (consumed, generated)):
        write(table, f"{HEADER},published", *lines)
        for day in (TODAY, date(2020, 1, 1)):
            found = location_factor("DE", day, table)
            assert found is not None
            assert (found.factor.value_g_per_kwh, found.factor.basis) == (310, "consumed")


def test_before_all_of_them_the_newest_edition_of_the_earliest(table: Path) -> None:
    write(table, f"{HEADER},published", f"{GOOD},2025", "DE,2025,310,CO2e,generation,consumed,Utility,2,2026-03")
    found = location_factor("DE", date(2020, 1, 1), table)
    assert found is not None
    assert found.factor.value_g_per_kwh == 310


NEVER_USED = [
    ("CO2e,generation and upstream", "average"), ("CO2,lifecycle", "average"), ("CO2e,generation", "marginal"),
    ("CO2e,generation", "supplier"), ("CO2,lifecycle", "residual"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "method"), NEVER_USED)
def test_no_table_is_passed_over_in_silence(table: Path, what: str, method: str) -> None:
    unusable = f"{GOOD.replace('CO2e,generation', what).replace('300', '777')},{method}"
    write(table, f"{HEADER},method", f"{GOOD.replace('DE', 'FR')},average", unusable)
    said = fault(table)
    assert f"{table}, line 3: with what is said of DE here no run can be computed: method {method}" in said
    usable = "residual" if method == "residual" else "average"
    write(table, f"{HEADER},method", unusable, f"{GOOD.replace('2026', '2')},{usable}")
    found = residual_factor("DE", TODAY, table) if method == "residual" else location_factor("DE", TODAY, table)
    assert getattr(found, "factor", found) == next(
        f for f in layers(table)[0].grid["DE"] if f.value_g_per_kwh == 300
    )


def test_average_and_residual_mix_are_decided_one_by_one(table: Path) -> None:
    """An average is no residual mix: to take it for one would make the market-based figure too small."""
    write(table, HEADER, GOOD)
    shipped_average, shipped_residual = location_factor("DE", TODAY), residual_factor("DE", TODAY)
    assert residual_factor("DE", TODAY, table) == shipped_residual
    write(table, f"{HEADER},method", f"{GOOD},residual", "DE,2025,290,CO2,generation,consumed,U,1,residual")
    assert location_factor("DE", TODAY, table) == shipped_average
    residual = residual_factor("DE", TODAY, table)
    assert residual is not None
    assert (residual.value_g_per_kwh, residual.gases) == (300, "CO2e")


def test_what_excel_saves_as_utf_8_is_read(table: Path) -> None:
    table.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n\r\n".encode())
    layers.cache_clear()
    assert layers(table)[0].grid["DE"][0].value_g_per_kwh == 300


CELLS = st.text(alphabet=st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["DE", "2025", "352", "CO2e", "generation", "consumed", "-0.0", "1e3", "nan", "9999-12-31", "true", ""]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_table_is_read_or_refused_in_words(table: Path, data: st.DataObject) -> None:
    more = data.draw(
        st.lists(st.sampled_from(sorted(KINDS["grid"] - set(HEADER.split(",")))), unique=True, max_size=2)
    )
    columns = [*HEADER.split(","), *more]
    rows = [[*GOOD.split(","), *[""] * len(more)] for _ in range(data.draw(st.integers(0, 3)))]
    for row in rows:
        for column in data.draw(st.lists(st.integers(0, len(columns) - 1), max_size=3)):
            row[column] = data.draw(CELLS)
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    table.write_text(text.getvalue(), encoding="utf-8", newline="")
    layers.cache_clear()
    refusal, grid = "", {}
    try:
        grid = layers(table)[0].grid
    except ConfigError as error:
        refusal = str(error)
    assert bool(grid) is not (str(table) in refusal)
    for factor in (factor for factors in grid.values() for factor in factors):
        assert factor.value_g_per_kwh == 0 or 1 <= factor.value_g_per_kwh <= 5000
        assert (factor.first_day or "") <= (factor.last_day or "")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 900)), min_size=1, max_size=6)
)
def test_no_two_factors_ever_claim_a_day(table: Path, periods: list[tuple[date, int]]) -> None:
    lines = [
        GOOD.replace("2025", f"{first},{date.fromordinal(first.toordinal() + days)}") for first, days in periods
    ]
    write(table, HEADER.replace("year", "first_day,last_day"), *lines)
    days = [set(range(first.toordinal(), first.toordinal() + length + 1)) for first, length in periods]
    disjoint = sum(map(len, days)) == len(set().union(*days))
    try:
        layers(table)
    except ConfigError:
        assert not disjoint
    else:
        assert disjoint


EDITIONS = st.tuples(
    st.dates(date(2024, 1, 1), date(2024, 3, 1)), st.integers(0, 20),
    st.sampled_from(["", "2025", "2026", "2026-03", "2026-04", "2026-03-01", "2026-03-02"]),
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EDITIONS, min_size=1, max_size=5))
def test_for_no_day_are_there_two_newest_editions(table: Path, editions: list[tuple[date, int, str]]) -> None:
    lines = [
        f"{GOOD.replace('2025', f'{first},{date.fromordinal(first.toordinal() + days)}')},{published}"
        for first, days, published in editions
    ]
    write(table, HEADER.replace("year", "first_day,last_day") + ",published", *lines)
    doubtful = any(
        (a.startswith(b) or b.startswith(a)) and -to <= (other - one).days <= days
        for (one, days, a), (other, to, b) in combinations(editions, 2)
    )
    try:
        layers(table)
    except ConfigError:
        assert doubtful
    else:
        assert not doubtful


@pytest.mark.parametrize(
    ("first", "last", "period"),
    [
        ("2024", "2024", ("2024-01-01", "2024-12-31")), ("2024-02", "2024-02", ("2024-02-01", "2024-02-29")),
        ("2025-02", "2025-12", ("2025-02-01", "2025-12-31")), ("2025-01-31", "2999", ("2025-01-31", "2999-12-31")),
    ],
)  # fmt: skip
def test_months_and_years_are_whole(table: Path, first: str, last: str, period: tuple[str, str]) -> None:
    write(table, HEADER.replace("year", "first_day,last_day"), GOOD.replace("2025", f"{first},{last}"))
    (factor,) = layers(table)[0].grid["DE"]
    assert (factor.first_day, factor.last_day) == period

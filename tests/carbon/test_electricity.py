"""Contracts of a site: read with the place of every mistake, and each kilowatt-hour counted under one of them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.carbon.electricity_file import electricity_of, parse_electricity
from greenai.carbon.factors import location_factor
from greenai.carbon.market import days, market_parts
from greenai.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.footprint import MarketPart

THREE = """\
# A small company in 2026.
[[consumption]]
from = 2026-01-01
to = 2026-12-31
kwh = 80_000

[[contract]]
name = "PV on the roof"
kind = "own_generation"
from = 2026-01-01
to = 2026-12-31
kwh = 20_000
g_per_kwh = 0
gases = "CO2e"
proof = "meter"

[[contract]]
name = "wind farm"
kind = "ppa"
from = 2026-07-01
to = 2026-12-31
share = 0.5
g_per_kwh = 0
gases = "CO2e"
proof = "PPA 7"

[[contract]]
name = "municipal utility"
kind = "supplier"
from = 2026-01-01
to = 2026-12-31
g_per_kwh = 210.0
gases = "CO2"
proof = "bill"

[[price]]
from = 2026-01-01
to = 2026-12-31
per_kwh = 0.27
currency = "EUR"
"""
JUNE, JULY = date(2026, 6, 30), date(2026, 7, 1)
A_CONTRACT = THREE[THREE.index("[[contract]]") : THREE.index('[[contract]]\nname = "wind')]


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]  # at most six


def parts_of(text: str, begin: int, end: int, kwh: float = 10.0) -> tuple[MarketPart, ...]:
    found = location_factor("DE", JUNE)
    assert found is not None
    parts = market_parts(kwh, begin, end, parse_electricity(text, "e.toml"), found.factor)
    assert parts is not None
    return parts


def test_three_contracts_by_hand() -> None:
    """10 kWh in August: 1/4 from the roof, half by the PPA, the last quarter from the utility at 210 g/kWh."""
    parts = parts_of(THREE, ms(2026, 8, 3, 10), ms(2026, 8, 3, 12))
    assert [(p.name, p.instrument, p.kwh, p.g_per_kwh, p.gases) for p in parts] == [
        ("PV on the roof", "own_generation", 2.5, 0, "CO2e"),
        ("wind farm", "ppa", 5.0, 0, "CO2e"),
        ("municipal utility", "supplier", 2.5, 210, "CO2"),
    ]


def test_a_run_over_the_begin_of_a_contract_is_split_by_time() -> None:
    parts = {p.name: p.kwh for p in parts_of(THREE, ms(2026, 6, 30, 18), ms(2026, 7, 1, 18))}
    assert parts == pytest.approx({"PV on the roof": 2.5, "wind farm": 10 * 0.75 * 0.5, "municipal utility": 3.75})


def test_what_no_contract_covers_has_the_mix_of_the_grid() -> None:
    text = THREE[: THREE.index('[[contract]]\nname = "municipal')]
    *_, last = parts_of(text, ms(2026, 3, 1), ms(2026, 3, 1, 5))
    assert (last.instrument, last.kwh, last.g_per_kwh) == ("average", 7.5, 352)


def test_without_any_factor_all_must_be_covered() -> None:
    electricity = parse_electricity(THREE[: THREE.index('[[contract]]\nname = "municipal')], "e.toml")
    assert market_parts(1.0, ms(2026, 3, 1), ms(2026, 3, 1, 5), electricity, None) is None


@given(
    st.floats(0, 1e6),
    st.integers(ms(2025, 12, 1), ms(2027, 2, 1)),
    st.integers(0, 400 * 86_400_000),
)
def test_every_kilowatt_hour_is_counted_once(kwh: float, begin: int, length: int) -> None:
    parts = parts_of(THREE, begin, begin + length, kwh)
    assert sum(part.kwh for part in parts) == pytest.approx(kwh)
    assert all(part.kwh >= 0 for part in parts)


@given(st.integers(0, ms(2030, 1, 1)), st.integers(0, 40 * 86_400_000))
def test_days_are_the_whole_time(begin: int, length: int) -> None:
    found = list(days(begin, begin + length))
    assert sum(part for _, part in found) == pytest.approx(1)
    assert [day for day, _ in found] == sorted({day for day, _ in found})


def test_an_end_at_midnight_is_no_new_day() -> None:
    assert list(days(ms(2026, 1, 1), ms(2026, 1, 2))) == [(date(2026, 1, 1), 1.0)]


def test_the_price_is_that_of_the_day() -> None:
    price = parse_electricity(THREE, "e.toml").price(JUNE)
    assert price is not None
    assert (price.per_kwh, price.currency) == (0.27, "EUR")
    assert parse_electricity(THREE, "e.toml").price(date(2027, 1, 1)) is None


def test_kwh_of_a_part_of_the_year_are_a_share_of_that_part() -> None:
    """20,000 kWh in half a year of which 40,000 kWh are known by months."""
    months = [(1, 31, 5000), (2, 28, 5000), (3, 31, 10000), (4, 30, 5000), (5, 31, 5000), (6, 30, 10000)]
    consumption = "".join(
        f"[[consumption]]\nfrom = 2026-{m:02}-01\nto = 2026-{m:02}-{last}\nkwh = {kwh}\n"
        for m, last, kwh in months
    )
    text = consumption + A_CONTRACT.replace("to = 2026-12-31", "to = 2026-06-30")
    share, rest = parse_electricity(text, "e.toml").shares(JUNE)
    assert (share.part, rest) == (0.5, (None, 0.5))


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("kwh = 20_000", "kwh = 90_000", None, "112.5 %"),
        ("share = 0.5", "share = 0.8", None, "on 2026-07-01|On 2026-07-01"),
        ("share = 0.5", "share = 1.5", 22, "from 0 to 1"),
        ("share = 0.5", "share = -0.1", 22, "from 0 to 1"),
        ("share = 0.5", "share = nan", 22, "from 0 to 1"),
        ("share = 0.5", "share = true", 22, "from 0 to 1"),
        ("share = 0.5", "share = 0.5\nkwh = 3", 22, "either"),
        ("share = 0.5", "", None, "all that is left"),
        ("kwh = 20_000", "kwh = inf", 12, "a number"),
        ("kwh = 20_000", f"kwh = 1{'0' * 400}", 12, "a number"),
        ("kwh = 20_000", f"kwh = 1{'0' * 5000}", None, "cannot be read"),
        ('proof = "bill"', f'gases_ = "{"x" * 300_000}"', None, "gases_"),
        ("kwh = 20_000", 'kwh = "20 MWh"', 12, "a number"),
        ("kwh = 80_000", "kwh = 0", 5, "a number"),
        ("kwh = 80_000", "mwh = 80", 5, 'Did you mean "kwh"'),
        ("kwh = 80_000", "", 2, 'lacks "kwh"'),
        ("to = 2026-12-31\nkwh = 80_000", "to = 2026-06-30\nkwh = 80_000", None, "missing on 2026-07-01"),
        ("from = 2026-07-01", 'from = "2026-07-01"', 20, "without quotes"),
        ("from = 2026-07-01", "from = 2026-07-01T00:00:00", 20, "a day"),
        ("from = 2026-07-01", "from = 2027-07-01", 21, "before"),
        ('kind = "ppa"', 'kind = "green"', 19, "guarantee_of_origin"),
        ('gases = "CO2"', 'gases = "co2"', 33, "CO2, CO2e"),
        ('proof = "bill"', 'proof = " "', 34, "not empty"),
        ('currency = "EUR"', 'currency = "Euro"', 40, "three capital letters"),
        ("per_kwh = 0.27", "per_kwh = 27", 39, "from 0 to 10"),
        ("[[price]]", "[price]", 36, "two brackets"),
        ("[[price]]", "[[prices]]", 36, r"no \[\[prices\]\]"),
        ("[[price]]", "[[price]", None, "cannot be read"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(old: str, new: str, line: int | None, says: str) -> None:
    assert THREE.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        parse_electricity(THREE.replace(old, new), "/site/e.toml")
    message = str(caught.value)
    assert re.search(says, message), message
    assert "/site/e.toml" in message
    assert caught.value.remedy is not None
    if line is not None:
        assert f"line {line}:" in message


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert parse_electricity("\ufeff" + THREE, "e.toml").contracts


def test_no_message_is_longer_than_a_screen() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_electricity(THREE.replace('"CO2"', f'"{"x" * 300_000}"'), "e.toml")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("table", ["consumption", "price"])
def test_two_entries_for_a_day(table: str) -> None:
    twice = THREE + THREE[THREE.index(f"[[{table}]]") :].partition("\n\n")[0].replace("2026-01-01", "2026-12-31")
    with pytest.raises(ConfigError, match=f"2026-12-31 there are two entries in .*{table}.*lines"):
        parse_electricity(twice, "e.toml")


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for hostile in (text, THREE + text, text + "\n" + THREE):
        with suppress(ConfigError):
            parse_electricity(hostile, "e.toml")


def test_a_file_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text(THREE)
    first = electricity_of(path)
    assert electricity_of(path) is first
    path.write_text(THREE.replace("0.27", "0.3125"))
    second = electricity_of(path)
    assert second.prices[0].per_kwh == 0.3125


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: None, lambda p: p.write_bytes(b"\xff\xfe")])
def test_no_such_file(tmp_path: Path, make: object) -> None:
    path = tmp_path / "e.toml"
    make(path)  # type: ignore[operator]  # a function, by the list above
    with pytest.raises(ConfigError) as caught:
        electricity_of(path)
    assert str(path) in str(caught.value)

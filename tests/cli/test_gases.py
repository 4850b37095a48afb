"""What grams count: CO2 alone or all greenhouse gases, direct or life cycle, is said wherever they stand."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """zone,year,value_g_per_kwh,gases,boundary,basis,source,edition
PL,2025,800,CO2,generation,consumed,U,1
"""
CONTRACT = """
[[contract]]
name = "all of it"
kind = "supplier"
from = 2020-01-01
to = 2040-01-01
g_per_kwh = 100
gases = "CO2"
proof = "bill"
"""


@pytest.fixture
def mixed(journals: Any, cli: Any, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(TABLE)
    (tmp_path / "electricity.toml").write_text(CONTRACT)
    cli("config", "set", "factors", str(tmp_path / "own.csv"))
    cli("config", "set", "zone", "DE")
    cli("config", "set", "electricity", str(tmp_path / "electricity.toml"))
    cli("config", "set", "machine_owner", "own")
    for zone in ("DE", "FR", "PL"):
        journals.run(f"{zone.lower()}00beef", zone=zone, name=zone)


def test_a_list_says_of_each_figure_what_it_counts(mixed: None, cli: Any) -> None:
    heading, *lines = cli("runs").out.splitlines()
    ends = {name: next(line.rstrip() for line in lines if f" {name} " in line) for name in ("DE", "FR", "PL")}
    assert "Emissions" in heading
    assert ends["DE"].endswith("g CO2e")
    assert ends["FR"].endswith("g CO2e, life cycle")
    assert ends["PL"].endswith("g CO2")


def test_what_is_the_same_for_all_stands_in_the_heading(journals: Any, cli: Any) -> None:
    journals.run("aaaa0001", zone="FR", name="one")
    journals.run("aaaa0002", zone="FR", name="two")
    journals.run("aaaa0003", name="nowhere")
    heading, *lines = cli("runs").out.splitlines()
    assert heading.rstrip().endswith("CO2e, life cycle")
    assert [line for line in lines if "CO2" in line] == []
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(cli("runs", "export", "--format", "csv").out))}
    unknown = ("location_g", "location_gases", "location_boundary", "market_g", "market_gases")
    assert [rows["nowhere"][name] for name in unknown] == [""] * 5


def test_an_export_has_gases_boundary_and_the_market_based_figure(mixed: None, cli: Any, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(cli("runs", "export", "--format", "csv").out))}
    said = {name: (row["location_gases"], row["location_boundary"]) for name, row in rows.items()}
    assert said == {"DE": ("CO2e", "generation"), "FR": ("CO2e", "lifecycle"), "PL": ("CO2", "generation")}
    assert float(rows["DE"]["market_g"]) == pytest.approx(float(rows["DE"]["location_g"]) / 352 * 100)
    assert rows["DE"]["market_gases"] == "CO2"

    import pandas as pd

    cli("runs", "export", "-o", str(tmp_path / "x.parquet"))
    frame = pd.read_parquet(tmp_path / "x.parquet").set_index("name")
    assert frame.loc["FR", "location_boundary"] == "lifecycle"
    assert frame.loc["DE", "market_g"] == pytest.approx(float(rows["DE"]["market_g"]))


def test_sums_by_month_do_not_claim_one_of_them(mixed: None, cli: Any) -> None:
    assert cli("runs", "months").out.splitlines()[0].rstrip().endswith("CO2 or CO2e")


def test_a_factor_that_is_an_estimate_says_so(journals: Any, cli: Any) -> None:
    journals.run("aaaa0001", zone="DE")
    assert "CO2e, generation only, estimate, unverified;" in cli("runs", "show", "latest").out

"""A new edition of a factor: new footprints beside the old ones, and the difference on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from greenai.carbon.tables import layers

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = """
[[contract]]
name = "all"
kind = "supplier"
from = 2020-01-01
to = 2040-01-01
g_per_kwh = 100
gases = "CO2e"
proof = "bill"
"""


TABLE = """zone,year,value_g_per_kwh,gases,boundary,basis,source,edition
DE,2025,400,CO2e,generation,consumed,Umweltbundesamt,a later edition
"""


def test_a_new_edition_of_a_factor(runs: Any, cli: Any, tmp_path: Path) -> None:
    cli("ingest")
    again = cli("factors", "recompute", "--json").data
    assert (again["runs"], again["changed"], again["changes"]) == (4, 0, [])
    before = cli("runs", "export", "--format", "json").data
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "de.csv").write_text(TABLE)
    cli("config", "set", "factors", str(tables))
    done = cli("factors", "recompute")
    assert "4 of 4 runs" in done.err
    heading, row = (line for line in done.out.splitlines() if line.strip())
    assert "Market" not in heading
    assert row.split()[2] == "4"
    assert "+13.6" in row  # 400 / 352 - 1
    after = cli("runs", "export", "--format", "json").data
    for old, new in zip(before, after, strict=True):
        assert new["emissions"]["location_g"] == pytest.approx(old["emissions"]["location_g"] * 400 / 352)
        assert new["emissions"]["factor"]["edition"] == "a later edition"
        assert {**old, "emissions": None} == {**new, "emissions": None}


def test_a_wrong_contract_stops_it_before_anything_changes(runs: Any, cli: Any, tmp_path: Path) -> None:
    cli("config", "set", "zone", "DE")  # of whom the contracts are
    cli("ingest")
    before = cli("runs", "export", "--format", "json").data
    path = tmp_path / "e.toml"
    wrong = CONTRACT.replace("100", '"much"')
    path.write_text(wrong)
    refused = cli("config", "set", "electricity", str(path))
    assert (refused.code, "line 7" in refused.err) == (2, True)
    path.write_text(CONTRACT)
    cli("config", "set", "electricity", str(path))
    path.write_text(wrong)
    stopped = cli("factors", "recompute")
    assert stopped.code == 2
    assert f"{path}, line 7" in stopped.err
    assert cli("runs", "export", "--format", "json").data == before
    path.write_text(CONTRACT)
    assert "Market-based before" in cli("factors", "recompute").out
    for old, new in zip(before, cli("runs", "export", "--format", "json").data, strict=True):
        assert new["emissions"]["market_g"] == pytest.approx(old["energy"]["total_j"] / 3.6e6 * 100)
        assert new["emissions"]["location_g"] == old["emissions"]["location_g"]


def test_figures_that_are_lost_are_said(runs: Any, cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text(CONTRACT)
    cli("config", "set", "zone", "DE")
    cli("config", "set", "electricity", str(path))
    cli("ingest")
    cli("config", "unset", "electricity")
    done = cli("factors", "recompute")
    assert "4 runs have lost their market-based figure" in done.err
    again = cli("factors", "recompute")
    assert "lost" not in again.err


def test_a_damaged_table_stops_it_too(runs: Any, cli: Any, tmp_path: Path) -> None:
    table = tmp_path / "de.csv"
    table.write_text(TABLE)
    cli("config", "set", "factors", str(table))
    cli("ingest")
    before = cli("runs", "export", "--format", "json").data
    table.write_text(TABLE.replace("400", "much"))
    layers.cache_clear()  # as in a new process
    assert cli("factors", "recompute").code == 2
    assert cli("runs", "export", "--format", "json").data == before

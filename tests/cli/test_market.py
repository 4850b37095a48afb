"""Contracts on the terminal, and in the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from greenai.core.quantity import mass

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[[contract]]
name = "all of it"
kind = "supplier"
from = 2020-01-01
to = 2040-01-01
g_per_kwh = 100
gases = "CO2e"
proof = "bill"
"""


def test_a_run_under_a_contract(journals: Any, cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "electricity.toml"
    path.write_text(FILE)
    cli("config", "set", "zone", "DE")
    cli("config", "set", "electricity", str(path))
    cli("config", "set", "machine_owner", "own")
    journals.run("aaaa0001")
    record = json.loads(cli("runs", "show", "latest", "--json").out)
    emissions = record["emissions"]
    assert [part["name"] for part in emissions["market"]] == ["all of it"]
    assert (emissions["scope"], emissions["market_reason"]) == ("scope_2", None)
    assert emissions["market_g"] > 0
    shown = cli("runs", "show", "latest").out
    assert mass(emissions["market_g"], "en") in shown
    assert "all of it (supplier's mix)" in shown
    assert "scope 2" in shown

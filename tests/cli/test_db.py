"""``greenai db``: damage with its remedy, and backups, as a person types them."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def _database() -> Path:
    return Path(os.environ["GREENAI_DB"].removeprefix("sqlite:///"))


def _sql(statement: str) -> None:
    with closing(sqlite3.connect(_database(), isolation_level=None)) as connection:
        connection.execute(statement)


def test_a_sound_database(runs: Any, cli: Any) -> None:
    cli("runs")
    answer = cli("db", "check", "--json")
    assert (answer.code, answer.data["damage"]) == (0, [])
    assert "fine" in cli("db", "check").err


def test_the_remedy_takes_a_damaged_run_in_again(runs: Any, cli: Any) -> None:
    cli("runs")
    _sql("UPDATE sample_chunk SET data = x'01' WHERE run_id LIKE 'aa01beef%'")
    _sql("UPDATE run SET state = 'asleep' WHERE id LIKE 'aa02beef%'")
    answer = cli("db", "check", "--json")
    assert answer.code == 1
    assert [(each["table"], each["run"][:8]) for each in answer.data["damage"]] == [
        ("run", "aa02beef"),
        ("sample_chunk", "aa01beef"),
    ]
    table = cli("db", "check")
    assert table.code == 1
    assert "asleep" in table.out
    for each in answer.data["damage"]:
        remove, _, again = each["remedy"].partition(": ")[2].partition(" && ")
        assert again == "greenai ingest"
        subprocess.run(shlex.split(remove), check=True)
    assert cli("ingest").code == 0
    assert cli("db", "check").code == 0


def test_a_damaged_run_without_journals_can_be_done_without(runs: Any, cli: Any) -> None:
    cli("runs")
    run_id = cli("runs", "show", "latest", "--json").data["id"]
    for file in (runs.spool / run_id).iterdir():
        file.unlink()
    (runs.spool / run_id).rmdir()
    _sql(f"UPDATE run SET state = 'asleep' WHERE id = '{run_id}'")
    (only,) = cli("db", "check", "--json").data["damage"]
    assert f"greenai runs delete {run_id}" in only["remedy"]
    assert cli("runs", "delete", run_id, "--yes").code == 0
    assert cli("db", "check").code == 0


def test_a_truncated_database(runs: Any, cli: Any) -> None:
    cli("runs")
    _database().write_bytes(_database().read_bytes()[:8192])
    answer = cli("db", "check", "--json")
    assert answer.code == 1
    assert "backup" in answer.data["damage"][0]["remedy"]


def test_backup(runs: Any, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cli("runs", "--json").data
    assert cli("db", "backup", str(tmp_path / "b.db")).code == 0
    assert cli("db", "backup", str(tmp_path / "b.db")).code == 2
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'b.db'}")
    assert cli("runs", "--json").data == before


def test_pruning_needs_to_know_for_how_long(runs: Any, cli: Any) -> None:
    answer = cli("db", "prune")
    assert answer.code == 2
    assert "greenai config set keep_samples_days" in answer.err
    assert cli("db", "prune", "--keep-samples-days", "0").code == 2


def test_a_run_without_samples_says_when_they_went(runs: Any, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("runs")
    before = cli("runs", "show", "latest", "--json").data
    assert before["samples_dropped_at"] is None
    _sql("UPDATE run SET ended_ms = 1000")
    monkeypatch.setenv("GREENAI_KEEP_SAMPLES_DAYS", "30")
    answer = cli("db", "prune")
    assert answer.code == 0
    assert "of 4 runs" in answer.err
    after = cli("runs", "show", "latest", "--json").data
    assert after["energy"] == before["energy"]
    assert after["samples_dropped_at"] > "2026"
    assert "because of their age" in cli("runs", "show", "latest").out


def test_sums_by_month(runs: Any, cli: Any) -> None:
    answer = cli("runs", "months", "--json")
    assert answer.code == 0
    assert [(each["project"], each["runs"], each["without_energy"]) for each in answer.data] == [("churn", 4, 0)]
    total_j = sum(each["total_j"] for each in cli("runs", "--json").data)
    assert abs(answer.data[0]["total_j"] - total_j) < 1e-6
    assert "churn" in cli("runs", "months").out

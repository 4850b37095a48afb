"""Each command's normal use: stdout is data, stderr is talk, exit codes as documented."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from greenai.journal import format as f
from greenai.store.schema import metadata

PROGRAM = [sys.executable, "-c", "from greenai.cli.main import main; main()"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"], ["runs", "list", "--limit", "2"], ["runs", "--project", "churn", "--approach", "ai"],
        ["runs", "export", "--task", "t"], ["runs", "show", "latest"], ["compare", "--task", "t"],
        ["compare", "aa00beef", "aa02beef"], ["baseline", "list"], ["factors", "list"], ["factors", "show", "DE"],
        ["config", "show"], ["doctor"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_json_is_all_that_stdout_holds(runs: Any, cli: Any, arguments: list[str]) -> None:
    flag = [] if "export" in arguments else ["--json"]
    answer = cli(*arguments, *flag)
    assert answer.code == 0
    assert answer.data is not None
    assert answer.err == ""
    plain = cli(*arguments)
    assert plain.code == 0
    assert plain.err == ""


def test_the_list(runs: Any, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = cli("runs", "--json").data
    assert len(rows) == 4
    assert {row["name"] for row in rows} == {"net", "forest"}
    assert {row["quality"] for row in rows} == {"estimated"}
    assert [row["id"] for row in cli("runs", "--json", "--limit", "2").data] == [row["id"] for row in rows[:2]]
    assert cli("runs", "--json", "--task", "nobody").data == []
    lines = cli("runs").out.splitlines()
    assert len(lines) == 5
    assert all("estimated" in line for line in lines[1:])
    monkeypatch.setenv("GREENAI_LANGUAGE", "de")
    assert "geschätzt" in cli("runs").out


def test_running_runs_come_first_with_their_power(runs: Any, cli: Any, journals: Any) -> None:
    before = cli("runs").out
    assert "Power now" not in before.splitlines()[0]
    journals.begin("0000beef", seconds=90, name="still", task="t")  # an id, and a start, before all others
    rows = cli("runs", "--json").data
    assert (rows[0]["id"], rows[0]["state"]) == ("0000beef", "running")
    assert rows[0]["power_w"] == pytest.approx(105)
    assert rows[0]["total_j"] == pytest.approx(9450, rel=0.01)
    assert [row["power_w"] for row in rows[1:]] == [None] * 4
    assert [row["id"] for row in cli("runs", "--json", "--limit", "2").data] == [row["id"] for row in rows[:2]]
    assert cli("runs", "--json", "--project", "churn").data == rows[1:]
    heading, first, *others = cli("runs").out.splitlines()
    assert heading.endswith("Power now")
    assert first.startswith("0000beef")
    assert first.endswith("105\u202fW")
    assert all(line.endswith("–") for line in others)


@pytest.mark.slow
def test_watching_ends_with_ctrl_c(runs: Any, journals: Any, cli: Any) -> None:
    journals.begin("0000beef", seconds=90, name="still")
    process = subprocess.Popen(
        [*PROGRAM, "runs", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    shown = [process.stdout.readline() for _ in range(12)]  # twice
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (0, "")
    assert [line.split()[0] for line in shown if "still" in line] == ["0000beef"] * 2
    assert cli("runs", "--watch", "--json").code == 2


def test_no_runs_yet_is_talk(cli: Any) -> None:
    answer = cli("runs")
    assert (answer.code, answer.out) == (0, "")
    assert "greenai run --" in answer.err
    assert cli("runs", "--json").data == []


def test_showing_a_run(runs: Any, cli: Any) -> None:
    record = cli("runs", "show", "aa00", "--json").data
    assert record["id"] == "aa00beef"
    page = cli("runs", "show", "aa00").out
    for part in (
        "aa00beef",
        "net",
        "estimated",
        "rapl_powercap",
        "352",
        "DE 2025",
        "unverified",
        "assumed",
        "accuracy",
    ):
        assert part in page
    assert cli("runs", "show", "forest", "--json").data["approach"] == "classical"


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "show", "nobody"], ["runs", "delete", "nobody", "--yes"], ["runs", "tag", "nobody", "a=b"],
        ["compare", "--task", "nobody"], ["compare", "a", "b"], ["factors", "show", "ZZ"],
        ["baseline", "set", "nobody", "--task", "t"], ["report", "--project", "nobody"],
        ["report", "--run", "nobody"], ["runs", "show", "aa"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_not_there_ends_with_1(runs: Any, cli: Any, arguments: list[str]) -> None:
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("Error: ")


def test_csv(runs: Any, cli: Any, journals: Any) -> None:
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", 'a"b,c', "zeile\numbruch"]
    for number, name in enumerate(evil):
        journals.run(f"bb0{number}beef", name=name)
    rows = list(csv.DictReader(io.StringIO(cli("runs", "export", "--format", "csv").out)))
    assert len(rows) == 4 + len(evil)
    names = {row["id"]: row["name"] for row in rows}
    assert [names[f"bb0{n}beef"] for n in range(len(evil))] == [f"'{n}" if n[0] in "=+-@\t" else n for n in evil]
    by_id = {row["id"]: row for row in rows}
    assert float(by_id["aa00beef"]["total_j"]) == pytest.approx(3150)
    assert by_id["bb00beef"]["location_g"] == ""
    assert by_id["aa00beef"]["started_at"].endswith("Z")


def test_exports_to_files(runs: Any, cli: Any, tmp_path: Path) -> None:
    import pandas as pd

    for name in ("runs.csv", "runs.json", "runs.parquet"):
        answer = cli("runs", "export", "-o", str(tmp_path / name))
        assert (answer.code, answer.out) == (0, "")
    assert len(pd.read_csv(tmp_path / "runs.csv")) == 4
    assert [r["id"] for r in json.loads((tmp_path / "runs.json").read_text())] == [
        r["id"] for r in cli("runs", "export").data
    ]
    frame = pd.read_parquet(tmp_path / "runs.parquet")
    assert len(frame) == 4
    assert "UTC" in str(frame["started_at"].dtype)
    assert cli("runs", "export", "--format", "parquet").code == 2


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_an_export_that_cannot_be_written(runs: Any, cli: Any, tmp_path: Path, form: str) -> None:
    answer = cli("runs", "export", "--format", form, "-o", str(tmp_path / "nowhere" / "x"))
    assert (answer.code, answer.out) == (2, "")
    assert "nowhere" in answer.err


def test_deleting(runs: Any, cli: Any) -> None:
    assert cli("runs", "delete", "aa00", "--yes").code == 0
    assert "aa00beef" not in {row["id"] for row in cli("runs", "--json").data}
    assert not (runs.spool / "aa00beef").exists()
    assert len(cli("runs", "--json").data) == 3


def test_nothing_is_deleted_without_a_yes(runs: Any, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    answer = cli("runs", "delete", "aa00")
    assert answer.code == 130
    assert answer.out == ""
    assert len(cli("runs", "--json").data) == 4


def test_tagging(runs: Any, cli: Any) -> None:
    answer = cli("runs", "tag", "aa00", "dataset=q3", "note=ä=b")
    assert (answer.code, answer.out) == (0, "")
    assert cli("runs", "show", "aa00", "--json").data["tags"] == {"dataset": "q3", "note": "ä=b"}
    assert cli("runs", "tag", "aa00", "nothing").code == 2


def test_a_tag_may_hold_a_comma(runs: Any, cli: Any) -> None:
    assert cli("runs", "tag", "aa00", "note=a, b").code == 0
    assert cli("runs", "show", "aa00", "--json").data["tags"] == {"note": "a, b"}


def test_comparing_a_task(runs: Any, cli: Any) -> None:
    data = cli("compare", "--task", "t", "--json").data
    assert (data["task"], data["baseline"], data["baseline_chosen"]) == ("t", "forest", False)
    (comparison,) = data["comparisons"]
    assert comparison["ratio"]["value"] > 4
    assert comparison["verdict"] in cli("compare", "--task", "t").out
    chosen = cli("compare", "--task", "t", "--json", "--margin", "0.05", "--gain", "0.2").data["comparisons"][0]
    assert chosen["margins"] == {"equal": 0.05, "gain": 0.2, "chosen": True}
    assert cli("compare", "--task", "t", "--margin", "-1").code == 2


def test_comparing_two_runs(runs: Any, cli: Any) -> None:
    data = cli("compare", "aa00beef", "aa02beef", "--json").data
    assert [c["name"] for c in data["candidates"]] == ["net", "forest"]
    assert cli("compare", "aa00beef", "aa01beef").code == 2  # both are AI
    assert cli("compare", "aa00beef").code == 2
    assert cli("compare", "aa00beef", "aa02beef", "--task", "t").code == 2


def test_one_sided_tasks_say_what_is_missing(cli: Any, journals: Any) -> None:
    journals.run("cc00beef", task="alone", approach="ai")
    answer = cli("compare", "--task", "alone")
    assert answer.code == 0
    assert "--approach classical" in answer.err


def test_choosing_a_baseline(runs: Any, cli: Any) -> None:
    assert cli("baseline", "set", "forest", "--task", "t").code == 0
    assert cli("baseline", "list", "--json").data == {"t": "forest"}
    assert cli("compare", "--task", "t", "--json").data["baseline_chosen"] is True
    assert cli("baseline", "set", "net", "--task", "t").code == 1  # an AI solution is no baseline
    assert cli("baseline", "unset", "--task", "t").code == 0
    assert cli("baseline", "list", "--json").data == {}


@pytest.mark.parametrize(("form", "first"), [("html", b"<!doctype html"), ("json", b"{"), ("pdf", b"%PDF")])
def test_reports(runs: Any, cli: Any, tmp_path: Path, form: str, first: bytes) -> None:
    answer = cli("report", "-o", str(tmp_path / f"r.{form}"), "--lang", "de")
    assert (answer.code, answer.out) == (0, ""), answer.err
    assert (tmp_path / f"r.{form}").read_bytes()[:14].lower().startswith(first.lower())


def test_a_report_on_stdout(runs: Any) -> None:
    done = subprocess.run([*PROGRAM, "report", "--format", "json", "-o", "-"], capture_output=True, check=True)
    assert json.loads(done.stdout)
    assert done.stderr == b""


def test_a_report_of_one_run_and_of_days(runs: Any, cli: Any, tmp_path: Path) -> None:
    for arguments in (["--run", "aa00"], ["--task", "t"], ["--from", "2026-09-21"], ["--to", "2026-09-22"]):
        assert cli("report", *arguments, "-o", str(tmp_path / "r.json")).code == 0
    assert cli("report", "--from", "2026-09-23").code == 1
    assert cli("report", "--to", "2026-09-19").code == 1
    assert cli("report", "--from", "gestern").code == 2


def test_reports_that_cannot_be(runs: Any, cli: Any, tmp_path: Path) -> None:
    answer = cli("report", "--format", "docx")
    assert answer.code == 2
    assert "html" in answer.err
    answer = cli("report", "-o", str(tmp_path / "nowhere" / "r.html"))
    assert answer.code == 2
    assert "nowhere" in answer.err


def test_a_report_of_nothing(cli: Any) -> None:
    answer = cli("report")
    assert (answer.code, answer.out) == (1, "")


def test_config(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(cli("config", "path").out.strip())
    assert path == tmp_path / "home" / "config" / "greenai" / "config.toml"
    for key, value in (("zone", "de"), ("pue", "1.3"), ("electricity_price_per_kwh", "0"), ("tags", "a=b,c=d")):
        answer = cli("config", "set", key, value)
        assert (answer.code, answer.out) == (0, "")
    shown = cli("config", "show", "--json").data
    assert shown["zone"] == {"value": "DE", "origin": str(path)}
    assert shown["pue"]["value"] == 1.3
    assert shown["tags"]["value"] == {"a": "b", "c": "d"}
    assert shown["interval_s"]["origin"] is None
    price = next(line for line in cli("config", "show").out.splitlines() if line.startswith("electricity"))
    assert "–" not in price  # a price of 0 is known
    assert cli("config", "unset", "zone").code == 0
    assert cli("config", "show", "--json").data["zone"]["value"] is None
    monkeypatch.setenv("GREENAI_DB", "postgresql://mia:geheim@db.example/greenai")
    for answer in (cli("config", "show"), cli("config", "show", "--json")):
        assert "geheim" not in answer.out


def test_factors(runs: Any, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {f["zone"] for f in cli("factors", "list", "--zone", "de", "--json").data} == {"DE"}
    assert cli("factors", "show", "de", "--year", "2023", "--json").data[0]["value_g_per_kwh"] == 387
    page = cli("factors", "show", "DE").out
    for said in (
        "352",
        "54",
        "uba-2026.csv",
        "§ 12a EGovG",
        "residual mix",
        "724.56",
        "latest before it is taken",
    ):
        assert said in page
    assert cli("factors", "show", "DE", "--json").data[0]["upstream_g_per_kwh"] == 54
    assert cli("factors", "show", "server", "--json").data[0]["value"] == 3660
    assert cli("factors", "show", "gcp/europe-west3", "--json").data[0]["value_g_per_kwh"] > 0
    assert "DE (Germany)" in cli("factors", "show", "germany").err
    assert len(cli("factors", "list", "--json").data) > 200
    everything = cli("factors", "list", "--zone", "DE", "--json").data
    assert {f["table"] for f in everything} == {
        "uba-2026.csv", "uba-2025.csv", "ember-owid-2026.csv", "ember-owid-2025.csv"
    }  # fmt: skip
    assert {f["year"] for f in cli("factors", "list", "--year", "2024", "--json").data} == {2024}
    for kind, count in (("residual", 2), ("pue", 11), ("wue", 2), ("embodied", 10)):
        assert len(cli("factors", "list", "--kind", kind, "--json").data) == count
    assert cli("factors", "list", "--zone", "FR", "--kind", "residual", "--json").data == []
    for nowhere in (["KOS"], ["KOS", "--json"], ["x" * 9999], ["moon", "--kind", "pue"]):
        answer = cli("factors", "list", "--zone", *nowhere)
        assert answer.code != 0
        assert "There is no factor for" in answer.err
        assert len(answer.err) < 400
    assert "XK (Kosovo)" in cli("factors", "list", "--zone", "KOS").err
    monkeypatch.setenv("GREENAI_PUE", "2")
    before = cli("runs", "show", "aa00", "--json").data
    assert "0 runs" in cli("factors", "recompute").err or "4 runs" in cli("factors", "recompute").err
    after = cli("runs", "show", "aa00", "--json").data
    assert after["energy"] == before["energy"]


def test_own_factor_tables(runs: Any, cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    monkeypatch.setenv("GREENAI_FACTORS", str(tmp_path))
    own.write_text(
        "zone,year,value_g_per_kwh,gases,boundary,basis,source,edition\nDE,2025,kg,CO2e,generation,consumed,U,1\n"
    )
    for command in (["list"], ["show", "DE"], ["recompute"]):
        answer = cli("factors", *command)
        assert answer.code != 0
        assert f"{own}, line 2, column value_g_per_kwh" in answer.err
    own.write_text(own.read_text().replace("kg,", "300,"))
    shown = cli("factors", "show", "DE", "--json").data[0]
    assert (shown["value_g_per_kwh"], shown["file"]) == (300, str(own))
    monkeypatch.setenv("COLUMNS", "120")
    assert max(map(len, cli("factors", "list").out.splitlines())) <= 120


def test_ingest(cli: Any, journals: Any, tmp_path: Path) -> None:
    journals.run("dd00beef")
    answer = cli("ingest")
    assert (answer.code, answer.out) == (0, "")
    assert "1" in answer.err
    assert cli("ingest", str(journals.spool)).code == 0
    assert cli("ingest", str(tmp_path / "nowhere")).code == 2
    (journals.spool / "ee00beef").mkdir()
    line = {
        "k": "open",
        "t": 0,
        "wall_ns": 0,
        "pid": 1,
        "role": "owner",
        "host": "h",
        "interval_s": 1,
        "channels": [],
    }
    (journals.spool / "ee00beef" / "h-1.jsonl").write_text(json.dumps({**line, "meta": {"tags": 5}}) + "\n")
    answer = cli("ingest")
    assert answer.code == 1
    assert "ee00beef" in answer.err


def test_db(runs: Any, cli: Any, tmp_path: Path) -> None:
    for arguments in (["check"], ["upgrade"]):
        answer = cli("db", *arguments)
        assert (answer.code, answer.out) == (0, ""), answer.err
    answer = cli("db", "copy", f"sqlite:///{tmp_path / 'copy.db'}")
    assert answer.code == 0
    assert {line.split()[0] for line in answer.out.splitlines()[1:]} == set(metadata.tables)
    before = cli("runs", "--json").data
    os.environ["GREENAI_DB"] = f"sqlite:///{tmp_path / 'copy.db'}"
    assert cli("runs", "--json").data == before
    assert cli("db", "copy", "mysql://x").code == 2
    assert cli("db", "copy", f"sqlite:///{tmp_path / 'copy.db'}").code == 2  # into itself
    assert cli("runs", "--json").data == before


@pytest.mark.parametrize(
    "arguments", [["db", "check"], ["db", "upgrade"], ["runs"], ["ingest"], ["compare", "--task", "t"]]
)
def test_a_database_that_is_away_ends_with_1(
    cli: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("GREENAI_DB", f"postgresql://mia:geheim@127.0.0.1:{port}/greenai")
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert "geheim" not in answer.err
    assert "greenai ingest" in answer.err


def test_doctor(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cli("doctor", "--json").data
    assert set(data) == {"channels", "trial", "unavailable", "incidents", "database", "spool", "zone"}
    assert data["database"]["problem"] is None
    assert {"source", "readable_by", "verified_on", "method"} <= set(data["channels"][0])
    assert data["trial"]["estimated_share"] == pytest.approx(1)  # a virtual machine
    assert data["trial"]["power_w"] > 0
    assert "config set zone" in cli("doctor").out
    assert cli("doctor", "--strict").code == 1  # no zone is set
    monkeypatch.setenv("GREENAI_DB", "postgresql://mia:geheim@127.0.0.1:1/x")
    answer = cli("doctor", "--json")
    assert answer.code == 0
    assert answer.data["database"]["problem"]
    assert "geheim" not in answer.out


def test_a_port_that_is_taken(runs: Any, cli: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        answer = cli("dashboard", "--port", str(port), "--no-browser")
    assert (answer.code, answer.out) == (2, "")
    assert str(port) in answer.err


@pytest.mark.parametrize("count", [1, 3000])
def test_a_reader_that_has_seen_enough(journals: Any, count: int) -> None:
    journals.run("aa00beef", tags={f"k{i}": "v" * 100 for i in range(count)})
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stream:
        done = subprocess.run(
            [*PROGRAM, "runs", "show", "latest", "--json"], stdout=stream, stderr=subprocess.PIPE, check=False
        )
    assert done.stderr == b""
    assert done.returncode in (1, 141)


def test_a_run_that_goes_on_is_listed_as_running(cli: Any, journals: Any) -> None:
    journal, machine = journals.begin("aa00beef")
    assert cli("runs", "--json").data[0]["state"] == "running"
    journals.mark(journal, machine, f.TICK)
    journal.close()


def test_settings_of_the_environment_are_checked(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENAI_ZOEN", "DE")
    answer = cli("runs")
    assert answer.code == 2
    assert "GREENAI_ZONE" in answer.err


@pytest.mark.parametrize("units", ["nan", "inf", "-1"])
def test_units_must_be_a_number(cli: Any, units: str) -> None:
    answer = cli("run", "--units", units, "--", "true")
    assert answer.code == 2
    assert "--units" in answer.err


def test_a_name_cannot_steer_the_terminal(cli: Any, runs: Any) -> None:
    runs.run("ab00beef", name="\x1b[31mred\x1b[0m\u202e", task="x" * 5000)
    out = cli("runs").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert max(len(line) for line in out.splitlines()) < 400

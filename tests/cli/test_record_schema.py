"""The record that `greenai run` writes is what docs/run-record.schema.json promises."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import greenai

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "run-record.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
GREENAI = [sys.executable, "-c", "from greenai.cli.main import main; main()"]


def _faults(record: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(record)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def _objects(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) and "properties" in schema and "required" in schema else []
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return found + [deeper for child in children for deeper in _objects(child)]


def test_every_object_is_closed_and_every_figure_explained() -> None:
    for part in _objects(SCHEMA):
        assert part["additionalProperties"] is False
        assert set(part["required"]) == set(part["properties"])
        for name, field in part["properties"].items():
            assert (
                "description" in field
                or "$ref" in field
                or "oneOf" in field
                or "items" in field
                or "const" in field
            ), name


@pytest.mark.parametrize(
    ("options", "command", "code", "state"),
    [
        (["--zone", "DE", "--units", "3", "--unit", "document", "--tag", "a=b"], [sys.executable, "-c", "print(1)"], 0, "completed"),
        ([], [sys.executable, "-c", "raise SystemExit(3)"], 3, "failed"),
        (["--zone", "ZZ", "--approach", "ai", "--phase", "training"], ["sh", "-c", "kill -9 $$"], 137, "killed"),
    ],
    ids=["completed", "failed, no zone", "killed, unknown zone"],
)  # fmt: skip
def test_the_record_of_a_real_run(
    tmp_path: Path, options: list[str], command: list[str], code: int, state: str, cli: Any
) -> None:
    file = tmp_path / "record.json"
    done = subprocess.run(
        [*GREENAI, "run", *options, "--record", str(file), "--", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    record = json.loads(file.read_text())
    assert _faults(record) == []
    assert (record["state"], record["exit_code"]) == (state, code)
    assert done.stdout == ("1\n" if code == 0 else "")
    shown = cli("runs", "show", record["id"], "--json").data
    assert _faults(shown) == []
    assert shown["energy"] == record["energy"]


def test_records_of_the_journals(runs: Any, cli: Any, journals: Any) -> None:
    journals.begin("dd00beef", slurm={"job_id": "7"}, approach="ai")
    journals.run("ee00beef", seconds=0)
    records = cli("runs", "export").data
    assert len(records) == 6
    assert [fault for record in records for fault in _faults(record)] == []


def test_the_record_of_a_service(cli: Any) -> None:
    with greenai.InferenceMeter("bot", unit="answer") as meter:
        time.sleep(0.2)
        with meter.request() as request:
            time.sleep(0.2)
            request.tokens = 100
        with pytest.raises(ValueError, match="mine"), meter.request():
            raise ValueError("mine")
    shown = cli("runs", "show", "bot", "--json").data
    assert _faults(shown) == []
    assert shown["requests"]["count"] == 2
    assert shown["requests"]["failed"] == 1
    assert shown["requests"]["tokens"] == 100
    assert sum(hour["requests"] for hour in shown["hours"]) == 2
    assert shown == json.loads(json.dumps(meter.result.to_dict()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("extra",), 1),
        (("state",), "done"),
        (("energy", "total_j"), "12 J"),
        (("energy", "total_j"), -1),
        (("energy", "extra"), 1),
        (("energy", "channels", 0, "component"), "fpga"),
        (("energy", "channels", 0, "quality"), None),
        (("energy", "channels", 0, "energy_j"), None),
        (("emissions", "factor", "boundary"), "scope 2"),
        (("emissions", "pue"), 0.9),
        (("started_at",), "2026-11-21 12:00"),
        (("journal", "sha256"), "ab"),
        (("metrics", "accuracy"), "good"),
        (("windows",), None),
        (("hours",), None),
        (("requests", "count"), 1.5),
        (("requests", "busy_j"), -1),
        (("requests", "extra"), 1),
    ],
)
def test_the_schema_refuses_what_is_wrong(runs: Any, cli: Any, path: tuple[str | int, ...], value: Any) -> None:
    record = cli("runs", "show", "aa00", "--json").data
    assert _faults(record) == []
    part = record
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert _faults(record)


def test_every_key_is_needed(runs: Any, cli: Any) -> None:
    record = cli("runs", "show", "aa00", "--json").data
    for key in list(record):
        assert _faults({name: value for name, value in record.items() if name != key}), key

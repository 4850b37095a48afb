"""Journals that earlier states of this project wrote (``versions/``) still give the energy they gave then.

``expected.json`` is what the code that wrote a journal computed from it. Of state dcc39f2, which did not yet hold gauges
to the edges of a run, two hold the figure of the state after that correction (CHANGELOG, changed figures).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from greenai.core.account import account
from greenai.journal.reader import read_run

FOLDERS = sorted(path.parent for path in Path(__file__).with_name("versions").glob("*/*/expected.json"))
LATER_S = 4e9

# A newer version may write lines and fields that this one has never heard of.
UNKNOWN_LINES = (
    b'{"k":"holographic","t":%d,"v2":[[1,2],null],"seq":900}',
    b'{"k":"note2","t":%d,"code":7,"message":null,"seq":901}',
    b'{"k":"tock","t":%d,"w":{"a":[]},"seq":902}',
)


def ids(folder: Path) -> str:
    return f"{folder.parent.name}-{folder.name}"


def of_record(folder: Path) -> dict[str, Any]:
    record = account(read_run(folder, LATER_S)).record
    return {
        "state": record.state.value,
        "duration_s": record.duration_s,
        "energy_j": record.energy_j,
        "channels": {channel.id: channel.energy_j for channel in record.energy.channels},
        "windows": [[window.name, window.energy_j] for window in record.windows],
        "units": record.work.units,
        "metrics": {metric.name: metric.value for metric in record.metrics},
        "lines": record.journal.lines,
        "bad_lines": record.journal.bad_lines,
    }


def test_there_are_journals_of_every_finished_state() -> None:
    assert len(FOLDERS) >= 10
    assert {folder.name for folder in FOLDERS} == {"completed", "killed", "process"}


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_an_older_journal_gives_the_energy_it_gave(folder: Path) -> None:
    found, expected = of_record(folder), json.loads((folder / "expected.json").read_text())
    assert found["channels"] == {
        name: pytest.approx(energy_j, rel=1e-9) for name, energy_j in expected.pop("channels").items()
    }
    windows = expected.pop("windows")
    assert [name for name, _ in found.pop("windows")] == [name for name, _ in windows]
    found.pop("channels")
    assert found == {
        name: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
        for name, value in expected.items()
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_an_older_journal_gives_its_windows_the_energy_they_had(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())["windows"]
    assert [energy_j for _, energy_j in of_record(folder)["windows"]] == [
        pytest.approx(energy_j, rel=1e-9) for _, energy_j in expected
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_a_newer_journal_gives_what_this_version_understands(folder: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(folder, newer)
    for path in newer.glob("*.jsonl"):
        lines = path.read_bytes().splitlines()
        first = json.loads(lines[0])
        first.update(version=99, role_of_the_day="scribe")
        first["channels"] = [{**channel, "colour": "green"} for channel in first["channels"]]
        result = [json.dumps(first).encode()]
        for line in lines[1:]:
            values = json.loads(line)
            result.append(json.dumps({**values, "mood": [1, {"x": None}]}).encode())
            result += [unknown % values["t"] for unknown in UNKNOWN_LINES]
        path.write_bytes(b"\n".join(result) + b"\n")
    before, after = of_record(folder), of_record(newer)
    for name in ("energy_j", "channels", "windows", "state", "duration_s", "units", "metrics", "bad_lines"):
        assert after[name] == before[name]

"""``greenai run``: the command's input, output, signals and exit code stay its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.errors import ConfigError
from greenai.core.vocabulary import RunState
from greenai.settings import load_settings
from greenai.tracking.command.wrapper import run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]
    Until = Callable[..., None]

pytestmark = pytest.mark.slow  # real processes

GREENAI = [sys.executable, "-m", "greenai", "run"]


def call(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*GREENAI, *arguments], capture_output=True, timeout=60, check=False, **options)


def begun(*command: str, **options: Any) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*GREENAI, "--quiet", "--", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **options,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_commands(records: Records, code: int) -> None:
    assert call("--quiet", "--", "sh", "-c", f"exit {code}").returncode == code
    (record,) = records()
    assert record.exit_code == code
    assert record.state is (RunState.FAILED if code else RunState.COMPLETED)
    assert record.energy_j is not None


def test_what_cannot_be_run(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("x")
    plain.chmod(0o644)
    assert call("--", "").returncode == 127
    assert call("--", "no-such-command-anywhere").returncode == 127
    assert call("--", str(tmp_path / "none")).returncode == 127
    assert call("--", str(plain)).returncode == 126
    assert call("--", str(tmp_path)).returncode == 126
    plain.chmod(0o755)
    plain.write_bytes(b"\x7fno program")
    assert call("--", str(plain)).returncode == 126


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_killed_by_a_signal(records: Records, number: signal.Signals) -> None:
    assert call("--quiet", "--", "sh", "-c", f"kill -{int(number)} $$").returncode == 128 + number
    assert records()[0].state is RunState.KILLED
    assert records()[0].exit_code == 128 + number


def test_input_and_output_pass_byte_for_byte() -> None:
    data = bytes(range(256)) * 2000
    done = call("--quiet", "--", sys.executable, "-c", "import os,sys,shutil\nshutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)\nsys.stderr.write('err')", input=data)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"err")
    assert done.stdout == data


def test_arguments_pass_untouched() -> None:
    done = call(
        "--quiet", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--name", "-x", "", "a b", "--"
    )
    assert done.stdout.decode().strip() == repr(["--name", "-x", "", "a b", "--"])


TRAP = """
import signal, sys, time
def say(number, frame):
    print("got", number, flush=True)
    sys.exit(9)
signal.signal(int(sys.argv[1]), say)
print("ready", flush=True)
time.sleep(30)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    with begun(sys.executable, "-c", TRAP, str(int(number))) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (9, f"got {int(number)}\n".encode(), b"")


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    with begun("sh", "-c", "echo ready; kill -HUP $$; sleep 0.3; exit 5", preexec_fn=_nohup) as process:
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=20)
    assert process.returncode == 5


def _nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_the_record_of_a_command(records: Records) -> None:
    wrapped = run_command(
        ["sh", "-c", "sleep 0.3"], load_settings({"task": "t", "interval_s": 0.1}), None, units=6
    )
    assert wrapped.record is not None
    assert (wrapped.record.name, wrapped.record.task, wrapped.record.work.units) == ("sh", "t", 6)
    assert wrapped.record.duration_s >= 0.3
    assert wrapped.record.energy_j is not None
    assert wrapped.record.energy_j == records()[0].energy_j
    assert [incident.code for incident in wrapped.record.incidents] == []


def test_taking_a_run_in_afterwards_leaves_no_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, until: Until
) -> None:
    monkeypatch.setenv("GREENAI_INGEST", "background")
    wrapped = run_command(["true"], load_settings(), None)
    assert wrapped.exit_code == 0
    (folder,) = (tmp_path / "spool").glob("[!.]*")
    until((folder / "ingested").exists, 30)


@pytest.mark.parametrize("kind", ["spool", "db", "setting"])
def test_nothing_runs_where_nothing_can_be_written(tmp_path: Path, kind: str) -> None:
    (tmp_path / "text").write_text("x")
    bad = {
        "spool": {"GREENAI_SPOOL": str(tmp_path / "text")},
        "db": {"GREENAI_DB": f"sqlite:///{tmp_path / 'text'}", "GREENAI_INGEST": "background"},
        "setting": {"GREENAI_PUE": "much"},
    }[kind]
    done = call("--", "touch", str(tmp_path / "ran"), env={**os.environ, **bad})
    assert done.returncode == 2
    assert b"text" in done.stderr or b"GREENAI_PUE" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_spool_that_cannot_be_is_an_error_for_callers_too(tmp_path: Path) -> None:
    (tmp_path / "text").touch()
    with pytest.raises(ConfigError):
        run_command(["touch", str(tmp_path / "ran")], load_settings({"spool": str(tmp_path / "text")}), None)
    assert not (tmp_path / "ran").exists()


def test_the_record_file(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    done = call(
        "--quiet", "--name", "n", "--tag", "k=v", "--units", "2", "--record", str(file), "--", "echo", "hi"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hi\n", b"")
    record = json.loads(file.read_text())
    assert (record["name"], record["tags"], record["work"]["units"]) == ("n", {"k": "v"}, 2)
    done = call("--record", str(tmp_path / "none" / "x.json"), "--", "touch", str(tmp_path / "ran"))
    assert done.returncode == 2
    assert not (tmp_path / "ran").exists()


INSIDE = """
import json, sys, time
import greenai
time.sleep(0.3)
parts = []
for n in range(2):
    with greenai.track("inside", project="p", task="t", approach="ai", unit="doc", tags={"a": "1"}) as run:
        run.add_units(5)
        run.log_metric("accuracy", 0.5 + n / 10)
        time.sleep(0.2 + 0.2 * n)
    parts.append(run)
print(json.dumps([[run.id, run.result.duration_s, run.result.energy_j, run.result.name] for run in parts]))
"""


def test_a_tracked_program_inside_joins_the_outer_run(records: Records) -> None:
    done = call("--quiet", "--", sys.executable, "-c", INSIDE)
    assert (done.returncode, done.stderr) == (0, b"")
    (record,) = records()
    parts = json.loads(done.stdout)
    assert {part[0] for part in parts} == {record.id}
    assert (record.project, record.task, record.approach, record.work.unit) == ("p", "t", "ai", "doc")
    assert (record.name, record.tags, record.work.units) == ("inside", {"a": "1"}, 10)
    assert [(metric.name, metric.value) for metric in record.metrics] == [("accuracy", 0.6)]
    assert [window.name for window in record.windows] == ["inside", "inside"]
    assert record.journal.bad_lines == 0
    assert record.energy_j is not None
    for part, length_s in zip(parts, (0.2, 0.4), strict=True):
        assert part[1] == pytest.approx(length_s, abs=0.25)
        assert 0 < part[2] < record.energy_j


def test_wrappers_inside_a_wrapper_cover_their_own_part(tmp_path: Path, records: Records) -> None:
    inner = f"{sys.executable} -m greenai run --quiet --record"
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    script = f"{inner} {one} -- sleep 0.2 && {inner} {two} -- sleep 0.6"
    assert call("--quiet", "--", "sh", "-c", script).returncode == 0
    assert len(records()) == 1
    first, second = json.loads(one.read_text()), json.loads(two.read_text())
    assert first["id"] == second["id"] == records()[0].id
    assert 0.2 <= first["duration_s"] < second["duration_s"]
    assert 0.6 <= second["duration_s"] < records()[0].duration_s - 0.2


def test_a_command_that_drops_our_environment_has_its_own_run(records: Records) -> None:
    source = INSIDE.replace("import json", "import os; os.environ.pop('GREENAI_RUN_ID'); import json")
    assert call("--quiet", "--", sys.executable, "-c", source).returncode == 0
    assert sorted(record.name for record in records()) == ["inside", "inside", Path(sys.executable).name]


@pytest.mark.parametrize("run_id", ["none", "../x", "/etc", ".", ".."])
def test_a_run_that_does_not_live_is_not_joined(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: Records, run_id: str
) -> None:
    monkeypatch.setenv("GREENAI_RUN_ID", run_id)
    wrapped = run_command(["true"], load_settings(), "n")
    assert wrapped.record is not None
    assert [record.id for record in records()] == [wrapped.record.id]
    assert not (tmp_path / "owner.lock").exists()


def test_scripts_give_the_run_its_name_and_arguments_do_not(tmp_path: Path, records: Records) -> None:
    script = tmp_path / "train.py"
    script.touch()
    for command in ([sys.executable, str(script), "--token=s3cret"], ["echo", "s3cret"]):
        run_command(command, load_settings(), None)
    assert [record.name for record in records()] == ["train.py", "echo"]

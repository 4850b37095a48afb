"""What sbatch gets, with a program that stands in for it: it keeps its arguments and the script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenai.cli.main import run
from greenai.core.errors import ConfigError
from greenai.slurm.options import read_options, write_options

SBATCH = """#!/bin/sh
for word; do
    printf '%s\\0' "$word" >>"$HOME/words"
    case $word in */greenai-*) cat "$word" >"$HOME/script"; cat >"$HOME/stdin" ;; esac
done
echo "Submitted batch job 7"
exit ${CODE:-0}
"""


@pytest.fixture(autouse=True)
def sbatch(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(os.environ["HOME"])
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "sbatch").write_text(SBATCH)
    (home / "bin" / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")
    Path("job.sh").write_text("#!/bin/bash\n#SBATCH -N2\necho hi\n")


def words() -> list[str]:
    return (Path(os.environ["HOME"]) / "words").read_text().split("\0")[:-1]


def script() -> str:
    return (Path(os.environ["HOME"]) / "script").read_text()


def submit(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "greenai", "slurm", "submit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=given.get("stdin"))


def test_sbatch_gets_the_same_words_and_a_script_of_the_same_name() -> None:
    done = submit("--project", "churn", "--", "-N2", "--comment", "a b", "job.sh", "-x", "c d")
    assert (done.returncode, done.stdout) == (0, "Submitted batch job 7\n")
    options, path, arguments = words()[:3], Path(words()[3]), words()[4:]
    assert (options, path.name, arguments) == (["-N2", "--comment", "a b"], "job.sh", ["-x", "c d"])
    assert not path.exists()
    assert script().startswith("#!/bin/sh\n#SBATCH -N2\n")
    assert script().endswith("#!/bin/bash\n#SBATCH -N2\necho hi\n")
    assert "--project=churn" in script()
    assert f"--spool={os.environ['GREENAI_SPOOL']}" in script()


def test_secrets_of_the_environment_stay_out_of_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENAI_REDFISH_PASSWORD", "geheim")
    monkeypatch.setenv("GREENAI_DB", "postgresql://u:geheim@h/d")
    monkeypatch.setenv("GREENAI_ZONE", "DE")
    submit("--", "job.sh")
    assert "geheim" not in script()
    assert "--zone=DE" in script()


def test_sbatchs_exit_code_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE", "42")
    assert submit("--", "job.sh").returncode == 42


def test_a_command_and_a_script_from_stdin_keep_the_names_sbatch_gives_them() -> None:
    submit("--", "-N1", "--wrap", "echo 1; exit 3")
    assert [Path(word).name for word in words()] == ["-N1", "wrap"]
    assert script().endswith("echo 1; exit 3\n")
    submit("--", "-N1", stdin="#!/bin/zsh\necho 2\n")
    assert [Path(word).name for word in words()[2:]] == ["-N1", "sbatch"]
    assert script().endswith("#!/bin/zsh\necho 2\n")


@pytest.mark.parametrize("arguments", [["nothing.sh"], ["--bad", "x"], ["--help"]])
def test_what_is_no_script_goes_to_sbatch_as_it_is(arguments: list[str]) -> None:
    done = submit("--", *arguments)
    assert words() == arguments
    assert not done.stderr


def test_a_file_without_a_first_line_is_left_to_sbatch_and_it_is_said() -> None:
    Path("job.sh").write_text("echo\n")
    done = submit("--", "job.sh", "a")
    assert words() == ["job.sh", "a"]
    assert "unchanged" in done.stderr


def test_a_wrapped_script_is_not_wrapped_again(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["slurm", "wrap", "job.sh"]) == 0
    Path("wrapped.sh").write_bytes(capfdbinary.readouterr().out)
    assert run(["slurm", "wrap", "wrapped.sh"]) == 0
    assert capfdbinary.readouterr().out == Path("wrapped.sh").read_bytes()
    done = submit("--", "wrapped.sh", "a")
    assert words() == ["wrapped.sh", "a"]
    assert "greenai slurm merge" in done.stderr


def test_arguments_beside_wrap_are_left_to_sbatch() -> None:
    submit("--", "--wrap", "echo", "x")
    assert words() == ["--wrap", "echo", "x"]


def test_a_script_from_a_pipe_is_wrapped() -> None:
    os.mkfifo("pipe.sh")
    writer = subprocess.Popen(["sh", "-c", "printf '#!/bin/sh\\necho piped\\n' >pipe.sh"])
    submit("--", "pipe.sh")
    writer.wait()
    assert script().endswith("#!/bin/sh\necho piped\n")


def test_without_slurm_there_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(["slurm", "submit", "--", "job.sh"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_an_unwritable_spool_is_said_before_anything_is_submitted(capsys: pytest.CaptureFixture[str]) -> None:
    Path(os.environ["GREENAI_SPOOL"]).write_text("a file")
    assert run(["slurm", "submit", "--", "job.sh"]) == 2
    assert "nothing was submitted" in capsys.readouterr().err
    assert not (Path(os.environ["HOME"]) / "words").exists()


def test_wrap_prints_what_submit_hands_in(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    submit("--tag", "a=b c", "--", "job.sh")
    assert run(["slurm", "wrap", "--tag", "a=b c", "job.sh"]) == 0
    assert capfdbinary.readouterr().out.decode() == script()


@pytest.mark.parametrize("text", ["echo\n", "#!/bin/sh\r\n"])
def test_wrap_names_what_is_wrong_with_a_script(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.sh").write_bytes(text.encode())
    assert run(["slurm", "wrap", "job.sh"]) == 2
    assert "job.sh" in capsys.readouterr().err


def test_options_are_read_as_they_were_written() -> None:
    settings = {"project": "a=b", "interval_s": 0.5, "zone": None, "tags": {"x": "1=2", "y": "ä ö"}}
    said = read_options(write_options("na=me", settings))
    assert said.name == "na=me"
    assert json.dumps(said.overrides) == json.dumps(
        {"project": "a=b", "interval_s": "0.5", "tags": {"x": "1=2", "y": "ä ö"}}
    )
    with pytest.raises(ConfigError):
        read_options(["--tag=none"])

"""The wrapped script: Slurm's options and the user's script stay what they are, and it runs whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.slurm.script import BatchScript, wrapped

JOB = """#!/bin/bash -l
#SBATCH --nodes=2
#SBATCH hetjob

# a comment
#PBS -l walltime=1
echo "args: $# $1 [$2] in $(basename "$0")"
#SBATCH --too-late
exit 3
"""


def run(script: str, tmp_path: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "slurm_script"
    path.write_bytes(script.encode(errors="surrogateescape"))
    return subprocess.run(
        ["/bin/sh", str(path), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": os.environ["TMPDIR"], **environ},
        cwd=tmp_path,
        check=False,
    )


def parsed(text: str) -> BatchScript:
    script = BatchScript.parse(text)
    assert script is not None
    return script


ODD = "#!/bin/sh\n  # indented\n\f\n# page \x0c break, \u2028 and \x85, a lone \r too\n\t\n#SBATCH -J late\ntrue\n#SBATCH -N9\n"


def test_comments_are_read_as_slurm_reads_them() -> None:
    assert "#SBATCH -J late\n" in parsed(ODD).head
    assert "-N9" not in parsed(ODD).head
    assert "indented" not in parsed(ODD).head


def test_a_wrapped_script_is_known(tmp_path: Path) -> None:
    assert not parsed(JOB).is_wrapped
    assert parsed(wrapped(parsed(JOB), sys.executable)).is_wrapped


def test_a_script_leads_its_process_group(tmp_path: Path) -> None:
    script = "#!/bin/bash\ntrap 'echo got; exit 5' TERM\nkill -TERM -- -$$\nsleep 5"
    done = run(wrapped(parsed(script), sys.executable), tmp_path)
    assert (done.returncode, done.stdout) == (5, "got\n")


def test_slurm_finds_the_same_options_in_it() -> None:
    lines = wrapped(parsed(JOB), sys.executable).splitlines()
    first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert [line for line in lines[:first_command] if line.startswith(("#SBATCH", "#PBS"))] == [
        "#SBATCH --nodes=2",
        "#SBATCH hetjob",
        "#PBS -l walltime=1",
    ]


def test_without_greenai_on_the_node_the_script_runs_and_it_is_said(tmp_path: Path) -> None:
    done = run(wrapped(parsed(JOB), "/nowhere/bin/python"), tmp_path, "a", "b c")
    assert (done.returncode, done.stdout) == (3, "args: 2 a [b c] in slurm_script\n")
    assert "greenai: this job is not measured" in done.stderr
    assert "/nowhere/bin/python" in done.stderr


def test_with_a_broken_installation_the_script_runs_and_it_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "greenai").mkdir(parents=True)
    (folder / "greenai" / "__init__.py").write_text("raise SystemError('broken')")
    environ = {"PYTHONPATH": str(folder)}
    done = run(wrapped(parsed(JOB), sys.executable, ["--project=p"]), tmp_path, "a", "b c", **environ)
    assert (done.returncode, done.stdout) == (3, "args: 2 a [b c] in slurm_script\n")
    assert done.stderr == "greenai: this job is not measured: SystemError('broken')\n"


def test_outside_of_a_job_the_script_runs_and_it_is_said(tmp_path: Path) -> None:
    done = run(wrapped(parsed(JOB), sys.executable), tmp_path, "a", "b c")
    assert (done.returncode, done.stdout) == (3, "args: 2 a [b c] in slurm_script\n")
    assert "SLURM_JOB_ID" in done.stderr
    assert not list(Path(os.environ["TMPDIR"]).glob("greenai-*"))


def test_without_any_folder_for_temporary_files_the_script_runs(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "mktemp").write_text("#!/bin/sh\nexit 1\n")
    (programs / "mktemp").chmod(0o755)
    done = run(wrapped(parsed(JOB), sys.executable), tmp_path, "a", "b", PATH=f"{programs}:{os.environ['PATH']}")
    assert done.returncode == 3
    assert "args: 2 a [b]" in done.stdout
    assert "no folder" in done.stderr


@pytest.mark.parametrize("code", [0, 1, 127, 255])
def test_the_exit_code_is_the_scripts(code: int, tmp_path: Path) -> None:
    assert run(wrapped(parsed(f"#!/bin/sh\nexit {code}"), sys.executable), tmp_path).returncode == code


@pytest.mark.parametrize("number", [9, 11, 15])
def test_a_script_killed_by_a_signal_is_so_for_slurm(number: int, tmp_path: Path) -> None:
    assert run(wrapped(parsed(f"#!/bin/bash\nkill -{number} $$"), sys.executable), tmp_path).returncode == -number


def test_a_script_in_another_language_runs(tmp_path: Path) -> None:
    script = "#!/usr/bin/env -S python3 -u\n#SBATCH -N1\nimport sys\nprint(sys.argv[1:], sys.flags.ignore_environment)\n"
    assert run(wrapped(parsed(script), sys.executable), tmp_path, "x").stdout == "['x'] 0\n"


def test_bytes_that_are_no_unicode_stay_as_they_are(tmp_path: Path) -> None:
    script = b"#!/bin/sh\nprintf '\xff\xe4' | od -An -tx1".decode(errors="surrogateescape")
    assert run(wrapped(parsed(script), "/nowhere"), tmp_path).stdout == " ff e4\n"


@pytest.mark.parametrize("text", ["", "echo\n", "#!\n", "#! \n", "#!/bin/sh\r\necho\r\n", "#!/bin/sh\n\0"])
def test_what_sbatch_refuses_is_no_script(text: str) -> None:
    assert BatchScript.parse(text) is None


@given(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])), st.text())
@settings(max_examples=200)
def test_the_script_is_the_end_of_the_wrapper_word_for_word(body: str, option: str) -> None:
    text = f"#!/bin/sh\n{body}"
    script = BatchScript.parse(text)
    assert script is not None
    lines = wrapped(script, "/a b/python", [option]).split("\n")
    begin = next(int(line.split("From line ")[1].split()[0]) for line in lines if line.startswith("# Wrapped"))
    assert "\n".join(lines[begin - 1 :]).endswith(text) or "\n" in option

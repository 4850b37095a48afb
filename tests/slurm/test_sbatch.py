"""Which word of a call of sbatch is the script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.slurm.sbatch import SbatchCall


@pytest.mark.parametrize(
    ("words", "options", "script", "arguments"),
    [
        ("job.sh", "", "job.sh", ""),
        ("job.sh -N2 --x", "", "job.sh", "-N2 --x"),
        ("-N 2 job.sh a", "-N 2", "job.sh", "a"),
        ("-N2 -n4 job.sh", "-N2 -n4", "job.sh", ""),
        ("--nodes 2 --exclusive job.sh", "--nodes 2 --exclusive", "job.sh", ""),
        ("--nodes=2 --exclusive=user job.sh", "--nodes=2 --exclusive=user", "job.sh", ""),
        ("-H job.sh", "-H", "job.sh", ""),
        ("-Hv -J job.sh job2.sh", "-Hv -J job.sh", "job2.sh", ""),
        ("-HN 2 job.sh", "-HN 2", "job.sh", ""),
        ("-QW -t 10 --requeue --parsable job.sh", "-QW -t 10 --requeue --parsable", "job.sh", ""),
        ("--hol job.sh", "--hol", "job.sh", ""),
        ("-N1 : -N2 --gres gpu:1 job.sh x", "-N1 : -N2 --gres gpu:1", "job.sh", "x"),
        ("-N1 -- -odd.sh x", "-N1", "-odd.sh", "x"),
        ("--array 1-5%2 -d afterok:1 job.sh", "--array 1-5%2 -d afterok:1", "job.sh", ""),
        ("--help", "--help", None, ""),
        ("-N", "-N", None, ""),
        ("", "", None, ""),
    ],
)
def test_the_script_is_found(words: str, options: str, script: str | None, arguments: str) -> None:
    call = SbatchCall.parse(words.split())
    assert (call.options, call.script, call.arguments, call.command) == (
        tuple(options.split()),
        script,
        tuple(arguments.split()),
        None,
    )


@pytest.mark.parametrize("words", [["--wrap=echo 1", "-N2"], ["-N2", "--wrap", "echo 1"], ["--wra=echo 1", "-N2"]])
def test_a_wrapped_command_is_a_script_of_its_own(words: list[str]) -> None:
    call = SbatchCall.parse(words)
    assert (call.options, call.script, call.command) == (("-N2",), None, "echo 1")


@given(st.lists(st.text(max_size=6)))
def test_no_word_is_lost(words: list[str]) -> None:
    call = SbatchCall.parse(words)
    found = [*call.options, *([call.script] if call.script is not None else []), *call.arguments]
    if call.command is None:
        assert [word for word in words if word != "--"] == [word for word in found if word != "--"]

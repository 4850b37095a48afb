"""Standard output that cannot be written, terminals of all widths, and figures in the language's own form."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest

GREENAI = [sys.executable, "-m", "greenai"]
READS = {
    "list": ["runs"],
    "json": ["runs", "--json"],
    "show": ["runs", "show", "aa00"],
    "show_json": ["runs", "show", "aa00", "--json"],
    "compare": ["compare", "--task", "t"],
    "csv": ["runs", "export", "--format", "csv"],
    "report": ["report", "-o", "-"],
    "help": ["runs", "--help"],
    "version": ["--version"],
    "config": ["config", "show"],
    "path": ["config", "path"],
    "unit": ["agent", "--print-unit"],
}


def bash(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script, "bash", *GREENAI, *arguments], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("arguments", READS.values(), ids=READS)
def test_a_full_disk_is_one_line_and_1(runs: Any, arguments: list[str]) -> None:
    done = bash('"$@" > /dev/full', *arguments)
    assert (done.returncode, done.stderr) == (1, "Error: write error: No space left on device\n")


@pytest.mark.slow
def test_a_full_disk_in_german_and_one_that_takes_the_complaint_too(
    runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENAI_LANGUAGE", "de")
    done = bash('"$@" > /dev/full', "runs")
    assert done.stderr == "Fehler: Die Ausgabe ließ sich nicht schreiben: No space left on device\n"
    assert bash('"$@" > /dev/full 2>&1', "runs").returncode == 1
    assert bash('"$@" 2> /dev/full', "rusn").returncode == 2
    assert bash('"$@" 2> /dev/full', "runs", "tag", "aa00", "a=b").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [READS["list"], READS["csv"], READS["help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_hears_nothing(runs: Any, arguments: list[str]) -> None:
    done = bash('"$@" | true; echo ${PIPESTATUS[0]}', *arguments)
    assert done.stderr == ""
    assert done.stdout in ("141\n", "0\n")  # 0 where it was faster than the reader


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [READS["list"], READS["csv"], READS["report"], READS["help"]], ids=" ".join)
def test_a_closed_standard_output_is_not_mistaken_for_the_database(
    runs: Any, cli: Any, arguments: list[str]
) -> None:
    done = bash('"$@" >&-', *arguments)
    assert (done.returncode, done.stderr) == (1, "Error: write error: Bad file descriptor\n")
    assert len(cli("runs", "--json").data) == 4


def _on_terminal(columns: int, *arguments: str) -> list[str]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen([*GREENAI, *arguments], stdout=slave, stderr=slave, env=environ)
    os.close(slave)
    shown = b""
    try:
        while more := os.read(master, 65536):
            shown += more
    except OSError:  # nobody has it open any more
        pass
    os.close(master)
    assert process.wait(timeout=20) == 0
    return shown.decode().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "en"])
def test_the_list_fits_a_narrow_terminal_and_keeps_the_quality(
    runs: Any, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("GREENAI_LANGUAGE", language)
    narrow, wide = _on_terminal(80, "runs"), _on_terminal(200, "runs")
    assert max(map(len, narrow)) <= 80
    word = {"de": "geschätzt", "en": "estimated"}[language]
    assert all(word in line for line in narrow[1:])
    assert len(wide[0].split()) == 10
    assert {"Approach", "Ansatz"} & set(wide[0].split())
    assert not {"Approach", "Ansatz"} & set(narrow[0].split())
    page = _on_terminal(80, "runs", "show", "aa00")
    table = page[page.index("") + 1 :]
    assert max(len(line) for line in table[: table.index("")]) <= 80


def test_what_no_terminal_shows_has_all_columns(runs: Any, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert len(cli("runs").out.splitlines()[0].split()) == 10


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("language", ["de", "en"])
def test_help_uses_the_width_and_names_no_types_of_programmers(
    cli: Any, monkeypatch: pytest.MonkeyPatch, columns: int, language: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("GREENAI_LANGUAGE", language)
    for command in (["run"], ["runs"], ["dashboard"], ["factors", "show"], ["compare"]):
        answer = cli(*command, "--help").out
        assert max(map(len, answer.splitlines())) <= min(columns, 100)
        assert "RANGE" not in answer
        assert "INTEGER" not in answer
        assert "x>=" not in answer
        assert "<=x" not in answer
    words = cli("run", "--help").out
    assert "  --wait" in words
    assert not re.search(r"^  (COMMAND|BEFEHL)", words, re.MULTILINE)
    assert (max(map(len, words.splitlines())) > 80) is (columns > 80)
    assert {"de": "[Vorgabe: 20]", "en": "[default: 20]"}[language] in cli("runs", "--help").out


A_POINT = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")
THOUSANDS = re.compile(r"\d{1,3}(\.\d{3})+")


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"], ["runs", "show", "aa00"], ["runs", "show", "aa02"], ["compare", "--task", "t"],
        ["compare", "aa00beef", "aa02beef"], ["factors", "list", "--zone", "DE"], ["doctor"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_german_figures_have_a_decimal_comma(
    runs: Any, cli: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("GREENAI_LANGUAGE", "de")
    answer = cli(*arguments)
    assert answer.code == 0
    shown = answer.out + answer.err
    assert [figure for figure in A_POINT.findall(shown) if not THOUSANDS.fullmatch(figure)] == []
    assert re.search(r"\d,\d", shown) or arguments[0] == "factors"  # those of this zone are whole


def test_a_range_of_energies_has_one_unit(cli: Any, journals: Any) -> None:
    """A run whose energy is below one watt-hour, and the upper end of its range above."""
    journals.run("ee00beef", 31)
    page = cli("runs", "show", "ee00").out.replace("\u202f", " ")
    assert re.search(r"3,\d+ J \(estimated, [\d,]+ J to [\d,]+ J\)", page), page
    assert not re.search(r" J to [\d.,]+ Wh| mJ to [\d.,]+ J", page)


def test_the_configuration_is_shown_as_its_file_has_it(cli: Any) -> None:
    assert re.search(r"^rest_of_node +false ", cli("config", "show").out, re.MULTILINE)


@pytest.mark.slow
def test_a_record_for_a_full_disk_is_said_to_be_missing_from_stdout() -> None:
    done = bash('"$@" > /dev/full', "run", "--record", "-", "--", "sh", "-c", "exit 6")
    assert done.returncode == 6
    assert "could not be written to stdout (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr

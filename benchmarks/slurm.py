"""What measuring costs a batch job on a real cluster: seconds, and questions to Slurm's controller.

Three nodes on this machine, started as for the tests: needs root and Slurm.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.table import show
from greenai.slurm.script import BatchScript, wrapped

_REPEATS = 10
_CLUSTER = [sys.executable, "-m", "tests.slurm.cluster", "--place", "9"]
_SCRIPT = """#!/bin/sh
#SBATCH --output=/dev/null
date +%s.%N >>TIMES
srun true
date +%s.%N >>TIMES
"""
_LONG = "#!/bin/sh\n#SBATCH --output=/dev/null\nsleep SECONDS\n"
_COUNT = re.compile(r"^\s*(\w+)\s+\(\s*\d+\) count:(\d+)", re.MULTILINE)
# What the nodes and the accounting say by themselves, and our own questions whether the job is over.
_NOT_OF_THE_JOB = {"root", "MESSAGE_NODE_REGISTRATION_STATUS", "ACCOUNTING_UPDATE_MSG", "REQUEST_STATS_INFO"}


def main() -> None:
    """Print both tables."""
    exports = _run(*_CLUSTER, "up")
    conf = Path(exports.strip().partition("SLURM_CONF=")[2])
    os.environ["SLURM_CONF"] = str(conf)
    try:
        with tempfile.TemporaryDirectory(dir=conf.parent / "shared") as folder:
            os.environ["GREENAI_SPOOL"] = f"{folder}/spool"
            _seconds(Path(folder))
            _questions(Path(folder))
    finally:
        _run(*_CLUSTER, "down")


def _seconds(folder: Path) -> None:
    rows = []
    for nodes in (1, 3):
        found = {kind: _times(folder, nodes, wrap=kind == "wrapped") for kind in ("plain", "wrapped")}
        for kind, (starts, ends) in found.items():
            rows.append(
                [
                    str(nodes),
                    kind,
                    f"{median(starts):.2f}",
                    f"{max(starts):.2f}",
                    f"{median(ends):.2f}",
                    f"{max(ends):.2f}",
                ]
            )
    show(
        f"A job's script: from the batch step's first line to the script's first, and from its last line to the "
        f"job's end ({_REPEATS} jobs each)",
        ["nodes", "job", "before s", "worst s", "after s", "worst s"],
        rows,
    )


def _times(folder: Path, nodes: int, *, wrap: bool) -> tuple[list[float], list[float]]:
    starts, ends = [], []
    for _ in range(_REPEATS):
        times = folder / "times"
        times.unlink(missing_ok=True)
        job = _submit(folder, _SCRIPT.replace("TIMES", str(times)), nodes, times if wrap else None)
        while _queued(job):
            time.sleep(0.005)
        gone_s = time.time()
        marks = [float(line) for line in times.read_text().split()]
        starts.append(marks[-2] - marks[0])
        ends.append(gone_s - marks[-1])
    return starts, ends


def _submit(folder: Path, script: str, nodes: int, times: Path | None) -> str:
    """Submit a script; with a file for times as it is wrapped, noting when the wrapper itself begins."""
    parsed = BatchScript.parse(script)
    assert parsed is not None
    text = script
    if times is not None:
        text = wrapped(parsed, sys.executable, [f"--spool={folder}/spool", "--interval_s=0.1"])
        mark = f"date +%s.%N >>{times}; "
        text = text.replace("greenai_why=", f"{mark}greenai_why=", 1)
    options = [f"--nodes={nodes}", "--exclusive", f"--chdir={folder}"]
    return _run("sbatch", "--parsable", *options, text=text).strip()


def _queued(job: str) -> bool:
    return job in _run("squeue", "--noheader", "--format=%A").split()


def _run(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def _questions(folder: Path) -> None:
    rows = []
    for seconds in (5, 30):
        for wrap in (False, True):
            _run("sdiag", "--reset")
            job = _submit(folder, _LONG.replace("SECONDS", str(seconds)), 3, folder / "x" if wrap else None)
            time.sleep(seconds + 4)
            asked = {k: int(n) for k, n in _COUNT.findall(_run("sdiag")) if k not in _NOT_OF_THE_JOB}
            assert not _queued(job)
            readings = 3 * 10 * seconds if wrap else 0
            which = ", ".join(f"{name.removeprefix('REQUEST_').lower()} {n}" for name, n in sorted(asked.items()))
            kind = "wrapped" if wrap else "plain"
            rows.append([str(seconds), kind, str(readings), str(sum(asked.values())), which])
    show(
        "Calls to Slurm's controller for a job on 3 nodes, read 10 times a second",
        ["seconds", "job", "readings", "calls", "which"],
        rows,
    )

"""The demo's runs: training by decorator and by context manager, batch jobs by ``greenai run``.

Candidates take turns (A B C A B C ...), so that a warm machine or a busy neighbour meets all of them alike, and
each warms up once untracked.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import greenai
from greenai.core.errors import GreenAIError
from greenai.core.text import Text
from greenai.demo import digits, forecast
from greenai.demo.solutions import solve_measurably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.demo.solutions import Solution

PROJECT = "demo"
REPEATS = 5
BATCH_REPEATS = 3
RUNS = 2 * 3 * REPEATS + 2 * BATCH_REPEATS

_BATCH_FAILED = Text(
    de="Der Stapellauf der Vorführung endete mit {code}: {output}",
    en="The demo's batch job ended with {code}: {output}",
)


def play(step: Callable[[str], None]) -> None:
    """Make all runs.

    Args:
        step: Told the name of each run before it starts.

    Raises:
        GreenAIError: A batch job failed.
    """
    for _ in _digits(step):
        pass
    for _ in _forecast(step):
        pass
    _batch_jobs(step)


def _digits(step: Callable[[str], None]) -> Iterator[None]:
    """Train by decorator: one line above the function, and each call is a run."""
    tracked = {solution.name: _decorated(solution) for solution in digits.solutions()}
    for solution in digits.solutions():
        solution.solve(0)
    for repeat in range(REPEATS):
        for name, train in tracked.items():
            step(f"{digits.TASK}: {name}")
            train(repeat)
            yield


def _decorated(solution: Solution) -> Callable[[int], None]:
    @greenai.track(
        solution.name,
        project=PROJECT,
        task=digits.TASK,
        approach=solution.approach,
        phase="training",
        unit=digits.UNIT,
    )
    def train(repeat: int) -> None:
        run = greenai.current_run()
        if run is not None:
            solve_measurably(solution, repeat, run, digits.METRIC, higher_is_better=True)

    return train


def _forecast(step: Callable[[str], None]) -> Iterator[None]:
    """Train by context manager: the block is the run."""
    for solution in forecast.solutions():
        solution.solve(0)
    for repeat in range(REPEATS):
        for solution in forecast.solutions():
            step(f"{forecast.TASK}: {solution.name}")
            with greenai.track(
                solution.name,
                project=PROJECT,
                task=forecast.TASK,
                approach=solution.approach,
                phase="training",
                unit=forecast.UNIT,
            ) as run:
                solve_measurably(solution, repeat, run, forecast.METRIC, higher_is_better=False)
            yield


def _batch_jobs(step: Callable[[str], None]) -> None:
    """Run batch jobs under ``greenai run``: nothing in the program but what only it knows."""
    models = {
        "svm-rbf": ("classical", digits.support_vector_machine()),
        "neural-network": ("ai", digits.neural_network()),
    }
    with tempfile.TemporaryDirectory(prefix="greenai-demo-") as folder:
        for name, (_, model) in models.items():
            (Path(folder) / name).write_bytes(pickle.dumps(digits.fit(model, 0)))
        # Once untracked: the first start of a program reads it from the disk.
        warm_up = [sys.executable, "-P", "-c", "import greenai.demo.batch"]
        subprocess.run(warm_up, capture_output=True, check=False, env=_environment())
        for _ in range(BATCH_REPEATS):
            for name, (approach, _) in models.items():
                step(f"{digits.TASK}: {name} (greenai run)")
                _run_tracked(name, approach, Path(folder) / name)


def _run_tracked(name: str, approach: str, model_file: Path) -> None:
    about = ["--project", PROJECT, "--task", digits.TASK, "--approach", approach, "--phase", "inference"]
    command = [sys.executable, "-P", "-m", "greenai", "run", "--quiet", "--name", name, *about, "--unit", "image"]
    done = subprocess.run(
        [*command, "--", *_job(model_file)], capture_output=True, text=True, check=False, env=os.environ
    )
    if done.returncode != 0:
        output = (done.stderr or done.stdout)[-500:]
        raise GreenAIError(_BATCH_FAILED.format(code=done.returncode, output=output))


def _job(model_file: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "greenai.demo.batch", str(model_file)]


def _environment() -> dict[str, str]:
    """Let the jobs keep their compiled modules: without, each start compiles scikit-learn anew for six seconds."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

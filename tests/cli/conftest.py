"""The command line under test, and runs for it to show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from greenai.cli.main import run
from greenai.journal import format as f

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Answer:
    """What a call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs the command line."""

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run(list(arguments))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture
def runs(journals: Any) -> Any:
    """A task with an AI and a classical solution, two runs each."""
    for number, (name, approach, quality, seconds) in enumerate(
        (
            ("net", "ai", 0.95, 30),
            ("net", "ai", 0.951, 31),
            ("forest", "classical", 0.94, 5),
            ("forest", "classical", 0.941, 6),
        )
    ):
        journal, machine = journals.begin(
            f"aa0{number}beef",
            seconds,
            name=name,
            project="churn",
            task="t",
            approach=approach,
            phase="training",
            zone="DE",
        )
        journal.event(f.METRIC, name="accuracy", value=quality, higher_is_better=True)
        journals.end(journal, machine)
    return journals

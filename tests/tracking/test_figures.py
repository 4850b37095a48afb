"""Figures and names that make no sense: the program goes on, nothing that goes by them is lost, the record tells."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import greenai
from greenai.core.vocabulary import RunState
from greenai.tracking.figures import as_name

if TYPE_CHECKING:
    from greenai.core.record import RunRecord


class Colour(str, enum.Enum):  # noqa: UP042  # as many programs have them
    RED = "red"


class Mute:
    def __str__(self) -> str:
        raise ZeroDivisionError


NAMES: list[tuple[Any, str]] = [
    ("plain", "plain"),
    (b"bytes", "bytes"),
    (b"\xff\xfe", "\ufffd\ufffd"),
    (bytearray(b"array"), "array"),
    (7, "7"),
    (1.5, "1.5"),
    (Path("/a/b"), "/a/b"),
    (["a", 1], "['a', 1]"),
    ({1}, "{1}"),
    (Colour.RED, "red"),
    ("half \ud800", "half ?"),
    ("", ""),
    ("two\nlines", "two\nlines"),
    (Mute(), "Mute"),
]


def codes(record: RunRecord) -> list[str]:
    return [incident.code for incident in record.incidents]


# --- names


@pytest.mark.parametrize(("name", "written"), NAMES)
def test_nothing_is_lost_because_of_its_name(name: Any, written: str) -> None:
    with greenai.track("x") as run:
        with run.window(name):
            pass
        run.checkpoint(name)
        run.log_metric(name, 1)
        run.plan(name, 1)
        assert list(run.steps("ab", name=name)) == ["a", "b"]
        with run.window("after"):
            pass
    record = run.result
    assert [window.name for window in record.windows] == [written] * 3 + ["after"]
    assert [checkpoint.name for checkpoint in record.checkpoints] == [written]
    assert [metric.name for metric in record.metrics] == [written]
    assert "journal_write_failed" not in codes(record)


def test_no_name() -> None:
    with greenai.track("x") as run:
        with run.window(None):  # type: ignore[arg-type]
            pass
        run.checkpoint(None)
    assert [window.name for window in run.result.windows] == ["None"]
    assert [checkpoint.name for checkpoint in run.result.checkpoints] == [None]


def test_a_plan_finds_its_windows_whatever_their_name() -> None:
    for name in (b"\xff", "half \ud800", 7):
        with greenai.track("x") as run:
            run.plan(name, 5)  # type: ignore[arg-type]
            for _ in range(3):
                with run.window(name):  # type: ignore[arg-type]
                    pass
            found = run.forecast()
            assert found is not None
            assert (found.done, found.planned) == (3, 5)


@given(st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(st.text())))
def test_a_name_can_always_be_written(name: object) -> None:
    as_name(name).encode()


# --- how many steps


@pytest.mark.parametrize("total", [-1, 10**400, 1e308, float("nan"), "many", object(), sys.maxsize + 1])
def test_a_total_that_is_none_is_told_and_there_is_no_plan(total: Any) -> None:
    with greenai.track("x") as run:
        steps = run.steps(iter("abc"), total=total)
        with pytest.raises(TypeError):  # as of every iterator
            len(steps)
        assert list(steps) == ["a", "b", "c"]
        assert len(run.steps("ab", total=total)) == 2
        run.plan("step", total)
        assert run.forecast() is None
    record = run.result
    assert record.state is RunState.COMPLETED
    assert len(record.windows) == 3
    assert {"negative_units", "not_a_number", "too_large"} & set(codes(record))


def test_a_fraction_of_a_step_is_told() -> None:
    with greenai.track("x") as run:
        assert len(run.steps(iter("abc"), total=2.5)) == 2  # type: ignore[arg-type]
        assert len(run.steps(iter("abc"), total=3.0)) == 3  # type: ignore[arg-type]
    assert codes(run.result).count("not_whole") == 1


def test_a_plan_without_end_is_foreseen_without_an_error() -> None:
    with greenai.track("x") as run:
        run.plan("step", 10**18)
        for _ in run.steps(range(3)):
            pass
        found = run.forecast()
        assert found is not None
        assert found.planned == 10**18
        assert "step 3/1,000,000" in str(found)
        assert found.to("de")
        assert found.ends_at.year > 2000
        assert found.ends_at_low <= found.ends_at <= found.ends_at_high


# --- how many units


def test_units_that_are_too_many_are_told_and_left_out() -> None:
    with greenai.track("x") as run:
        run.add_units(1e308)
        run.add_units(1e308)
        run.add_units(3)
    record = run.result
    assert record.work.units == 3
    assert record.work.energy_per_unit_j is None or record.energy_j is not None
    assert codes(record).count("too_large") == 1
    (incident,) = (incident for incident in record.incidents if incident.code == "too_large")
    assert incident.message.de == "add_units: 1e+308 ist zu groß und wurde nicht übernommen."

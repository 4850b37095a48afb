"""Sketches against exact quantiles."""

from __future__ import annotations

import json
import random
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.sketch import RELATIVE_ERROR, Sketch

VALUES = st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e6)), max_size=60)
SHARES = st.sampled_from([0.0, 0.5, 0.95, 1.0])


def sketch(values: list[float]) -> Sketch:
    made = Sketch()
    for value in values:
        made.add(value)
    return made


def exact(values: list[float], share: float) -> float:
    return sorted(values)[floor(share * (len(values) - 1))]


@given(VALUES.filter(bool), SHARES)
def test_a_quantile_is_off_by_one_percent_at_most(values: list[float], share: float) -> None:
    assert sketch(values).quantile(share) == pytest.approx(
        exact(values, share), rel=RELATIVE_ERROR * 1.0001, abs=0
    )


@given(VALUES, VALUES)
def test_merging_is_the_sketch_of_both(first: list[float], second: list[float]) -> None:
    assert sketch(first).merged(sketch(second)) == sketch(first + second)
    assert sketch(second).merged(sketch(first)) == sketch(first + second)


@given(VALUES.filter(bool), st.floats(1e-3, 1e3), SHARES)
def test_times_a_factor(values: list[float], factor: float, share: float) -> None:
    expected = factor * exact(values, share)
    assert sketch(values).times(factor).quantile(share) == pytest.approx(expected, rel=0.0203, abs=0)


@given(VALUES)
def test_it_survives_json(values: list[float]) -> None:
    made = sketch(values)
    again = Sketch.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    assert again.count == len(values)


def test_nothing_has_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None
    assert Sketch().count == 0


def test_times_nothing_is_nothing() -> None:
    assert sketch([1.0, 2.0]).times(0.0).quantile(1.0) == 0.0


def test_one_value_that_occurred_often() -> None:
    made = Sketch()
    made.add(2.0, 99)
    made.add(8.0)
    assert made.count == 100
    assert made.quantile(0.95) == pytest.approx(2.0, rel=0.01)
    assert made.quantile(1.0) == pytest.approx(8.0, rel=0.01)


def test_a_million_values_need_few_buckets() -> None:
    values = [random.Random(1).lognormvariate(0, 1)] + [
        random.Random(n).lognormvariate(0, 1) for n in range(20_000)
    ]
    made = sketch(values)
    assert len(made.to_json()["counts"]) < 600
    assert made.quantile(0.5) == pytest.approx(exact(values, 0.5), rel=0.0101)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"zeros": -1, "counts": []},
        {"zeros": 1.5, "counts": []},
        {"zeros": 0, "counts": [[1, -2]]},
        {"zeros": 0, "counts": [[1]]},
        {"zeros": 0, "counts": [["a", 2]]},
        {"zeros": True, "counts": []},
    ],
)
def test_damage_is_refused(data: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        Sketch.from_json(data)


def test_a_bucket_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(OverflowError):
        Sketch.from_json({"zeros": 0, "counts": [[10**6, 1]]})

"""Whatever a service answers: a series, or an error that names service and address; never anything else."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.carbon.intensity import electricity_maps, energy_charts, smard, uk_carbon_intensity
from greenai.carbon.intensity.download import Answer
from greenai.carbon.intensity.errors import AnswerError, NoDataError
from greenai.carbon.intensity.fuels import shipped_fuel_factors

if TYPE_CHECKING:
    from collections.abc import Callable

FACTORS = shipped_fuel_factors()["DE"]
DAY_MS = 86_400_000
MIX = {"solar": 1.0, "fossil_gas": 2.0, "fossil_hard_coal": 0.0, "fossil_brown_coal_lignite": 0.0}

PARSERS: dict[str, tuple[Callable[[Answer], Any], Any]] = {
    "co2eq": (
        lambda answer: energy_charts.parse_intensities("DE", answer),
        {"unix_seconds": [0, 900, 1800], "co2eq": [1.0, 2.0, None], "co2eq_forecast": [None, None, 3.0]},
    ),
    "mix": (
        lambda answer: energy_charts.parse_mix("DE", answer, FACTORS),
        {
            "country": "de",
            "interval_minutes": 15,
            "series": [{"id": name} for name in MIX],
            "data": [{"timestamp": "2026-01-01T00:00:00+01:00", "values": MIX}],
        },
    ),
    "smard": (
        lambda answer: smard.parse({number: [answer] for number in smard._FUELS}, FACTORS, 0, DAY_MS),
        {"series": [[0, 1.0], [900_000, None]]},
    ),
    "smard index": (lambda answer: smard.files_of(answer, 0, DAY_MS), {"timestamps": [0, 5]}),
    "electricity maps": (
        lambda answer: electricity_maps.parse("DE", answer),
        {"zone": "DE", "data": [{"datetime": "2026-01-01T00:00:00Z", "carbonIntensity": 5, "isEstimated": False}]},
    ),
    "uk": (
        uk_carbon_intensity.parse,
        {
            "data": [
                {
                    "from": "2026-01-01T00:00Z",
                    "to": "2026-01-01T00:30Z",
                    "intensity": {"forecast": 1, "actual": 2, "index": "low"},
                }
            ]
        },
    ),
}
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=10),
        st.sampled_from(["2026-01-01T00:00:00Z", "2026-13-01", "DE", "9" * 400, 10**400]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


def _leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(leaf for key, value in inner for leaf in _leaves(value, (*path, key)))]


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(data)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_any_answer(name: str, data: st.DataObject) -> None:
    parse, good = PARSERS[name]
    assert parse(Answer("u", json.dumps(good).encode(), 1))
    path = data.draw(st.sampled_from(_leaves(good)))
    body = json.dumps(_with(good, path, data.draw(ANYTHING))).encode()
    if data.draw(st.booleans()):
        body = body[: data.draw(st.integers(0, len(body)))]
    try:
        found = parse(Answer("u", body, 1))
    except (AnswerError, NoDataError):
        return
    for step in getattr(found, "steps", ()):
        assert step.start_ms < step.end_ms
        assert step.g_per_kwh is None or 0 <= step.g_per_kwh <= 5000

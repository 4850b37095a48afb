"""A channel survives the journal; conversions are exact."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core import units
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.text import Text

CHANNELS = st.builds(
    Channel,
    id=st.text(max_size=5),
    collector=st.text(max_size=5),
    component=st.sampled_from(list(Component)),
    kind=st.sampled_from(list(Kind)),
    quality=st.sampled_from(list(Quality)),
    device=st.text(max_size=5),
    host=st.text(max_size=5),
    method=st.text(max_size=5),
    uncertainty_rel=st.floats(0, 10),
    max_power_uw=st.integers(0, 2**63),
    uncertainty_low_rel=st.none() | st.floats(0, 1),
    uncertainty_short=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), max_size=3).map(tuple),
    includes=st.frozensets(st.sampled_from(list(Component))),
    wrap_uj=st.none() | st.integers(1, 2**64),
    note=st.none() | st.builds(Text, de=st.text(max_size=5), en=st.text(max_size=5)),
)


@given(channel=CHANNELS)
def test_a_channel_survives_json(channel: Channel) -> None:
    assert Channel.from_json(json.loads(json.dumps(channel.to_json(), allow_nan=False))) == channel


@pytest.mark.parametrize(
    "change", [{"component": "toaster"}, {"max_power_uw": "much"}, {"uncertainty_short": [[1]]}]
)
def test_what_is_no_channel_is_refused(change: dict[str, Any]) -> None:
    data = {
        "id": "a", "collector": "a", "component": "cpu", "kind": "counter", "quality": "measured", "device": "a",
        "host": "a", "method": "a", "uncertainty_rel": 0.1, "max_power_uw": 1,
    }  # fmt: skip
    assert Channel.from_json(data).component is Component.CPU
    with pytest.raises((KeyError, ValueError, TypeError)):
        Channel.from_json({**data, **change})
    with pytest.raises(KeyError):
        Channel.from_json({key: value for key, value in data.items() if key != "kind"})


def test_conversions() -> None:
    assert units.kwh(3.6e6) == 1
    assert units.UJ_PER_J == units.UJ_PER_MJ * 1000 == units.UW_PER_MW * 1000 == units.UW_PER_W
    assert units.NS_PER_S == 1000 * units.NS_PER_MS
    assert units.J_PER_KWH == 1000 * 3600


@pytest.mark.parametrize("reading", [CounterReading("a", 1, 2), PowerReading("a", 1, 2), Gap("a", 1, "why")])
def test_readings_cannot_be_changed(reading: CounterReading | PowerReading | Gap) -> None:
    with pytest.raises(AttributeError):
        reading.t_mono_ns = 5  # type: ignore[misc]

"""A channel as it stands in the first line of a journal: all its fields, and nothing that is no channel."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.channel import FASTEST_POLL_S, Channel, Component, Kind, Quality
from greenai.core.text import Text

NAMES = st.text(max_size=5)
CHANNELS = st.builds(
    Channel,
    id=NAMES, collector=NAMES, device=NAMES, host=NAMES, method=NAMES, gpu_vendor=NAMES,
    component=st.sampled_from(list(Component)),
    kind=st.sampled_from(list(Kind)),
    quality=st.sampled_from(list(Quality)),
    uncertainty_rel=st.floats(0, 10),
    max_power_uw=st.integers(0, 2**63),
    uncertainty_low_rel=st.none() | st.floats(0, 1),
    uncertainty_short=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), max_size=3).map(tuple),
    resolution_uj=st.integers(0, 2**40),
    update_s=st.none() | st.floats(0, 1e6),
    share=st.floats(0, 1),
    policy=st.none() | NAMES,
    includes=st.frozensets(st.sampled_from(list(Component))),
    wrap_uj=st.none() | st.integers(0, 2**64),
    note=st.none() | st.builds(Text, de=NAMES, en=NAMES),
    per_process=st.booleans(),
)  # fmt: skip
PLAIN = Channel("a:0", "a", Component.CPU, Kind.COUNTER, Quality.MEASURED, "d", "n1", "m", 0.05, 10**8)


@settings(deadline=None)
@given(channel=CHANNELS)
def test_every_field_survives_the_journal(channel: Channel) -> None:
    assert Channel.from_json(json.loads(json.dumps(channel.to_json(), allow_nan=False))) == channel


def test_what_is_as_usual_is_left_out() -> None:
    assert set(PLAIN.to_json()) == {
        "id", "collector", "component", "kind", "quality", "device", "host", "method", "uncertainty_rel",
        "max_power_uw",
    }  # fmt: skip
    full = replace(
        PLAIN, uncertainty_low_rel=0.1, uncertainty_short=((5.0, 0.4),), resolution_uj=1, update_s=0.1, share=0.5,
        policy="p", includes=frozenset({Component.DRAM}), gpu_vendor="amd", wrap_uj=5, note=Text(de="a", en="b"),
        per_process=True,
    )  # fmt: skip
    assert set(full.to_json()) == {field.name for field in fields(Channel)}


def test_a_channel_of_the_first_version_is_read_as_ever() -> None:
    found = Channel.from_json(PLAIN.to_json())
    assert (found.share, found.policy, found.gpu_vendor, found.per_process, found.update_s) == (
        1.0, None, "", False, None,
    )  # fmt: skip


def test_what_a_later_version_adds_does_no_harm() -> None:
    assert Channel.from_json({**PLAIN.to_json(), "colour": "green"}) == PLAIN


@pytest.mark.parametrize(
    "change",
    [
        {"share": 1.01}, {"share": -0.01}, {"share": nan}, {"share": "half"}, {"share": None}, {"update_s": -1},
        {"update_s": nan}, {"update_s": inf}, {"update_s": "1"}, {"wrap_uj": -1}, {"wrap_uj": nan}, {"wrap_uj": "5"},
        {"uncertainty_rel": nan}, {"uncertainty_rel": None}, {"uncertainty_rel": -1}, {"uncertainty_low_rel": inf},
        {"uncertainty_low_rel": "x"}, {"uncertainty_short": [[1, nan]]}, {"uncertainty_short": [[-1, 0.5]]},
        {"uncertainty_short": [[1]]}, {"uncertainty_short": 5}, {"includes": ["fans"]}, {"includes": 5},
        {"note": "text"}, {"resolution_uj": "x"}, {"kind": "gauge"}, {"quality": "good"},
    ],
)  # fmt: skip
def test_what_is_no_channel_is_refused(change: dict[str, Any]) -> None:
    """Not later, in the middle of an account."""
    with pytest.raises((KeyError, ValueError, TypeError, AttributeError)):
        Channel.from_json({**PLAIN.to_json(), **change})


@settings(deadline=None)
@given(channel=CHANNELS, interval_s=st.floats(0.05, 3600))
def test_the_rate_of_any_channel_is_a_rate(channel: Channel, interval_s: float) -> None:
    poll_s = channel.poll_s(interval_s)
    assert 0 < poll_s <= interval_s
    if channel.kind is Kind.POWER:
        assert poll_s >= min(interval_s, FASTEST_POLL_S)

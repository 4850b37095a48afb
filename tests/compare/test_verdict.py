"""AI against classical: every answer, its conditions, and their order."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.compare import compare, margins_for
from greenai.compare.verdict import _decide
from greenai.core.channel import Quality
from greenai.core.comparison import Candidate, Comparison, Margins, Observation, VerdictKey
from greenai.core.statistics import Interval
from greenai.core.vocabulary import Approach

MARGINS = Margins(equal=0.01, gain=0.02, chosen=True)
WOBBLE = (-0.01, -0.005, 0.0, 0.005, 0.01)


def candidate(
    approach: Approach,
    energy_j: float,
    quality: float | None,
    *,
    count: int = 5,
    spread: float = 1,
    **changes: Any,
) -> Candidate:
    wobbles = [WOBBLE[n % 5] * spread for n in range(count)]
    made = Candidate(
        name=approach.value,
        approach=approach,
        observations=tuple(
            Observation(f"{approach}-{n}", energy_j * (1 + w), None if quality is None else quality + w / 10)
            for n, w in enumerate(wobbles)
        ),
        metric="accuracy",
        higher_is_better=True,
        unit=None,
        phase="training",
        methods=frozenset({"rapl_powercap"}),
        components=frozenset({"cpu"}),
        hardware=frozenset({"x"}),
        quality=Quality.MEASURED,
        uncertainty_rel=0.05,
    )
    return replace(made, **changes)


def ai(energy_j: float, quality: float | None = 0.9, **changes: Any) -> Candidate:
    return candidate(Approach.AI, energy_j, quality, **changes)


def classical(energy_j: float = 100, quality: float | None = 0.9, **changes: Any) -> Candidate:
    return candidate(Approach.CLASSICAL, energy_j, quality, **changes)


def bounds(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


CASES = {
    VerdictKey.CLASSICAL_BETTER: (ai(200, 0.9), classical()),
    VerdictKey.AI_BETTER: (ai(50, 0.9), classical()),
    VerdictKey.AI_GAIN_REQUIRED_MET: (ai(200, 0.95), classical()),
    VerdictKey.AI_GAIN_TOO_SMALL: (ai(200, 0.915), classical()),
    VerdictKey.AI_GAIN_SAME_ENERGY: (ai(100, 0.95), classical()),
    VerdictKey.AI_SAVES_BUT_WORSE: (ai(50, 0.85), classical()),
    VerdictKey.OPEN: (ai(101, 0.9), classical()),
    VerdictKey.NOT_COMPARABLE: (ai(50, None), classical()),
}


@pytest.mark.parametrize("key", list(VerdictKey))
def test_each_verdict_is_reached_and_worded(key: VerdictKey) -> None:
    result = compare("task", *CASES[key], MARGINS)
    assert result.verdict is key
    for wording in (result.sentence.de, result.sentence.en):
        assert wording
        assert not re.search(r"[{}]|\bNone\b|–", wording), wording
    assert result.to_dict()["verdict"] == key.value


def test_the_wording_names_the_figures() -> None:
    result = compare("task", ai(250, 0.95), classical(), MARGINS)
    assert result.sentence.en == (
        "The AI is better by at least 0.0200 and needs 2.50 times the energy. Whether that is worth it is your decision."
    )
    assert "0,0200" in result.sentence.de
    assert "2,50-Fache" in result.sentence.de


def span(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("ratio", "gain", "expected"),
    [
        # Overlaps: classical_better comes before gain too small, ai_better before saves but worse.
        ((1.1, 1.5), (-0.05, 0.01), VerdictKey.CLASSICAL_BETTER),
        ((1.1, 1.5), (-0.05, 0.0100001), VerdictKey.AI_GAIN_TOO_SMALL),
        ((1.1, 1.5), (0.0, 0.02), VerdictKey.OPEN),
        ((1.1, 1.5), (0.02, 0.05), VerdictKey.AI_GAIN_REQUIRED_MET),
        ((1.1, 1.5), (0.0199, 0.05), VerdictKey.OPEN),
        ((1.0, 1.5), (-0.05, 0.0), VerdictKey.OPEN),
        ((1.0, 1.5), (0.03, 0.05), VerdictKey.AI_GAIN_SAME_ENERGY),
        ((0.5, 1.0), (0.03, 0.05), VerdictKey.AI_GAIN_SAME_ENERGY),
        ((0.5, 1.0), (-0.005, 0.01), VerdictKey.OPEN),
        ((0.5, 0.9), (-0.01, 0.5), VerdictKey.AI_BETTER),
        ((0.5, 0.9), (-0.0101, 0.5), VerdictKey.OPEN),
        ((0.5, 0.9), (-0.5, -0.01), VerdictKey.OPEN),
        ((0.5, 0.9), (-0.5, -0.0101), VerdictKey.AI_SAVES_BUT_WORSE),
        ((0.5, 0.9), (0.03, 0.05), VerdictKey.AI_BETTER),
    ],
)
def test_conditions_and_their_order(
    ratio: tuple[float, float], gain: tuple[float, float], expected: VerdictKey
) -> None:
    assert _decide(span(*ratio), span(*gain), MARGINS) is expected


BOUNDS = st.tuples(st.floats(0.01, 3), st.floats(0.01, 3)).map(sorted)
GAINS = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)).map(sorted)


@given(ratio=BOUNDS, gain=GAINS)
def test_the_decision_agrees_with_the_written_table(ratio: list[float], gain: list[float]) -> None:
    (r_low, r_high), (q_low, q_high) = ratio, gain
    delta, g = MARGINS.equal, MARGINS.gain
    table = [
        (r_low > 1 and q_high <= delta, VerdictKey.CLASSICAL_BETTER),
        (r_high < 1 and q_low >= -delta, VerdictKey.AI_BETTER),
        (q_low >= g and r_low > 1, VerdictKey.AI_GAIN_REQUIRED_MET),
        (q_high < g and r_low > 1, VerdictKey.AI_GAIN_TOO_SMALL),
        (q_low >= g and r_low <= 1 <= r_high, VerdictKey.AI_GAIN_SAME_ENERGY),
        (r_high < 1 and q_high < -delta, VerdictKey.AI_SAVES_BUT_WORSE),
        (True, VerdictKey.OPEN),
    ]
    expected = next(key for holds, key in table if holds)
    assert _decide(span(r_low, r_high), span(q_low, q_high), MARGINS) is expected


def test_a_metric_where_less_is_better() -> None:
    def turned(c: Candidate) -> Candidate:
        return replace(c, metric="error", higher_is_better=False)

    result = compare("t", turned(ai(200, 0.05)), turned(classical(100, 0.10)), MARGINS)
    assert result.verdict is VerdictKey.AI_GAIN_REQUIRED_MET
    assert result.gain is not None
    assert result.gain.value == pytest.approx(0.05)
    worse = compare("t", turned(ai(50, 0.15)), turned(classical(100, 0.10)), MARGINS)
    assert worse.verdict is VerdictKey.AI_SAVES_BUT_WORSE


MISMATCHES: dict[str, dict[str, Any]] = {
    "no runs": {"observations": ()},
    "no metric": {"metric": None, "observations": (Observation("a", 1.0, None),) * 3},
    "one run without metric": {"observations": (Observation("a", 1.0, 0.5), Observation("b", 1.0, None))},
    "other metric": {"metric": "f1"},
    "other direction": {"higher_is_better": False},
    "other unit": {"unit": "token"},
    "other phase": {"phase": "inference"},
    "no phase": {"phase": None},
    "other boundary": {"components": frozenset({"cpu", "gpu"})},
}


@pytest.mark.parametrize("name", MISMATCHES)
@pytest.mark.parametrize("side", ["ai", "classical"])
def test_a_mismatch_gives_a_reason_and_no_ratio(name: str, side: str) -> None:
    one, two = ai(200), classical()
    if side == "ai":
        one = replace(one, **MISMATCHES[name])
    else:
        two = replace(two, **MISMATCHES[name])
    result = compare("t", one, two, MARGINS)
    assert result.verdict is VerdictKey.NOT_COMPARABLE
    assert (result.ratio, result.gain, result.marginal_kwh_per_point, result.more_repeats) == (
        None,
        None,
        None,
        None,
    )
    assert result.reason is not None
    for language in ("de", "en"):
        assert not re.search(r"[{}]|\bNone\b", getattr(result.reason, language))
        assert getattr(result.reason, language) in getattr(result.sentence, language)


def test_energy_of_zero_is_not_comparable_and_no_crash() -> None:
    result = compare("t", ai(0.0), classical(), MARGINS)
    assert result.verdict is VerdictKey.NOT_COMPARABLE
    assert result.ratio is None


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_repeats_give_values_only(count: int) -> None:
    result = compare("t", ai(200, count=count), classical(), MARGINS)
    assert result.verdict is VerdictKey.OPEN
    assert result.ratio is not None
    assert result.gain is not None
    assert (result.ratio.low, result.ratio.high, result.gain.low, result.gain.high) == (None, None, None, None)
    assert result.marginal_kwh_per_point is None
    assert result.more_repeats == 5 - count
    assert any(str(count) in note.en for note in result.notes)


@pytest.mark.parametrize(("count", "noted"), [(3, True), (4, True), (5, False)])
def test_few_repeats_are_noted(count: int, *, noted: bool) -> None:
    result = compare("t", ai(200, count=count), classical(count=count), MARGINS)
    assert bounds(result.ratio)[0] < 2
    assert any("recommended" in note.en for note in result.notes) is noted


def test_runs_without_any_variance() -> None:
    result = compare("t", ai(200, spread=0), classical(spread=0), MARGINS)
    assert result.verdict is VerdictKey.CLASSICAL_BETTER
    assert bounds(result.ratio) == pytest.approx((2, 2))
    same = compare("t", ai(100, spread=0), classical(spread=0), MARGINS)
    assert same.verdict is VerdictKey.OPEN
    assert same.more_repeats is None


@pytest.mark.parametrize("change", [{"hardware": frozenset({"y"})}, {"methods": frozenset({"nvml_counter"})}])
def test_another_meter_widens_the_interval_and_is_noted(change: dict[str, Any]) -> None:
    same = compare("t", ai(200), classical(), MARGINS)
    other = compare("t", ai(200, **change), classical(), MARGINS)
    assert bounds(other.ratio)[0] < bounds(same.ratio)[0]
    assert bounds(other.ratio)[1] > bounds(same.ratio)[1]
    assert len(other.notes) == len(same.notes) + 1


def test_estimates_exclusions_and_unset_margins_are_noted() -> None:
    plain = compare("t", ai(200), classical(), MARGINS)
    assert plain.notes == ()
    noted = compare("t", replace(ai(200), quality=Quality.ESTIMATED, excluded=2), classical())
    words = " ".join(note.en for note in noted.notes)
    assert "estimated" in words
    assert 'Runs of "ai" left out' in words
    assert "Nobody set margins" in words


def test_extra_energy_per_point() -> None:
    result = compare("t", ai(3.6e6 * 2, 0.95), classical(3.6e6, 0.85), MARGINS)
    assert result.marginal_kwh_per_point is not None
    assert result.marginal_kwh_per_point.value == pytest.approx(10)
    low, high = bounds(result.marginal_kwh_per_point)
    assert low < 10 < high
    assert compare("t", ai(50, 0.95), classical(), MARGINS).marginal_kwh_per_point is None
    assert compare("t", ai(200, 0.85), classical(), MARGINS).marginal_kwh_per_point is None


def test_more_repeats_shrink_with_the_distance_to_a_decision() -> None:
    def missing(energy_j: float) -> int:
        result = compare("t", ai(energy_j, 0.9, spread=8), classical(spread=8), Margins(0.1, 0.2, chosen=True))
        assert result.verdict is VerdictKey.OPEN
        assert result.more_repeats is not None
        return result.more_repeats

    found = [missing(energy_j) for energy_j in (103, 105, 107)]
    assert all(more > fewer >= 1 for more, fewer in pairwise(found))


@pytest.mark.parametrize("energy_j", [102, 103, 105, 107])
def test_with_the_missing_repeats_the_question_is_decided(energy_j: float) -> None:
    margins = Margins(0.1, 0.2, chosen=True)
    result = compare("t", ai(energy_j, 0.9, spread=8), classical(spread=8), margins)
    assert result.more_repeats is not None
    count = 5 + result.more_repeats
    again = compare(
        "t", ai(energy_j, 0.9, spread=8, count=count), classical(spread=8, count=count), margins
    )  # fmt: skip
    assert again.verdict is VerdictKey.CLASSICAL_BETTER


def test_an_open_question_without_a_number_is_worded_without_one() -> None:
    result = compare("t", ai(100), classical(), MARGINS)
    assert (result.verdict, result.more_repeats) == (VerdictKey.OPEN, None)
    assert result.sentence.en == "Not decidable with these runs."


def test_default_margins_follow_the_classical_quality() -> None:
    margins = margins_for(classical(100, 0.8))
    assert (margins.equal, margins.gain) == pytest.approx((0.008, 0.016))
    assert not margins.chosen
    chosen = margins_for(classical(100, 0.8), equal=0.05)
    assert (chosen.equal, chosen.gain, chosen.chosen) == (0.05, 0.05, True)
    assert margins_for(classical(100, None)).equal == 0
    assert margins_for(classical(100, -0.8)).equal == pytest.approx(0.008)


ENERGIES = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=7)


@given(one=ENERGIES, two=ENERGIES, quality=st.floats(-10, 10), margin=st.just(0.0) | st.floats(1e-6, 1))
def test_any_runs_give_a_complete_sentence(
    one: list[float], two: list[float], quality: float, margin: float
) -> None:
    def made(base: Candidate, energies: list[float]) -> Candidate:
        return replace(
            base, observations=tuple(Observation(str(n), e, quality + n % 2) for n, e in enumerate(energies))
        )

    result: Comparison = compare(
        "t", made(ai(1), one), made(classical(1), two), Margins(margin, margin, chosen=True)
    )
    for wording in (
        result.sentence.de,
        result.sentence.en,
        *(n.de for n in result.notes),
        *(n.en for n in result.notes),
    ):
        assert not re.search(r"[{}]|\bNone\b", wording)
    assert result.ratio is not None
    if result.ratio.low is not None and result.ratio.high is not None:
        assert 0 < result.ratio.low <= result.ratio.value * (1 + 1e-9) <= result.ratio.high * (1 + 2e-9)
    assert result.more_repeats is None or 1 <= result.more_repeats <= 1000


def test_a_hair_from_the_threshold_is_no_overflow() -> None:
    one = ai(100, spread=0, observations=(Observation("a", 1.0, 0.0),) * 3)
    two = classical(
        100,
        spread=0,
        observations=(Observation("b", 1.0, -1.0), Observation("c", 1.0, 0.0), Observation("d", 1.0, 1.0)),
    )
    result = compare("t", one, two, Margins(1e-300, 1e-300, chosen=True))
    assert (result.verdict, result.more_repeats) == (VerdictKey.OPEN, None)

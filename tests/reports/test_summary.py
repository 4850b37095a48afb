"""What the report says: unknowns, estimates, provenance, and the same facts in both languages."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Quality
from greenai.core.comparison import Margins
from greenai.core.quantity import NO_VALUE
from greenai.core.text import LANGUAGES, Text
from greenai_reports import texts, texts_methods
from greenai_reports.summary import summarise
from greenai_reports.tasks import bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy
    from greenai.core.text import Language
    from greenai.core.views import ReportView


VIEWS = ("typical_view", "measured_view", "hostile_view", "unknown_view", "empty_view")


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def said(view: ReportView, language: Language) -> str:
    return "\n".join(strings(asdict(summarise(view, language)))).replace("\u202f", " ")


def all_texts() -> Iterator[tuple[str, Text]]:
    for name, value in (vars(texts) | vars(texts_methods)).items():
        items = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        yield from ((name, item) for item in items if isinstance(item, Text))


def test_every_text_has_both_languages_and_the_same_placeholders() -> None:
    found = list(all_texts())
    assert len(found) > 100
    for name, text in found:
        assert text.de, name
        assert text.en, name
        assert sorted(re.findall(r"{(\w+)}", text.de)) == sorted(re.findall(r"{(\w+)}", text.en)), name
        assert not re.search(r"klimaneutral|climate.neutral|\bgreen\b|grün", f"{text.de} {text.en}", re.IGNORECASE)


@pytest.mark.parametrize("view", VIEWS)
def test_both_languages_have_the_same_shape(request: pytest.FixtureRequest, view: str) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items() if key != "language"}
        if isinstance(value, (list, tuple)):
            return [shape(item) for item in value]
        return bool(value) if isinstance(value, str) else type(value)

    german, english = (asdict(summarise(request.getfixturevalue(view), language)) for language in LANGUAGES)
    assert shape(german) == shape(english)


@pytest.mark.parametrize("view", VIEWS)
def test_no_placeholder_is_left_over(request: pytest.FixtureRequest, view: str) -> None:
    users_own = {"{name}", "{0}", "{{7*7}}"} if view == "hostile_view" else set()
    for language in LANGUAGES:
        summary = asdict(summarise(request.getfixturevalue(view), language))
        summary.pop("page_of")  # filled in by the typesetter
        assert {p for text in strings(summary) for p in re.findall(r"{+\w[^}]*}+", text)} <= users_own


@pytest.mark.parametrize("language", LANGUAGES)
def test_unknown_is_a_dash_with_its_reason_and_never_nought(unknown_view: ReportView, language: Language) -> None:
    summary = summarise(unknown_view, language)
    carbon, upstream = summary.tiles[1], summary.tiles[2]
    assert carbon.value == NO_VALUE
    reason = Text(de="Das Land des Rechners ist nicht bekannt", en="The country of the machine is not known")
    assert reason.to(language) in carbon.lines[0]
    assert upstream.value == NO_VALUE
    blind = next(row for row in summary.run_table.rows if row[0] == "blind")
    assert blind[5:] == (NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE)
    assert not re.search(r"(?<![\d.,])0 (g|kg|J|Wh|kWh)\b", said(unknown_view, language))


def test_unknown_runs_are_named_in_words_only_if_there_are_any(
    typical_view: ReportView, unknown_view: ReportView, measured_view: ReportView
) -> None:
    assert "Für 1 Lauf ist die Energie unbekannt" in said(unknown_view, "de")
    typical = said(typical_view, "en")
    assert "The emissions of 2 runs are unknown (The country of the machine is not known)" in typical
    assert "energy of" not in "".join(summarise(typical_view, "en").remarks)
    assert "unknown" not in "".join(summarise(measured_view, "en").remarks)


def test_the_factor_carries_its_provenance_and_caveats(typical_view: ReportView) -> None:
    remark = summarise(typical_view, "en").remarks[0]
    for part in ("DE", "363 g/kWh", "2024", "Umweltbundesamt", "CLIMATE CHANGE 13/2025", "generation"):
        assert part in remark
    assert "(preliminary, unverified)" in remark
    records = tuple(
        replace(r, emissions=replace(e, factor=replace(e.factor, verified=True, status="final")))
        for r in typical_view.records
        if (e := r.emissions) is not None and e.factor is not None
    )
    verified = summarise(replace(typical_view, records=records), "en").remarks[0]
    assert "unverified" not in verified
    assert "preliminary" not in verified


def test_several_factors_are_listed_with_their_values(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
    typical_view: ReportView,
) -> None:
    emissions = typical_view.records[0].emissions
    assert emissions is not None
    german = emissions.factor
    assert german is not None
    french = replace(german, id="fr", zone="FR", value_g_per_kwh=21.3, url="javascript:alert(1)")
    channels = (make_channel(3600.0, Quality.MEASURED, "cpu"),)
    view = make_view([make_record(0, "a", channels, factor=german), make_record(1, "b", channels, factor=french)])
    summary = summarise(view, "en")
    assert "2 grid factors, see sources" in summary.tiles[1].lines
    assert ["363 g/kWh" in summary.source_list[0].text, "21.3 g/kWh" in summary.source_list[1].text] == [
        True,
        True,
    ]
    assert [bool(source.url) for source in summary.source_list] == [True, False]


def test_upstream_is_apart_from_the_location_based_figure(typical_view: ReportView) -> None:
    tiles = summarise(typical_view, "en").tiles
    assert tiles[1].value.replace("\u202f", " ") == "1.55 kg"
    assert tiles[2].value.replace("\u202f", " ") == "232 g"
    assert tiles[2].lines == ("in addition, not included",)


@pytest.mark.parametrize(
    ("qualities", "words"),
    [
        (("measured",), "measured, nothing estimated"),
        (("allocated",), "measured and allocated by share"),
        (("estimated",), "estimated, not measured"),
        (("measured", "estimated"), "50% measured, the rest estimated"),
        (("allocated", "estimated"), "50% measured or allocated, the rest estimated"),
    ],
)
def test_an_estimate_never_looks_like_a_measurement(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
    qualities: tuple[str, ...],
    words: str,
) -> None:
    channels = tuple(make_channel(100.0, Quality(quality), "cpu") for quality in qualities)
    summary = summarise(make_view([make_record(0, "run", channels)]), "en")
    assert words in summary.tiles[0].lines


def test_nearly_all_measured_is_not_all_measured(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
) -> None:
    channels = (make_channel(9999.0, Quality.MEASURED, "cpu"), make_channel(1.0, Quality.ESTIMATED, "dram"))
    summary = summarise(make_view([make_record(0, "run", channels)]), "en")
    assert ">99% measured, the rest estimated" in summary.tiles[0].lines
    assert summary.run_table.rows[0][7] == "partly estimated"


def test_the_everyday_scale_is_computed(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
) -> None:
    channels = (make_channel(10 * 3600 * 3.0, Quality.MEASURED, "cpu"),)
    view = make_view([make_record(0, "run", channels)])
    assert "10 W lamp uses in 3.0 hours" in said(view, "en")
    assert "10-W-Lampe in 3,0 Stunden" in said(view, "de")


def test_a_comparison_shows_ratio_gain_and_margins(measured_view: ReportView) -> None:
    task = summarise(measured_view, "en").tasks[0]
    part = task.comparisons[0]
    assert part.verdict == "The classical solution needs less energy and is no worse on these data."
    assert part.figures[0].startswith("Energy of the AI: 16.8 times as much (16.")
    assert part.figures[1].startswith("Quality gain (r2): −0.00200 (−0.00")
    assert "Margins (program default)" in part.figures[-1]


def test_chosen_margins_and_baseline_say_so(
    make_view: Callable[..., ReportView], measured_view: ReportView
) -> None:
    view = make_view(measured_view.records, {"a-yield": Margins(0.01, 0.02, chosen=True)})
    task = summarise(view, "en").tasks[0]
    assert task.baseline == "Baseline: ridge (set by a person)."
    assert "Margins (chosen): equal within 0.0100, worth having from 0.0200" in task.comparisons[0].figures


def test_what_cannot_be_compared_says_why(measured_view: ReportView) -> None:
    part = summarise(measured_view, "de").tasks[1].comparisons[0]
    assert part.verdict == "Nicht vergleichbar: verschiedene Qualitätszahlen: „rmse“ und „mae“."
    assert not part.decided
    assert part.figures == ()


def test_caveats_of_all_comparisons_are_printed_once(typical_view: ReportView) -> None:
    summary = summarise(typical_view, "en")
    shared = "Nobody set margins before the runs"
    assert summary.comparison.lead.count(shared) == 1
    assert not [
        note for task in summary.tasks for part in task.comparisons for note in part.notes if shared in note
    ]
    assert "Repeats per side: 4; at least 5 are recommended." in summary.tasks[0].comparisons[0].notes


def test_the_interval_of_a_candidate_holds_measuring_error_and_scatter(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
) -> None:
    rows: list[RunRecord] = []
    for repeat, energy_j in enumerate((90.0, 100.0, 110.0)):
        channels = (make_channel(energy_j, Quality.MEASURED, "cpu", 0.05),)
        rows.append(make_record(repeat, "svm", channels, task="t", approach="classical", metric=("acc", 0.9)))
    candidate = make_view(rows).tasks[0].candidates[0]
    found = bounds(candidate, {row.id: row for row in rows})
    # t(0.975, 2) = 4.303; scatter 10 / sqrt(3) = 5.774; joined with 5 %.
    half_j = ((4.3027 * 5.7735) ** 2 + 5.0**2) ** 0.5
    assert found == pytest.approx((100 - half_j, 100 + half_j), rel=1e-4)


def test_incidents_come_once_with_their_remedy(typical_view: ReportView) -> None:
    (incident,) = summarise(typical_view, "en").incident_list
    assert incident.heading == "rapl_unreadable, 15 runs"
    assert incident.remedy == "Remedy: sudo greenai agent install"


def test_methods_name_quality_uncertainty_and_share(typical_view: ReportView) -> None:
    rows = summarise(typical_view, "en").methods.rows
    assert [row[2] for row in rows] == ["measured", "estimated", "estimated"]
    assert [row[3] for row in rows] == ["±5%", "±40%", "±50%"]
    assert [row[4] for row in rows] == ["30", "30", "30"]


def test_the_largest_runs_lead_and_are_at_most_six(typical_view: ReportView) -> None:
    summary = summarise(typical_view, "en")
    assert len(summary.run_table.rows) == 6
    assert summary.runs.heading == "Largest runs"
    assert summary.runs.lead == "6 of 30 runs, ordered by electricity"
    energies = [float(row[5]) for row in summary.run_table.rows]
    assert energies == sorted(energies, reverse=True)
    assert "bert-base (failed)" in [row[0] for row in summary.run_table.rows]

"""AI against classical: verdicts, candidates and the charts' data, task by task."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from greenai.core.channel import Quality
from greenai.core.comparison import VerdictKey
from greenai.core.labels import APPROACH, PHASE, QUALITY, word
from greenai.core.quantity import NO_VALUE, energy, integer, number
from greenai.core.statistics import Sample, t_quantile
from greenai.core.vocabulary import Approach
from greenai_reports import texts
from greenai_reports.model import CandidateGroup, Chart, Column, ComparisonPart, Point, Table, TaskPart
from greenai_reports.wording import EnergyScale, clean, name, say, signed, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.comparison import Candidate, Comparison
    from greenai.core.record import RunRecord
    from greenai.core.text import Language, Text
    from greenai.core.views import ReportView, TaskView

LABEL_LENGTH = 24  # of units and metrics, which head columns
MIN_REPEATS = 3  # below this the scatter of the runs says nothing; the measuring uncertainty remains


def tasks(view: ReportView, language: Language) -> tuple[TaskPart, ...]:
    """Return one part for each task."""
    records = {record.id: record for record in view.records}
    shared = shared_notes(view, language)
    return tuple(_task(task, records, shared, language) for task in view.tasks)


def shared_notes(view: ReportView, language: Language) -> tuple[str, ...]:
    """Return the caveats that every one of several comparisons carries: they are printed once, for all."""
    comparisons = [comparison for task in view.tasks for comparison in task.comparisons]
    if len(comparisons) < 2:  # noqa: PLR2004
        return ()
    return tuple(
        say(note, language)
        for note in comparisons[0].notes
        if all(note in comparison.notes for comparison in comparisons)
    )


def phase_in_words(phase: str | None, language: Language) -> str:
    """Write a phase, or a dash."""
    return name(word(PHASE, phase).to(language))


def approach_in_words(approach: str | None, language: Language) -> str:
    """Write an approach, or a dash."""
    return name(word(APPROACH, approach).to(language))


def quality_in_words(quality: Quality | None, language: Language, measured_share: float | None = None) -> str:
    """Write how an energy came about, or a dash.

    Args:
        quality: The weakest quality among the parts.
        language: To write it in.
        measured_share: Of the energy; an estimate that is measured in part says so.
    """
    if quality is Quality.ESTIMATED and measured_share:
        return texts.PARTLY_ESTIMATED.to(language)
    return QUALITY[quality].to(language) if quality else NO_VALUE


def bounds(candidate: Candidate, records: Mapping[str, RunRecord]) -> tuple[float, float] | None:
    """Return the ~95 % interval of a candidate's mean energy per unit, joules.

    Measuring uncertainty does not shrink with more runs on one machine, so the widest of the runs counts;
    the scatter of the runs (Student's t) is added to it as independent.
    """
    mean_j = candidate.mean_energy_j
    if mean_j is None or mean_j <= 0:
        return None
    low_rel = high_rel = candidate.uncertainty_rel
    known = [
        (1 - energy.low_j / energy.total_j, energy.high_j / energy.total_j - 1)
        for energy in (records[o.run_id].energy for o in candidate.observations if o.run_id in records)
        if energy.total_j and energy.low_j is not None and energy.high_j is not None
    ]
    if len(known) == len(candidate.observations):
        low_rel, high_rel = max(low for low, _ in known), max(high for _, high in known)
    scatter_rel = 0.0
    count = len(candidate.observations)
    if count >= MIN_REPEATS:
        sample = Sample.of([observation.energy_j for observation in candidate.observations])
        scatter_rel = t_quantile(0.975, count - 1) * sqrt(sample.variance / count) / mean_j
    low_rel, high_rel = (sqrt(rel**2 + scatter_rel**2) for rel in (low_rel, high_rel))
    return mean_j * max(1 - low_rel, 0.0), mean_j * (1 + high_rel)


def _task(task: TaskView, records: Mapping[str, RunRecord], shared: Sequence[str], language: Language) -> TaskPart:
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in task.candidates:
        groups.setdefault((candidate.phase or "", candidate.unit or ""), []).append(candidate)
    if task.baseline is None:
        baseline = texts.BASELINE_NONE
    else:
        wording = texts.BASELINE_CHOSEN if task.baseline_chosen else texts.BASELINE_FOUND
        baseline = wording.format(name=name(task.baseline))
    notes = [] if task.comparisons else [texts.NO_COMPARISON.to(language)]
    return TaskPart(
        heading=texts.TASK.format(task=name(task.task)).to(language),
        baseline=" ".join([baseline.to(language), *notes]),
        comparisons=tuple(_comparison(comparison, shared, language) for comparison in task.comparisons),
        groups=tuple(_group(groups[key], records, language) for key in sorted(groups)),
    )


def _comparison(comparison: Comparison, shared: Sequence[str], language: Language) -> ComparisonPart:
    figures = []
    if comparison.ratio is not None:
        ratio = comparison.ratio
        figures.append(
            texts.RATIO.format(
                ratio=number(ratio.value, language), interval=span(ratio.low, ratio.high, language)
            ).to(language)
        )
    if comparison.gain is not None:
        wording = texts.GAIN if comparison.ai.higher_is_better else texts.GAIN_LOWER
        figures.append(
            wording.format(
                gain=signed(comparison.gain.value, language),
                metric=clean(comparison.ai.metric or "", LABEL_LENGTH),
                interval=span(comparison.gain.low, comparison.gain.high, language),
            ).to(language)
        )
    if comparison.marginal_kwh_per_point is not None:
        marginal = comparison.marginal_kwh_per_point
        figures.append(
            texts.MARGINAL.format(
                value=number(marginal.value, language), interval=span(marginal.low, marginal.high, language)
            ).to(language)
        )
    if comparison.margins is not None:
        margins = comparison.margins
        figures.append(
            texts.MARGINS.format(
                origin=texts.MARGINS_CHOSEN if margins.chosen else texts.MARGINS_DEFAULT,
                equal=number(margins.equal, language),
                gain=number(margins.gain, language),
            ).to(language)
        )
    return ComparisonPart(
        heading=texts.VERSUS.format(ai=name(comparison.ai.name), classical=name(comparison.classical.name)).to(
            language
        ),
        verdict=say(comparison.sentence, language),
        decided=comparison.verdict not in (VerdictKey.NOT_COMPARABLE, VerdictKey.OPEN),
        figures=tuple(figures),
        notes=tuple(written for note in comparison.notes if (written := say(note, language)) not in shared),
    )


def _group(
    candidates: Sequence[Candidate], records: Mapping[str, RunRecord], language: Language
) -> CandidateGroup:
    first = candidates[0]
    phase = phase_in_words(first.phase, language)
    unit: Text | str = clean(first.unit or "", LABEL_LENGTH) or texts.RUN_UNIT
    per_unit = texts.ENERGY_PER.format(unit=unit).to(language)
    intervals = [bounds(candidate, records) for candidate in candidates]
    scale = EnergyScale.of([candidate.mean_energy_j for candidate in candidates])
    metrics = {candidate.metric for candidate in candidates if candidate.metric}
    common_metric = metrics.pop() if len(metrics) == 1 else None
    kinds = [_quality(candidate, records, language) for candidate in candidates]
    rows = []
    for candidate, interval, kind in zip(candidates, intervals, kinds, strict=True):
        low_j, high_j = interval or (None, None)
        rows.append(
            (
                name(candidate.name),
                approach_in_words(candidate.approach.value, language),
                _runs(candidate, language),
                scale.bare(candidate.mean_energy_j, language),
                scale.span(low_j, high_j, language),
                kind,
                _metric(candidate, language, named=common_metric is None),
            )
        )
    columns = (
        Column(texts.SOLUTION.to(language)),
        Column(texts.APPROACH.to(language)),
        Column(texts.RUNS.to(language), numeric=True),
        Column(scale.header(per_unit, language), numeric=True),
        Column(texts.INTERVAL_HEAD.to(language), numeric=True),
        Column(texts.QUALITY_OF_ENERGY.to(language)),
        Column(
            clean(common_metric, LABEL_LENGTH) if common_metric else texts.METRIC_NONE.to(language), numeric=True
        ),
    )
    table = Table(texts.SOLUTIONS.format(phase=phase).to(language), columns, tuple(rows))
    return CandidateGroup(table, _chart(candidates, intervals, kinds, (per_unit, phase), language))


def _quality(candidate: Candidate, records: Mapping[str, RunRecord], language: Language) -> str:
    energies = [records[o.run_id].energy for o in candidate.observations if o.run_id in records]
    least = min((energy.measured_share or 0.0 for energy in energies), default=None)
    return quality_in_words(candidate.quality, language, least)


def _runs(candidate: Candidate, language: Language) -> str:
    count = integer(len(candidate.observations), language)
    if not candidate.excluded:
        return count
    everything = integer(len(candidate.observations) + candidate.excluded, language)
    return texts.RUNS_USED.format(n=count, all=everything).to(language)


def _metric(candidate: Candidate, language: Language, *, named: bool) -> str:
    value = number(candidate.mean_quality, language)
    return f"{clean(candidate.metric, LABEL_LENGTH)} {value}" if named and candidate.metric else value


def _chart(
    candidates: Sequence[Candidate],
    intervals: Sequence[tuple[float, float] | None],
    kinds: Sequence[str],
    axis_and_phase: tuple[str, str],
    language: Language,
) -> Chart | None:
    points = []
    sentences = []
    for candidate, interval, quality in zip(candidates, intervals, kinds, strict=True):
        if candidate.mean_energy_j is None or interval is None:
            continue
        approach = approach_in_words(candidate.approach.value, language)
        kind = f"{approach}, {quality}"
        points.append(
            Point(
                label=name(candidate.name),
                kind=kind,
                energy_j=candidate.mean_energy_j,
                low_j=interval[0],
                high_j=interval[1],
                ai=candidate.approach is Approach.AI,
                estimated=candidate.quality is not Quality.MEASURED and candidate.quality is not Quality.ALLOCATED,
            )
        )
        sentences.append(
            texts.CHART_POINT.format(
                name=name(candidate.name),
                kind=kind,
                energy=energy(candidate.mean_energy_j, language),
                interval=EnergyScale(1.0, None).span(*interval, language),
            ).to(language)
        )
    if not points:
        return None
    axis, phase = axis_and_phase
    title = texts.CHART_TITLE.format(axis=axis, phase=phase).to(language)
    return Chart(title, f"{title}: {'; '.join(sentences)}.", axis, tuple(points))

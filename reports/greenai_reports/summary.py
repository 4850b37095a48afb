"""From the view to the presentation model: what the report says, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.labels import STATE
from greenai.core.quantity import at_least, duration, integer, mass
from greenai.core.views import DIRECT
from greenai.core.vocabulary import RunState
from greenai_reports import texts
from greenai_reports.factors import boundaries_in_words, sources
from greenai_reports.figures import remarks, tiles
from greenai_reports.methods import incidents, limits, methods_table
from greenai_reports.model import Column, Section, Summary, Table
from greenai_reports.nodes import nodes_parts
from greenai_reports.tasks import approach_in_words, phase_in_words, quality_in_words, shared_notes, tasks
from greenai_reports.wording import EnergyScale, clean, day, gases_in_words, moment, name, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.record import RunRecord
    from greenai.core.text import Language
    from greenai.core.views import ReportView

MOST_RUNS = 6


def summarise(view: ReportView, language: Language) -> Summary:
    """Write the report of a view in one language."""
    table = methods_table(view.records, language)
    source_list = sources(view.records, language)
    largest = _largest(view.records)
    runs_heading = texts.LARGEST_RUNS if len(view.records) > MOST_RUNS else texts.ALL_RUNS
    return Summary(
        language=language,
        generated_ms=view.generated_ms,
        title=texts.TITLE.to(language),
        scope=say(view.scope, language),
        facts=_facts(view, language),
        figures=Section(texts.FIGURES.to(language)),
        tiles=tiles(view, language),
        remarks=remarks(view, language),
        comparison=Section(texts.COMPARISON.to(language), _comparison_lead(view, language)),
        tasks=tasks(view, language),
        method=Section(
            texts.METHOD.to(language), (texts.METHOD_LEAD if table.rows else texts.METHOD_NONE).to(language)
        ),
        methods=table,
        incidents=Section(texts.INCIDENTS.to(language)),
        incident_list=incidents(view.records, language),
        limits=Section(texts.LIMITS.to(language)),
        limit_list=limits(language),
        runs=Section(runs_heading.to(language), _runs_lead(len(view.records), language)),
        run_table=_run_table(largest, language),
        nodes=nodes_parts(largest, language),
        sources=Section(texts.SOURCES.to(language), "" if source_list else texts.NO_SOURCES.to(language)),
        source_list=source_list,
        page_of=texts.PAGE_OF.to(language),
    )


def _facts(view: ReportView, language: Language) -> tuple[tuple[str, str], ...]:
    starts = [record.started_ms for record in view.records]
    facts = [(texts.SCOPE.to(language), say(view.scope, language))]
    if starts:
        first, last = day(min(starts), language), day(max(starts), language)
        period = first if first == last else texts.PERIOD_FROM_TO.format(first=first, last=last).to(language)
        facts.append((texts.PERIOD.to(language), period))
    facts.append((texts.GENERATED.to(language), moment(view.generated_ms, language)))
    facts.append((texts.PROGRAM.to(language), f"greenai {clean(view.version, 40)}"))
    return tuple(facts)


def _comparison_lead(view: ReportView, language: Language) -> str:
    if not view.tasks:
        return texts.NO_TASKS.to(language)
    shared = " ".join(shared_notes(view, language))
    sentences = [texts.FOR_ALL.format(notes=shared).to(language)] if shared else []
    return " ".join([*sentences, texts.CHART_KEY.to(language)])


def _runs_lead(count: int, language: Language) -> str:
    if count == 0:
        return texts.NO_RUNS.to(language)
    if count > MOST_RUNS:
        return texts.LARGEST_OF.format(shown=MOST_RUNS, n=integer(count, language)).to(language)
    return texts.ORDERED.to(language)


def _largest(records: Sequence[RunRecord]) -> list[RunRecord]:
    return sorted(
        records,
        key=lambda record: (record.energy_j is None, -(record.energy_j or 0.0), record.started_ms, record.id),
    )[:MOST_RUNS]


def _run_table(largest: Sequence[RunRecord], language: Language) -> Table:
    scale = EnergyScale.of([record.energy_j for record in largest])
    counts = {_counts(record, language) for record in largest} - {""}
    common = next(iter(counts)) if len(counts) == 1 else texts.EMISSIONS.to(language)
    columns = (
        Column(texts.RUN.to(language)),
        Column(texts.APPROACH.to(language)),
        Column(texts.PHASE.to(language)),
        Column(texts.START.to(language)),
        Column(texts.DURATION.to(language), numeric=True),
        Column(scale.header(texts.ENERGY.to(language), language), numeric=True),
        Column(texts.INTERVAL_HEAD.to(language), numeric=True),
        Column(texts.KIND.to(language)),
        Column(common, numeric=True),
    )
    rows = tuple(_run(record, scale, language, say_counts=len(counts) > 1) for record in largest)
    return Table(texts.LARGEST_RUNS.to(language), columns, rows)


def _counts(record: RunRecord, language: Language) -> str:
    """Return what a run's grams count; empty if they are unknown."""
    emissions = record.emissions
    if emissions is None or emissions.factor is None or emissions.location_g is None:
        return ""
    gases = gases_in_words((emissions.factor.gases,))
    if emissions.factor.boundary == DIRECT:
        return gases
    return f"{gases}, {boundaries_in_words((emissions.factor.boundary,), language)}"


def _run(record: RunRecord, scale: EnergyScale, language: Language, *, say_counts: bool) -> tuple[str, ...]:
    label = name(record.name)
    if record.state is not RunState.COMPLETED:
        label = texts.RUN_STATE.format(name=label, state=STATE[record.state]).to(language)
    grams = mass(record.emissions.location_g if record.emissions else None, language)
    counts = _counts(record, language)
    return (
        label,
        approach_in_words(record.approach, language),
        phase_in_words(record.phase, language),
        moment(record.started_ms, language).removesuffix(" UTC"),
        duration(record.duration_s, language),
        at_least(scale.bare(record.energy_j, language), is_at_least=record.incomplete),
        scale.span(record.energy.low_j, record.energy.high_j, language),
        quality_in_words(record.quality, language, record.energy.measured_share),
        f"{grams} {counts}" if counts and say_counts else grams,
    )

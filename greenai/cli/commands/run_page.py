"""One run on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.app import plain, print_table
from greenai.cli.commands.emissions_block import emission_facts
from greenai.cli.commands.node_block import job_facts, show_nodes
from greenai.cli.commands.service_block import service_facts, show_hours
from greenai.cli.format import energy_words, moment
from greenai.core import labels, quantity
from greenai.core.remarks import counting, quality_in_words, remarks
from greenai.core.text import Text
from greenai.core.vocabulary import Scope

if TYPE_CHECKING:
    from greenai.analysis.over_time import OverTime
    from greenai.cli.app import App
    from greenai.core.record import RunRecord
    from greenai.core.text import Language

_RUN = Text(de="Lauf", en="Run")
_STATE = Text(de="Zustand", en="State")
_STATE_WITH_CODE = Text(de="{state}, Exit-Code {code}", en="{state}, exit code {code}")
_TIME = Text(de="Zeit", en="Time")
_BELONGS = Text(de="Gehört zu", en="Belongs to")
_ENERGY = Text(de="Energie", en="Energy")
_OF_IT = Text(de="davon", en="of it")
_WORK = Text(de="Leistung", en="Work")
_UNIT = Text(de="Einheit", en="unit")
_PER_UNIT = Text(de="{units} x {unit}, je {energy}", en="{units} x {unit}, {energy} each")
_COST = Text(de="Stromkosten", en="Electricity cost")
_METRICS = Text(de="Qualität", en="Metrics")
_TAGS = Text(de="Merkmale", en="Tags")
_CHANNELS = (
    Text(de="Teil", en="Part"),
    Text(de="Gerät", en="Device"),
    Text(de="Energie", en="Energy"),
    Text(de="Bereich", en="Range"),
    Text(de="Güte", en="Quality"),
    Text(de="Verfahren", en="Method"),
    Text(de="Lücke", en="Gap"),
    Text(de="gezählt", en="counted"),
)
_WINDOWS = (
    Text(de="Abschnitt", en="Window"),
    Text(de="in", en="in"),
    Text(de="Dauer", en="Duration"),
    Text(de="Energie", en="Energy"),
)
_SCOPE = Text(de="Umfang", en="Scope")
_CHECKPOINTS = (
    Text(de="Sicherungspunkt", en="Checkpoint"),
    Text(de="nach", en="after"),
    Text(de="Energie bis dahin", en="Energy up to it"),
)
_MOST_HOSTS = 8
_NODE = Text(de="Knoten", en="Node")
_MOST_CHANNELS = 40
_MORE_CHANNELS = Text(
    de="... und {count} weitere Teile; alle zeigt: greenai runs show {run} --json",
    en="... and {count} more parts; all are shown by: greenai runs show {run} --json",
)
_MOST_WINDOWS = 40
_MORE_WINDOWS = Text(
    de="... und {count} weitere; alle zeigt: greenai runs show {run} --json",
    en="... and {count} more; all are shown by: greenai runs show {run} --json",
)
_SAMPLES = Text(de="Rohdaten", en="Raw samples")
_DROPPED = Text(de="am {date} wegen ihres Alters gelöscht", en="dropped on {date} because of their age")
_LOST_WORK = Text(de="Verlorene Arbeit", en="Lost work")
_SCOPE_VALUE = Text(de="{scope}; ganze Maschine: {whole}", en="{scope}; whole machine: {whole}")
_NOTE = Text(de="Hinweis", en="Note")


def show_run(app: App, record: RunRecord, over_time: OverTime | None) -> None:
    """Write a run to stdout for people.

    Args:
        app: Language and so on.
        record: The run.
        over_time: Its emissions by the grid's intensity of each moment, where that was fetched.
    """
    language = app.language
    facts = _facts(app, record, over_time)
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        print(f"{label.ljust(width)}  {plain(value)}")
    print()
    show_nodes(app, record)
    several = len({channel.host for channel in record.energy.channels}) > 1
    shown = record.energy.channels[:_MOST_CHANNELS] if several else record.energy.channels
    print_table(
        [*([app.say(_NODE)] if several else []), *(app.say(heading) for heading in _CHANNELS)],
        [
            [
                *([channel.host] if several else []),
                app.say(labels.COMPONENT[channel.component]),
                channel.device,
                quantity.energy(channel.energy_j, language),
                quantity.energy_range(channel.low_j, channel.high_j, language, 2, like=channel.energy_j),
                app.say(labels.QUALITY[channel.quality]),
                channel.method,
                quantity.duration(channel.gap_s, language) if channel.gap_s else quantity.NO_VALUE,
                app.say(counts),
            ]
            for channel, counts in zip(shown, counting(record.energy.channels), strict=False)
        ],
        right=(2 + several,),
        spare=(5 + several, 1 + several),  # the method, which the notes explain, and the device
    )
    if len(shown) < len(record.energy.channels):
        left = quantity.integer(len(record.energy.channels) - len(shown), language)
        print(app.say(_MORE_CHANNELS, count=left, run=record.id))
    show_hours(app, record)
    if record.windows:
        print()
        rows = [
            [
                window.name,
                window.parent or quantity.NO_VALUE,
                quantity.duration(window.duration_s, language),
                quantity.energy(window.energy_j, language),
            ]
            for window in record.windows[:_MOST_WINDOWS]
        ]
        print_table([app.say(heading) for heading in _WINDOWS], rows, right=(2, 3))
        more = len(record.windows) - _MOST_WINDOWS
        if more > 0:
            print(app.say(_MORE_WINDOWS, count=quantity.integer(more, language), run=record.id))
    if record.checkpoints:
        print()
        rows = [
            [
                checkpoint.name or quantity.NO_VALUE,
                quantity.duration(checkpoint.duration_s, language),
                quantity.energy(checkpoint.energy_j, language),
            ]
            for checkpoint in record.checkpoints
        ]
        print_table([app.say(heading) for heading in _CHECKPOINTS], rows, right=(1, 2))
    notes = {app.say(remark) for channel in shown for remark in remarks(channel)}
    for note in sorted(notes):
        print(f"\n{app.say(_NOTE)}: {note}", end="")
    for incident in record.incidents:
        remedy = f" {app.say(incident.remedy)}" if incident.remedy else ""
        print(f"\n{app.say(_NOTE)}: {app.say(incident.message)}{remedy}", end="")
    if notes or record.incidents:
        print()


def _facts(app: App, record: RunRecord, over_time: OverTime | None) -> list[tuple[str, str]]:
    language = app.language
    state = app.say(labels.STATE[record.state])
    if record.exit_code is not None:
        state = app.say(_STATE_WITH_CODE, state=state, code=record.exit_code)
    approach, phase = labels.word(labels.APPROACH, record.approach), labels.word(labels.PHASE, record.phase)
    parts = (record.project, record.task, app.say(approach), app.say(phase))
    belongs = [part for part in parts if part and part != quantity.NO_VALUE]
    began, lasted = moment(record.started_ms, language), quantity.duration(record.duration_s, language)
    facts = [
        (app.say(_RUN), f"{record.id}  {record.name}"),
        (app.say(_STATE), f"{state}{f' ({record.error})' if record.error else ''}"),
        (app.say(_TIME), ", ".join([began, lasted, *record.hosts[:_MOST_HOSTS], *_more_hosts(record)])),
        *job_facts(app, record),
    ]
    if belongs:
        facts.append((app.say(_BELONGS), " / ".join(belongs)))
    facts.append((app.say(_ENERGY), energy_words(record, language)))
    quality = quality_in_words(record.energy)
    if quality is not None and sum(share > 0 for share in record.energy.quality_shares.values()) > 1:
        facts.append((app.say(_OF_IT), app.say(quality)))
    if record.energy.scope != Scope.MACHINE:
        whole = quantity.energy(record.energy.machine_total_j, language)
        scope = labels.word(labels.SCOPE, record.energy.scope)
        facts.append((app.say(_SCOPE), app.say(_SCOPE_VALUE, scope=scope, whole=whole)))
    facts += emission_facts(app, record, over_time)
    if record.cost is not None and record.cost.amount is not None:
        facts.append((app.say(_COST), f"{quantity.number(record.cost.amount, language)} {record.cost.currency}"))
    if record.work.units > 0:
        each = app.say(
            _PER_UNIT,
            units=_count(record.work.units, language),
            unit=record.work.unit or _UNIT,
            energy=quantity.energy(record.work.energy_per_unit_j, language),
        )
        facts.append((app.say(_WORK), each))
    return [*facts, *service_facts(app, record), *_outcome(app, record)]


def _more_hosts(record: RunRecord) -> list[str]:
    return [f"+{len(record.hosts) - _MOST_HOSTS}"] if len(record.hosts) > _MOST_HOSTS else []


def _outcome(app: App, record: RunRecord) -> list[tuple[str, str]]:
    language = app.language
    facts = []
    if record.lost_work_j is not None:
        facts.append((app.say(_LOST_WORK), quantity.energy(record.lost_work_j, language)))
    if record.samples_dropped_ms is not None:
        date = moment(record.samples_dropped_ms, language)
        facts.append((app.say(_SAMPLES), app.say(_DROPPED, date=date)))
    if record.metrics:
        metrics = ", ".join(f"{m.name} = {quantity.number(m.value, language, 4)}" for m in record.metrics)
        facts.append((app.say(_METRICS), metrics))
    if record.tags:
        facts.append((app.say(_TAGS), ", ".join(f"{key}={value}" for key, value in record.tags.items())))
    return facts


def _count(units: float, language: Language) -> str:
    return quantity.integer(units, language) if units == round(units) else quantity.number(units, language, 6)

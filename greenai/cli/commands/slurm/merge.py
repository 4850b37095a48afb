"""``greenai slurm merge JOBID``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command
from greenai.cli.commands.node_block import job_name
from greenai.cli.format import moment
from greenai.core import labels, quantity
from greenai.core.batch_job import claimed_number
from greenai.core.errors import ConfigError
from greenai.core.job_nodes import MISSING_NODE
from greenai.core.text import Text
from greenai.ingest.owner import OF_OTHERS
from greenai.slurm.merge import merge_job
from greenai.store import open_store
from greenai.store.jobs import is_imported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.cli.app import App
    from greenai.core.collector import Incident
    from greenai.core.record import RunRecord

_ABOUT = Text(
    de="Führt zusammen, was auf den Knoten eines Jobs gemessen wurde: ein Lauf je Versuch und je Element eines "
    "Arrays. Beliebig oft wiederholbar.",
    en="Brings together what was measured on the nodes of a job: one run for each attempt and each element of an "
    "array. May be repeated at will.",
)
_FROM = Text(
    de="Weiterer Journalordner, von Knoten ohne den gemeinsamen; mehrfach möglich",
    en="a further journal folder, of nodes without the shared one; may be repeated",
)
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_JOB = Text(de="JOBNUMMER", en="JOBID")
_NO_JOB = Text(
    de="„{job}“ ist keine Jobnummer wie 123 oder 123_4.", en='"{job}" is no job number such as 123 or 123_4.'
)
_UNREADABLE = Text(de="{path} ist nicht lesbar ({reason}).", en="{path} cannot be read ({reason}).")
_HEADINGS = (
    Text(de="Job", en="Job"),
    Text(de="Versuch", en="Attempt"),
    Text(de="Zustand", en="State"),
    Text(de="Beginn", en="Start"),
    Text(de="Dauer", en="Duration"),
    Text(de="Knoten", en="Nodes"),
    Text(de="Energie", en="Energy"),
    Text(de="Bereich", en="Range"),
    Text(de="Güte", en="Quality"),
    Text(de="Lauf", en="Run"),
)
_SPARE = (3, 7)
_TOTAL = Text(de="Summe", en="Total")
_OF = Text(de="{seen} von {all}", en="{seen} of {all}")
_ACCOUNTING = Text(
    de="Kein Journal: {runs}. Die Werte stammen aus Slurms Abrechnung.",
    en="No journal: {runs}. The figures are from Slurm's accounting.",
)
_NOTE = Text(de="Hinweis", en="Note")
_REFUSED = Text(de="Einwände: {count}", en="Objections: {count}")


def build(app: App) -> click.Command:
    """Return the command."""

    def call(job: str, folders: tuple[str, ...], as_json: bool) -> int:
        number, underscore, element = job.partition("_")
        if not number.isdecimal() or (underscore and not element.isdecimal()):
            raise ConfigError(_NO_JOB.format(job=job))
        settings = app.settings()
        store = app.closing(open_store(settings.db))
        try:
            records, refused = merge_job(store, settings, job, [Path(folder) for folder in folders])
        except OSError as error:
            message = _UNREADABLE.format(path=error.filename, reason=error.strerror)
            raise ConfigError(message) from error
        if as_json:
            print_json(
                {
                    "job_id": job,
                    "runs": [r.to_dict(app.language) for r in records],
                    "total": _total(records),
                    "refused": [app.say(incident.message) for incident in refused],
                }
            )
        else:
            _show(app, records)
            _show_refused(app, refused)
        return 0

    return Command(
        "merge",
        callback=call,
        help=app.say(_ABOUT),
        params=[
            click.Option(["--from", "folders"], multiple=True, metavar="DIR", help=app.say(_FROM)),
            click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON)),
            click.Argument(["job"], metavar=app.say(_JOB)),
        ],
    )


def _total(records: list[RunRecord]) -> dict[str, float | int | None]:
    """Return the sum over attempts and elements; runs of unknown energy are counted apart, never added as 0."""
    from greenai.analysis.totals import totals

    total = totals(records)
    return {
        "runs": total.runs,
        "energy_j": total.energy_j,
        "low_j": total.low_j,
        "high_j": total.high_j,
        "duration_s": total.duration_s,
        "runs_without_energy": total.runs_without_energy,
        "runs_incomplete": sum(record.incomplete for record in records),
    }


def _show(app: App, records: list[RunRecord]) -> None:
    rows = [_cells(app, record) for record in records]
    if len(records) > 1:
        total = _total(records)
        energy = quantity.energy(total["energy_j"], app.language)
        is_at_least = bool(total["runs_incomplete"] or total["runs_without_energy"])
        energy = quantity.at_least(energy, is_at_least=is_at_least)
        between = quantity.energy_range(total["low_j"], total["high_j"], app.language, 2, like=total["energy_j"])
        lasted = quantity.duration(total["duration_s"] or 0.0, app.language)
        rows.append([app.say(_TOTAL), "", "", "", lasted, "", energy, between, "", ""])
    print_table([app.say(heading) for heading in _HEADINGS], rows, right=(4, 6), spare=_SPARE)
    imported = [record for record in records if is_imported(record)]
    if imported:
        print(app.say(_ACCOUNTING, runs=", ".join(record.id for record in imported)))
    for record in records:
        for incident in record.incidents:
            if incident.code.startswith("node_") or incident.code == OF_OTHERS:
                print(f"{app.say(_NOTE)}: {record.id}: {app.say(incident.message)}")


def _show_refused(app: App, refused: Sequence[Incident]) -> None:
    if refused:
        print(app.say(_REFUSED, count=len(refused)))
    for incident in refused:
        print(f"  {app.say(incident.message)}")
        if incident.remedy is not None:
            print(f"  {app.say(incident.remedy)}")


def _cells(app: App, record: RunRecord) -> list[str]:
    total = record.energy
    energy = quantity.energy(total.total_j, app.language)
    missing = sum(channel.id == MISSING_NODE for channel in record.energy.channels)
    seen = str(len(record.hosts))
    if missing:
        seen = app.say(_OF, seen=len(record.hosts), all=len(record.hosts) + missing)
    return [
        job_name(record) or quantity.NO_VALUE,
        str(claimed_number((record.slurm or {}).get("restart_count")) + 1),
        _state(app, record),
        moment(record.started_ms, app.language),
        quantity.duration(record.duration_s, app.language),
        seen,
        quantity.at_least(energy, is_at_least=record.incomplete),
        quantity.energy_range(total.low_j, total.high_j, app.language, 2, like=total.total_j),
        app.say(labels.word(labels.QUALITY, record.quality)),
        record.id,
    ]


def _state(app: App, record: RunRecord) -> str:
    """Return how it ended; where Slurm's word is another than COMPLETED, with it: that says why."""
    state = app.say(labels.STATE[record.state])
    if record.accounting is None or record.accounting.state == "COMPLETED":
        return state
    return f"{state} ({record.accounting.state})"

"""What ``greenai slurm import`` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.app import plain, print_table
from greenai.core import labels, quantity
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.cli.app import App
    from greenai.core.batch_job import BatchJob
    from greenai.slurm.accounting.findings import Finding
    from greenai.slurm.accounting.importing import ImportReport
    from greenai.slurm.accounting.reconcile import Comparison

_MOST_ROWS = 40
_MORE = Text(de="... und {count} weitere; alle mit --json", en="... and {count} more; all with --json")

_READ = Text(
    de="{rows} Zeilen gelesen: {jobs} beendete Jobs, {unfinished} noch nicht zu Ende, {never} nie begonnen, "
    "{quarantined} beiseitegelegt.",
    en="{rows} rows read: {jobs} jobs that ended, {unfinished} not over yet, {never} never started, "
    "{quarantined} put aside.",
)
_TAKEN = Text(
    de="{count} Jobs ohne eigene Messung als Läufe übernommen, davon {added} neu oder geändert; "
    "{tracked} gemessene Läufe abgeglichen.",
    en="{count} jobs that nobody tracked taken in as runs, {added} of them new or changed; "
    "{tracked} tracked runs reconciled.",
)
_IMPORTED = Text(de="Nicht gemessene Jobs", en="Jobs that nobody tracked")
_RECONCILED = Text(de="Gemessene Läufe neben Slurms Buchführung", en="Tracked runs beside Slurm's accounting")
_FAILED = Text(de="Nicht gut zu Ende gegangen", en="Did not end well")
_OVER = Text(de="Mehr zugeteilt als genutzt", en="Given more than they used")
_QUARANTINED = Text(de="Beiseitegelegt", en="Put aside")

_JOB = Text(de="Job", en="Job")
_RUN = Text(de="Lauf", en="Run")
_NAME = Text(de="Name", en="Name")
_USER = Text(de="Benutzer", en="User")
_STATE = Text(de="Zustand", en="State")
_OURS_STATE = Text(de="Lauf / Slurm", en="Run / Slurm")
_EXIT = Text(de="Exit-Code", en="Exit code")
_DURATION = Text(de="Dauer", en="Duration")
_ASKED = Text(de="CPUs verlangt / bekommen", en="CPUs asked / given")
_USED = Text(de="CPU-Zeit", en="CPU time")
_ENERGY = Text(de="Energie", en="Energy")
_OF_JOB = Text(de="Energie des Jobs", en="Energy of the job")
_OF_NODES = Text(de="der Knoten", en="of its nodes")
_SLURM = Text(de="Slurm", en="Slurm")
_DIFFERENCE = Text(de="Unterschied", en="Difference")
_QUALITY = Text(de="Güte", en="Quality")
_WHY = Text(de="Grund", en="Reason")
_LINE = Text(de="Zeile", en="Line")
_ROW = Text(de="Inhalt", en="Content")
_AT_LEAST = Text(de="≥ {energy}", en="≥ {energy}")
_STEP = Text(de="{job}.{step} ({name})", en="{job}.{step} ({name})")


def show_report(app: App, report: ImportReport) -> None:
    """Write what an import found to stdout."""
    accounts = report.accounts
    print(
        app.say(
            _READ,
            rows=accounts.row_count,
            jobs=len(accounts.jobs),
            unfinished=len(accounts.unfinished),
            never=len(accounts.never_started),
            quarantined=len(accounts.quarantined),
        )
    )
    print(app.say(_TAKEN, count=len(report.imported), added=report.added, tracked=len(report.compared)))
    _show_imported(app, report)
    _show_compared(app, report.compared)
    _show_failed(app, report.failed)
    _show_over_allocated(app, report.over_allocated)
    rows = [[str(one.line), app.say(one.reason), one.what] for one in accounts.quarantined]
    _show(app, _QUARANTINED, (_LINE, _WHY, _ROW), rows, right=(0,))


def _show(
    app: App, title: Text, headings: Sequence[Text], rows: Sequence[Sequence[str]], **layout: Sequence[int]
) -> None:
    if not rows:
        return
    print(f"\n{app.say(title)}:")
    print_table([app.say(heading) for heading in headings], rows[:_MOST_ROWS], **layout)
    if len(rows) > _MOST_ROWS:
        print(app.say(_MORE, count=quantity.integer(len(rows) - _MOST_ROWS, app.language)))


def _show_imported(app: App, report: ImportReport) -> None:
    rows = [
        [
            _job_name(record.accounting),
            record.name[:32],
            record.user or quantity.NO_VALUE,
            record.accounting.state,
            quantity.duration(record.duration_s, app.language),
            _at_least(app, record.energy_j, at_least=record.incomplete),
            app.say(labels.word(labels.QUALITY, record.energy.quality)),
        ]
        for record in report.imported
        if record.accounting is not None
    ]
    headings = (_JOB, _NAME, _USER, _STATE, _DURATION, _ENERGY, _QUALITY)
    _show(app, _IMPORTED, headings, rows, right=(4, 5), spare=(2, 1))


def _show_compared(app: App, compared: Sequence[Comparison]) -> None:
    language = app.language
    rows = []
    for one in compared:
        job, record = one.jobs[0], one.record
        rows.append(
            [
                _job_name(job),
                record.id,
                f"{app.say(labels.STATE[record.state])} / {job.state}",
                quantity.NO_VALUE if record.exit_code is None else str(record.exit_code),
                f"{_count(job.requested.cpus)} / {_count(job.allocated.cpus)}",
                quantity.duration(job.cpu_s, language),
                _at_least(app, record.energy_j, at_least=one.at_least),
                quantity.energy(one.ours_j, language),
                quantity.energy(one.slurm_j, language),
                _difference(app, one.difference_j, one.difference_rel),
            ]
        )
        rows += [
            [
                app.say(_STEP, job=_job_name(job), step=step.id, name=step.name[:24]),
                *[""] * 6,
                quantity.energy(step.ours_j, language),
                quantity.energy(step.slurm_j, language),
                _step_difference(app, step.ours_j, step.slurm_j),
            ]
            for step in one.steps
        ]
    headings = (_JOB, _RUN, _OURS_STATE, _EXIT, _ASKED, _USED, _OF_JOB, _OF_NODES, _SLURM, _DIFFERENCE)
    _show(app, _RECONCILED, headings, rows, right=(3, 4, 5, 6, 7, 8, 9), spare=(5, 4, 3, 1))
    concerned: dict[str, list[str]] = {}
    for one in compared[:_MOST_ROWS]:
        for remark in one.remarks:
            concerned.setdefault(app.say(remark), []).append(_job_name(one.jobs[0]))
    for words, jobs in concerned.items():
        print(f"  {', '.join(jobs)}: {words}")


def _show_failed(app: App, found: Sequence[Finding]) -> None:
    rows = [
        [
            _job_name(one.job),
            one.job.name[:32],
            one.job.user or quantity.NO_VALUE,
            one.job.state,
            quantity.NO_VALUE if one.job.shell_exit_code is None else str(one.job.shell_exit_code),
            quantity.duration(one.job.elapsed_s, app.language),
            _at_least(app, one.energy_j, at_least=one.at_least is not None),
        ]
        for one in found
    ]
    headings = (_JOB, _NAME, _USER, _STATE, _EXIT, _DURATION, _ENERGY)
    _show(app, _FAILED, headings, rows, right=(4, 5, 6), spare=(2, 1))


def _show_over_allocated(app: App, found: Sequence[Finding]) -> None:
    rows = [
        [
            _job_name(one.job),
            one.job.name[:32],
            one.job.user or quantity.NO_VALUE,
            quantity.duration(one.job.elapsed_s, app.language),
            _at_least(app, one.energy_j, at_least=one.at_least is not None),
            "; ".join(app.say(remark) for remark in one.remarks),
        ]
        for one in found
    ]
    headings = (_JOB, _NAME, _USER, _DURATION, _ENERGY, _WHY)
    _show(app, _OVER, headings, rows, right=(3, 4), spare=(2, 1))


def _job_name(job: BatchJob | None) -> str:
    """Return a job as Slurm's users name it: ``4711_3`` (array), ``4711+1`` (het job); ``r1`` after a requeue."""
    if job is None:
        return quantity.NO_VALUE
    name = job.job_id
    if job.array_job_id is not None:
        name = f"{job.array_job_id}_{job.array_task_id}"
    elif job.het_job_id is not None:
        name = f"{job.het_job_id}+{job.het_offset}"
    return plain(f"{name} r{job.restart_count}" if job.restart_count else name)


def _at_least(app: App, energy_j: float | None, *, at_least: bool) -> str:
    energy = quantity.energy(energy_j, app.language)
    return app.say(_AT_LEAST, energy=energy) if at_least and energy_j is not None else energy


def _count(number: int | None) -> str:
    return quantity.NO_VALUE if number is None else str(number)


def _difference(app: App, difference_j: float | None, difference_rel: float | None) -> str:
    if difference_j is None:
        return quantity.NO_VALUE
    signed = "+" if difference_j > 0 else ""
    energy = quantity.energy(difference_j, app.language)
    return f"{signed}{energy} ({signed}{quantity.percent(difference_rel, app.language, 1)})"


def _step_difference(app: App, ours_j: float | None, slurm_j: float | None) -> str:
    if ours_j is None or slurm_j is None:
        return quantity.NO_VALUE
    return _difference(app, slurm_j - ours_j, (slurm_j - ours_j) / ours_j if ours_j else None)

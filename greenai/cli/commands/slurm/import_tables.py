"""What ``greenai slurm import`` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.app import plain, print_table
from greenai.core import labels, quantity
from greenai.core.text import Text
from greenai.slurm.accounting.periods import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from greenai.cli.app import App
    from greenai.core.batch_job import BatchJob
    from greenai.core.record import RunRecord
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
_STEP = Text(de="{job}.{step} ({name})", en="{job}.{step} ({name})")


class TableReport:
    """Collects the rows that the tables show, and the sums; the rest of a slice is forgotten."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._totals = Totals()
        self._concerned: dict[str, list[str]] = {}  # jobs by remark
        self._imported = _Table(_IMPORTED, (_JOB, _NAME, _USER, _STATE, _DURATION, _ENERGY, _QUALITY))
        self._compared = _Table(
            _RECONCILED,
            (_JOB, _RUN, _OURS_STATE, _EXIT, _ASKED, _USED, _OF_JOB, _OF_NODES, _SLURM, _DIFFERENCE),
        )
        self._failed = _Table(_FAILED, (_JOB, _NAME, _USER, _STATE, _EXIT, _DURATION, _ENERGY))
        self._over = _Table(_OVER, (_JOB, _NAME, _USER, _DURATION, _ENERGY, _WHY))
        self._quarantined = _Table(_QUARANTINED, (_LINE, _WHY, _ROW))

    def add(self, report: ImportReport) -> None:
        """Take in what a slice found."""
        app = self._app
        for one in report.compared[: max(_MOST_ROWS - self._totals.compared, 0)]:
            for remark in one.remarks:
                self._concerned.setdefault(app.say(remark), []).append(_job_name(one.jobs[0]))
        self._totals.add(report)
        self._imported.add(_imported_row(app, record) for record in report.imported)
        self._compared.add(row for one in report.compared for row in _compared_rows(app, one))
        self._failed.add(_failed_row(app, one) for one in report.failed)
        self._over.add(_over_row(app, one) for one in report.over_allocated)
        self._quarantined.add(
            [str(one.line), app.say(one.reason), one.what] for one in report.accounts.quarantined
        )

    def end(self) -> None:
        """Write all to stdout; after the last slice, or the last that came to its end."""
        app, totals = self._app, self._totals
        print(
            app.say(
                _READ,
                rows=totals.rows,
                jobs=totals.jobs,
                unfinished=totals.unfinished,
                never=totals.never_started,
                quarantined=totals.quarantined,
            )
        )
        print(app.say(_TAKEN, count=totals.imported, added=totals.added, tracked=totals.compared))
        self._imported.show(app, right=(4, 5), spare=(2, 1))
        self._compared.show(app, right=(3, 4, 5, 6, 7, 8, 9), spare=(5, 4, 3, 1))
        for words, jobs in self._concerned.items():
            print(f"  {', '.join(jobs)}: {words}")
        self._failed.show(app, right=(4, 5, 6), spare=(2, 1))
        self._over.show(app, right=(3, 4), spare=(2, 1))
        self._quarantined.show(app, right=(0,))


class _Table:
    """The first rows of a table, and how many there are."""

    def __init__(self, title: Text, headings: Sequence[Text]) -> None:
        self._title, self._headings = title, headings
        self._rows: list[list[str]] = []
        self._count = 0

    def add(self, rows: Iterable[list[str]]) -> None:
        for row in rows:
            self._count += 1
            if self._count <= _MOST_ROWS:
                self._rows.append(row)

    def show(self, app: App, **layout: Sequence[int]) -> None:
        if not self._rows:
            return
        print(f"\n{app.say(self._title)}:")
        print_table([app.say(heading) for heading in self._headings], self._rows, **layout)
        if self._count > _MOST_ROWS:
            print(app.say(_MORE, count=quantity.integer(self._count - _MOST_ROWS, app.language)))


def _imported_row(app: App, record: RunRecord) -> list[str]:
    return [
        _job_name(record.accounting),
        record.name[:32],
        record.user or quantity.NO_VALUE,
        record.accounting.state if record.accounting is not None else quantity.NO_VALUE,
        quantity.duration(record.duration_s, app.language),
        _at_least(app, record.energy_j, at_least=record.incomplete),
        app.say(labels.word(labels.QUALITY, record.energy.quality)),
    ]


def _compared_rows(app: App, one: Comparison) -> Iterator[list[str]]:
    language = app.language
    job, record = one.jobs[0], one.record
    yield [
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
    for step in one.steps:
        yield [
            app.say(_STEP, job=_job_name(job), step=step.id, name=step.name[:24]),
            *[""] * 6,
            quantity.energy(step.ours_j, language),
            quantity.energy(step.slurm_j, language),
            _step_difference(app, step.ours_j, step.slurm_j),
        ]


def _failed_row(app: App, one: Finding) -> list[str]:
    return [
        _job_name(one.job),
        one.job.name[:32],
        one.job.user or quantity.NO_VALUE,
        one.job.state,
        quantity.NO_VALUE if one.job.shell_exit_code is None else str(one.job.shell_exit_code),
        quantity.duration(one.job.elapsed_s, app.language),
        _at_least(app, one.energy_j, at_least=one.at_least is not None),
    ]


def _over_row(app: App, one: Finding) -> list[str]:
    return [
        _job_name(one.job),
        one.job.name[:32],
        one.job.user or quantity.NO_VALUE,
        quantity.duration(one.job.elapsed_s, app.language),
        _at_least(app, one.energy_j, at_least=one.at_least is not None),
        "; ".join(app.say(remark) for remark in one.remarks),
    ]


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
    return quantity.at_least(quantity.energy(energy_j, app.language), is_at_least=at_least)


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

"""What ``greenai slurm import --json`` prints: one object whose lists are written as they come."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Any

from greenai.core.record import timestamp
from greenai.slurm.accounting.periods import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.cli.app import App
    from greenai.core.text import Language
    from greenai.slurm.accounting.findings import Finding
    from greenai.slurm.accounting.importing import ImportReport
    from greenai.slurm.accounting.reconcile import Comparison

_LATER = ("reconciled", "failed", "over_allocated", "quarantined")
_IN_MEMORY_BYTES = 1 << 20
_COPIED_CHARACTERS = 1 << 16


class JsonReport:
    """Writes the runs, the longest of the lists, at once; the others wait in temporary files."""

    def __init__(self, app: App) -> None:
        self._language = app.language
        self._totals = Totals()
        self._begun = False
        self._waiting = {name: app.closing(_List()) for name in _LATER}

    def add(self, report: ImportReport) -> None:
        """Write what a slice found."""
        language = self._language
        if not self._begun:
            print('{\n  "runs": [', end="")
            self._begun = True
        for number, record in enumerate(report.imported, self._totals.imported):
            print(_item(record.to_dict(language), first=number == 0), end="")
        self._totals.add(report)
        waiting = self._waiting
        waiting["reconciled"].add(_comparison(one, language) for one in report.compared)
        waiting["failed"].add(_finding(one, language) for one in report.failed)
        waiting["over_allocated"].add(_finding(one, language) for one in report.over_allocated)
        waiting["quarantined"].add(
            {"line": one.line, "row": one.what, "reason": one.reason.to(language)}
            for one in report.accounts.quarantined
        )

    def end(self) -> None:
        """Write what was waiting, and the sums; after the last slice, or the last that came to its end."""
        print("\n  ]," if self._totals.imported else "],")
        for name, waiting in self._waiting.items():
            print(f'  "{name}": [', end="")
            waiting.write_out()
            print("],")
        totals = self._totals
        sums = {
            "rows": totals.rows,
            "jobs": totals.jobs,
            "unfinished": totals.unfinished,
            "never_started": totals.never_started,
            "added": totals.added,
        }
        print(json.dumps(sums, indent=2).removeprefix("{\n"))


class _List:
    """A list of JSON that waits outside the memory."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+", encoding="utf-8")  # noqa: SIM115
        self._count = 0

    def add(self, items: Iterable[dict[str, Any]]) -> None:
        for item in items:
            self._file.write(_item(item, first=self._count == 0))
            self._count += 1

    def write_out(self) -> None:
        self._file.seek(0)
        while text := self._file.read(_COPIED_CHARACTERS):
            print(text, end="")
        if self._count:
            print("\n  ", end="")

    def close(self) -> None:
        self._file.close()


def _item(data: dict[str, Any], *, first: bool) -> str:
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False).replace("\n", "\n    ")
    return f"{'' if first else ','}\n    {text}"


def _comparison(comparison: Comparison, language: Language) -> dict[str, Any]:
    return {**comparison.to_dict(), "remarks": [remark.to(language) for remark in comparison.remarks]}


def _finding(finding: Finding, language: Language) -> dict[str, Any]:
    job = finding.job
    return {
        "cluster": job.cluster,
        "job_id": job.job_id,
        "restart_count": job.restart_count,
        "name": job.name,
        "user": job.user,
        "state": job.state,
        "exit_code": job.shell_exit_code,
        "started_at": timestamp(job.start_ms),
        "elapsed_s": job.elapsed_s,
        "energy_j": finding.energy_j,
        "at_least": finding.at_least is not None,
        "reasons": [reason.to(language) for reason in finding.remarks],
    }

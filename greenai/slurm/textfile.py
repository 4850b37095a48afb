"""Figures of batch jobs for Prometheus, by the textfile collector of its node exporter.

The sums are gauges: they fall when a run is deleted, or an imported one gives way to a tracked one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from greenai.core.exposition import Family, Point, SeriesKind, prometheus_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from greenai.store.job_sums import JobLabels, JobSum, JobSums

_MS_PER_S = 1000
_READABLE = 0o644  # by the node exporter, which is not root


def exposition(sums: JobSums) -> str:
    """Return the text.

    Args:
        sums: See ``greenai.store.job_sums``.
    """
    groups = sorted(sums.by_labels.items())

    def gauge(name: str, unit: str, about: str, points: Iterable[Point]) -> Family:
        return Family(name, SeriesKind.GAUGE, unit, about, tuple(points))

    return prometheus_text(
        [
            gauge(
                "greenai.job.energy",
                "J",
                "IT energy of batch jobs; quality says whether it was measured, allocated or estimated.",
                (
                    Point(joules, {**_labels(who), "quality": quality})
                    for who, of in groups
                    for quality, joules in sorted(of.energy_j.items())
                ),
            ),
            gauge(
                "greenai.failed_job.energy",
                "J",
                "IT energy of batch jobs that failed or were killed.",
                (Point(of.failed_j, _labels(who)) for who, of in groups),
            ),
            gauge(
                "greenai.jobs",
                "",
                "Batch jobs in the database, by state.",
                (
                    Point(count, {**_labels(who), "state": state})
                    for who, of in groups
                    for state, count in sorted(of.jobs.items())
                ),
            ),
            gauge(
                "greenai.jobs_without_energy",
                "",
                "Batch jobs of which nobody knows the energy, or not all of it.",
                (Point(of.unknown, _labels(who)) for who, of in groups),
            ),
            gauge(
                "greenai.job.energy_not_estimated",
                "1",
                "Share of the batch jobs' energy that is no estimate: measured, or allocated from a measurement.",
                (Point(of.measured_j / joules, _labels(who)) for who, of in groups if (joules := _all(of)) > 0),
            ),
            gauge(
                "greenai.last_import.timestamp",
                "s",
                "When Slurm's accounting was last imported.",
                _moment(sums.imported_ms),
            ),
            gauge(
                "greenai.last_run_end.timestamp",
                "s",
                "When the last run in the database ended.",
                _moment(sums.last_end_ms),
            ),
        ]
    )


def write_exposition(path: Path, text: str) -> None:
    """Write the text in one go: whoever reads the file finds the old or the new one.

    Raises:
        OSError: It cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")  # the node exporter reads *.prom only
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(_READABLE)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _labels(who: JobLabels) -> dict[str, str]:
    return {name: value for name, value in who._asdict().items() if name != "user" or value}


def _moment(moment_ms: int | None) -> list[Point]:
    return [Point(moment_ms / _MS_PER_S)] if moment_ms is not None else []


def _all(of: JobSum) -> float:
    return sum(of.energy_j.values())

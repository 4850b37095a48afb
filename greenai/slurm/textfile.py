"""Figures of batch jobs for Prometheus, by the textfile collector of its node exporter.

The sums are gauges: they fall when a run is deleted, or an imported one gives way to a tracked one.
Format: prometheus.io/docs/instrumenting/exposition_formats (text, version 0.0.4).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from greenai.store.job_sums import JobLabels, JobSum, JobSums

_MS_PER_S = 1000
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_READABLE = 0o644  # by the node exporter, which is not root


def exposition(sums: JobSums) -> str:
    """Return the text.

    Args:
        sums: See ``greenai.store.job_sums``.
    """
    lines: list[str] = []
    groups = sorted(sums.by_labels.items())

    def family(name: str, kind: str, about: str, samples: Iterable[tuple[str, float]]) -> None:
        found = [f"{name}{labels} {value!r}" for labels, value in samples]
        if found:
            lines.extend([f"# HELP {name} {about}", f"# TYPE {name} {kind}", *found])

    family(
        "greenai_job_energy_joules",
        "gauge",
        "IT energy of batch jobs; quality says whether it was measured, allocated or estimated.",
        (
            (_labels(who, quality=quality), joules)
            for who, of in groups
            for quality, joules in _sorted(of.energy_j)
        ),
    )
    family(
        "greenai_failed_job_energy_joules",
        "gauge",
        "IT energy of batch jobs that failed or were killed.",
        ((_labels(who), of.failed_j) for who, of in groups),
    )
    family(
        "greenai_jobs",
        "gauge",
        "Batch jobs in the database, by state.",
        ((_labels(who, state=state), count) for who, of in groups for state, count in _sorted(of.jobs)),
    )
    family(
        "greenai_jobs_without_energy",
        "gauge",
        "Batch jobs of which nobody knows the energy, or not all of it.",
        ((_labels(who), of.unknown) for who, of in groups),
    )
    family(
        "greenai_job_energy_not_estimated_ratio",
        "gauge",
        "Share of the batch jobs' energy that is not estimated: measured, or allocated from a measurement.",
        ((_labels(who), of.measured_j / joules) for who, of in groups if (joules := _all(of)) > 0),
    )
    for name, about, moment_ms in (
        ("greenai_last_import_timestamp_seconds", "When Slurm's accounting was last imported.", sums.imported_ms),
        ("greenai_last_run_end_timestamp_seconds", "When the last run in the database ended.", sums.last_end_ms),
    ):
        family(name, "gauge", about, [("", moment_ms / _MS_PER_S)] if moment_ms is not None else [])
    return "".join(f"{line}\n" for line in lines)


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


def _labels(who: JobLabels, **more: str) -> str:
    named = {**{name: value for name, value in who._asdict().items() if name != "user" or value}, **more}
    pairs = (f'{name}="{value.translate(_ESCAPED)}"' for name, value in named.items())
    return "{" + ",".join(pairs) + "}"


def _sorted(values: dict[str, float] | dict[str, int]) -> list[tuple[str, float]]:
    return sorted(values.items())


def _all(of: JobSum) -> float:
    return sum(of.energy_j.values())

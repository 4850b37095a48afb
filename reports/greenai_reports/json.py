"""The report as JSON: the records and comparisons as they are, for other programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.record import timestamp

if TYPE_CHECKING:
    from greenai.core.text import Language
    from greenai.core.views import ReportView

SCHEMA_VERSION = 1


def export(view: ReportView, language: Language) -> bytes:
    """Write a view as JSON.

    Args:
        view: What the report shows.
        language: Of notes, messages and remedies. Keys and codes never change.
    """
    report = {
        "schema": SCHEMA_VERSION,
        "kind": "greenai-report",
        "generated_at": timestamp(view.generated_ms),
        "version": view.version,
        "language": language,
        "scope": view.scope.to_json(),
        "totals": asdict(view.totals),
        "runs": [record.to_dict(language) for record in view.records],
        "tasks": [comparison.to_dict() for task in view.tasks for comparison in task.comparisons],
        "baselines": [
            {"task": task.task, "baseline": task.baseline, "chosen": task.baseline_chosen} for task in view.tasks
        ],
    }
    # ASCII only: a name with half a surrogate pair is still valid JSON then.
    return f"{json.dumps(_finite(report), indent=2, allow_nan=False)}\n".encode("ascii")


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not know, by null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value

"""The table of runs on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.app import print_table
from greenai.cli.format import moment
from greenai.core import labels, quantity
from greenai.core.text import Text
from greenai.core.views import DIRECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.cli.app import App
    from greenai.core.views import LiveRun, RunRow

_HEADINGS = (
    Text(de="Kennung", en="Id"),
    Text(de="Name", en="Name"),
    Text(de="Aufgabe", en="Task"),
    Text(de="Ansatz", en="Approach"),
    Text(de="Zustand", en="State"),
    Text(de="Beginn", en="Start"),
    Text(de="Dauer", en="Duration"),
    Text(de="Energie", en="Energy"),
    Text(de="Güte", en="Quality"),
)
_EMISSIONS = Text(de="Emissionen", en="Emissions")
_MORE_THAN_DIRECT = Text(de="{gases}, {boundary}", en="{gases}, {boundary}")
_POWER_NOW = Text(de="Leistung jetzt", en="Power now")
_SPARE = (3, 2, 5, 9)  # approach, task, start, emissions


def print_runs(app: App, found: Sequence[tuple[RunRow, LiveRun | None]]) -> None:
    """Print runs, one per line; those that go on with what they draw now.

    What the grams count stands in the heading where it is the same for all, else beside each figure.
    """
    language = app.language
    counted = [_counted(app, row) for row, _ in found]
    kinds = {kind for kind, (row, _) in zip(counted, found, strict=True) if row.location_g is not None}
    common = next(iter(kinds)) if len(kinds) == 1 else ""
    headings, right = [*(app.say(heading) for heading in _HEADINGS), common or app.say(_EMISSIONS)], [6, 7, 9]
    rows = [
        [*_cells(app, row), quantity.mass(row.location_g, language) + ("" if common or not kind else f" {kind}")]
        for kind, (row, _) in zip(counted, found, strict=True)
    ]
    if any(live for _, live in found):
        right.append(len(headings))
        headings.append(app.say(_POWER_NOW))
        for cells, (_, live) in zip(rows, found, strict=True):
            cells.append(quantity.power(live.power_w if live else None, language))
    print_table(headings, rows, right, spare=_SPARE)


def _cells(app: App, row: RunRow) -> list[str]:
    return [
        row.id,
        row.name[:32],
        row.task or quantity.NO_VALUE,
        app.say(labels.word(labels.APPROACH, row.approach)),
        app.say(labels.STATE[row.state]),
        moment(row.started_ms, app.language),
        quantity.duration(row.duration_s, app.language),
        quantity.energy(row.total_j, app.language),
        app.say(labels.word(labels.QUALITY, row.quality)),
    ]


def _counted(app: App, row: RunRow) -> str:
    """Return what a run's grams count; empty if unknown."""
    if row.location_gases is None or row.location_boundary in (DIRECT, None):
        return row.location_gases or ""
    boundary = labels.word(labels.BOUNDARY, row.location_boundary)
    return app.say(_MORE_THAN_DIRECT, gases=row.location_gases, boundary=boundary)

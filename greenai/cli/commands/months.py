"""``greenai runs months``: energy and CO2 by month and project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command
from greenai.core import quantity
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Energie und CO2 nach Monat (UTC) und Projekt, über alle Läufe.",
    en="Energy and CO2 by month (UTC) and project, over all runs.",
)
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_HEADINGS = (
    Text(de="Monat", en="Month"),
    Text(de="Projekt", en="Project"),
    Text(de="Läufe", en="Runs"),
    Text(de="Energie", en="Energy"),
    # Which of the two depends on each run's factor, which the index that these sums come from does not know.
    Text(de="CO2 oder CO2e", en="CO2 or CO2e"),
)


def _at_least(written: str, value: float | None, lacking: int) -> str:
    return quantity.at_least(written, is_at_least=value is not None and lacking > 0)


def months(app: App) -> click.Command:
    """Return the command."""

    def call(as_json: bool) -> None:
        found = app.analysis().months()
        if as_json:
            print_json([each._asdict() for each in found])
            return
        language = app.language
        rows = [
            [
                f"{each.year_month // 100}-{each.year_month % 100:02}",
                each.project or quantity.NO_VALUE,
                quantity.integer(each.runs, language),
                _at_least(quantity.energy(each.total_j, language), each.total_j, each.without_energy),
                _at_least(quantity.mass(each.location_g, language), each.location_g, each.without_location),
            ]
            for each in found
        ]
        print_table([app.say(heading) for heading in _HEADINGS], rows, right=(2, 3, 4))

    as_json = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))
    return Command("months", help=app.say(_ABOUT), params=[as_json], callback=call)

"""``greenai factors``: grid factors with their provenance."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from greenai.carbon.factors import location_factor, shipped_factors
from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command, Group, WholeNumber
from greenai.core import labels, quantity
from greenai.core.errors import NotFoundError
from greenai.core.text import Text
from greenai.core.views import RunQuery

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.core.footprint import FactorUsed

_ABOUT = Text(de="CO2-Faktoren des Stroms und ihre Herkunft.", en="CO2 factors of electricity and their origin.")
_LIST = Text(de="Alle mitgelieferten Faktoren zeigen.", en="Show all shipped factors.")
_SHOW = Text(de="Den Faktor zeigen, der für ein Stromnetz gilt.", en="Show the factor that applies to a zone.")
_RECOMPUTE = Text(
    de="Die heutigen Faktoren und Einstellungen auf alle Läufe anwenden; Messungen bleiben unberührt.",
    en="Apply today's factors and settings to all runs; measurements are not touched.",
)
_ZONE = Text(de="nur dieses Stromnetz", en="only this zone")
_YEAR = Text(de="Jahr des Laufs", en="year of the run")
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_HEADINGS = (
    Text(de="Netz", en="Zone"),
    Text(de="Jahr", en="Year"),
    Text(de="g/kWh", en="g/kWh"),
    Text(de="Gase", en="Gases"),
    Text(de="Grenze", en="Boundary"),
    Text(de="Stand", en="Status"),
    Text(de="geprüft", en="verified"),
    Text(de="Quelle", en="Source"),
)
_NONE = Text(de="Für „{zone}“ gibt es keinen Faktor.", en='There is no factor for "{zone}".')
_SEE_LIST = Text(de="Vorhandene zeigt: greenai factors list", en="Those there are: greenai factors list")
_CHANGED = Text(de="{count} Läufe haben neue CO2-Werte.", en="{count} runs have new CO2 figures.")
_FIRST_YEAR = 1900
_THIS_YEAR = 9999  # a run later than every factor gets the latest one


def build(app: App) -> click.Command:
    """Return the command group."""
    group = Group("factors", help=app.say(_ABOUT))
    as_json = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))

    def show_all(zone: str | None, as_json: bool) -> None:
        chosen = [f for f in shipped_factors() if zone is None or f.zone == zone.upper()]
        _print(app, chosen, as_json=as_json)

    def show(zone: str, year: int, as_json: bool) -> None:
        found = location_factor(zone.upper(), year)
        if found is None:
            raise NotFoundError(_NONE.format(zone=zone), _SEE_LIST)
        _print(app, [found.factor], as_json=as_json)

    def recompute() -> None:
        app.tell(_CHANGED, count=app.analysis().recompute_footprints(RunQuery()))

    zone = click.Option(["--zone"], help=app.say(_ZONE))
    year = click.Option(
        ["--year"], type=WholeNumber(_FIRST_YEAR, _THIS_YEAR), default=_THIS_YEAR, help=app.say(_YEAR)
    )
    named = click.Argument(["zone"], metavar="ZONE")
    group.add_command(Command("list", help=app.say(_LIST), params=[zone, as_json], callback=show_all))
    group.add_command(Command("show", help=app.say(_SHOW), params=[named, year, as_json], callback=show))
    group.add_command(Command("recompute", help=app.say(_RECOMPUTE), callback=recompute))
    return group


def _print(app: App, factors: list[FactorUsed], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(factor) for factor in factors])
        return
    rows = [
        [
            factor.zone,
            str(factor.year),
            quantity.number(factor.value_g_per_kwh, app.language),
            factor.gases,
            app.say(labels.BOUNDARY[factor.boundary]),
            app.say(labels.FACTOR_STATUS[factor.status]),
            app.say(labels.YES if factor.verified else labels.NO),
            f"{factor.source}, {factor.edition}",
        ]
        for factor in factors
    ]
    print_table([app.say(heading) for heading in _HEADINGS], rows, right=(2,))

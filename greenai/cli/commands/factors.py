"""``greenai factors``: grid factors and other figures with their provenance."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from greenai.carbon.factors import embodied, location_factor, pue, residual_factor, wue
from greenai.carbon.figures import FIGURE_KINDS
from greenai.carbon.table_file import shortened
from greenai.carbon.tables import layers
from greenai.carbon.zones import alpha_2, nearest_zones
from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command, Group, WholeNumber
from greenai.cli.factor_page import FACTOR_HEADINGS, FIGURE_HEADINGS, factor_row, figure_row, page
from greenai.core.errors import NotFoundError
from greenai.core.factor_remarks import factor_remarks
from greenai.core.text import Text
from greenai.host.codecarbon_data import cloud_region

if TYPE_CHECKING:
    from greenai.carbon.figures import Figure
    from greenai.cli.app import App
    from greenai.core.footprint import FactorUsed

_ABOUT = Text(de="CO2-Faktoren des Stroms und ihre Herkunft.", en="CO2 factors of electricity and their origin.")
_LIST = Text(
    de="Faktoren zeigen: die heute geltenden, oder mit --zone oder --year alle, auch älterer Ausgaben.",
    en="Show factors: those in force today, or with --zone or --year all, those of older editions too.",
)
_FETCH = Text(de="Werte im Zeitverlauf aus dem Netz holen.", en="Fetch intensities over time from the net.")
_SHOW = Text(
    de="Den Faktor zeigen, der für ein Stromnetz gilt, mit seiner ganzen Herkunft; oder die Werte eines Geräts "
    "oder Orts aus „list --kind“; oder den einer Cloud-Region wie gcp/europe-west3.",
    en="Show the factor that applies to a zone, with all of its origin; or the figures of a device or place from "
    '"list --kind"; or that of a cloud region such as gcp/europe-west3.',
)
_RECOMPUTE = Text(
    de="Die heutigen Faktoren, Verträge und Einstellungen auf alle Läufe anwenden.",
    en="Apply today's factors, contracts and settings to all runs.",
)
_ELSEWHERE = {
    "fetch": ("greenai.cli.commands.factors_fetch", _FETCH),
    "recompute": ("greenai.cli.commands.factors_recompute", _RECOMPUTE),
}
_ZONE = Text(de="nur dieses Stromnetz", en="only this zone")
_YEAR = Text(de="Jahr des Laufs", en="year of the run")
_OF_YEAR = Text(de="nur, was in diesem Jahr gilt", en="only what is for this year")
_KIND = Text(
    de="grid (Stromnetz), residual (Residualmix), pue, wue (Wasser) oder embodied (Herstellung)",
    en="grid, residual (residual mix), pue, wue (water) or embodied (manufacture)",
)
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_NONE = Text(de="Für „{name}“ gibt es keinen Faktor.", en='There is no factor for "{name}".')
_NEAREST = Text(de="Gemeint ist vielleicht: {names}.", en="Did you mean: {names}?")
_SEE_LIST = Text(de="Vorhandene zeigt: greenai factors list", en="Those there are: greenai factors list")
_FIRST_YEAR, _LAST_YEAR = 1900, 9999


def build(app: App) -> click.Command:
    """Return the command group."""
    group = Group("factors", help=app.say(_ABOUT), lazy=_ELSEWHERE)
    as_json = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))
    years = WholeNumber(_FIRST_YEAR, _LAST_YEAR)
    zone = click.Option(["--zone"], help=app.say(_ZONE))
    kinds = click.Choice(["grid", "residual", *FIGURE_KINDS])
    kind = click.Option(["--kind"], type=kinds, default="grid", show_default=True, help=app.say(_KIND))
    of_year = click.Option(["--year"], type=years, help=app.say(_OF_YEAR))
    year = click.Option(["--year"], type=years, help=app.say(_YEAR))
    named = click.Argument(["name"], metavar="ZONE")

    def show_all(zone: str | None, kind: str, year: int | None, as_json: bool) -> None:
        if kind in FIGURE_KINDS:
            _print_figures(app, _figures(app, kind, zone, year), as_json=as_json)
            return
        _print_factors(app, _factors(app, kind, zone, year), as_json=as_json)

    def show(name: str, year: int | None, as_json: bool) -> None:
        day = date(year, 1, 1) if year is not None else _today()
        found = [*_of_zone(app, name, day), *_of_place_or_device(app, name, day), *_of_cloud(name)]
        if not found:
            raise _not_found(name)
        if as_json:
            print_json(found)
            return
        print("\n\n".join(page(app, entry) for entry in found))

    group.add_command(
        Command("list", help=app.say(_LIST), params=[zone, kind, of_year, as_json], callback=show_all)
    )
    group.add_command(Command("show", help=app.say(_SHOW), params=[named, year, as_json], callback=show))
    return group


def _today() -> date:
    return datetime.now(UTC).date()


def _not_found(name: str) -> NotFoundError:
    near = nearest_zones(name)
    remedy = _NEAREST.format(names=", ".join(near)) if near else _SEE_LIST
    return NotFoundError(_NONE.format(name=shortened(name)), remedy)


def _factors(app: App, kind: str, zone: str | None, year: int | None) -> list[FactorUsed]:
    """Return grid factors: all of a zone or year, else those in force today.

    Raises:
        NotFoundError: There is no such zone.
    """
    own = app.settings().factors
    zones = sorted({name for layer in layers(own) for name in layer.grid})
    if zone is None and year is None:
        today = _today()
        if kind == "residual":
            return [factor for name in zones if (factor := residual_factor(name, today, own)) is not None]
        return [found.factor for name in zones if (found := location_factor(name, today, own)) is not None]
    wanted = zones if zone is None else [alpha_2(zone)]
    if zone is not None and wanted[0] not in zones:
        found = location_factor(zone, _today(), own)  # codecarbon may have it
        if found is None:
            raise _not_found(zone)
        return [found.factor] if kind == "grid" and _is_of(year, found.factor) else []
    chosen = [
        factor
        for name in wanted
        for layer in layers(own)
        for factor in layer.grid.get(name, ())
        if (factor.method == "residual") is (kind == "residual") and _is_of(year, factor)
    ]
    return sorted(chosen, key=lambda factor: (factor.zone, factor.first_day or "", factor.boundary, factor.gases))


def _figures(app: App, kind: str, place: str | None, year: int | None) -> list[Figure]:
    """Return the figures of a kind: all, or those of a place or device.

    Raises:
        NotFoundError: There is no such place or device.
    """
    chosen = [
        figure
        for layer in layers(app.settings().factors)
        for figure in layer.figures
        if figure.kind == kind and (place is None or figure.id.casefold() == place.casefold())
    ]
    if place is not None and not chosen:
        raise _not_found(place)
    return [figure for figure in chosen if _is_of(year, figure)]


def _is_of(year: int | None, entry: FactorUsed | Figure) -> bool:
    first, last = (entry.first_day or "")[:4], (entry.last_day or "9999")[:4]
    return year is None or first <= str(year) <= last


def _of_zone(app: App, name: str, day: date) -> list[dict[str, Any]]:
    """Return what applies in a zone: its factor, and its residual mix if there is one."""
    own = app.settings().factors
    found = location_factor(name, day, own)
    residual = residual_factor(name, day, own)
    entries = []
    for factor in (found.factor if found else None, residual):
        if factor is None:
            continue
        remarks = [app.say(remark) for remark in factor_remarks(factor, day)]
        is_location = found is not None and factor is found.factor
        upstream = {"upstream_g_per_kwh": found.upstream_g_per_kwh} if found and is_location else {}
        entries.append({**asdict(factor), **upstream, "file": _file(app, factor), "remarks": remarks})
    return entries


def _of_place_or_device(app: App, name: str, day: date) -> list[dict[str, Any]]:
    own = app.settings().factors
    figures = (pue(name, day, own), wue(name, day, own) or wue(alpha_2(name), day, own), embodied(name, own))
    return [{**asdict(figure), "file": _file(app, figure)} for figure in figures if figure is not None]


def _of_cloud(name: str) -> list[dict[str, Any]]:
    """Return codecarbon's factor of a cloud region written ``provider/region``, labelled as such."""
    provider, _, region = name.partition("/")
    found = cloud_region(provider, region)
    if found is None:
        return []
    source = f"codecarbon, impact.csv: {found.source}"
    where = f"{name}, {found.city}, {found.country}"
    return [{"name": where, "value_g_per_kwh": found.intensity_g_per_kwh, "verified": False, "source": source}]


def _file(app: App, entry: FactorUsed | Figure) -> str | None:
    """Return the path of the file an entry is in; None if it is codecarbon's."""
    for layer in layers(app.settings().factors):
        of_zone = layer.grid.get(getattr(entry, "zone", ""), ())
        if entry.table is not None and entry in (*of_zone, *layer.figures):
            return str(layer.folder / entry.table)
    return None


def _print_factors(app: App, factors: list[FactorUsed], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(factor) for factor in factors])
        return
    rows = [factor_row(app, factor) for factor in factors]
    print_table([app.say(heading) for heading in FACTOR_HEADINGS], rows, right=(2,))


def _print_figures(app: App, figures: list[Figure], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(figure) for figure in figures])
        return
    rows = [figure_row(app, figure) for figure in figures]
    print_table([app.say(heading) for heading in FIGURE_HEADINGS], rows, right=(2, 3, 4))

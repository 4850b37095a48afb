"""``greenai factors recompute``: new footprints for all runs, and what that changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command
from greenai.core import quantity
from greenai.core.text import Text
from greenai.core.views import RunQuery

if TYPE_CHECKING:
    from greenai.analysis.recompute import FactorChange
    from greenai.cli.app import App
    from greenai.core.text import Language

ABOUT = Text(
    de="Die heutigen Faktoren, Verträge und Einstellungen auf alle Läufe anwenden und zeigen, was sich ändert. "
    "Messungen bleiben unberührt, alte CO2-Werte als frühere Fassung erhalten.",
    en="Apply today's factors, contracts and settings to all runs and show what changes. Measurements are not "
    "touched; old CO2 figures stay as earlier versions.",
)
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_CHANGED = Text(
    de="{changed} von {runs} Läufen haben neue CO2-Werte.", en="{changed} of {runs} runs have new CO2 figures."
)
_PROGRESS = Text(de="{runs} Läufe angesehen ...", en="{runs} runs looked at ...")
_HEADINGS = (
    Text(de="Faktor bisher", en="Factor before"),
    Text(de="Faktor jetzt", en="Factor now"),
    Text(de="Läufe", en="Runs"),
    Text(de="ortsbasiert bisher", en="Location-based before"),
    Text(de="jetzt", en="now"),
    Text(de="Unterschied", en="Difference"),
    Text(de="marktbasiert bisher", en="Market-based before"),
    Text(de="jetzt", en="now"),
)
_MARKET_LOST = Text(
    de="Achtung: {runs} Läufe haben ihre marktbasierte Zahl verloren, denn hier gilt kein Vertrag für sie. "
    "Frühere Fassungen bleiben in der Datenbank; mit der Vertragsdatei neu rechnen: "
    "GREENAI_ELECTRICITY=DATEI greenai factors recompute",
    en="Warning: {runs} runs have lost their market-based figure, for no contract holds for them here. Earlier "
    "versions stay in the database; compute anew with the file of contracts: "
    "GREENAI_ELECTRICITY=FILE greenai factors recompute",
)
_TELL_EVERY = 100_000


def build(app: App) -> click.Command:
    """Return the command."""
    as_json = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))

    def recompute(as_json: bool) -> None:
        def progress(runs: int) -> None:
            if runs % _TELL_EVERY == 0:
                app.tell(_PROGRESS, runs=quantity.integer(runs, app.language))

        done = app.analysis().recompute_footprints(RunQuery(), progress)
        if as_json:
            changes = [asdict(change) for change in done.changes]
            print_json({"runs": done.runs, "changed": done.changed, "changes": changes})
            return
        if done.changes:
            rows = [_row(change, app.language) for change in done.changes]
            market = any(c.market_before_g is not None or c.market_after_g is not None for c in done.changes)
            shown = len(_HEADINGS) if market else len(_HEADINGS) - 2
            headings = [app.say(heading) for heading in _HEADINGS[:shown]]
            print_table(headings, [row[:shown] for row in rows], right=range(2, shown))
        app.tell(
            _CHANGED,
            changed=quantity.integer(done.changed, app.language),
            runs=quantity.integer(done.runs, app.language),
        )
        if lost := sum(change.market_lost for change in done.changes):
            app.tell(_MARKET_LOST, runs=quantity.integer(lost, app.language))

    return Command("recompute", help=app.say(ABOUT), params=[as_json], callback=recompute)


def _row(change: FactorChange, language: Language) -> list[str]:
    moved = None
    if change.before_g is not None and change.after_g is not None and change.before_g:
        moved = change.after_g / change.before_g - 1
    return [
        change.before or quantity.NO_VALUE,
        change.after or quantity.NO_VALUE,
        quantity.integer(change.runs, language),
        quantity.mass(change.before_g, language),
        quantity.mass(change.after_g, language),
        quantity.NO_VALUE if moved is None else f"{'+' * (moved > 0)}{quantity.percent(moved, language, 1)}",
        quantity.mass(change.market_before_g, language),
        quantity.mass(change.market_after_g, language),
    ]

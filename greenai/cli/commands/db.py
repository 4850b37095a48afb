"""``greenai db``: the database itself."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command, Group, SettingValue
from greenai.core import quantity
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.journal.format import INGESTED
from greenai.settings.load import parse_value
from greenai.store import Store, open_store
from greenai.store.backup import backup
from greenai.store.check import damage
from greenai.store.copy import copy_all
from greenai.store.engine import connect, shown, upgrade, version
from greenai.store.retention import drop_samples
from greenai.store.schema import HEAD

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.store.check import Damage

_ABOUT = Text(
    de="Datenbank prüfen, erneuern, kopieren, sichern.",
    en="Check, upgrade, copy and back up the database.",
)
_CHECK = Text(
    de="Ist die Datenbank erreichbar, aktuell und unbeschädigt? Liest alles; endet bei Schäden mit 1.",
    en="Can the database be reached, is it current and undamaged? Reads all of it; ends with 1 if it is damaged.",
)
_UPGRADE = Text(de="Die Datenbank auf den neuesten Stand bringen.", en="Bring the database to the newest version.")
_COPY = Text(
    de="Alles in eine andere Datenbank kopieren (z. B. von SQLite nach PostgreSQL) und vergleichen.",
    en="Copy everything into another database (e.g. from SQLite to PostgreSQL), and compare.",
)
_BACKUP = Text(
    de="Die SQLite-Datenbank im Betrieb in eine neue Datei sichern.",
    en="Back the SQLite database up into a new file, while it is in use.",
)
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_FINE = Text(de="{url}: in Ordnung, Stand {version}.", en="{url}: fine, version {version}.")
_DAMAGED = Text(de="{url}: {count} Schäden.", en="{url}: {count} findings of damage.")
_DAMAGE_HEADINGS = (
    Text(de="Tabelle", en="Table"),
    Text(de="Lauf", en="Run"),
    Text(de="Schaden und Abhilfe", en="Damage and remedy"),
)
_UPGRADED = Text(de="{url}: jetzt Stand {version}.", en="{url}: now version {version}.")
_COPIED = Text(
    de="{count} Läufe nach {url} kopiert; beide Datenbanken stimmen überein.",
    en="{count} runs copied to {url}; both databases agree.",
)
_COPY_HEADINGS = (
    Text(de="Tabelle", en="Table"),
    Text(de="Zeilen", en="Rows"),
    Text(de="Prüfsumme", en="Checksum"),
)
_BACKED_UP = Text(de="Gesichert und geprüft: {path}", en="Backed up and checked: {path}")
_PRUNE = Text(
    de="Die Rohdaten alter Läufe löschen; Energie, Abschnitte und alle Summen bleiben.",
    en="Drop the raw samples of old runs; energy, windows and all totals stay.",
)
_DAYS = Text(de="Tage, die Rohdaten bleiben; sonst gilt keep_samples_days", en="days that samples are kept")
_HOW_LONG = Text(
    de="Es ist nicht gesagt, wie lange Rohdaten bleiben sollen.",
    en="It is not said for how long raw samples are to be kept.",
)
_SAY_HOW_LONG = Text(
    de="Dauerhaft festlegen: greenai config set keep_samples_days 90",
    en="Say it once and for all: greenai config set keep_samples_days 90",
)
_PRUNED = Text(
    de="{samples} Proben von {runs} Läufen gelöscht, die vor mehr als {days} Tagen endeten.",
    en="{samples} samples dropped of {runs} runs that ended more than {days} days ago.",
)
_TAKE_IN = Text(
    de="Neu aus den Journalen holen: rm -f {marker} && greenai ingest",
    en="Take it in again from its journals: rm -f {marker} && greenai ingest",
)
_NO_JOURNALS = Text(
    de="Hier liegen keine Journale davon: eine Sicherung zurückspielen (docs/database.md), oder auf den Lauf "
    "verzichten: greenai runs delete {run}",
    en="Its journals are not here: put a backup back (docs/database.md), or do without the run: "
    "greenai runs delete {run}",
)


def build(app: App) -> click.Command:
    """Return the command group."""
    group = Group("db", help=app.say(_ABOUT))

    def check(as_json: bool) -> int:
        return _check(app, as_json)

    def renew() -> None:
        engine = app.closing(Store(connect(app.settings().db))).engine
        upgrade(engine)
        app.tell(_UPGRADED, url=shown(engine), version=version(engine))

    def copy(url: str) -> None:
        target = app.closing(open_store(parse_value("db", url, "db copy")))
        report = copy_all(app.analysis().store, target)
        rows = [[table.name, str(table.rows), table.checksum] for table in report.tables]
        print_table([app.say(heading) for heading in _COPY_HEADINGS], rows, right=(1,))
        app.tell(_COPIED, count=report.runs, url=target.shown_url)

    def back_up(file: str) -> None:
        backup(app.analysis().store, Path(file))
        app.tell(_BACKED_UP, path=file)

    def prune(keep_samples_days: float | None) -> None:
        _prune(app, keep_samples_days)

    json_option = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))
    group.add_command(Command("check", help=app.say(_CHECK), params=[json_option], callback=check))
    group.add_command(Command("upgrade", help=app.say(_UPGRADE), callback=renew))
    target = click.Argument(["url"], metavar="URL")
    group.add_command(Command("copy", help=app.say(_COPY), params=[target], callback=copy))
    new_file = click.Argument(["file"], metavar="FILE")
    group.add_command(Command("backup", help=app.say(_BACKUP), params=[new_file], callback=back_up))
    days = click.Option(["--keep-samples-days"], type=SettingValue("keep_samples_days"), help=app.say(_DAYS))
    group.add_command(Command("prune", help=app.say(_PRUNE), params=[days], callback=prune))
    return group


def _check(app: App, as_json: bool) -> int:
    settings = app.settings()
    store = app.closing(Store(connect(settings.db)))
    found = list(damage(store, lambda run_id: _take_in_again(settings.spool / run_id)))
    if as_json:
        print_json(
            {
                "url": store.shown_url,
                "version": HEAD,
                "damage": [
                    {
                        "table": each.table,
                        "run": each.run_id,
                        "what": app.say(each.what),
                        "remedy": app.say(each.remedy),
                    }
                    for each in found
                ],
            }
        )
    elif found:
        rows = [[each.table or "-", each.run_id or "-", _words(app, each)] for each in found]
        print_table([app.say(heading) for heading in _DAMAGE_HEADINGS], rows)
    if found:
        app.tell(_DAMAGED, url=store.shown_url, count=len(found))
        return 1
    app.tell(_FINE, url=store.shown_url, version=HEAD)
    return 0


def _prune(app: App, keep_samples_days: float | None) -> None:
    settings = app.settings(keep_samples_days=keep_samples_days)
    days = settings.keep_samples_days
    if days is None:
        raise ConfigError(_HOW_LONG, _SAY_HOW_LONG)
    store = app.closing(open_store(settings.db))
    dropped = drop_samples(store, int((time.time() - days * 86_400) * 1000))
    figures = {"samples": dropped.samples, "runs": dropped.runs, "days": f"{days:g}"}
    texts = {name: quantity.integer(n, app.language) if isinstance(n, int) else n for name, n in figures.items()}
    app.tell(_PRUNED, **texts)


def _words(app: App, each: Damage) -> str:
    return f"{app.say(each.what)}. {app.say(each.remedy)}"


def _take_in_again(folder: Path) -> Text:
    if not folder.is_dir():
        return _NO_JOURNALS.format(run=folder.name)
    return _TAKE_IN.format(marker=shlex.quote(str(folder / INGESTED)))

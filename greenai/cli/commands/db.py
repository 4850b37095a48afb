"""``greenai db``: the database itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from greenai.cli.base import Command, Group
from greenai.core.text import Text
from greenai.settings.load import parse_value
from greenai.store import Store, open_store
from greenai.store.copy import copy_all
from greenai.store.engine import connect, ready, shown, upgrade, version
from greenai.store.schema import HEAD

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(de="Datenbank prüfen, erneuern, kopieren.", en="Check, upgrade and copy the database.")
_CHECK = Text(de="Ist die Datenbank erreichbar und aktuell?", en="Can the database be reached, and is it current?")
_UPGRADE = Text(de="Die Datenbank auf den neuesten Stand bringen.", en="Bring the database to the newest version.")
_COPY = Text(
    de="Alle Läufe in eine andere Datenbank kopieren (z. B. von SQLite nach PostgreSQL).",
    en="Copy all runs into another database (e.g. from SQLite to PostgreSQL).",
)
_FINE = Text(de="{url}: in Ordnung, Stand {version}.", en="{url}: fine, version {version}.")
_UPGRADED = Text(de="{url}: jetzt Stand {version}.", en="{url}: now version {version}.")
_COPIED = Text(de="{count} Läufe nach {url} kopiert.", en="{count} runs copied to {url}.")


def build(app: App) -> click.Command:
    """Return the command group."""
    group = Group("db", help=app.say(_ABOUT))

    def check() -> None:
        engine = app.closing(Store(connect(app.settings().db))).engine
        ready(engine)
        app.tell(_FINE, url=shown(engine), version=HEAD)

    def renew() -> None:
        engine = app.closing(Store(connect(app.settings().db))).engine
        upgrade(engine)
        app.tell(_UPGRADED, url=shown(engine), version=version(engine))

    def copy(url: str) -> None:
        target = app.closing(open_store(parse_value("db", url, "db copy")))
        count = copy_all(app.analysis().store, target)
        app.tell(_COPIED, count=count, url=shown(target.engine))

    group.add_command(Command("check", help=app.say(_CHECK), callback=check))
    group.add_command(Command("upgrade", help=app.say(_UPGRADE), callback=renew))
    target = click.Argument(["url"], metavar="URL")
    group.add_command(Command("copy", help=app.say(_COPY), params=[target], callback=copy))
    return group

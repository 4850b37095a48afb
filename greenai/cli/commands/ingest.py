"""``greenai ingest``: journals into the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenai.cli.base import Command
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.ingest import ingest_spool
from greenai.store import open_store

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Holt Journale in die Datenbank. Beliebig oft wiederholbar; nichts wird doppelt gezählt.",
    en="Takes journals into the database. May be repeated at will; nothing is counted twice.",
)
_FOLDER = Text(de="{folder} ist kein Ordner.", en="{folder} is not a folder.")
_DONE = Text(de="{count} Läufe übernommen.", en="{count} runs taken in.")


def build(app: App) -> click.Command:
    """Return the command."""

    def call(folder: str | None) -> int:
        spool = Path(folder) if folder else None
        if spool is not None and not spool.is_dir():
            raise ConfigError(_FOLDER.format(folder=spool))
        settings = app.settings()
        report = ingest_spool(app.closing(open_store(settings.db)), settings, spool)
        for problem in report.problems:
            app.tell(problem.message)
        app.tell(_DONE, count=len(report.taken))
        return 1 if report.problems else 0

    return Command(
        "ingest",
        callback=call,
        help=app.say(_ABOUT),
        params=[click.Argument(["folder"], required=False, metavar="[DIR]")],
    )

"""``greenai slurm textfile``: figures of batch jobs for Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenai.cli.base import Command
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.slurm.textfile import exposition, write_exposition
from greenai.store import open_store
from greenai.store.job_sums import job_sums

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Energie und Zahl der Batch-Jobs in der Datenbank als Textdatei für Prometheus (textfile collector des "
    "node_exporter).",
    en="Energy and number of the batch jobs in the database as a text file for Prometheus (textfile collector of "
    "node_exporter).",
)
_FILE = Text(de="In diese Datei (*.prom); sonst nach stdout", en="into this file (*.prom), in one go")
_BY = Text(de="Auch nach Benutzern getrennt: personenbezogene Daten", en="by user as well: personal data")
_NOT_WRITABLE = Text(de="{path} ist nicht beschreibbar ({reason}).", en="{path} cannot be written ({reason}).")
_TO_STDOUT = Text(
    de="Ordner anlegen oder zur Probe nach stdout: greenai slurm textfile",
    en="Make the folder, or try it on stdout: greenai slurm textfile",
)


def build(app: App) -> click.Command:
    """Return the command."""

    def call(path: Path | None, by: str | None) -> None:
        store = app.closing(open_store(app.settings().db))
        text = exposition(job_sums(store, by_user=by == "user"))
        if path is None:
            print(text, end="")
            return
        try:
            write_exposition(path, text)
        except OSError as error:
            raise ConfigError(_NOT_WRITABLE.format(path=path, reason=error.strerror), _TO_STDOUT) from error

    return Command(
        "textfile",
        callback=call,
        help=app.say(_ABOUT),
        params=[
            click.Option(["-o", "path"], type=click.Path(path_type=Path), metavar="FILE", help=app.say(_FILE)),
            click.Option(["--by"], type=click.Choice(["user"]), help=app.say(_BY)),
        ],
    )

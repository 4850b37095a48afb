"""``greenai slurm site``: the files by which a cluster measures every job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenai.cli.app import print_table
from greenai.cli.base import Command
from greenai.core.errors import ConfigError, NotFoundError
from greenai.core.text import Text
from greenai.slurm.site.files import BY_NAME, SITE_FILES

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Dateien für Administratoren: Damit misst der Cluster jeden Job, ohne dass jemand etwas tut. Ohne NAME "
    "werden sie aufgezählt; mit NAME wird eine ausgegeben. Anleitung: docs/hpc.md",
    en="Files for administrators: with them the cluster measures every job, and no user does anything. Without "
    "NAME they are listed, with NAME one is printed. How to: docs/hpc.md",
)
_FOLDER = Text(
    de="Alle (oder die eine) in diesen Ordner schreiben", en="write all of them (or the one) into this folder"
)
_NO_FILE = Text(de="Eine Datei „{name}“ gibt es nicht.", en='There is no file "{name}".')
_ALL = Text(de="Alle zeigt: greenai slurm site", en="To see all: greenai slurm site")
_NOT_WRITABLE = Text(de="{path} ist nicht beschreibbar ({reason}).", en="{path} cannot be written ({reason}).")
_OTHER_FOLDER = Text(
    de="Anderen Ordner wählen: greenai slurm site -o ./greenai-site",
    en="Choose another folder: greenai slurm site -o ./greenai-site",
)
_WRITTEN = Text(de="{count} Dateien in {folder}.", en="{count} files in {folder}.")
_UNREACHABLE = Text(
    de="Achtung: {python} liegt in einem Ordner, den andere Benutzer nicht betreten dürfen ({folder}); ihre "
    "Jobs würden nicht gemessen. Greenai dort installieren, wo alle lesen dürfen, etwa /opt/greenai.",
    en="Mind: {python} is in a folder that other users may not enter ({folder}); their jobs would not be "
    "measured. Install greenai where everybody may read, such as /opt/greenai.",
)
_NAME = Text(de="Name", en="Name")
_PLACE = Text(de="Gehört nach", en="Belongs to")
_PURPOSE = Text(de="Zweck", en="Purpose")
_ENTER = 0o001


def build(app: App) -> click.Command:
    """Return the command."""

    def call(name: str | None, folder: Path | None) -> None:
        if name is not None and name not in BY_NAME:
            raise NotFoundError(_NO_FILE.format(name=name), _ALL)
        chosen = SITE_FILES if name is None else (BY_NAME[name],)
        if folder is not None:
            for file in chosen:
                _write(folder, folder / file.name, file.text(), file.mode)
            app.tell(_WRITTEN, count=len(chosen), folder=folder)
        elif name is not None:
            print(BY_NAME[name].text(), end="")
        else:
            headings = [app.say(heading) for heading in (_NAME, _PLACE, _PURPOSE)]
            print_table(headings, [[file.name, file.place, app.say(file.about)] for file in SITE_FILES])
        closed = _closed_folder(Path(sys.executable))
        if closed is not None:
            app.tell(_UNREACHABLE, python=sys.executable, folder=closed)

    return Command(
        "site",
        callback=call,
        help=app.say(_ABOUT),
        params=[
            click.Argument(["name"], required=False, metavar="[NAME]"),
            click.Option(["-o", "folder"], type=click.Path(path_type=Path), metavar="DIR", help=app.say(_FOLDER)),
        ],
    )


def _write(folder: Path, path: Path, text: str, mode: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
    except OSError as error:
        raise ConfigError(_NOT_WRITABLE.format(path=path, reason=error.strerror), _OTHER_FOLDER) from error


def _closed_folder(program: Path) -> Path | None:
    """Return a folder on the way to a program that not everybody may enter, links followed; None if all may."""
    ways = {*program.parents, *program.resolve().parents, *Path(__file__).resolve().parents}
    return next((folder for folder in sorted(ways) if not folder.stat().st_mode & _ENTER), None)

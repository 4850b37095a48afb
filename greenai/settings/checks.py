"""Checks that must fail before user code starts: can the database be written? Without loading SQLAlchemy."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.host.files import OF_THE_MACHINE, make_folder, open_own

_SQLITE_HEADER = b"SQLite format 3\0"

_NOT_WRITABLE = Text(
    de="Die Datenbank {path} ist nicht beschreibbar ({reason}).",
    en="The database {path} cannot be written ({reason}).",
)
_NOT_SQLITE = Text(
    de="{path} ist keine SQLite-Datenbank; sie wird nicht angerührt.",
    en="{path} is not a SQLite database; it is left alone.",
)
_CHOOSE_OTHER = Text(
    de="Eine andere wählen: export GREENAI_DB=sqlite:////pfad/greenai.db",
    en="Choose another: export GREENAI_DB=sqlite:////path/greenai.db",
)
_NO_DRIVER = Text(
    de="Für PostgreSQL fehlt der Treiber psycopg.",
    en="The psycopg driver for PostgreSQL is not installed.",
)
_INSTALL_DRIVER = Text(
    de="Installieren: pip install 'greenai[postgres]'",
    en="Install it: pip install 'greenai[postgres]'",
)


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for other databases and for SQLite in memory."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] != "sqlite" or rest in ("", "/", "/:memory:"):
        return None
    return Path(rest[1:].partition("?")[0])


def check_database(url: str) -> None:
    """Make sure the database can be written, as far as that can be told in a millisecond.

    A server that does not answer and a disk that is full are no errors here: the journals wait for them.

    Raises:
        ConfigError: The file or its folder cannot be written, is no database, or a driver is missing.
    """
    if url.startswith("postgresql") and find_spec("psycopg") is None:
        raise ConfigError(_NO_DRIVER, _INSTALL_DRIVER)
    path = sqlite_file(url)
    if path is None:
        return
    try:
        make_folder(path.parent)
        if path.exists():
            with path.open("r+b") as file:
                header = file.read(len(_SQLITE_HEADER))
            if header and header != _SQLITE_HEADER:
                raise ConfigError(_NOT_SQLITE.format(path=path), _CHOOSE_OTHER)
        else:
            os.close(open_own(path, os.O_WRONLY))  # empty it is a database; no permission bits tell as much
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            return
        raise ConfigError(_NOT_WRITABLE.format(path=path, reason=error.strerror), _CHOOSE_OTHER) from error

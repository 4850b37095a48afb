"""A copy of a SQLite database in use, as one file that was checked."""

from __future__ import annotations

import os
import secrets
import shlex
import sqlite3
import stat
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError, StoreError
from greenai.core.text import Text
from greenai.settings.checks import sqlite_file

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.store.store import Store

_USE_PG_DUMP = Text(
    de="{url} ist keine SQLite-Datenbank; PostgreSQL sichert sich selbst, auch im Betrieb.",
    en="{url} is not a SQLite database; PostgreSQL makes its own backups, in use too.",
)
_PG_DUMP = Text(de="Sichern mit: {command}", en="Make one with: {command}")
_EXISTS = Text(
    de="{path} gibt es schon; nichts wurde überschrieben.",
    en="{path} exists; nothing was overwritten.",
)
_OTHER_FILE = Text(de="Eine andere nennen: greenai db backup FILE", en="Name another: greenai db backup FILE")
_NOT_WRITTEN = Text(
    de="Die Sicherung {path} kam nicht zustande: {reason}.",
    en="The backup {path} could not be made: {reason}.",
)
_BROKEN = Text(
    de="Die Sicherung von {url} ist beschädigt ({reason}) und wurde verworfen.",
    en="The backup of {url} is damaged ({reason}) and was thrown away.",
)
_LOOK = Text(de="Was beschädigt ist, zeigt: greenai db check", en="What is damaged is shown by: greenai db check")


def backup(store: Store, path: Path) -> None:
    """Write the database, as it stands at one moment, into a new file: whole and checked, or not at all.

    Others may write meanwhile; on a network file system they wait.

    Args:
        store: The database.
        path: The new file.

    Raises:
        ConfigError: The file exists, or it is not SQLite; the remedy is the command for PostgreSQL.
        StoreError: The copy could not be made, or is damaged.
    """
    if store.engine.dialect.name != "sqlite":
        command = shlex.join(["pg_dump", "--format=custom", f"--file={path}", f"--dbname={_plain_url(store)}"])
        raise ConfigError(_USE_PG_DUMP.format(url=store.shown_url), _PG_DUMP.format(command=command))
    if os.path.lexists(path):
        raise ConfigError(_EXISTS.format(path=path), _OTHER_FILE)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _copy(store, part)
        _check(store, part)
        _name(part, path)
    except FileExistsError as error:
        raise ConfigError(_EXISTS.format(path=path), _OTHER_FILE) from error
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(_NOT_WRITTEN.format(path=path, reason=reason)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _plain_url(store: Store) -> str:
    """Return the URL as PostgreSQL's own programs read it, without a password: they ask, or read ~/.pgpass."""
    return store.engine.url._replace(drivername="postgresql", password=None).render_as_string()


def _copy(store: Store, part: Path) -> None:
    source = sqlite_file(str(store.engine.url))
    mode = stat.S_IMODE(source.stat().st_mode) if source is not None else 0o600
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    connection = store.engine.raw_connection()
    try:
        with closing(sqlite3.connect(part)) as copy:
            # In one step: writers do not make it begin anew, and do not wait where there is a write-ahead log.
            connection.driver_connection.backup(copy)  # type: ignore[union-attr]  # sqlite3's own
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a companion
    finally:
        connection.close()
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _check(store: Store, part: Path) -> None:
    with closing(sqlite3.connect(part)) as copy:
        found = [row[0] for row in copy.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise StoreError(_BROKEN.format(url=store.shown_url, reason=found[0]), _LOOK)


def _name(part: Path, path: Path) -> None:
    """Give the file its name, unless that exists by now."""
    try:
        os.link(part, path)  # fails where a rename would overwrite
    except FileExistsError:
        raise
    except OSError:  # file systems without hard links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        part.rename(path)

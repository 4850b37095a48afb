"""Opening the database: driver settings, and the schema's version."""

from __future__ import annotations

import random
import sqlite3
import time
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from greenai.core.errors import SchemaTooOldError, StoreError
from greenai.core.text import Text
from greenai.host.files import is_network_path
from greenai.settings.checks import check_database, sqlite_file
from greenai.store.schema import HEAD

if TYPE_CHECKING:
    from sqlalchemy import Connection

BUSY_TIMEOUT_MS = 30_000
_WAL_PAGES = 10_000  # 40 MB; with SQLite's own 4 MB, writers of many indexes mostly move pages about
_ATTEMPTS, _SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 1000, 0.0005, 0.005
_UPGRADE_LOCK = 0x67726E61  # any number that others will hardly take

_UNREACHABLE = Text(
    de="Die Datenbank {url} ist nicht erreichbar: {reason}.",
    en="The database {url} cannot be reached: {reason}.",
)
_NOTHING_LOST = Text(
    de="Die Messungen liegen weiter im Journal; später nachholen mit: greenai ingest",
    en="The measurements stay in the journal; take them in later with: greenai ingest",
)
_TOO_OLD = Text(
    de="Die Datenbank {url} stammt von einer älteren Version ({found}, nötig ist {head}).",
    en="The database {url} was made by an older version ({found}; {head} is needed).",
)
_UPGRADE = Text(de="Erneuern mit: greenai db upgrade", en="Upgrade it with: greenai db upgrade")
_TOO_NEW = Text(
    de="Die Datenbank {url} stammt von einer neueren Version ({found}); dieses Programm kennt nur {head}.",
    en="The database {url} was made by a newer version ({found}); this program knows {head} only.",
)
_UPDATE = Text(de="Erneuern mit: pip install -U greenai", en="Update with: pip install -U greenai")


def connect(url: str) -> Engine:
    """Make an engine with the settings each database needs. Nothing is opened yet.

    Raises:
        ConfigError: The file cannot be written, or a driver is missing.
    """
    check_database(url)
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        path = sqlite_file(url)
        journal_mode = "DELETE" if path is not None and is_network_path(path) else "WAL"

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            # SQLAlchemy says BEGIN (below); the driver must not say it a second time, and later.
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            connection.execute(f"PRAGMA journal_mode={journal_mode}")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
            connection.execute("PRAGMA foreign_keys=ON")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            if not _writes(connection):
                connection.exec_driver_sql("BEGIN")
                return
            # IMMEDIATE: readers that turn writers otherwise fail with "database is locked" under load.
            if not _begun_soon(connection.connection.driver_connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _begun_soon(driver: Any) -> bool:
    """Begin to write as soon as it is one's turn; False if that takes more than some seconds.

    SQLite's own way of waiting sleeps longer and longer, up to 0.1 s, while the others' transactions take 1 ms: of
    eight writers most would sleep.
    """
    driver.execute("PRAGMA busy_timeout=0")
    try:
        for attempt in range(_ATTEMPTS):
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False  # asking once more says what it is
                pause_s = min(_SHORTEST_PAUSE_S * (1 + attempt / 10), _LONGEST_PAUSE_S)
                time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311  # no secret: not all at once
            else:
                return True
        return False
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _writes(connection: Connection) -> bool:
    return not connection.get_execution_options().get("greenai_read_only", False)


def ready(engine: Engine) -> None:
    """Make sure the schema is there and current; an empty database is filled.

    Raises:
        SchemaTooOldError: It needs ``greenai db upgrade``.
        StoreError: It cannot be reached, or is newer than this program.
    """
    url = shown(engine)
    try:
        found = version(engine)
        if found is None:
            upgrade(engine)
            found = version(engine)
    except SQLAlchemyError as error:
        raise StoreError(_UNREACHABLE.format(url=url, reason=reason_of(error)), _NOTHING_LOST) from error
    if found != HEAD:
        if str(found) < HEAD:
            raise SchemaTooOldError(_TOO_OLD.format(url=url, found=found, head=HEAD), _UPGRADE)
        raise StoreError(_TOO_NEW.format(url=url, found=found, head=HEAD), _UPDATE)


def version(engine: Engine) -> str | None:
    """Return the schema version of the database, None if it is empty."""
    with engine.connect().execution_options(greenai_read_only=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version, in one transaction.

    Raises:
        StoreError: The database cannot be reached, or is newer than this program.
    """
    try:
        found = version(engine)
        if found is None or found < HEAD:
            _migrate(engine)
    except SQLAlchemyError as error:
        url, reason = shown(engine), reason_of(error)
        raise StoreError(_UNREACHABLE.format(url=url, reason=reason), _NOTHING_LOST) from error
    if found is not None and found > HEAD:
        raise StoreError(_TOO_NEW.format(url=shown(engine), found=found, head=HEAD), _UPDATE)


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    with as_file(files("greenai.store") / "migrations") as folder, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Two processes that find the same empty database must not both make its tables.
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def shown(engine: Engine) -> str:
    """Return the database's URL without its password."""
    return make_url(engine.url).render_as_string(hide_password=True)


def reason_of(error: Exception) -> str:
    """Return what the driver said, in one line."""
    words = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return words.splitlines()[0].rstrip(".")

"""``Store``: everything that is asked of the database, in and out as frozen records."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from greenai.core.errors import NotFoundError, StoreError
from greenai.core.text import Text
from greenai.core.views import RunPage, RunQuery
from greenai.store import footprints
from greenai.store import query as q
from greenai.store import schema as s
from greenai.store.chunks import decode
from greenai.store.engine import connect, ready, reason_of, shown
from greenai.store.saving import now_ms, put, write_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from greenai.core.channel import Channel
    from greenai.core.record import RunRecord
    from greenai.store.chunks import Chunk, Sample

MIN_PREFIX = 4

_FAILED = Text(
    de="Die Datenbank {url} hat abgelehnt: {reason}.",
    en="The database {url} refused: {reason}.",
)
_NO_RUN = Text(
    de="Es gibt keinen Lauf „{reference}“.",
    en='There is no run "{reference}".',
)
_AMBIGUOUS = Text(
    de="„{reference}“ passt auf {count} Läufe; bitte mehr Zeichen der Kennung angeben.",
    en='"{reference}" fits {count} runs; give more characters of the id.',
)
_LIST_RUNS = Text(de="Alle Läufe zeigt: greenai runs", en="All runs are shown by: greenai runs")


class UnfitRecordError(StoreError):
    """The database is there, but a value of this record does not fit into it."""


class Store:
    """One database. Safe to use from several threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def shown_url(self) -> str:
        """The database's URL without its password."""
        return shown(self.engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def save(self, record: RunRecord, channels: Sequence[tuple[Channel, Iterable[Chunk]]]) -> None:
        """Write a run, replacing what was known of it, in one transaction. Tags added later stay.

        Args:
            record: The run with its emissions.
            channels: Its channels in the order of ``record.energy.channels``, each with its samples. They are
                asked for one channel after the other, so that not all of them need be in memory.
        """
        self.save_all([(record, channels)])

    def save_all(self, runs: Sequence[tuple[RunRecord, Sequence[tuple[Channel, Iterable[Chunk]]]]]) -> None:
        """Write some hundred runs at most, each as ``save`` does, in one transaction."""
        with self.writing() as connection:
            write_runs(connection, runs)
            footprints.keep(connection, [record for record, _ in runs])

    def page(self, query: RunQuery) -> RunPage:
        """Return a stretch of runs and the number of all that fit."""
        with self.reading() as connection:
            found = q.page(connection, query)
            whole = query.limit is None and not query.offset
            total = len(found) if whole else connection.execute(q.count(query)).scalar_one()
            return RunPage(tuple(q.run_rows(connection, found)), total)

    def records(self, query: RunQuery) -> list[RunRecord]:
        """Return whole records."""
        with self.reading() as connection:
            return q.records(connection, q.page(connection, query, q.ALL_COLUMNS))

    def record(self, reference: str) -> RunRecord:
        """Return one run by id, unique beginning of an id, name (its latest run), or ``latest``.

        Raises:
            NotFoundError: No run fits, or several ids begin like that.
        """
        with self.reading() as connection:
            run_id = self._find(connection, reference)
            row = connection.execute(select(s.run).where(s.run.c.id == run_id)).mappings().all()
            return q.records(connection, row)[0]

    def identify(self, reference: str) -> tuple[str, str]:
        """Return id and name of a run as ``record`` finds it, even of one that is damaged.

        Raises:
            NotFoundError: No run fits, or several ids begin like that.
        """
        with self.reading() as connection:
            run_id = self._find(connection, reference)
            return run_id, connection.execute(select(s.run.c.name).where(s.run.c.id == run_id)).scalar_one()

    def samples(
        self, run_id: str, wanted: Callable[[Channel, bool], bool] = lambda _channel, _counted: True
    ) -> Generator[tuple[Channel, bool, list[Sample]]]:
        """Return one by one each channel of a run, whether it is counted, and its samples (epoch ns, µJ or µW).

        Args:
            run_id: Its id.
            wanted: Says of a channel, and whether it is counted, whether to return it; default is all.
        """
        from greenai.core.channel import Channel

        of_run = s.channel.c.run_id == run_id
        columns = (s.channel.c.ordinal, s.channel.c.definition, s.channel.c.counted)
        with self.reading() as connection:
            for index, definition, counted in connection.execute(
                select(*columns).where(of_run).order_by(s.channel.c.ordinal)
            ).all():
                channel = Channel.from_json(definition)
                if not wanted(channel, bool(counted)):
                    continue
                chunks = connection.execute(
                    select(s.sample_chunk.c.data, s.sample_chunk.c.count)
                    .where(s.sample_chunk.c.run_id == run_id, s.sample_chunk.c.channel == index)
                    .order_by(s.sample_chunk.c.ordinal)
                )
                samples = [sample for data, count in chunks for sample in decode(data, count)]
                yield channel, bool(counted), samples

    def sample_count(self, run_id: str) -> int:
        """Return how many samples are kept of a run."""
        count = func.sum(s.sample_chunk.c.count)
        with self.reading() as connection:
            return connection.execute(select(count).where(s.sample_chunk.c.run_id == run_id)).scalar() or 0

    def task_names(self) -> list[str]:
        """Return the tasks that runs name."""
        with self.reading() as connection:
            found = connection.execute(select(s.run.c.task).where(s.run.c.task.is_not(None)).distinct())
            return sorted(row[0] for row in found)

    def tag(self, run_id: str, tags: dict[str, str]) -> None:
        """Add tags to a run, or change them."""
        with self.writing() as connection:
            keys = s.run_tag.c.key.in_(tags)
            connection.execute(delete(s.run_tag).where(s.run_tag.c.run_id == run_id, keys))
            put(connection, s.run_tag, [{"run_id": run_id, "key": k, "value": v} for k, v in tags.items()])

    def delete(self, run_id: str) -> None:
        """Remove a run and all that belongs to it."""
        with self.writing() as connection:
            connection.execute(delete(s.run).where(s.run.c.id == run_id))

    def baselines(self) -> dict[str, str]:
        """Return the classical candidate that each task is compared with, where a person chose one."""
        with self.reading() as connection:
            found = connection.execute(
                select(s.baseline.c.task, s.baseline.c.candidate).order_by(s.baseline.c.task)
            )
            return {row[0]: row[1] for row in found}

    def set_baseline(self, task: str, candidate: str | None, user: str | None = None) -> None:
        """Choose the candidate a task is compared with; None takes the choice back."""
        with self.writing() as connection:
            connection.execute(delete(s.baseline).where(s.baseline.c.task == task))
            if candidate is not None:
                row = {"task": task, "candidate": candidate, "set_ms": now_ms(), "set_by": user}
                put(connection, s.baseline, [row])

    def _find(self, connection: Connection, reference: str) -> str:
        newest = s.run.c.started_ms.desc(), s.run.c.id.desc()
        if reference == "latest":
            statement = select(s.run.c.id).order_by(*newest).limit(1)
        else:
            exact = (s.run.c.id == reference) | (s.run.c.name == reference)
            statement = select(s.run.c.id).where(exact).order_by(*newest).limit(1)
        found: Sequence[Row[Any]] = connection.execute(statement).all()
        if not found and len(reference) >= MIN_PREFIX:
            prefix = s.run.c.id.startswith(reference, autoescape=True)
            found = connection.execute(select(s.run.c.id).where(prefix)).all()
        if len(found) > 1:
            raise NotFoundError(_AMBIGUOUS.format(reference=reference, count=len(found)), _LIST_RUNS)
        if not found:
            raise NotFoundError(_NO_RUN.format(reference=reference), _LIST_RUNS)
        return str(found[0][0])

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes; what the database refuses becomes a ``StoreError``."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except (DataError, IntegrityError, ProgrammingError) as error:
            refused = self._refused(error)
            raise UnfitRecordError(refused.message, refused.remedy) from error
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads, all of it as it stands at one moment.

        What the database refuses becomes a ``StoreError``.
        """
        options: dict[str, Any] = {"greenai_read_only": True}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"  # SQLite's transactions are so by themselves
        try:
            with self.engine.connect().execution_options(**options) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._refused(error) from error

    def _refused(self, error: SQLAlchemyError) -> StoreError:
        return StoreError(_FAILED.format(url=shown(self.engine), reason=reason_of(error)))


def open_store(url: str) -> Store:
    """Open a database; an empty one gets its tables.

    Args:
        url: A SQLAlchemy URL of SQLite or PostgreSQL.

    Raises:
        ConfigError: It cannot be written, or a driver is missing.
        SchemaTooOldError: It needs ``greenai db upgrade``.
        StoreError: It cannot be reached.
    """
    engine = connect(url)
    try:
        ready(engine)
    except StoreError:
        engine.dispose()
        raise
    return Store(engine)

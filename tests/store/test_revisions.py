"""Databases that earlier versions wrote are upgraded, and their runs say what those versions said of them.

``revisions/NNNN.*.sql`` are dumps of databases that the last version with that schema filled; ``NNNN.said.json`` is what it
said of their runs. With a new migration comes one for the schema before it.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from greenai.core.text import Text
from greenai.core.views import RunQuery
from greenai.store import open_store
from greenai.store.check import damage
from greenai.store.copy import copy_all
from greenai.store.engine import connect, upgrade, version
from greenai.store.schema import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord

FOLDER = Path(__file__).parent / "revisions"
REVISIONS = sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.said.json"))
SAMPLES = [
    (1_795_262_400_000_000_000 + i * 10**9, None if i in (0, 7) else 81_000_000_000 + i * 95_000_061)
    for i in range(700)
]
RUN = "019a6f3c00aa01020304"


def _load(url: str, revision: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript((FOLDER / f"{revision}.sqlite.sql").read_text(encoding="utf-8"))
        return
    engine = create_engine(url)
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute((FOLDER / f"{revision}.postgresql.sql").read_text(encoding="utf-8"))
        connection.commit()
    engine.dispose()


@pytest.fixture(params=REVISIONS)
def old(request: pytest.FixtureRequest, shared_url: str) -> tuple[str, str]:
    """The URL of a database of an earlier revision, and which."""
    _load(shared_url, request.param)
    return shared_url, request.param


def _changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Name what was said before and is not any more; what is said besides is no change."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from _changed(value, after.get(key, "nothing"), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old_part, new_part) in enumerate(zip(before, after, strict=True)):
            yield from _changed(old_part, new_part, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r} is now {after!r}"


def test_there_is_one_of_each_earlier_revision() -> None:
    numbers = [int(revision) for revision in REVISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 4


def test_runs_say_what_they_said(old: tuple[str, str]) -> None:
    url, revision = old
    engine = connect(url)
    assert version(engine) == revision
    upgrade(engine)
    assert version(engine) == HEAD
    engine.dispose()
    said = json.loads((FOLDER / f"{revision}.said.json").read_text(encoding="utf-8"))
    with closing(open_store(url)) as store:
        records = {record.id: record.to_dict("en") for record in store.records(RunQuery())}
        assert list(_changed(said, records)) == []
        assert [samples for _, _, samples in store.samples(RUN)] == [SAMPLES, SAMPLES]
        assert store.baselines() == {"churn-2026": "forest"}


def test_an_upgraded_database_is_sound_and_in_use(
    old: tuple[str, str], tmp_path: Path, save: Callable[..., RunRecord], full: RunRecord
) -> None:
    url, _ = old
    engine = connect(url)
    upgrade(engine)
    engine.dispose()
    with closing(open_store(url)) as store, closing(open_store(f"sqlite:///{tmp_path / 'copy.db'}")) as copy:
        # The made-up totals of the dumps are not the sums of their channels; nothing else may be found.
        found = [each.what.en for each in damage(store, lambda _: Text("", ""))]
        assert [what for what in found if "add up to" not in what] == []
        assert copy_all(store, copy).runs == 2
        assert copy.records(RunQuery()) == store.records(RunQuery())
        save(store, full, SAMPLES)
        assert store.record(full.id) == full
        store.delete(full.id)
        assert store.page(RunQuery()).total == 1

"""A filled database of each earlier version is upgraded, and says the same as before."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.errors import SchemaTooOldError
from greenai.core.text import Text
from greenai.core.views import RunQuery
from greenai.store import open_store
from greenai.store import schema as s
from greenai.store.engine import connect, upgrade, version
from greenai.store.schema import HEAD, metadata, shared_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from greenai.core.record import RunRecord

RUNS, CHANNELS = 5, 4
MOVED = {"footprint": ("factor", "reason")}  # to where they are kept once
REASON = {"de": "kein Netz", "en": "no zone"}
FACTOR = {
    "id": "uba", "zone": "DE", "value_g_per_kwh": 352.5, "year": 2025, "source": "Umweltbundesamt: „ä“", "edition": "1",
    "url": "https://example.org", "licence": "free", "boundary": "generation", "gases": "CO2e", "basis": "consumed",
    "status": "final", "verified": False,
}  # fmt: skip


def definition(number: int, quality: Quality) -> dict[str, Any]:
    """Return a channel as the first version wrote it: without what came later."""
    channel = Channel(
        id=f"a:{number}", collector="a", component=Component.CPU, kind=Kind.COUNTER, quality=quality,
        device=f"Gerät {number}", host="n1", method="m", uncertainty_rel=0.05, max_power_uw=10**9, wrap_uj=2**40,
        note=Text(de="für", en="for") if number else None,
    )  # fmt: skip
    return channel.to_json()


def run_row(number: int) -> dict[str, Any]:
    """Return a run as the first version wrote it."""
    return {
        "id": f"run-{number}", "name": "Lauf", "project": "p", "task": "t", "approach": "ai", "phase": "training",
        "state": "completed", "exit_code": 0, "error": None, "started_ms": 1_795_262_400_000 + number,
        "ended_ms": 1_795_262_500_000, "year_month": 202611, "duration_s": 100.0, "user": "mia", "git_commit": None,
        "unit": "document", "units": 3.0, "total_j": 100.0 + number, "low_j": 90.0, "high_j": 110.0,
        "measured_share": 1.0, "quality": "measured", "scope": "machine", "machine_total_j": 100.0 + number,
        "location_g": 5.0, "journal_lines": 7, "journal_bad_lines": 0, "journal_sha256": "abc", "hosts": ["n1"],
        "tags": {"a": "ä"}, "slurm": None, "environment": {"cpu": "x"}, "site": {},
    }  # fmt: skip


def channel_row(run: int, number: int) -> dict[str, Any]:
    energy_j = None if number == 2 else 10.0 * run + number
    quality = (Quality.MEASURED, Quality.ALLOCATED, Quality.ESTIMATED, Quality.MEASURED)[number]
    return {
        "run_id": f"run-{run}", "ordinal": number, "host": "n1", "energy_j": energy_j,
        "low_j": energy_j and energy_j * 0.9, "high_j": energy_j and energy_j * 1.1, "uncertainty_rel": 0.1,
        "gap_s": 0.5, "counted": number == 0, "note": {"de": "für", "en": "for"} if number == 2 else None,
        "definition": definition(number, quality),
    }  # fmt: skip


def migrate(engine: Engine, revision: str) -> None:
    with as_file(files("greenai.store") / "migrations") as folder, engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill(engine: Engine) -> None:
    """Fill a database of the first version: runs, channels, and something in every other table."""
    found = MetaData()
    found.reflect(engine)
    # What reflection cannot know: SQLite keeps JSON as text.
    rows: dict[str, list[dict[str, Any]]] = {
        "run": [run_row(n) for n in range(RUNS)],
        "channel": [channel_row(run, n) for run in range(RUNS) for n in range(CHANNELS)],
        "run_window": [
            {"run_id": "run-0", "ordinal": 0, "window_id": "1-1", "name": "w", "parent": None, "started_ms": 5,
             "duration_s": 1.0, "energy_j": 3.0}
        ],
        "metric": [{"run_id": "run-0", "ordinal": 0, "name": "f1", "value": 0.5, "higher_is_better": True}],
        "incident": [
            {"run_id": "run-0", "ordinal": 0, "code": "x", "message": {"de": "a", "en": "b"}, "remedy": None}
        ],
        "footprint": [
            {"run_id": f"run-{number}", "version": 1, "computed_ms": 7, "journal_sha256": "abc", "location_g": 5.0,
             "upstream_g": None, "pue": 1.2, "pue_assumed": False, "factor": factor, "reason": reason,
             "cost_amount": None, "currency": "EUR"}
            for number, (factor, reason) in enumerate(((FACTOR, None), (FACTOR, None), (None, REASON), (None, None)))
        ],
        "sample_chunk": [
            {"run_id": "run-0", "channel": 0, "ordinal": 0, "first_ms": 1, "last_ms": 2, "count": 0, "data": b"\0\1"}
        ],
        "run_tag": [{"run_id": "run-0", "key": "k", "value": "v"}],
        "baseline": [{"task": "t", "candidate": "c", "set_ms": 1, "set_by": None}],
    }  # fmt: skip
    with engine.begin() as connection:
        for name in [table.name for table in metadata.sorted_tables if table.name in found.tables]:
            connection.execute(insert(found.tables[name]), rows[name])


def old_rows(engine: Engine, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the content of the columns of the first version, as text that can be compared."""
    found = MetaData()
    result = {}
    with engine.connect() as connection:
        for name, wanted in sorted(columns.items()):
            table = Table(name, found, autoload_with=connection)
            rows = connection.execute(select(*[table.c[column] for column in wanted])).all()
            result[name] = sorted(json.dumps([repr(value) for value in row]) for row in rows)
    return result


def columns_of(engine: Engine) -> dict[str, list[str]]:
    found = inspect(engine)
    return {
        name: [column["name"] for column in found.get_columns(name)]
        for name in found.get_table_names()
        if name != "alembic_version"
    }


@pytest.fixture
def first(shared_url: str) -> Engine:
    """A filled database of version 0001."""
    engine = connect(shared_url)
    migrate(engine, "0001")
    fill(engine)
    return engine


def test_the_first_version_is_refused_with_the_command_that_upgrades_it(first: Engine) -> None:
    assert version(first) == "0001"
    url = first.url.render_as_string(hide_password=False)
    first.dispose()
    with pytest.raises(SchemaTooOldError) as caught:
        open_store(url)
    assert caught.value.remedy is not None
    assert "greenai db upgrade" in caught.value.remedy.de


def test_an_upgrade_keeps_every_value(first: Engine) -> None:
    columns = {
        table: [name for name in names if name not in MOVED.get(table, ())]
        for table, names in columns_of(first).items()
    }
    before = old_rows(first, columns)
    assert sum(len(rows) for rows in before.values()) == RUNS + RUNS * CHANNELS + 10
    upgrade(first)
    assert version(first) == HEAD
    assert old_rows(first, columns) == before
    first.dispose()


def test_factors_and_reasons_of_old_footprints_are_kept_once(first: Engine) -> None:
    upgrade(first)
    with first.connect() as connection:
        assert len(connection.execute(select(shared_value)).all()) == 2
    first.dispose()
    with closing(open_store(first.url.render_as_string(hide_password=False))) as store:
        emissions = [store.record(f"run-{number}").emissions for number in range(RUNS)]
    assert emissions[4] is None
    known = [found for found in emissions if found is not None]
    assert [found.factor and found.factor.value_g_per_kwh for found in known] == [352.5, 352.5, None, None]
    assert [found.reason and found.reason.de for found in known] == [None, None, "kein Netz", None]
    factor = known[0].factor
    assert factor is not None
    assert {name: getattr(factor, name) for name in FACTOR} == FACTOR
    assert factor.method is None
    assert {(found.pue, found.market, found.market_g, found.water_l) for found in known} == {(1.2, (), None, None)}


def test_an_upgrade_makes_exactly_the_tables(first: Engine) -> None:
    upgrade(first)
    with first.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata},
        )
        assert compare_metadata(context, metadata) == []
    found = inspect(first)
    assert found.get_pk_constraint("channel")["name"] == "pk_channel"
    (key,) = found.get_foreign_keys("channel")
    assert (key["name"], key["options"]["ondelete"]) == ("fk_channel_run_id", "CASCADE")
    nullable = {column["name"]: column["nullable"] for column in found.get_columns("channel")}
    assert not nullable["quality"]
    assert not nullable["lost_readings"]
    assert nullable["machine_energy_j"]
    first.dispose()


def test_what_was_not_shared_out_was_the_machines(first: Engine) -> None:
    upgrade(first)
    first.dispose()
    with closing(open_store(first.url.render_as_string(hide_password=False))) as store:
        records = {record.id: record for record in store.records(RunQuery())}
        assert set(records) == {f"run-{n}" for n in range(RUNS)}
        for number in range(RUNS):
            rows = records[f"run-{number}"].energy.channels
            assert [row.quality for row in rows] == [
                Quality.MEASURED, Quality.ALLOCATED, Quality.ESTIMATED, Quality.MEASURED,
            ]  # fmt: skip
            assert [row.machine_energy_j for row in rows] == [row.energy_j for row in rows]
            assert rows[2].machine_energy_j is None, "unknown stays unknown"
            assert {(row.policy, row.part_of, len(row.lost_readings)) for row in rows} == {(None, None, 0)}
            assert rows[1].device == "Gerät 1"


def test_after_an_upgrade_runs_are_saved_and_deleted_as_ever(
    first: Engine, save: Callable[..., RunRecord], full: RunRecord
) -> None:
    """Deleting a run takes its channels along: the table that was made anew has its foreign key."""
    upgrade(first)
    first.dispose()
    with closing(open_store(first.url.render_as_string(hide_password=False))) as store:
        save(store, full, [(1000, 2)])
        assert store.page(RunQuery()).total == RUNS + 1
        with store.engine.begin() as connection:
            connection.execute(text("DELETE FROM run WHERE id = 'run-0'"))
            connection.execute(text(f"DELETE FROM run WHERE id = '{full.id}'"))
            assert all(
                connection.execute(select(table)).first() is None for table in (s.request_total, s.service_hour)
            )
            for name in ("channel", "run_window", "metric", "incident", "footprint", "sample_chunk", "run_tag"):
                count = connection.execute(text(f"SELECT count(*) FROM {name} WHERE run_id = 'run-0'")).scalar()
                assert count == 0, name
        with pytest.raises(IntegrityError), store.engine.begin() as connection:
            connection.execute(
                metadata.tables["channel"].insert(), {**channel_row(0, 0), **_NEW, "run_id": "nowhere"}
            )


_NEW: dict[str, Any] = {
    "quality": "measured",
    "machine_energy_j": None,
    "policy": None,
    "part_of": None,
    "lost_readings": {},
}


def test_an_empty_database_of_the_first_version(shared_url: str) -> None:
    engine = connect(shared_url)
    migrate(engine, "0001")
    upgrade(engine)
    assert version(engine) == HEAD
    engine.dispose()


def test_an_upgrade_that_is_broken_off_leaves_the_first_version_whole(
    first: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that is none: the upgrade fails, and nothing is half done."""
    with first.begin() as connection:
        bad = json.dumps({"id": "x"})
        connection.execute(
            text("UPDATE channel SET definition = :bad WHERE run_id = 'run-4' AND ordinal = 3"), {"bad": bad}
        )
    columns = columns_of(first)
    before = old_rows(first, columns)
    with pytest.raises(KeyError):
        upgrade(first)
    assert version(first) == "0001"
    assert columns_of(first) == columns
    assert old_rows(first, columns) == before
    first.dispose()


def test_two_who_upgrade_at_once(first: Engine) -> None:
    first.dispose()
    url = first.url.render_as_string(hide_password=False)
    engines = [connect(url), connect(url)]
    ready = threading.Barrier(2)
    errors: list[BaseException] = []

    def work(engine: Engine) -> None:
        ready.wait(10)
        try:
            upgrade(engine)
        except BaseException as error:  # noqa: BLE001  # it is looked at below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert [version(engine) for engine in engines] == [HEAD, HEAD]
    for engine in engines:
        engine.dispose()


@pytest.mark.slow
def test_a_database_of_many_runs_is_upgraded_in_seconds(shared_url: str) -> None:
    import time

    engine = connect(shared_url)
    migrate(engine, "0001")
    found = MetaData()
    found.reflect(engine)
    rows = [channel_row(0, 0) | {"run_id": f"run-{run}", "ordinal": n} for run in range(1000) for n in range(20)]
    with engine.begin() as connection:
        connection.execute(insert(found.tables["run"]), [run_row(n) for n in range(1000)])
        connection.execute(insert(found.tables["channel"]), rows)
    began = time.monotonic()
    upgrade(engine)
    assert time.monotonic() - began < 30
    engine.dispose()


def test_a_database_without_any_version_is_filled(shared_url: str) -> None:
    with closing(open_store(shared_url)) as store:
        assert version(store.engine) == HEAD
    plain = create_engine(shared_url)
    with plain.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar() == 0
    plain.dispose()

"""Opening databases: schema versions, refusals with a remedy, many processes at once, copies."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from greenai.core.channel import Channel, Kind
from greenai.core.errors import ConfigError, SchemaTooOldError, StoreError
from greenai.core.views import RunQuery
from greenai.host.files import is_network_path
from greenai.store import Store, open_store
from greenai.store.copy import copy_all
from greenai.store.engine import connect, upgrade, version
from greenai.store.recompute import recompute
from greenai.store.schema import HEAD, metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord


def _closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def test_head_is_the_newest_migration() -> None:
    with as_file(files("greenai.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_make_exactly_the_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata},
        )
        assert compare_metadata(context, metadata) == []
        names = set(inspect(connection).get_table_names())
    assert names == set(metadata.tables) | {"alembic_version"}
    assert version(store.engine) == HEAD


def test_constraints_bear_the_conventional_names(store: Store) -> None:
    found = inspect(store.engine)
    for table in metadata.sorted_tables:
        assert found.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"
        for key in found.get_foreign_keys(table.name):
            assert key["name"] == f"fk_{table.name}_run_id"
            assert key["options"]["ondelete"] == "CASCADE"


def _set_version(url: str, number: str) -> None:
    open_store(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :n"), {"n": number})
    engine.dispose()


def test_an_older_database_names_the_command_that_upgrades_it(shared_url: str) -> None:
    _set_version(shared_url, "0000")
    with pytest.raises(SchemaTooOldError) as caught:
        open_store(shared_url)
    assert "0000" in caught.value.message.de
    assert caught.value.remedy is not None
    for wording in (caught.value.remedy.de, caught.value.remedy.en):
        assert "greenai db upgrade" in wording


def test_a_newer_database_is_left_alone(shared_url: str) -> None:
    _set_version(shared_url, "9999")
    with pytest.raises(StoreError, match="9999") as caught:
        open_store(shared_url)
    assert not isinstance(caught.value, SchemaTooOldError)
    assert caught.value.remedy is not None
    assert "pip install -U" in caught.value.remedy.en


def test_a_text_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are my notes, and no database")
    with pytest.raises(ConfigError, match=r"notes\.txt") as caught:
        open_store(f"sqlite:///{file}")
    assert caught.value.remedy is not None
    assert "GREENAI_DB" in caught.value.remedy.en
    assert file.read_text() == "these are my notes, and no database"


def test_a_database_cut_in_half_is_a_store_error(tmp_path: Path) -> None:
    file = tmp_path / "half.db"
    open_store(f"sqlite:///{file}").close()
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(StoreError) as caught:
        open_store(f"sqlite:///{file}")
    assert "half.db" in caught.value.message.de


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'a' / 'b' / 'c.db'}").close()
    assert (tmp_path / "a" / "b" / "c.db").is_file()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        open_store(f"sqlite:///{tmp_path / 'file' / 'c.db'}")
    assert caught.value.remedy is not None


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        open_store(f"sqlite:///{tmp_path}")


OPEN = """
import sys
from greenai.core.errors import ConfigError
from greenai.store import open_store
try:
    open_store(sys.argv[1])
except ConfigError as error:
    print(error.message.de, "|", error.remedy.de)
"""


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_read_only_database(closed: str) -> None:
    # Not under tmp_path: root without its privileges cannot pass other users' folders.
    folder = Path(tempfile.mkdtemp(prefix="greenai-ro-", dir="/tmp"))
    file = folder / "ro.db"
    try:
        if closed == "file":
            open_store(f"sqlite:///{file}").close()
            file.chmod(0o444)
        else:
            folder.chmod(0o555)
        # Root may write everything; without this capability it is like everybody else.
        plain = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*plain, sys.executable, "-c", OPEN, f"sqlite:///{file}"], capture_output=True, text=True, check=True
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert f"{file} ist nicht beschreibbar" in done.stdout
    assert "GREENAI_DB" in done.stdout


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        open_store(f"postgresql://mia:secret@127.0.0.1:{_closed_port()}/greenai")
    assert "secret" not in str(caught.value)
    assert "secret" not in caught.value.message.de
    assert caught.value.remedy is not None
    assert "greenai ingest" in caught.value.remedy.de


@pytest.mark.slow
def test_a_database_that_the_server_does_not_know(postgres_server: str) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        open_store(f"postgresql://postgres@/nowhere?host={postgres_server}")


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenai.settings.checks.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="psycopg") as caught:
        open_store("postgresql://localhost/greenai")
    assert caught.value.remedy is not None
    assert "greenai[postgres]" in caught.value.remedy.en


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
mds:/scratch /scratch\\040area lustre rw 0 0
short line
tmpfs /homer tmpfs rw 0 0
a:/x /over nfs rw 0 0
/dev/sdc1 /over ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/tmp/a.db", False),
        ("/home/mia/a.db", True),
        ("/home", True),
        ("/home/local/a.db", False),
        ("/home/localy/a.db", True),
        ("/homer/a.db", False),
        ("/scratch area/run/a.db", True),
        ("/over/a.db", False),
    ],
)
def test_network_file_systems(path: str, network: bool) -> None:
    assert is_network_path(Path(path), MOUNTS) is network


def test_no_mount_table_means_no_network() -> None:
    assert is_network_path(Path("/home/a.db"), "") is False


@pytest.mark.parametrize(("network", "mode"), [(False, "wal"), (True, "delete")])
def test_no_write_ahead_log_over_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: bool, mode: str
) -> None:
    monkeypatch.setattr("greenai.store.engine.is_network_path", lambda _: network)
    engine = connect(f"sqlite:///{tmp_path / 'j.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == mode
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    engine.dispose()


WRITE = """
import pickle, sys
from dataclasses import replace
from greenai.store import open_store
from greenai.store.chunks import chunks
from greenai.store.engine import upgrade
import alembic.command, alembic.config, sqlalchemy.dialects.postgresql, sqlalchemy.dialects.sqlite, psycopg
url, record_file, number, runs = sys.argv[1:]
record, channels = pickle.loads(open(record_file, "rb").read())
print("ready", flush=True)
sys.stdin.readline()
store = open_store(url)
for i in range(int(runs)):
    name = f"w{number}-{i}" if int(runs) > 1 else "same"
    samples = chunks(range(0, 700 * 10**9, 10**9), range(700))
    store.save(replace(record, id=name), [(c, samples) for c in channels])
store.close()
"""


def _write_in_parallel(url: str, record: RunRecord, tmp_path: Path, processes: int, runs: int) -> list[str]:
    channels = [
        Channel(c.id, "rapl", c.component, Kind.COUNTER, c.quality, c.device, c.host, c.method, 0.05, 10**9)
        for c in record.energy.channels
    ]
    file = tmp_path / "record.pickle"
    file.write_bytes(pickle.dumps((record, channels)))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, url, str(file), str(n), str(runs)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for n in range(processes)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate()[1][-2000:] for process in started]


@pytest.mark.slow
def test_eight_processes_write_at_once_into_a_new_database(
    shared_url: str, bare: RunRecord, tmp_path: Path
) -> None:
    assert _write_in_parallel(shared_url, bare, tmp_path, 8, 20) == [""] * 8
    store = open_store(shared_url)
    assert store.page(RunQuery()).total == 160
    assert all(len(samples) == 700 for _, _, samples in store.samples("w7-19"))
    store.close()


@pytest.mark.slow
def test_the_same_run_taken_in_by_many_at_once(shared_url: str, bare: RunRecord, tmp_path: Path) -> None:
    open_store(shared_url).close()
    assert _write_in_parallel(shared_url, bare, tmp_path, 6, 1) == [""] * 6
    store = open_store(shared_url)
    assert store.page(RunQuery()).total == 1
    assert [len(samples) for _, _, samples in store.samples("same")] == [700, 700]
    store.close()


def _content(store: Store) -> str:
    with store.engine.connect() as connection:
        return json.dumps(
            {
                table.name: [
                    {key: value.hex() if isinstance(value, bytes) else value for key, value in row.items()}
                    for row in connection.execute(table.select().order_by(*table.primary_key)).mappings()
                ]
                for table in metadata.sorted_tables
            },
            sort_keys=True,
        )


def test_copying_there_and_back_changes_nothing(
    shared_url: str, tmp_path: Path, save: Callable[..., RunRecord], full: RunRecord, bare: RunRecord
) -> None:
    source, target = open_store(f"sqlite:///{tmp_path / 'from.db'}"), open_store(shared_url)
    back = open_store(f"sqlite:///{tmp_path / 'back.db'}")
    save(source, full, [(i * 10**9, None if i == 5 else i) for i in range(1300)])
    save(source, bare)
    source.tag(bare.id, {"a": "ä"})
    source.set_baseline("t", "forest", "mia")
    if full.emissions and full.cost:
        other = replace(full.emissions, location_g=1.0), full.cost
        list(recompute(source, RunQuery(), lambda _: other, lambda _: True))
    assert copy_all(source, target).runs == 2
    assert copy_all(target, back).runs == 2
    assert _content(source) == _content(target) == _content(back)
    assert copy_all(source, target).runs == 2  # again: nothing doubles
    assert _content(source) == _content(target)
    assert target.records(RunQuery()) == source.records(RunQuery())
    for store in (source, target, back):
        store.close()


def test_copying_a_database_into_itself_is_refused(
    shared_url: str, save: Callable[..., RunRecord], full: RunRecord
) -> None:
    one, same = open_store(shared_url), open_store(shared_url)
    save(one, full, [(1, 2)])
    before = _content(one)
    with pytest.raises(ConfigError, match="very database"):
        copy_all(one, same)
    assert _content(one) == before
    one.close()
    same.close()


def test_upgrading_says_what_is_wrong(shared_url: str) -> None:
    _set_version(shared_url, "9999")
    engine = connect(shared_url)
    with pytest.raises(StoreError, match="newer"):
        upgrade(engine)
    engine.dispose()
    away = connect(f"postgresql://mia:secret@127.0.0.1:{_closed_port()}/greenai")
    with pytest.raises(StoreError, match="cannot be reached"):
        upgrade(away)


def test_upgrading_what_is_current_changes_nothing(
    store: Store, save: Callable[..., RunRecord], full: RunRecord
) -> None:
    save(store, full, [(1000, 2)])
    before = _content(store)
    upgrade(store.engine)
    assert _content(store) == before
    assert version(store.engine) == HEAD

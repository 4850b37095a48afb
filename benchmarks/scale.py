"""The database at scale: a million runs, a trace of a million samples, eight writers."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select, text

from benchmarks.scale_data import CHANNEL, fill_runs, small_run, trace
from benchmarks.table import show
from greenai.analysis.recompute import recompute_footprints
from greenai.core.views import SORTABLE, RunQuery
from greenai.settings import Settings
from greenai.store import open_store
from greenai.store import schema as s
from greenai.store.chunks import Chunk, chunks, encode
from greenai.store.month_sums import month_sums
from greenai.store.query import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from greenai.store import Store

RUNS = 1_000_000
SAMPLES = 1_000_000
WRITERS = 8
SAVES = 150  # by each writer
PAGE = 100
_NS_PER_MS = 1_000_000


class Figure(NamedTuple):
    """A line of the table."""

    what: str
    asked: str
    value: str


def main(arguments: Sequence[str]) -> None:
    """Print the tables.

    Args:
        arguments: ``--postgres``, and the number of runs if it is not to be a million.
    """
    runs = next((int(word) for word in arguments if word.isdigit()), RUNS)
    with tempfile.TemporaryDirectory(prefix="greenai-scale-") as folder:
        _measure(f"sqlite:///{folder}/scale.db", runs, totals_s=0.15)
    if "--postgres" in arguments:
        with _server() as url:
            _measure(url, runs, totals_s=0.4)


def _measure(url: str, runs: int, totals_s: float) -> None:
    with closing(open_store(url)) as store:
        figures = [*_samples(store), _filling(store, runs), *_sums(store, totals_s), *_pages(store, runs)]
        figures += [*_recomputing(store), *_writers(url)]
    show(f"Database at scale: {store.engine.dialect.name}, {runs:,} runs", Figure._fields, figures)


def _samples(store: Store) -> Iterator[Figure]:
    chunk = s.sample_chunk
    times_ns, values = trace(random.Random(1), SAMPLES)
    for size in (60, 600):
        began_s = time.perf_counter()
        found = _chunks_of(times_ns, values, size)
        store.save(small_run(f"trace-{size}"), [(CHANNEL, found)])
        took_s = time.perf_counter() - began_s
        asked = ">= 2 M/s" if size == 60 else "-"
        yield Figure(f"samples taken in, {size} a chunk", asked, f"{SAMPLES / took_s / 1e6:.2f} M/s")
        with store.reading() as connection:
            stored = connection.execute(
                select(func.sum(func.length(chunk.c.data))).where(chunk.c.run_id == f"trace-{size}")
            ).scalar_one()
        rows = len(found) * 60  # key, times and count of a row
        yield Figure(f"bytes per sample, {size} a chunk", "<= 6", f"{(stored + rows) / SAMPLES:.2f}")

    def read() -> None:
        assert sum(len(samples) for _, _, samples in store.samples("trace-600")) == SAMPLES

    yield Figure("trace of a million samples", "<= 0.1 s", f"{_took_s(read, 3):.2f} s")


def _chunks_of(times_ns: list[int], values: list[int], size: int) -> list[Chunk]:
    if size == 600:
        return chunks(times_ns, values)
    found = []
    for start in range(0, len(times_ns), size):
        part_ns = times_ns[start : start + size]
        data = encode(part_ns, values[start : start + size])
        found.append(Chunk(part_ns[0] // _NS_PER_MS, part_ns[-1] // _NS_PER_MS, len(part_ns), data))
    return found


def _filling(store: Store, runs: int) -> Figure:
    began_s = time.perf_counter()
    fill_runs(store, runs)
    took_s = time.perf_counter() - began_s
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # As it is after a night: PostgreSQL does this by itself.
        connection.execute(text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"))
    return Figure("writing the runs, with all indexes", "-", f"{took_s:.0f} s")


def _sums(store: Store, asked_s: float) -> Iterator[Figure]:
    took_s = _took_s(lambda: month_sums(store), 5)
    yield Figure("energy by project and month", f"<= {asked_s} s", f"{took_s:.3f} s")


def _recomputing(store: Store) -> Iterator[Figure]:
    """Give all runs a footprint; then another one, under three contracts."""
    with tempfile.TemporaryDirectory() as folder:
        contracts = Path(folder, "electricity.toml")
        page = Path(__file__).parents[1].joinpath("docs", "carbon.md").read_text(encoding="utf-8")
        contracts.write_text(page.partition("```toml\n")[2].partition("```")[0])
        plain = Settings(db="", spool=Path(folder), language="en", zone="DE")
        for what, settings in (("", plain), (", three contracts", replace(plain, electricity=contracts))):
            began_s = time.perf_counter()
            done = recompute_footprints(store, settings, RunQuery())
            took_s = time.perf_counter() - began_s
            million_s = took_s * 1e6 / done.changed
            yield Figure(f"a million footprints anew{what}", "<= 60 s", f"{million_s:.0f} s")


def _pages(store: Store, runs: int) -> Iterator[Figure]:
    slowest: dict[str, tuple[float, str]] = {}
    for sort in SORTABLE:
        for descending in (True, False):
            for name, offset in (("first", 0), ("middle", runs // 2), ("last", runs - PAGE)):
                query = RunQuery(sort=sort, descending=descending, limit=PAGE, offset=offset)
                took_s = _took_s(lambda query=query: _page(store, query), 3 if offset else 5)  # type: ignore[misc]
                words = f"by {sort}, {'down' if descending else 'up'}"
                slowest[name] = max(slowest.get(name, (0.0, "")), (took_s, words))
    for name, (took_s, words) in slowest.items():
        asked = "<= 50 ms" if name == "first" else "-"
        yield Figure(f"{name} page of {PAGE}, the slowest ({words})", asked, f"{took_s * 1000:.0f} ms")
    took_s = _took_s(lambda: store.page(RunQuery(limit=PAGE)), 5)
    yield Figure("first page with the number of all runs", "-", f"{took_s * 1000:.0f} ms")


def _page(store: Store, query: RunQuery) -> None:
    with store.reading() as connection:
        assert len(page(connection, query)) == PAGE


def _writers(url: str) -> Iterator[Figure]:
    for name, write in (("run with a chunk", _save), ("tag", _tag)):
        spawn = multiprocessing.get_context("spawn")
        ready, go = spawn.Barrier(WRITERS + 1), spawn.Barrier(WRITERS + 1)
        workers = [spawn.Process(target=_work, args=(url, number, write, ready, go)) for number in range(WRITERS)]
        for worker in workers:
            worker.start()
        ready.wait(60)
        began_s = time.perf_counter()
        go.wait(60)
        for worker in workers:
            worker.join()
        took_s = time.perf_counter() - began_s
        failed = sum(worker.exitcode != 0 for worker in workers)
        rate = WRITERS * SAVES / took_s
        yield Figure(f"{WRITERS} writers, a {name} a time", ">= 1,000/s", f"{rate:,.0f}/s, {failed} failed")


def _work(url: str, number: int, write: Callable[[Store, str], None], ready: object, go: object) -> None:
    with closing(open_store(url)) as store:
        write(store, f"warm-{number}")
        ready.wait(60)  # type: ignore[attr-defined]
        go.wait(60)  # type: ignore[attr-defined]
        for turn in range(SAVES):
            write(store, f"w-{number}-{turn}")


def _save(store: Store, run_id: str) -> None:
    store.save(small_run(run_id), [(CHANNEL, chunks(range(0, 60 * 10**9, 10**9), range(60)))])


def _tag(store: Store, run_id: str) -> None:
    store.tag("warm-" + run_id.split("-")[1], {run_id: "x"})


def _took_s(call: Callable[[], object], repeats: int) -> float:
    times_s = []
    for _ in range(repeats):
        began_s = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - began_s)
    return median(times_s)


@contextmanager
def _server() -> Iterator[str]:
    """Run a PostgreSQL server with its defaults, but 512 MB of buffers; gives the URL of an empty database."""
    import os

    programs = {name: _program(name) for name in ("initdb", "postgres")}
    folder = Path(tempfile.mkdtemp(prefix="greenai-pg-", dir="/tmp"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    subprocess.run(
        [*user, programs["initdb"], "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    options = ["listen_addresses=", "shared_buffers=512MB", "max_wal_size=4GB"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*user, programs["postgres"], "-D", str(data), "-k", str(folder), *(f"-c{each}" for each in options)],
            stdout=log, stderr=log, cwd="/",
        )  # fmt: skip
    try:
        while not (folder / ".s.PGSQL.5432").exists():
            time.sleep(0.05)
        time.sleep(0.5)
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), 2)
        process.wait(60)
        shutil.rmtree(folder)


def _program(name: str) -> str:
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        raise SystemExit(f"{name} is not installed: apt-get install -y --no-install-recommends postgresql")
    return found

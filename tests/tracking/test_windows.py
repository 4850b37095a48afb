"""Windows hold exactly what was taken between their two readings, however they are begun and ended.

The machine is a fake with a counter of known power; everything between its files and the record is the product's own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import greenai
from greenai.core.account import account
from greenai.core.vocabulary import RunState
from greenai.ingest import ingest_spool
from greenai.journal.reader import read_run
from greenai.settings import load_settings
from greenai.store import open_store
from greenai.testing import FakeMachine
from greenai.testing.machines.rapl import DRAM_RANGE_UJ, Zone, powercap
from greenai.tracking.session.own_sampler import OwnSampler

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from greenai.core.record import RunRecord, WindowEnergy

DRAM_W = 10.0


class Stage:
    """A socket with memory whose counters follow a script.

    Attributes:
        joules: What it took so far.
    """

    def __init__(self, folder: Path) -> None:
        self.machine = FakeMachine(folder)
        powercap(self.machine, [Zone("package-0", 0, inside=(Zone("dram", 0, DRAM_RANGE_UJ),))])
        zone = folder / "sys/class/powercap/intel-rapl:0"
        self._counters = (zone / "energy_uj", zone / "intel-rapl:0:0/energy_uj")
        self._each_j = [0.0, 0.0]
        self.joules = 0.0

    def take(self, seconds: float, watts: float) -> None:
        """Let the processor draw power for a while, and the memory its 10 W."""
        self.machine.clock.advance(seconds)
        for index, power_w in enumerate((watts, DRAM_W)):
            self._each_j[index] += power_w * seconds
            self._counters[index].write_text(f"{round(self._each_j[index] * 1e6)}\n")
        self.joules += (watts + DRAM_W) * seconds


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Put the program on a machine that obeys; nothing samples beside it."""
    built = Stage(tmp_path / "machine")
    monkeypatch.setattr("greenai.tracking.session.session.this_host", lambda _knowledge: built.machine.host)
    monkeypatch.setattr(OwnSampler, "start_sampling", lambda _self, **_options: [])
    return built


@contextmanager
def measured(stage: Stage, run: greenai.Run, name: str, truth_j: dict[str, float]) -> Iterator[None]:
    """A window, and what it truly took."""
    with run.window(name):
        before_j = stage.joules
        try:
            yield
        finally:
            truth_j[name] = stage.joules - before_j


def by_name(record: RunRecord) -> dict[str, WindowEnergy]:
    found = {window.name: window for window in record.windows}
    assert len(found) == len(record.windows)
    return found


def energies(record: RunRecord) -> dict[str, Any]:
    return {name: pytest.approx(window.energy_j, abs=1e-5) for name, window in by_name(record).items()}


# --- energies


def test_nested_and_overlapping_windows_hold_what_was_taken_in_them(stage: Stage) -> None:
    truth_j: dict[str, float] = {}
    with greenai.track("w") as run:
        stage.take(1, 50)
        first, second = measured(stage, run, "first", truth_j), measured(stage, run, "second", truth_j)
        first.__enter__()
        stage.take(0.25, 200)
        with measured(stage, run, "inner", truth_j):
            stage.take(0.001, 250)
        second.__enter__()
        stage.take(0.5, 100)
        first.__exit__(None, None, None)
        stage.take(2, 30)
        second.__exit__(None, None, None)
        stage.take(1, 50)
    assert truth_j == energies(run.result)
    assert truth_j["inner"] == pytest.approx(0.26)
    assert run.result.energy_j == pytest.approx(stage.joules)
    parents = {name: window.parent for name, window in by_name(run.result).items()}
    assert parents == {"first": None, "inner": "first", "second": "first"}


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.001, 3), st.floats(5, 300)), min_size=1, max_size=25))
def test_any_order_of_begins_and_ends(stage: Stage, script: list[tuple[int, float, float]]) -> None:
    """Each entry begins the window of its number, or ends it if it is open; then time passes."""
    open_now: dict[int, tuple[Any, float, str]] = {}
    truth_j: dict[str, float] = {}
    with greenai.track("w") as run:
        start_j = stage.joules
        stage.take(0.1, 50)
        for place, (number, seconds, watts) in enumerate(script):
            if number in open_now:
                window, before_j, name = open_now.pop(number)
                window.__exit__(None, None, None)
                truth_j[name] = stage.joules - before_j
            else:
                name = f"{number} at {place}"
                open_now[number] = (run.window(name).__enter__(), stage.joules, name)
            stage.take(seconds, watts)
        for _, before_j, name in open_now.values():  # left open: they end with the run
            truth_j[name] = stage.joules - before_j
    assert truth_j == energies(run.result)
    assert run.result.energy_j == pytest.approx(stage.joules - start_j, abs=1e-4)
    assert run.result.journal.bad_lines == 0


def test_an_exception_ends_all_windows_it_passes(stage: Stage) -> None:
    truth_j: dict[str, float] = {}
    error = KeyError("x")
    with greenai.track("w") as run:
        with pytest.raises(KeyError) as caught:  # noqa: SIM117, PT012
            with measured(stage, run, "outer", truth_j), measured(stage, run, "inner", truth_j):
                stage.take(1, 100)
                raise error
        stage.take(5, 100)
        with run.window("after"):
            stage.take(1, 20)
    assert caught.value is error
    assert error.__context__ is None
    assert {**truth_j, "after": pytest.approx(30)} == energies(run.result)
    assert by_name(run.result)["after"].parent is None


def test_one_window_again_and_in_itself(stage: Stage) -> None:
    with greenai.track("w") as run:
        window = run.window("again")
        with window:
            stage.take(1, 90)
            with window:
                stage.take(2, 90)
        with window:
            stage.take(4, 90)
    rows = sorted((round(row.energy_j or 0, 6), row.parent or "") for row in run.result.windows)
    assert rows == [(200, "again"), (300, ""), (400, "")]


def test_a_window_ended_when_its_run_is_over_or_twice_changes_nothing(stage: Stage) -> None:
    with greenai.track("w") as run:
        late = run.window("late").__enter__()
        stage.take(1, 90)
    stage.take(100, 90)
    late.__exit__(None, None, None)
    late.__exit__(None, None, None)
    with run.window("too late"):
        stage.take(1, 90)
    assert energies(run.result) == {"late": 100}
    assert run.result.energy_j == pytest.approx(100)
    with greenai.track("next") as following, following.window("a"):
        pass
    assert by_name(following.result)["a"].parent is None


# --- parents


def test_a_thread_does_not_know_what_was_open_when_it_was_started(stage: Stage) -> None:
    with greenai.track("w") as run:

        def work() -> None:
            with run.window("of the thread"), run.window("inside"):
                stage.take(1, 90)

        with run.window("around"):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    windows = by_name(run.result)
    assert windows["of the thread"].parent is None
    assert windows["inside"].parent == "of the thread"
    assert energies(run.result) == {"around": 100, "of the thread": 100, "inside": 100}


def test_in_a_thread_a_nested_run_is_the_parent(stage: Stage) -> None:
    with greenai.track("outer"), greenai.track("inner") as inner:

        def work() -> None:
            with inner.window("of the thread"):
                stage.take(1, 90)
                inner.add_units(3)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    windows = by_name(inner.result)
    assert windows["of the thread"].parent == "inner"
    assert inner.result.work.units == 3


def test_a_window_shared_by_threads_and_tasks_is_ended_by_each_for_itself(stage: Stage) -> None:
    """Each holds its own one longer than the one begun before it."""
    with greenai.track("w") as run:
        shared = run.window("shared")
        turns = [threading.Event() for _ in range(5)]

        def work(number: int) -> None:
            turns[number].wait(10)
            with shared:
                stage.take(1, 90)
                turns[number + 1].set()
                turns[4].wait(10)

        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(work, number) for number in range(4)]
            turns[0].set()
            for job in jobs:
                job.result()

        async def task(number: int) -> None:
            with shared:
                stage.take(1, 90)
                await asyncio.sleep(0)
                stage.take(0.1 * (number + 1), 90)

        async def main() -> None:
            await asyncio.gather(task(0), task(1), task(2))

        asyncio.run(main())
    rows = sorted(row.energy_j or 0.0 for row in run.result.windows)
    # Threads end together, begun one after the other. The tasks: 3 begin, then each ends after its own short piece.
    assert rows == pytest.approx(sorted([100, 200, 300, 400, 310, 230, 160]))
    assert run.result.journal.bad_lines == 0


def test_tasks_have_the_window_they_were_started_in_as_parent_as_long_as_it_is_open(stage: Stage) -> None:
    async def work(run: greenai.Run, name: str, begin: asyncio.Event) -> None:
        await begin.wait()
        with run.window(name):
            await asyncio.sleep(0)
            stage.take(1, 90)

    async def main() -> greenai.Run:
        async with greenai.track("w") as run:
            early, late = asyncio.Event(), asyncio.Event()
            with run.window("outermost"):
                with run.window("around"):
                    early.set()
                    await asyncio.gather(work(run, "a", early), work(run, "b", early))
                    orphan = asyncio.create_task(work(run, "orphan", late))
                    await asyncio.sleep(0)
                late.set()
                await orphan
        return run

    windows = by_name(asyncio.run(main()).result)
    parents = {name: window.parent for name, window in windows.items()}
    assert parents == {
        "outermost": None, "around": "outermost", "a": "around", "b": "around", "orphan": "outermost"
    }  # fmt: skip


def test_generators_that_are_closed_out_of_order(stage: Stage) -> None:
    def numbers(run: greenai.Run, name: str) -> Generator[int]:
        with run.window(name):
            yield 1
            yield 2

    async def letters(run: greenai.Run, name: str) -> AsyncGenerator[str]:
        with run.window(name):
            yield "a"
            yield "b"

    with greenai.track("w") as run:
        first, second = numbers(run, "first"), numbers(run, "second")
        next(first)
        stage.take(1, 90)
        next(second)
        stage.take(1, 90)
        first.close()
        stage.take(1, 90)
        with run.window("in second"):
            pass
        second.close()
        with run.window("outside"):
            stage.take(1, 90)

        async def main() -> None:
            third, fourth = letters(run, "third"), letters(run, "fourth")
            await anext(third)
            await anext(fourth)
            stage.take(1, 90)
            await third.aclose()
            with run.window("in fourth"):
                stage.take(1, 90)
            await fourth.aclose()

        asyncio.run(main())
    windows = by_name(run.result)
    assert windows["in second"].parent == "second"
    assert windows["outside"].parent is None
    assert windows["in fourth"].parent == "fourth"
    found = {name: window.energy_j for name, window in windows.items() if name != "in second"}
    assert found == pytest.approx(
        {"first": 200, "second": 200, "outside": 100, "third": 100, "fourth": 200, "in fourth": 100}
    )


def test_a_window_begun_here_and_ended_in_another_thread(stage: Stage) -> None:
    with greenai.track("w") as run:
        window = run.window("handed on").__enter__()
        stage.take(1, 90)
        thread = threading.Thread(target=lambda: window.__exit__(None, None, None))
        thread.start()
        thread.join()
        stage.take(5, 90)
        with run.window("after"):
            stage.take(1, 90)
    assert energies(run.result) == {"handed on": 100, "after": 100}
    assert by_name(run.result)["after"].parent is None


def test_windows_of_two_runs_do_not_become_each_others_parents(stage: Stage) -> None:
    opened: list[greenai.Run] = []
    done = threading.Event()
    begun = threading.Event()

    def other() -> None:
        with greenai.track("other") as run:
            opened.append(run)
            begun.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait(10)
    with (
        greenai.track("mine") as mine,
        mine.window("of mine"),
        opened[0].window("of other"),
        mine.window("inside"),
    ):
        stage.take(1, 90)
    done.set()
    thread.join()
    assert by_name(opened[0].result)["of other"].parent is None
    assert by_name(mine.result)["inside"].parent == "of mine"


def test_a_forked_child_does_not_end_what_its_parent_began(stage: Stage) -> None:
    with greenai.track("w") as run:
        with run.window("forked"):
            stage.take(1, 90)
            pid = os.fork()
            if pid == 0:
                with run.window("of the child"):
                    stage.take(1, 90)
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    windows = by_name(run.result)
    assert set(windows) == {"forked", "of the child"}
    assert windows["forked"].energy_j == pytest.approx(100)
    assert run.result.journal.bad_lines == 0


# --- many, and little memory


@pytest.mark.slow
def test_a_hundred_thousand_windows_take_no_memory_in_the_program(stage: Stage) -> None:
    with greenai.track("w") as run:

        def windows(count: int) -> None:
            before = run.window("chain").__enter__()
            for _ in range(count):  # each begins before the one before it has ended
                following = run.window("chain").__enter__()
                before.__exit__(None, None, None)
                before = following
            before.__exit__(None, None, None)

        windows(100)
        stage.take(1, 90)
        gc.collect()
        before_blocks = sys.getallocatedblocks()
        windows(100_000)
        gc.collect()
        grown_blocks = sys.getallocatedblocks() - before_blocks
        folder = run.session.folder
    assert grown_blocks < 1_000
    log = read_run(folder)
    assert sum(len(process.windows) for process in log.processes) == 100_102
    assert all(window.t1_ns is not None for process in log.processes for window in process.windows)


# --- checkpoints


def test_a_checkpoint_tells_what_the_run_had_taken_up_to_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        real(file)

    with greenai.track("w") as run:
        stage.take(2, 90)
        monkeypatch.setattr(os, "fsync", fsync)
        run.checkpoint()
        monkeypatch.undo()
        stage.take(3, 40)
        run.checkpoint("epoch 2")
        stage.take(1, 140)
    folder = str(run.session.folder)
    assert {folder, str(Path(folder).parent)} < set(synced)
    assert any(path.startswith(folder) and path.endswith(".jsonl") for path in synced)
    (process,) = read_run(run.session.folder).processes
    moments = [(name, round((t_ns - (process.start_ns or 0)) / 1e9, 6)) for name, t_ns in process.checkpoints]
    assert moments == [(None, 2), ("epoch 2", 5)]


def test_checkpoints_in_the_record_and_the_database(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(KeyError), greenai.track("w") as run:  # noqa: PT012
        stage.take(2, 90)
        run.checkpoint()
        stage.take(3, 40)
        run.checkpoint("epoch 2")
        stage.take(1, 140)
        raise KeyError("crash")
    record = run.result
    rows = [(row.name, round(row.duration_s, 6), round(row.energy_j or 0, 6)) for row in record.checkpoints]
    assert rows == [(None, 2, 200), ("epoch 2", 5, 350)]
    assert record.lost_work_j == pytest.approx(150)
    published = record.to_dict()
    assert published["lost_work_j"] == record.lost_work_j
    assert [row["name"] for row in published["checkpoints"]] == [None, "epoch 2"]
    chosen = load_settings({"db": f"sqlite:///{tmp_path / 'runs.db'}"})
    with closing(open_store(chosen.db)) as store:
        ingest_spool(store, chosen)
        stored = store.record(record.id)
    assert stored.checkpoints == record.checkpoints
    assert stored.lost_work_j == record.lost_work_j


_TRAINING = """
import os, signal, time
import greenai
with greenai.track("train", interval_s=0.1) as run:
    time.sleep(0.6)
    run.checkpoint("saved")
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_training_knows_what_it_lost(program: Callable[..., Any], records: Any, until: Any) -> None:
    program(_TRAINING)
    until(lambda: records()[0].state is RunState.KILLED)
    (record,) = records()
    (saved,) = record.checkpoints
    assert record.energy_j is not None
    assert saved.energy_j is not None
    assert record.lost_work_j == pytest.approx(record.energy_j - saved.energy_j)
    assert record.lost_work_j is not None
    assert 0.3 < record.lost_work_j / record.energy_j < 0.7


def test_a_checkpoint_that_cannot_be_written_through_is_told_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int) -> None:
        raise OSError(5, "Input/output error")

    with greenai.track("w") as run:
        monkeypatch.setattr(os, "fsync", refuse)
        run.checkpoint()
        run.checkpoint()
        monkeypatch.undo()
        stage.take(1, 90)
    assert [incident.code for incident in run.result.incidents] == ["checkpoint_not_safe"]
    assert run.result.state is RunState.COMPLETED


# --- steps


def test_steps_are_windows_of_the_loops_body(stage: Stage) -> None:
    def batches() -> Generator[int]:
        for number in range(3):
            stage.take(1, 20)  # fetching
            yield number

    with greenai.track("w") as run:
        for number in run.steps([7, 8], name="a"):
            assert number in (7, 8)
            stage.take(1, 90)
        for number in run.steps(batches(), name="b", total=3):
            stage.take(2, 90)
            with run.window(f"in {number}"):
                stage.take(1, 90)
        for _ in run.steps(range(5), name="left"):
            stage.take(1, 90)
            break
        for _ in run.steps([], name="none"):
            pytest.fail("there is nothing")
    rows = sorted((row.name, row.parent or "", round(row.energy_j or 0)) for row in run.result.windows)
    inner = [(f"in {number}", "b", 100) for number in range(3)]
    assert rows == [("a", "", 100)] * 2 + [("b", "", 300)] * 3 + inner + [("left", "", 100)]
    assert len(run.steps([1, 2, 3])) == 3
    assert len(run.steps(iter(()), total=4)) == 4


def test_steps_of_an_async_loop(stage: Stage) -> None:
    async def batches() -> AsyncGenerator[int]:
        for number in range(3):
            yield number

    async def main() -> greenai.Run:
        with greenai.track("w") as run:
            async for _ in run.steps(batches(), name="batch", total=3):
                await asyncio.sleep(0)
                stage.take(1, 90)
        return run

    record = asyncio.run(main()).result
    assert [(row.name, round(row.energy_j or 0, 6)) for row in record.windows] == [("batch", 100)] * 3


def test_the_error_of_a_loops_body_passes(stage: Stage) -> None:
    with greenai.track("w") as run:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            for _ in run.steps(range(3)):
                stage.take(1, 90)
                _ = 1 / 0
        gc.collect()
    assert account(read_run(run.session.folder)).record.windows[0].name == "step"

"""``track`` around functions and blocks: the user's code notices nothing."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import os
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import greenai
from greenai.core.errors import ConfigError
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]


class Oops(Exception):  # noqa: N818
    pass


def codes(record: RunRecord) -> list[str]:
    return [incident.code for incident in record.incidents]


# --- the decorator


def test_a_function_keeps_its_face_and_its_result(records: Records) -> None:
    @greenai.track
    def train(a: int, b: int = 2, *rest: int, **named: int) -> tuple[Any, ...]:
        """Train."""
        return a, b, rest, named

    @greenai.track(project="p", task="t", approach="ai", phase="training", unit="doc", tags={"k": "v"}, zone="de")
    def other() -> int:
        return 7

    assert (train.__name__, train.__doc__) == ("train", "Train.")
    assert list(inspect.signature(train).parameters) == ["a", "b", "rest", "named"]
    assert train(1, 3, 4, x=5) == (1, 3, (4,), {"x": 5})
    assert other() == 7
    first, second = records()
    assert (first.name, first.state, first.exit_code) == ("train", RunState.COMPLETED, None)
    assert (second.name, second.project, second.task, second.approach, second.phase, second.tags) == (
        "other", "p", "t", "ai", "training", {"k": "v"}
    )  # fmt: skip
    assert (second.work.unit, second.site.zone) == ("doc", "DE")


def test_a_method_and_recursion(records: Records) -> None:
    class Model:
        @greenai.track("fit")
        def fit(self, n: int) -> int:
            return n if n == 0 else self.fit(n - 1) + 1

    assert Model().fit(3) == 3
    (record,) = records()
    assert [(window.name, window.parent) for window in record.windows] == [
        ("fit", None), ("fit", "fit"), ("fit", "fit")
    ]  # fmt: skip


def test_an_exception_passes_as_it_is(records: Records) -> None:
    error = Oops("x")

    def inner() -> None:
        raise error

    @greenai.track
    def fails() -> None:
        inner()

    with pytest.raises(Oops) as caught:
        fails()
    assert caught.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    assert traceback.extract_tb(error.__traceback__)[-1].name == "inner"
    assert greenai.current_run() is None
    (record,) = records()
    assert (record.state, record.error) == (RunState.FAILED, "Oops")


@pytest.mark.parametrize(
    ("error", "state", "exit_code"),
    [
        (SystemExit(), RunState.COMPLETED, 0),
        (SystemExit(0), RunState.COMPLETED, 0),
        (SystemExit(3), RunState.FAILED, 3),
        (SystemExit("message"), RunState.FAILED, 1),
        (KeyboardInterrupt(), RunState.FAILED, None),
    ],
)
def test_the_ways_to_leave_a_program(
    records: Records, error: BaseException, state: RunState, exit_code: int | None
) -> None:
    with pytest.raises(type(error)) as caught, greenai.track("x"):
        raise error
    assert caught.value is error
    (record,) = records()
    assert (record.state, record.exit_code) == (state, exit_code)


def test_a_coroutine(records: Records) -> None:
    @greenai.track
    async def work(n: int) -> int:
        await asyncio.sleep(0.01)
        assert greenai.current_run() is not None
        if n < 0:
            raise Oops
        return n * 2

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work(4)) == 8
    with pytest.raises(Oops):
        asyncio.run(work(-1))
    assert [record.state for record in records()] == [RunState.COMPLETED, RunState.FAILED]


def test_a_cancelled_coroutine_stays_cancelled(records: Records) -> None:
    @greenai.track
    async def work() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert records()[0].error == "CancelledError"


def test_a_generator_is_the_same_generator(records: Records) -> None:
    @greenai.track
    def numbers() -> Generator[str, int, str]:
        sent = yield "first"
        try:
            yield f"got {sent}"
        except Oops as error:
            yield f"caught {error}"
        return "end"

    assert inspect.isgeneratorfunction(numbers)
    generator = numbers()
    assert next(generator) == "first"
    assert generator.send(5) == "got 5"
    assert generator.throw(Oops("thrown")) == "caught thrown"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "end"
    (record,) = records()
    assert record.state is RunState.COMPLETED


def test_a_generator_that_is_left_early_is_complete(records: Records) -> None:
    closed = []

    @greenai.track
    def numbers() -> Generator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    for number in numbers():
        if number == 2:
            break
    assert closed == [True]
    assert greenai.current_run() is None
    assert records()[0].state is RunState.COMPLETED


def test_an_async_generator_is_the_same_generator(records: Records) -> None:
    closed = []

    @greenai.track
    async def numbers() -> AsyncGenerator[str, int]:
        try:
            sent = yield "first"
            try:
                yield f"got {sent}"
            except Oops as error:
                yield f"caught {error}"
            yield "last"
        finally:
            closed.append(True)

    async def main() -> None:
        assert inspect.isasyncgenfunction(numbers)
        generator = numbers()
        assert await anext(generator) == "first"
        assert await generator.asend(5) == "got 5"
        assert await generator.athrow(Oops("thrown")) == "caught thrown"
        await generator.aclose()
        assert closed == [True]
        assert [item async for item in numbers()] == ["first", "got None", "last"]
        failing = numbers()
        await anext(failing)
        with pytest.raises(Oops):
            await failing.athrow(Oops("early"))

    asyncio.run(main())
    assert len(closed) == 3
    assert [record.state for record in records()] == [RunState.COMPLETED, RunState.COMPLETED, RunState.FAILED]


def test_generators_and_blocks_may_end_in_any_order(records: Records) -> None:
    @greenai.track
    def numbers() -> Generator[int]:
        yield 1
        yield 2

    generator = numbers()
    next(generator)
    with greenai.track("block") as block:
        generator.close()
    assert block.result.name
    assert greenai.current_run() is None
    with greenai.track("after") as after:
        after.log_metric("a", 1)
    assert after.result.name == "after"
    assert [record.name for record in records()] == ["numbers", "after"]


def test_options_beside_a_function_are_kept(records: Records) -> None:
    tracked: Any = greenai.track
    assert tracked(lambda: 3, project="p")() == 3
    assert records()[0].project == "p"


# --- the context manager


def test_a_block_and_its_result(records: Records) -> None:
    with greenai.track("fine-tune", project="churn", unit="document") as run:
        assert greenai.current_run() is run
        assert run.result.state is RunState.RUNNING
        time.sleep(0.05)
        run.add_units(10)
        run.add_units()
        run.log_metric("accuracy", 0.5)
        run.log_metric("accuracy", np.float32(0.75))
        run.log_metric("loss", np.int64(2), higher_is_better=False)
        during = run.result
    assert greenai.current_run() is None
    result = run.result
    assert run.result is result
    assert during.duration_s < result.duration_s < 5
    assert (result.state, result.name, result.id) == (RunState.COMPLETED, "fine-tune", run.id)
    assert result.work.units == 11
    assert {metric.name: (metric.value, metric.higher_is_better) for metric in result.metrics} == {
        "accuracy": (0.75, True), "loss": (2.0, False)
    }  # fmt: skip
    assert result.energy_j is not None
    assert result.energy_j > 0
    assert result.work.energy_per_unit_j == pytest.approx(result.energy_j / 11)
    assert result.to_dict()["id"] == records()[0].id


@pytest.mark.parametrize("junk", ["x", None, float("nan"), float("inf"), [1], object()])
def test_a_metric_that_is_no_number_is_an_incident(junk: Any) -> None:
    with greenai.track("x") as run:
        run.log_metric("m", junk)
        run.add_units(junk)
        run.log_metric("fine", 1)
    assert [metric.name for metric in run.result.metrics] == ["fine"]
    assert run.result.work.units == 0
    assert "not_a_number" in codes(run.result)


def test_names_of_any_kind_do_no_harm() -> None:
    odd: Any = object()
    with greenai.track("odd") as run:
        with run.window(odd), run.window("\ud800"), run.window(""):
            pass
        run.log_metric(odd, 1)
        run.log_metric("\ud800", 1)
    assert run.result.state is RunState.COMPLETED


@pytest.mark.parametrize("name", [b"x", "", "  ", 3, "a\0b", "\ud800", "two\nlines", "x" * 201])
def test_a_name_that_is_none_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="name"):
        greenai.track(name)


def test_classes_are_not_decorated() -> None:
    with pytest.raises(TypeError, match="class"):
        greenai.track(project="p")(type("Some", (), {}))
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        greenai.track("w", foo=1)  # type: ignore[call-overload]  # that is the test


def test_negative_units_are_refused_aloud() -> None:
    with greenai.track("w") as run:
        run.add_units(-1)
        run.add_units(10**400)
        run.log_metric("a", 10**400)
    assert run.result.work.units == 0
    assert {"negative_units", "not_a_number"} <= set(codes(run.result))


def test_spawned_workers_join_the_run_and_the_environment_comes_back() -> None:
    before = dict(os.environ)
    code = "import greenai\nwith greenai.track('worker') as run: run.add_units(1)"
    with greenai.track("outer", unit="piece") as run:
        subprocess.run([sys.executable, "-c", code], check=True)
        assert os.environ["GREENAI_RUN_ID"] == run.id
    assert dict(os.environ) == before
    assert [window.name for window in run.result.windows] == ["worker"]
    assert run.result.work.units == 1


def test_runs_in_threads_are_runs_of_their_own() -> None:
    barrier = threading.Barrier(2)

    def one(name: str) -> str:
        with greenai.track(name) as run:
            barrier.wait(10)
        return run.id

    with ThreadPoolExecutor(2) as pool:
        ids = list(pool.map(one, ["a", "b"]))
    assert len(set(ids)) == 2
    assert "GREENAI_RUN_ID" not in os.environ


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_overlapping_runs_announce_what_is_open_and_give_the_environment_back(order: tuple[int, ...]) -> None:
    before = dict(os.environ)
    assert "GREENAI_SPOOL" in before
    runs = [contextvars.copy_context().run(lambda: greenai.track("one").__enter__()) for _ in range(3)]
    still_open = {run.id for run in runs}
    for number in order:
        assert os.environ["GREENAI_RUN_ID"] in still_open
        runs[number].finish()
        still_open.remove(runs[number].id)
    assert dict(os.environ) == before


def test_an_async_block() -> None:
    async def main() -> greenai.Run:
        async with greenai.track("a") as run:
            await asyncio.sleep(0.01)
        return run

    assert asyncio.run(main()).result.state is RunState.COMPLETED


def test_windows_nest_and_overlap() -> None:
    with greenai.track("w") as run:
        first, second = run.window("first"), run.window("second")
        with first:
            time.sleep(0.02)
            second.__enter__()
            time.sleep(0.02)
        time.sleep(0.02)
        second.__exit__(None, None, None)
        with run.window("outer"), run.window("inner"):
            time.sleep(0.02)
    by_name = {window.name: window for window in run.result.windows}
    assert by_name["inner"].parent == "outer"
    for name in ("first", "second"):
        assert 0.04 <= by_name[name].duration_s <= run.result.duration_s - 0.04
    assert by_name["inner"].duration_s <= by_name["outer"].duration_s
    for window in by_name.values():
        assert window.energy_j is not None
        assert run.result.energy_j is not None
        assert 0 <= window.energy_j <= run.result.energy_j
    assert codes(run.result).count("journal_damaged") == 0


def test_a_window_used_twice_and_inside_itself() -> None:
    with greenai.track("w") as run:
        window = run.window("again")
        for _ in range(2):
            with window:
                time.sleep(0.01)
        with window, window:
            time.sleep(0.01)
    assert {row.name for row in run.result.windows} == {"again"}


def test_windows_in_threads() -> None:
    with greenai.track("w") as run:

        def work(name: str) -> None:
            with run.window(name):
                time.sleep(0.03)

        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {window.name for window in run.result.windows} == {f"t{n}" for n in range(8)}
    assert all(window.duration_s >= 0.03 for window in run.result.windows)
    assert run.result.journal.bad_lines == 0


def test_a_nested_run_is_a_part_of_the_outer_one(records: Records) -> None:
    with greenai.track("outer") as outer:
        time.sleep(0.1)
        with greenai.track("inner") as inner:
            assert greenai.current_run() is inner
            time.sleep(0.05)
        assert greenai.current_run() is outer
    assert len(records()) == 1
    assert inner.id == outer.id
    assert 0.05 <= inner.result.duration_s < outer.result.duration_s
    assert inner.result.energy_j is not None
    assert outer.result.energy_j is not None
    assert inner.result.energy_j < outer.result.energy_j
    assert [window.name for window in outer.result.windows] == ["inner"]


def test_one_tracker_nested_in_itself_and_again(records: Records) -> None:
    tracker = greenai.track("same")
    with tracker as outer:
        with tracker as inner:
            assert greenai.current_run() is inner
        assert greenai.current_run() is outer
    with tracker:
        pass
    assert [len(record.windows) for record in records()] == [1, 0]


def test_one_tracker_in_threads_and_tasks(records: Records) -> None:
    tracker = greenai.track("same")
    barrier = threading.Barrier(2)
    found: list[Any] = []

    def work(number: int) -> None:
        with tracker as run:
            run.log_metric("n", number)
            barrier.wait(timeout=10)
            found.append((number, run))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def task(number: int, pause_s: float) -> None:
        async with tracker as run:
            run.log_metric("n", number)
            await asyncio.sleep(pause_s)
            assert greenai.current_run() is run
            found.append((number, run))

    async def main() -> None:
        await asyncio.gather(task(2, 0.05), task(3, 0.01))

    asyncio.run(main())
    assert len(found) == 4
    for number, run in found:
        assert [metric.value for metric in run.result.metrics] == [number]
        assert run.result.state is RunState.COMPLETED
    assert len(records()) == 4


# --- what must fail before user code starts


def test_a_wrong_option_is_a_type_error() -> None:
    track: Any = greenai.track
    with pytest.raises(TypeError, match="projct"):
        track(projct="x")
    with pytest.raises(TypeError, match="projct"):
        track(len, projct="x")


@pytest.mark.parametrize(
    "options",
    [{"approach": "foo"}, {"phase": "foo"}, {"zone": "?!"}, {"interval_s": 0}, {"scope": "x"}, {"tags": "x"}, {"tags": 5}],
)  # fmt: skip
def test_a_wrong_value_stops_before_user_code(tmp_path: Path, options: dict[str, Any]) -> None:
    ran = []

    def train() -> None:
        ran.append(True)

    tracked = greenai.track(**options)(train)
    with pytest.raises(greenai.ConfigError):
        tracked()
    assert ran == []
    assert not (tmp_path / "spool").exists()


def test_a_wrong_project_file_stops_before_user_code() -> None:
    Path("greenai.toml").write_text("interval = 3\n")
    with pytest.raises(greenai.ConfigError, match=r'greenai\.toml.*"interval".*interval_s'), greenai.track("x"):
        pytest.fail("user code ran")


def test_a_spool_or_database_that_cannot_be_stops_before_user_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("my notes")
    with monkeypatch.context() as patch:
        patch.setenv("GREENAI_SPOOL", str(tmp_path / "text"))
        with pytest.raises(greenai.ConfigError, match="GREENAI_SPOOL"), greenai.track("x"):
            pytest.fail("user code ran")
    monkeypatch.setenv("GREENAI_INGEST", "background")
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'text'}")
    with pytest.raises(greenai.ConfigError, match="not a SQLite"), greenai.track("x"):
        pytest.fail("user code ran")
    assert (tmp_path / "text").read_text() == "my notes"


# --- our own trouble


def test_threads_that_cannot_start_do_not_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with greenai.track("x") as run:
        monkeypatch.setattr(threading.Thread, "start", no_thread)
    monkeypatch.undo()
    assert run.result.state is RunState.COMPLETED


def test_a_spool_that_vanishes_does_not_harm(tmp_path: Path) -> None:
    import shutil

    with greenai.track("x") as outer, greenai.track("y") as inner:
        shutil.rmtree(tmp_path / "spool")
        outer.log_metric("m", 1)
    for run in (outer, inner):
        assert run.result.energy_j is None
        assert codes(run.result) == ["journal_lost"]
        assert run.result.to_dict()["energy"]["total_j"] is None


def test_a_fork_in_a_window_leaves_the_parents_journal_whole(records: Records) -> None:
    with greenai.track("x") as run:
        with run.window("forked"):
            pid = os.fork()
            if pid == 0:
                run.add_units(5)
            time.sleep(0.02)
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        time.sleep(0.1)
    assert run.result.work.units == 5
    assert run.result.journal.bad_lines == 0
    assert [window.name for window in run.result.windows] == ["forked"]
    assert codes(run.result).count("journal_damaged") == 0
    assert len(records()) == 1


def test_a_missing_sampler_program_falls_back_to_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setattr(sys, "prefix", "/no/such")
    with greenai.track("x", interval_s=0.05) as run:
        time.sleep(0.3)
    assert "sampler_in_thread" in codes(run.result)
    assert run.result.journal.lines >= 6
    assert run.result.energy_j is not None


def test_units_of_a_part_are_those_said_in_it() -> None:
    with greenai.track("outer", unit="piece") as outer:
        outer.add_units(1)
        with greenai.track("first") as first:
            first.add_units(3)
            with greenai.track("inside first") as inside:
                inside.add_units(2)
        with greenai.track("second") as second:
            second.add_units(5)
    assert [run.result.work.units for run in (outer, first, inside, second)] == [11, 5, 2, 5]

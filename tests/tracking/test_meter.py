"""``InferenceMeter``: the service notices nothing, and every request is counted once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import greenai
from greenai.core.errors import ConfigError
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator
    from pathlib import Path

    from greenai.core.record import RunRecord
    from greenai.core.requests import Requests

    Records = Callable[..., list[RunRecord]]


class Oops(Exception):  # noqa: N818
    pass


@pytest.fixture
def meter() -> Iterator[greenai.InferenceMeter]:
    """A meter that is closed at last, whatever the test did."""
    with greenai.InferenceMeter(project="bot", unit="request") as made:
        yield made


def requests(meter: greenai.InferenceMeter) -> Requests:
    found = meter.result.requests
    assert found is not None
    return found


def codes(meter: greenai.InferenceMeter) -> list[str]:
    return [incident.code for incident in meter.result.incidents]


# --- what is decorated


def test_a_function_keeps_its_face_and_its_result(meter: greenai.InferenceMeter) -> None:
    @meter
    def predict(a: int, b: int = 2) -> tuple[int, int]:
        """Predict."""
        return a, b

    @meter
    async def answer(x: int) -> int:
        return x + 1

    @meter
    def stream(n: int) -> Generator[int, int, str]:
        got = 0
        for i in range(n):
            got = yield i + (got or 0)
        return "done"

    @meter
    async def flow(n: int) -> AsyncGenerator[int, int]:
        for i in range(n):
            yield i

    assert (predict.__name__, predict.__doc__, predict(1)) == ("predict", "Predict.", (1, 2))
    assert list(inspect.signature(predict).parameters) == ["a", "b"]
    assert inspect.iscoroutinefunction(answer)
    assert asyncio.run(answer(1)) == 2
    running = stream(3)
    assert next(running) == 0
    assert running.send(10) == 11
    assert list(running) == [2]
    assert inspect.isasyncgenfunction(flow)

    async def consume() -> list[int]:
        return [i async for i in flow(3)]

    assert asyncio.run(consume()) == [0, 1, 2]
    found = requests(meter)
    assert (found.count, found.failed, found.units, found.tokens) == (4, 0, 4, None)


def test_exceptions_pass_and_are_counted(meter: greenai.InferenceMeter) -> None:
    @meter
    def fails() -> None:
        raise Oops

    @meter
    def streams() -> Generator[int]:
        yield 1
        raise Oops

    @meter
    async def flows() -> AsyncGenerator[int]:
        yield 1
        raise Oops

    async def consume() -> None:
        async for _ in flows():
            pass

    for call in (fails, lambda: list(streams()), lambda: asyncio.run(consume())):
        with pytest.raises(Oops):
            call()
    with pytest.raises(SystemExit), meter.request():
        raise SystemExit
    found = requests(meter)
    assert (found.count, found.failed, found.units) == (4, 4, 0)
    assert found.busy_s > 0


def test_a_consumer_that_has_enough_is_no_failure(meter: greenai.InferenceMeter) -> None:
    @meter
    def stream() -> Generator[int]:
        yield 1
        yield 2

    closed = stream()
    next(closed)
    closed.close()
    dropped = stream()
    next(dropped)
    del dropped
    gc.collect()
    never = stream()
    del never
    found = requests(meter)
    assert (found.count, found.failed) == (2, 0)


def test_what_is_thrown_into_a_stream_reaches_it(meter: greenai.InferenceMeter) -> None:
    @meter
    async def flow() -> AsyncGenerator[str]:
        try:
            yield "a"
        except Oops:
            yield "caught"

    async def consume() -> list[str]:
        running = flow()
        return [await anext(running), await running.athrow(Oops()), *[x async for x in running]]

    assert asyncio.run(consume()) == ["a", "caught"]
    assert requests(meter).failed == 0


def test_a_cancelled_task_ends_its_request(meter: greenai.InferenceMeter) -> None:
    @meter
    async def slow() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    found = requests(meter)
    assert (found.count, found.failed) == (1, 1)
    assert 0.04 < found.busy_s < 1
    time.sleep(0.05)
    assert requests(meter).busy_s == pytest.approx(found.busy_s, abs=1e-3), "it is over"


@pytest.mark.parametrize("wrong", [int, "name", None])
def test_only_functions_are_decorated(meter: greenai.InferenceMeter, wrong: Any) -> None:
    with pytest.raises(TypeError):
        meter(wrong)


# --- what is counted


@pytest.mark.parametrize("little", [1e-320, 5e-324])
def test_hardly_any_units_and_tokens(meter: greenai.InferenceMeter, little: float) -> None:
    with meter.batch(requests=2, units=little, tokens=little):
        time.sleep(0.01)
    found = meter.result.requests
    assert found is not None
    assert (found.count, found.units, found.tokens) == (2, little, little)


def test_units_and_tokens(meter: greenai.InferenceMeter) -> None:
    with meter.request(units=42, unit="token") as request:
        assert request.tokens is None
    with meter.request() as request:
        request.tokens = 8
    with meter.request(units=3) as request:
        request.add_units(2)
        request.add_units()
    with meter.batch(requests=8, tokens=50):
        pass
    with meter.batch(requests=4, units=10):
        pass
    found = requests(meter)
    assert (found.count, found.units, found.tokens) == (15, 1 + 1 + 6 + 8 + 10, 100)
    assert meter.result.work.units == 26
    assert meter.result.work.unit == "request"


def test_what_a_failed_request_delivered(meter: greenai.InferenceMeter) -> None:
    """What it promised does not count, what it said to have delivered does."""
    with contextlib.suppress(Oops), meter.request(units=5) as request:
        request.add_units(2)
        request.tokens = 7
        raise Oops
    with pytest.raises(Oops), meter.request(units=42, unit="token"):
        raise Oops
    found = requests(meter)
    assert (found.units, found.tokens) == (2, 7)


def test_tokens_as_the_unit() -> None:
    with greenai.InferenceMeter(unit="token") as meter:
        with meter.request() as request:
            request.tokens = 5
        with meter.request(units=7):
            pass
        with meter.request():
            pass
        found = requests(meter)
    assert (found.count, found.units, found.tokens) == (3, 12, 12)
    assert found.energy_per_unit_j == found.energy_per_token_j


def test_a_batch_shares_its_energy(meter: greenai.InferenceMeter) -> None:
    with meter.batch(requests=4):
        time.sleep(0.2)
    found = requests(meter)
    assert found.count == 4
    assert found.busy_s == pytest.approx(0.2, abs=0.1)
    assert found.energy_per_request_j == pytest.approx((found.busy_j or 0) / 4)
    assert found.energy_per_request_p50_j == pytest.approx(found.energy_per_request_j, rel=0.03)
    assert found.energy_per_request_p95_j == found.energy_per_request_p50_j


@pytest.mark.parametrize("value", ["many", -1, float("nan"), 10**400, [1, 2]])
def test_wrong_amounts_are_told_once_and_never_raised(meter: greenai.InferenceMeter, value: Any) -> None:
    with meter.request(units=value) as request:
        request.add_units(value)
        request.tokens = value
    with meter.batch(requests=value, units=value, tokens=value):
        pass
    found = requests(meter)
    assert (found.count, found.units, found.tokens) == (2, 2, None)
    assert codes(meter).count("no_amount") == 1


def test_a_batch_of_none_is_none(meter: greenai.InferenceMeter) -> None:
    """The energy of its time belongs to nobody, or to those who were active beside it."""
    with meter.batch(requests=0, units=0, tokens=0):
        time.sleep(0.1)
    assert (requests(meter).count, requests(meter).busy_s) == (0, 0)
    with contextlib.suppress(Oops), meter.batch(requests=0):
        raise Oops
    with meter.request(), meter.batch(requests=0, tokens=5):
        time.sleep(0.1)
    found = requests(meter)
    assert (found.count, found.failed, found.units, found.tokens) == (1, 0, 1, 5)
    assert found.busy_s == pytest.approx(0.1, abs=0.05)
    assert found.energy_per_request_p50_j == pytest.approx(found.busy_j, rel=0.03)
    assert "no_amount" not in codes(meter)


@pytest.mark.parametrize(
    ("said", "count", "code"),
    [(2.5, 2, "not_whole"), (0.5, 1, "not_whole"), (8.0, 8, None), (2**63, 1, "no_amount")],
)
def test_how_many_a_batch_holds(meter: greenai.InferenceMeter, said: Any, count: int, code: str | None) -> None:
    for _ in range(2):
        with meter.batch(requests=said):
            pass
    assert requests(meter).count == 2 * count
    told = [c for c in codes(meter) if c in ("not_whole", "no_amount")]
    assert told == ([code] if code else [])


def test_at_the_end_it_is_said_how_often_something_was_wrong(records: Records) -> None:
    with greenai.InferenceMeter() as meter:
        for tokens in ("many", -1, float("nan"), 7):
            with meter.request() as request:
                request.tokens = tokens  # type: ignore[assignment]
        for unit in ("image", "image", b"x"):
            with meter.request(units=3, unit=unit):  # type: ignore[arg-type]
                pass
        with meter.batch(requests=2.5):  # type: ignore[arg-type]
            pass
    (record,) = records()
    assert record.requests is not None
    assert (record.requests.count, record.requests.tokens) == (9, 7)
    told = {code: [i.message.en for i in record.incidents if i.code == code] for code in codes(meter)}
    assert [len(told[code]) for code in ("no_amount", "other_unit", "not_whole")] == [2, 2, 1]
    assert told["no_amount"][1] == f"{told['no_amount'][0]} In all, such a thing occurred 3 times in this process."
    assert "3 times" in told["other_unit"][1]


def test_another_unit_is_told_and_not_counted(meter: greenai.InferenceMeter) -> None:
    for _ in range(3):
        with meter.request(units=42, unit="image"):
            pass
    assert requests(meter).units == 3
    (incident,) = [i for i in meter.result.incidents if i.code == "other_unit"]
    assert "image" in incident.message.de
    assert incident.remedy is not None
    assert 'InferenceMeter(unit="image")' in incident.remedy.en


def test_a_request_entered_twice_is_one(meter: greenai.InferenceMeter) -> None:
    request = meter.request()
    with request, request:
        pass
    request.__exit__(None, None, None)
    assert requests(meter).count == 1


# --- energy


def test_busy_and_idle_are_the_energy_of_the_run(meter: greenai.InferenceMeter) -> None:
    time.sleep(0.3)
    for _ in range(3):
        with meter.request():
            time.sleep(0.1)
        time.sleep(0.1)
    meter.close()
    found = requests(meter)
    record = meter.result
    assert record.energy_j is not None
    assert found.busy_j is not None
    assert found.idle_j is not None
    assert found.busy_j + found.idle_j == pytest.approx(record.energy_j, rel=1e-6)
    assert found.busy_s + found.idle_s == pytest.approx(record.duration_s)
    assert found.busy_s == pytest.approx(0.3, abs=0.1)
    assert found.energy_per_request_j == pytest.approx(found.busy_j / 3)
    assert found.energy_per_request_with_idle_j == pytest.approx(record.energy_j / 3, rel=1e-6)
    assert sum(hour.requests for hour in record.hours) == 3
    assert sum(hour.energy_j or 0 for hour in record.hours) == pytest.approx(record.energy_j, rel=1e-6)


def test_concurrent_requests_are_not_counted_twice(meter: greenai.InferenceMeter) -> None:
    async def one() -> None:
        async with meter.request():
            await asyncio.sleep(0.2)

    async def main() -> None:
        await asyncio.gather(*[one() for _ in range(50)])

    asyncio.run(main())
    found = requests(meter)
    assert found.count == 50
    assert 0.15 < found.busy_s < 0.6
    assert found.energy_per_request_p50_j == pytest.approx((found.busy_j or 0) / 50, rel=0.1)


def test_threads(meter: greenai.InferenceMeter) -> None:
    @meter
    def predict(_: int) -> None:
        time.sleep(0.001)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(predict, range(1000)))
    found = requests(meter)
    assert (found.count, found.units) == (1000, 1000)
    assert found.busy_s < meter.result.duration_s


# --- begin and end


@pytest.mark.parametrize(
    "wrong", [{"phase": "sleeping"}, {"scope": "world"}, {"interval_s": -1}, {"name": "a\nb"}]
)
def test_wrong_settings_are_an_error_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        greenai.InferenceMeter(**wrong)


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError):
        greenai.InferenceMeter(projekt="bot")  # type: ignore[call-arg]


def test_the_options_are_on_the_record(records: Records) -> None:
    with greenai.InferenceMeter(
        "bot-7", project="bot", task="chat", approach="ai", unit="answer", tags={"model": "7b"}, zone="de"
    ) as meter:
        pass
    (record,) = records()
    assert (record.name, record.project, record.task, record.approach, record.phase, record.tags) == (
        "bot-7", "bot", "chat", "ai", "inference", {"model": "7b"},
    )  # fmt: skip
    assert record.work.unit == "answer"
    assert meter.unit == "answer"


def test_a_service_without_requests_is_idle() -> None:
    with greenai.InferenceMeter() as meter:
        time.sleep(0.1)
    found = requests(meter)
    assert (found.count, found.units, found.tokens, found.busy_s) == (0, 0, None, 0)
    assert found.idle_j == pytest.approx(meter.result.energy_j)
    assert found.energy_per_request_j is None
    assert found.energy_per_request_p50_j is None


def test_after_its_end_functions_go_on(records: Records) -> None:
    meter = greenai.InferenceMeter()
    predict = meter(lambda x: x)
    assert predict(1) == 1
    open_request = meter.request()
    with open_request:
        meter.close()
    meter.close()
    assert predict(2) == 2
    with meter.batch(requests=3):
        pass
    (record,) = records()
    assert record.state is RunState.COMPLETED
    assert record.requests is not None
    assert record.requests.count == 1
    assert meter.result is meter.result


def test_an_exception_that_ends_the_service(records: Records) -> None:
    with pytest.raises(Oops), greenai.InferenceMeter():
        raise Oops
    (record,) = records()
    assert (record.state, record.error) == (RunState.FAILED, "Oops")


def test_inside_a_tracked_run_it_is_part_of_it(records: Records) -> None:
    with greenai.track("all", unit="epoch") as run:
        with greenai.InferenceMeter(unit="answer") as meter:
            with meter.request():
                time.sleep(0.05)
            assert requests(meter).count == 1
        run.add_units(2)
    (record,) = records()
    assert (record.name, record.work.unit, record.work.units) == ("all", "epoch", 2)
    assert record.requests is not None
    assert record.requests.count == 1
    assert record.state is RunState.COMPLETED


def test_the_result_so_far(meter: greenai.InferenceMeter) -> None:
    for number in range(1, 4):
        with meter.request():
            pass
        assert requests(meter).count == number
        assert meter.result.state is RunState.RUNNING
    request = meter.request()
    with request:
        time.sleep(0.05)
        assert requests(meter).count == 3
        assert requests(meter).busy_s > 0.04


def test_a_disk_that_is_full_harms_nobody(meter: greenai.InferenceMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger: Any = meter.books
    real = os.write

    def full(file: int, data: bytes) -> int:
        if file == ledger._journal._file.number:
            raise OSError(28, "No space left on device")
        return real(file, data)

    with meter.request():
        time.sleep(0.06)
    monkeypatch.setattr(os, "write", full)
    for _ in range(3):
        with meter.request():
            time.sleep(0.06)
    ledger.write(histograms=True)
    assert requests(meter).count <= 1
    monkeypatch.setattr(os, "write", real)
    found = requests(meter)
    assert found.count == 4
    assert found.busy_s == pytest.approx(0.24, abs=0.1)
    assert codes(meter).count("requests_not_written") == 1
    meter.close()
    assert requests(meter).energy_per_request_p50_j is not None


def test_no_journal_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("greenai.tracking.service.ledger.JournalWriter", refuse)
    with greenai.InferenceMeter() as meter:
        assert meter(lambda x: x + 1)(1) == 2
    assert meter.result.requests is None
    assert "not_metered" in codes(meter)


def test_no_threads_harm_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    real = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "greenai-meter":
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with greenai.InferenceMeter() as meter, meter.request():
        time.sleep(0.1)
    assert requests(meter).count == 1
    assert requests(meter).energy_per_request_p50_j is not None


def test_methods_and_other_callables(meter: greenai.InferenceMeter) -> None:
    class Model:
        @meter
        def predict(self, x: int) -> int:
            return x + 1

        @classmethod
        @meter
        def load(cls) -> type:
            return cls

        def __call__(self, x: int) -> int:
            return -x

    assert Model().predict(1) == 2
    assert Model.load() is Model
    assert meter(Model())(3) == -3
    assert requests(meter).count == 3


def test_a_request_that_ends_while_another_is_being_counted(meter: greenai.InferenceMeter) -> None:
    """As a signal handler, or the collection of a dropped stream, may do in the same thread."""
    ledger: Any = meter.books
    done = threading.Event()

    def inside() -> None:
        with ledger._write_lock, ledger._lock, meter.request():
            pass
        done.set()

    threading.Thread(target=inside, daemon=True).start()
    assert done.wait(5)
    assert requests(meter).count == 1


def test_the_lines_of_the_journal_are_few_and_small(meter: greenai.InferenceMeter, tmp_path: Path) -> None:
    @meter
    def predict() -> None:
        pass

    began = time.monotonic()
    while time.monotonic() - began < 0.4:
        predict()
    meter.close()
    (path,) = tmp_path.glob("spool/*/*-meter*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len([line for line in lines if line["k"] == "requests"]) <= 12
    assert path.stat().st_size < 20_000
    assert [line["count"] for line in lines if line["k"] == "requests"][-1] == requests(meter).count > 1000

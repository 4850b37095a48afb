"""A vendor's library that hangs: nobody waits for it longer than said, and it is used again once it is back."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available
from greenai.core.reading import CounterReading, Gap
from greenai.host.machine import SystemClock
from greenai.journal.lines import read_process
from greenai.plugins import LoadedCollectors
from greenai.sampler import SlowSampler, guard, guarded, open_sensors
from greenai.sampler.guard import Guard, HangsError
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.reading import Reading
    from greenai.host import Host

PATIENCE_S = 0.05


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Close it (``clear``) and whoever waits for it hangs."""
    event = threading.Event()
    event.set()
    yield event
    event.set()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_fork(lambda: True)  # ends the threads that earlier tests left
    settle()
    monkeypatch.setattr(guarded, "START_PATIENCE_S", PATIENCE_S)
    for module in (guard, guarded):
        monkeypatch.setattr(module, "READ_PATIENCE_S", PATIENCE_S)


def files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def settle() -> None:
    """Wait until no thread of an earlier test is ending."""
    before = -1
    while before != threads():
        before = threads()
        time.sleep(0.02)


def test_a_call_is_made_elsewhere_and_its_answer_comes_back() -> None:
    ours = Guard()
    assert ours.call(threading.get_ident, 1.0) != threading.get_ident()
    assert [ours.call(lambda: 7, 1.0), ours.call(lambda: 8, 1.0)] == [7, 8]
    with pytest.raises(ZeroDivisionError):
        ours.call(lambda: 1 // 0, 1.0)
    with pytest.raises(SystemExit):
        ours.call(lambda: sys.exit(3), 1.0)
    assert ours.call(lambda: 9, 1.0) == 9


def test_only_the_first_waits_for_a_call_that_hangs_and_its_late_answer_is_thrown_away(
    gate: threading.Event,
) -> None:
    ours = Guard()
    gate.clear()
    began = time.monotonic()
    with pytest.raises(HangsError):
        ours.call(lambda: gate.wait() and "old", 0.2)
    assert 0.2 <= time.monotonic() - began < 1
    began = time.monotonic()
    for _ in range(1000):
        with pytest.raises(HangsError):
            ours.call(lambda: "new", 0.2)
    assert time.monotonic() - began < 0.2
    gate.set()
    answers: list[str] = []

    def answered() -> bool:
        try:
            answers.append(ours.call(lambda: "new", 0.2))
        except HangsError:
            return False
        return True

    until(answered)
    assert answers == ["new"]


def test_an_asker_who_was_interrupted_leaves_nothing_in_disorder(gate: threading.Event) -> None:
    ours = Guard()
    gate.clear()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            ours.call(lambda: gate.wait() and "old", 10)
    finally:
        signal.signal(signal.SIGALRM, before)
    threading.Timer(0.05, gate.set).start()
    assert ours.call(lambda: "new", 10) == "new"


def test_closing_makes_a_last_call_and_ends_the_thread() -> None:
    before, said = threads(), []
    ours = Guard()
    ours.call(lambda: said.append("call"), 1.0)
    assert threads() == before + 1
    ours.close(lambda: said.append("close"))
    assert said == ["call", "close"]
    until(lambda: threads() == before)


def test_closing_does_not_wait_for_one_that_hangs_and_it_closes_when_it_is_back(
    gate: threading.Event,
) -> None:
    before, said = threads(), []
    ours = Guard()
    gate.clear()
    with pytest.raises(HangsError):
        ours.call(gate.wait, PATIENCE_S)
    began = time.monotonic()
    ours.close(lambda: said.append("close"))
    assert time.monotonic() - began < 0.04
    assert said == []
    gate.set()
    until(lambda: said == ["close"] and threads() == before)


def test_closing_that_hangs_is_left_behind(
    gate: threading.Event,
) -> None:
    before = threads()
    ours = Guard()
    ours.call(lambda: None, 1.0)
    gate.clear()
    began = time.monotonic()
    ours.close(gate.wait)
    assert time.monotonic() - began < 1
    gate.set()
    until(lambda: threads() == before)


def in_a_fork(child: Callable[[], bool]) -> int:
    """Return the exit code of a forked child: 0 if it says True."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if child() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_has_a_thread_of_its_own_even_if_its_parents_hangs(gate: threading.Event) -> None:
    ours = Guard()
    assert ours.call(lambda: 1, 1.0) == 1
    assert in_a_fork(lambda: ours.call(lambda: 2, 5.0) == 2) == 0
    assert ours.call(lambda: 3, 1.0) == 3
    gate.clear()
    with pytest.raises(HangsError):
        ours.call(gate.wait, PATIENCE_S)
    assert in_a_fork(lambda: ours.call(lambda: 4, 5.0) == 4) == 0


def test_a_fork_finds_no_thread_of_ours() -> None:
    before = threads()
    ours = Guard()
    ours.call(lambda: None, 1.0)
    assert threads() == before + 1
    assert in_a_fork(lambda: True) == 0
    until(lambda: threads() == before)
    assert ours.call(lambda: 5, 1.0) == 5


def test_a_program_that_closes_all_files_does_not_end_it() -> None:
    def child() -> bool:
        ours = Guard()
        ours.call(lambda: None, 1.0)
        os.closerange(3, 256)
        others = [os.open("/tmp", os.O_TMPFILE | os.O_RDWR) for _ in range(8)]  # under the numbers of our pipe
        fine = ours.call(lambda: 6, 1.0) == 6
        ours.close(lambda: None)
        return fine and all(os.fstat(other).st_size == 0 for other in others)

    assert in_a_fork(child) == 0


def test_no_signal_of_the_program_ends_in_the_thread() -> None:
    def child() -> bool:
        ours = Guard()
        ours.call(lambda: None, 1.0)  # before the program decides about its signals
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)
        return signal.sigwait({signal.SIGTERM}) == signal.SIGTERM

    assert in_a_fork(child) == 0
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_no_thread_left_is_an_error_and_no_file_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(guard, "start_new_thread", refuse)
    before = files()
    with pytest.raises(RuntimeError, match="new thread"):
        Guard().call(lambda: None, 1.0)
    assert files() == before


def test_green_threads_are_not_trusted_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_REAL_THREADS", False)
    assert Guard().call(threading.get_ident, 1.0) == threading.get_ident()


@dataclass
class Counter:
    """A sensor that counts its readings."""

    host: Host
    gate: threading.Event
    name: str
    hangs_in: str = ""
    native: bool = True
    slow: bool = False
    verified_on: str | None = None
    count: int = 0
    said: list[str] = field(default_factory=list)

    def _do(self, what: str) -> None:
        if what == self.hangs_in:
            self.gate.wait()
        self.said.append(what)

    @property
    def channel(self) -> Channel:
        return Channel(
            id=f"{self.name}:0", collector=self.name, component=Component.GPU, kind=Kind.COUNTER,
            quality=Quality.MEASURED, device=self.name, host="fake", method="m", uncertainty_rel=0.1,
            max_power_uw=10**12,
        )  # fmt: skip

    def probe(self) -> Available:
        self._do("probe")
        return Available((self.channel,))

    def open(self, _channels: Any) -> None:
        self._do("open")

    def read(self) -> list[Reading]:
        self._do("read")
        self.count += 1
        return [CounterReading(f"{self.name}:0", self.host.clock.mono_ns(), self.count)]

    def close(self) -> None:
        self._do("close")


@pytest.fixture
def two(tmp_path: Path, gate: threading.Event) -> tuple[Counter, Counter, Any]:
    """Give a sensor of a vendor, one of the kernel, and what opens both."""
    host = replace(FakeMachine(tmp_path / "machine").host, clock=SystemClock())
    vendor, kernel = Counter(host, gate, "vendor"), Counter(host, gate, "kernel", native=False)
    return vendor, kernel, lambda: open_sensors(host, LoadedCollectors((vendor, kernel), ()))


def test_a_reading_that_hangs_is_a_gap_of_its_own_channels_and_said_once(
    two: tuple[Counter, Counter, Any],
    gate: threading.Event,
) -> None:
    vendor, _, start = two
    sensors = start()
    assert [type(reading) for reading in sensors.read()[1]] == [CounterReading, CounterReading]
    assert sensors.news() == []
    vendor.hangs_in = "read"
    gate.clear()
    for _ in range(3):
        gap, fine = sensors.read()[1]
        assert (type(gap), gap.channel_id, gap.reason) == (Gap, "vendor:0", "sensor_hangs")
        assert type(fine) is CounterReading
    assert [(news.code, news.message.en.split(";")[0]) for news in sensors.news()] == [
        ("sensor_hangs", 'The sensor "vendor" does not answer')
    ]
    assert sensors.news() == []
    gate.set()
    until(lambda: type(sensors.read()[1][0]) is CounterReading)
    sensors.close()
    assert vendor.said[-1] == "close"


@pytest.mark.parametrize("where", ["probe", "open"])
def test_one_that_hangs_at_the_start_is_an_incident_and_the_others_are_read(
    two: tuple[Counter, Counter, Any], gate: threading.Event, where: str
) -> None:
    vendor, _, start = two
    vendor.hangs_in = where
    gate.clear()
    began = time.monotonic()
    sensors = start()
    assert time.monotonic() - began < 1
    assert [channel.id for channel in sensors.channels] == ["kernel:0"]
    assert [incident.code for incident in sensors.incidents] == ["sensor_hangs"]
    assert sensors.incidents[0].remedy is not None
    sensors.close()
    gate.set()
    until(lambda: vendor.said[-1:] == ["close"])


class Old:
    """A collector from before there was ``native``."""

    name = "old"
    slow = False
    verified_on: str | None = None

    def probe(self) -> Available:
        return Available(())

    def open(self, channels: Any) -> None:
        pass

    def read(self) -> list[Reading]:
        return []

    def close(self) -> None:
        pass


def test_a_collector_that_says_nothing_of_it_and_a_slow_one_need_no_guard(
    tmp_path: Path, gate: threading.Event
) -> None:
    old, slow = Old(), Counter(FakeMachine(tmp_path / "machine").host, gate, "slow", slow=True)
    assert guarded.guarded(old) is old
    assert guarded.guarded(slow) is slow


def test_in_a_forked_child_a_lock_that_somebody_held_is_free(two: tuple[Counter, Counter, Any]) -> None:
    _, kernel, start = two
    kernel.hangs_in = "read"
    sensors = start()
    kernel.gate.clear()
    reader = threading.Thread(target=sensors.read, daemon=True)
    reader.start()
    time.sleep(0.05)

    def child() -> bool:
        kernel.hangs_in = ""
        return [type(reading) for reading in sensors.read()[1]] == [CounterReading, CounterReading]

    assert in_a_fork(child) == 0
    kernel.gate.set()
    reader.join()


def test_two_readers_of_one_that_hangs_without_a_guard_wait_a_moment_only(
    two: tuple[Counter, Counter, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, kernel, start = two
    monkeypatch.setattr("greenai.sampler.sensors.READ_PATIENCE_S", PATIENCE_S)
    sensors = start()
    kernel.hangs_in = "read"
    kernel.gate.clear()
    reader = threading.Thread(target=sensors.read, daemon=True)
    reader.start()
    time.sleep(0.02)
    readings = sensors.read()[1]
    assert [getattr(reading, "reason", None) for reading in readings] == [None, "sensor_hangs"]
    kernel.gate.set()
    reader.join()


def test_a_driver_that_takes_long_to_start_is_measured_from_then_on(
    two: tuple[Counter, Counter, Any],
    gate: threading.Event,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vendor, kernel, start = two
    vendor.hangs_in = "probe"
    gate.clear()
    sensors = start()
    assert sensors.late == ("vendor",)
    assert sensors.incidents != ()
    again = Counter(vendor.host, gate, "vendor", hangs_in="probe")
    monkeypatch.setattr(
        "greenai.sampler.slow.load_collectors", lambda _host, _plugins: LoadedCollectors((again, kernel), ())
    )
    sampler = SlowSampler(vendor.host, tmp_path, 0.02, sensors.late)
    time.sleep(0.05)
    assert list(tmp_path.glob("*.jsonl")) == []
    gate.set()
    until(lambda: again.count > 3)
    sampler.stop()
    (journal,) = tmp_path.glob("*.jsonl")
    log = read_process(journal.read_bytes().splitlines(keepends=True))
    assert log is not None
    assert [channel.id for channel in log.channels] == ["vendor:0"]
    assert len(log.readings["vendor:0"]) > 3
    sensors.close()

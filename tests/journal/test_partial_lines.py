"""Lines that hold some of the channels, and lines that say how much of the machine was used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.lines import read_process
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.events import ProcessLog
    from greenai.core.reading import Reading

COUNTER = Channel(
    "rapl:0",
    "rapl",
    Component.CPU,
    Kind.COUNTER,
    Quality.MEASURED,
    "cpu",
    "fake",
    "m",
    0.05,
    10**9,
    wrap_uj=10**12,
)
GAUGE = Channel("bmc:0", "bmc", Component.NODE, Kind.POWER, Quality.MEASURED, "node", "fake", "m", 0.1, 10**9)
GPU = Channel(
    "nvml:GPU-a", "nvml", Component.GPU, Kind.COUNTER, Quality.MEASURED, "gpu", "fake", "m", 0.05, 10**9,
    gpu_vendor="nvidia",
)  # fmt: skip
CHANNELS = (COUNTER, GAUGE, GPU)


class Book:
    """A journal on a fake machine."""

    def __init__(self, folder: Path) -> None:
        self.machine = FakeMachine(folder / "machine")
        self.journal = JournalWriter(folder, self.machine.host, Role.SAMPLER, CHANNELS, 1.0)

    def reading(self, channel: Channel, value: int | str) -> Reading:
        t_ns = self.machine.clock.mono_ns() + 1000
        if isinstance(value, str):
            return Gap(channel.id, t_ns, value)
        kind = CounterReading if channel.kind is Kind.COUNTER else PowerReading
        return kind(channel.id, t_ns, value)

    def line(
        self, *readings: Reading, usage: Usage | None = None, kind: str = f.TICK, **extra: Any
    ) -> dict[str, Any]:
        """Write a line; return it as it stands in the file."""
        self.journal.readings(kind, self.machine.clock.mono_ns(), readings, usage, **extra)
        written: dict[str, Any] = json.loads(self.journal.path.read_bytes().splitlines()[-1])
        return written

    def read(self) -> ProcessLog:
        log = read_process(self.journal.path.read_bytes().split(b"\n"))
        assert log is not None
        return log


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_a_line_with_all_channels_names_none(book: Book) -> None:
    line = book.line(book.reading(COUNTER, 5), book.reading(GAUGE, 6), book.reading(GPU, 7))
    assert set(line) == {"k", "t", "d", "v", "seq"}
    assert {name: len(found) for name, found in book.read().readings.items()} == dict.fromkeys(
        ("rapl:0", "bmc:0", "nvml:GPU-a"), 1
    )


def test_a_line_with_some_channels_names_them(book: Book) -> None:
    readings = [book.reading(GPU, 7), book.reading(COUNTER, "busy")]
    line = book.line(*readings)
    assert (line["c"], line["v"], line["g"]) == ([2, 0], [7, None], {"1": "busy"})
    log = book.read()
    assert log.readings == {"nvml:GPU-a": readings[:1], "rapl:0": readings[1:]}


def test_a_line_without_readings_is_a_heartbeat(book: Book) -> None:
    line = book.line()
    assert (line["v"], line["d"], line["c"]) == ([], [], [])
    book.machine.clock.advance(5)
    book.line()
    log = book.read()
    assert (log.readings, log.bad_lines, log.lines) == ({}, 0, 3)
    assert log.last_ns == book.machine.clock.mono_ns()


def test_a_gap_is_named_by_its_place_in_the_line_and_not_by_its_channel(book: Book) -> None:
    book.line(book.reading(GPU, "lost"), book.reading(COUNTER, 5))
    book.line(book.reading(COUNTER, 6), book.reading(GPU, "gone"))
    found = book.read().readings
    assert [r.reason for r in found["nvml:GPU-a"] if isinstance(r, Gap)] == ["lost", "gone"]
    assert [type(r) for r in found["rapl:0"]] == [CounterReading, CounterReading]


FIGURES = st.none() | st.integers(0, 2**63)
ROUNDS = st.lists(
    st.tuples(
        st.permutations(range(3)).flatmap(lambda order: st.integers(0, 3).map(lambda count: order[:count])),
        st.lists(st.integers(0, 2**62) | st.text(max_size=5), min_size=3, max_size=3),
        st.none() | st.tuples(FIGURES, FIGURES, FIGURES, FIGURES, st.integers(-(10**9), 10**9)),
        st.none() | st.dictionaries(st.sampled_from([c.id for c in CHANNELS]), st.floats(0, 1)),
    ),
    max_size=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(rounds=ROUNDS)
def test_whatever_was_due_comes_back(tmp_path_factory: pytest.TempPathFactory, rounds: list[Any]) -> None:
    book = Book(tmp_path_factory.mktemp("book"))
    expected: dict[str, list[Reading]] = {}
    usages = []
    for due, values, figures, shares in rounds:
        book.machine.clock.advance(0.5)
        readings = [book.reading(CHANNELS[number], values[number]) for number in due]
        for reading in readings:
            expected.setdefault(reading.channel_id, []).append(reading)
        usage = None
        if figures is not None:
            own_us, work_us, own_bytes, held_bytes, offset_ns = figures
            t_ns = book.machine.clock.mono_ns() + offset_ns
            usage = Usage(t_ns, own_us, work_us, own_bytes, held_bytes, shares)
            usages.append(usage)
        book.line(*readings, usage=usage)
    log = book.read()
    assert (log.readings, log.usages, log.bad_lines) == (expected, usages, 0)
    book.journal.close()


def test_the_use_of_the_machine_stands_beside_marks_as_well(book: Book) -> None:
    t_ns = book.machine.clock.mono_ns()
    usage = Usage(t_ns + 7, 1, 2, None, 4, {"nvml:GPU-a": 0.25})
    line = book.line(book.reading(GPU, 1), usage=usage, kind=f.BEGIN, id="1", name="w", parent=None)
    assert (line["u"], line["s"]) == ([7, 1, 2, None, 4], {"2": 0.25})
    log = book.read()
    assert (log.usages, [window.name for window in log.windows]) == ([usage], ["w"])


def test_nobody_looked_at_the_gpus_is_not_nobody_else_used_them(book: Book) -> None:
    t_ns = book.machine.clock.mono_ns()
    looked, blind = Usage(t_ns, 1, 2, 3, 4, {}), Usage(t_ns, 1, 2, 3, 4, None)
    assert book.line(usage=looked)["s"] == {}
    assert "s" not in book.line(usage=blind)
    assert book.read().usages == [looked, blind]


def test_the_use_by_all_jobs_of_a_node_is_not_the_use_of_the_machine(book: Book) -> None:
    t_ns = book.machine.clock.mono_ns()
    job, machine = Usage(t_ns, 1, 2, 3, 4, of_jobs=True), Usage(t_ns, 1, 2, 3, 4)
    assert book.line(usage=job)["j"] == 1
    assert "j" not in book.line(usage=machine)
    assert book.read().usages == [job, machine]


# --- damage: such a line is skipped and counted, whole


@pytest.fixture
def damaged(book: Book) -> Any:
    """Write three lines, the second of them changed; return what is read."""

    def write(**changes: Any) -> ProcessLog:
        usage = Usage(book.machine.clock.mono_ns(), 1, 2, 3, 4, {"nvml:GPU-a": 0.5})
        for _ in range(3):
            book.machine.clock.advance(1)
            book.line(book.reading(GPU, 7), book.reading(COUNTER, 5), usage=usage)
        lines = [json.loads(line) for line in book.journal.path.read_bytes().splitlines()]
        lines[2] |= changes
        for name in [name for name, value in changes.items() if value is ...]:
            del lines[2][name]
        log = read_process(json.dumps(line).encode() for line in lines)
        assert log is not None
        return log

    return write


@pytest.mark.parametrize(
    "changes",
    [
        {"c": [2]}, {"c": [2, 0, 1]}, {"c": [2, 3]}, {"c": [2, -1]}, {"c": [-3, 0]}, {"c": ["2", "0"]}, {"c": 2},
        {"c": None}, {"c": [[2], [0]]}, {"c": ...}, {"v": [7]}, {"v": [7, 5, 6]}, {"v": [7, "x"]}, {"v": [[], 5]},
        {"v": [7, float("nan")]}, {"v": None}, {"d": [1]}, {"d": [1, "x"]}, {"d": [1, float("inf")]}, {"d": ...},
        {"u": []}, {"u": [0]}, {"u": [0, 1, 2, 3]}, {"u": [0, 1, 2, 3, 4, 5]}, {"u": [0, 1, 2, 3, "x"]},
        {"u": [None, 1, 2, 3, 4]}, {"u": 5}, {"u": None}, {"u": [0, float("nan"), 2, 3, 4]},
        {"u": [0, float("inf"), 2, 3, 4]}, {"u": [0, -1, 2, 3, 4]}, {"u": [0, 1, 2, -3, 4]}, {"u": [0, 1, -2, 3, 4]},
        {"s": {"2": 1.5}}, {"s": {"2": -0.1}}, {"s": {"2": float("nan")}}, {"s": {"2": "x"}}, {"s": {"2": None}},
        {"s": {"9": 0.5}}, {"s": {"-1": 0.5}}, {"s": {"x": 0.5}}, {"s": [0.5]}, {"s": None}, {"g": 5},
        {"v": [None, 5], "g": []},
    ],
)  # fmt: skip
def test_a_line_with_one_wrong_figure_gives_nothing_at_all(damaged: Any, changes: dict[str, Any]) -> None:
    log = damaged(**changes)
    if changes == {"g": 5}:  # nothing is missing, so nobody asks for reasons
        assert log.bad_lines == 0
        return
    assert log.bad_lines == 1
    assert {name: len(found) for name, found in log.readings.items()} == {"nvml:GPU-a": 2, "rapl:0": 2}
    assert len(log.usages) == 2


def test_a_window_without_a_name_does_not_end_another(book: Book) -> None:
    book.line(kind=f.BEGIN, id="1")  # torn: neither name nor parent
    book.machine.clock.advance(1)
    book.line(kind=f.BEGIN, id="2", name="good", parent=None)
    book.machine.clock.advance(1)
    book.line(kind=f.END, id="1")
    log = book.read()
    assert [(window.name, window.t1_ns) for window in log.windows] == [("good", None)]
    assert log.bad_lines == 2


def test_lines_of_the_first_version_are_read_as_ever(damaged: Any) -> None:
    """Without channel numbers, without use."""
    log = damaged(c=..., u=..., s=..., v=[1, 2, 3], d=[0, 0, 0])
    assert log.bad_lines == 0
    assert [len(log.readings[c.id]) for c in CHANNELS] == [3, 1, 3]
    assert len(log.usages) == 2


def test_a_journal_with_partial_lines_cut_at_any_byte_is_read(book: Book) -> None:
    usage = Usage(book.machine.clock.mono_ns(), 1, None, 3, 4, {"nvml:GPU-a": 0.5})
    for number in range(4):
        book.machine.clock.advance(1)
        due = [book.reading(channel, 5 if number % 2 else "busy") for channel in CHANNELS[number % 3 :]]
        book.line(*due, usage=usage if number % 2 else None)
    data = book.journal.path.read_bytes()
    first = data.index(b"\n") + 1
    for cut in range(first, len(data) + 1):
        log = read_process(data[:cut].split(b"\n"))
        assert log is not None
        whole = data[first:cut].count(b"\n") + (data[cut : cut + 1] == b"\n")
        assert log.lines == 1 + whole
        assert log.bad_lines == (data[cut - 1 : cut] != b"\n" and data[cut : cut + 1] != b"\n")
        assert len(log.usages) == whole // 2

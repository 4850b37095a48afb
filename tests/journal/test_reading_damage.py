"""A journal reads whatever happened to it: every good line counts, every bad one is counted."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Incident
from greenai.core.events import Metric, ProcessLog, Stop, WindowMark
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.vocabulary import Role, RunState
from greenai.journal import format as f
from greenai.journal import lines
from greenai.journal.kinds import LogReader
from greenai.journal.lines import read_process
from greenai.journal.reader import read_run
from greenai.journal.ticks import TickReader
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path

COUNTER = Channel(
    "a:cpu", "a", Component.CPU, Kind.COUNTER, Quality.MEASURED, "cpu", "fake", "m", 0.05, 10**9, wrap_uj=10**12
)
POWER = Channel("b:gpu", "b", Component.GPU, Kind.POWER, Quality.ESTIMATED, "gpu", "fake", "m", 0.1, 10**9)


def written(folder: Path) -> bytes:
    """Return a journal with every kind of line."""
    machine = FakeMachine(folder / "machine")
    journal = JournalWriter(
        folder, machine.host, Role.OWNER, [COUNTER, POWER], 1.0, {"name": "Lauf ü", "tags": {}}
    )

    def readings() -> tuple[int, list[Reading]]:
        machine.clock.advance(1)
        t_ns = machine.clock.mono_ns()
        return t_ns, [CounterReading("a:cpu", t_ns, t_ns // 100), PowerReading("b:gpu", t_ns, 5_000_000)]

    journal.readings(f.START, *readings())
    journal.readings(f.BEGIN, *readings(), id="1", name="outer", parent=None)
    journal.readings(f.TICK, *readings())
    journal.readings(f.BEGIN, *readings(), id="2", name="inner", parent="1")
    journal.event(f.METRIC, name="accuracy", value=0.9, higher_is_better=True)
    journal.event(f.UNITS, n=5)
    journal.incident(Incident("x", Text(de="über", en="over"), Text(de="tu", en="do")))
    t_ns, (counter, _) = readings()
    journal.readings(f.TICK, t_ns, [counter, Gap("b:gpu", t_ns, "lost")])
    journal.readings(f.END, *readings(), id="2")
    journal.readings(f.END, *readings(), id="1")
    journal.readings(f.STOP, *readings(), state="completed", exit_code=0, error=None)
    journal.close()
    return journal.path.read_bytes()


@pytest.fixture
def journal(tmp_path: Path) -> bytes:
    return written(tmp_path)


def read(data: bytes) -> ProcessLog:
    log = read_process(data.split(b"\n"))
    assert log is not None
    return log


def facts(log: ProcessLog) -> tuple[Any, ...]:
    return (log.readings, log.windows, log.metrics, log.units, log.incidents, log.stop, log.start_ns, log.lines)


def test_a_cut_at_any_byte_keeps_every_line_before_it(journal: bytes) -> None:
    lines = journal.splitlines()
    whole = {len(b"\n".join(lines[:n])): n for n in range(1, len(lines) + 1)}
    for cut in range(len(journal) + 1):
        data = journal[:cut]
        complete = whole.get(cut, data.count(b"\n"))
        torn = int(cut not in whole and bool(data) and not data.endswith(b"\n"))
        log = read_process(data.split(b"\n"))
        if complete == 0:
            assert log is None
            continue
        assert log is not None
        assert (log.lines, log.bad_lines) == (complete, torn), cut
        assert facts(log) == facts(read(b"\n".join(lines[:complete])))


def test_a_cut_at_any_byte_still_gives_an_account(tmp_path: Path, journal: bytes) -> None:
    first = journal.index(b"\n")
    (path,) = tmp_path.glob("*.jsonl")
    folder = tmp_path / "run"
    folder.mkdir()
    for cut in range(first, len(journal) + 1, 7):
        (folder / path.name).write_bytes(journal[:cut])
        record = account(read_run(folder)).record
        assert record.energy_j is None or record.energy_j >= 0
        assert record.to_dict()["journal"]["lines"] >= 1


garbage = st.one_of(
    st.binary(min_size=1, max_size=60).filter(lambda data: b"\n" not in data and bool(data.strip(b" \r\0"))),
    st.sampled_from(
        [b"{", b"[]", b"null", b"3", b'"k"', b"{}", b'{"k":"tick"}', b'{"k":"tick","t":"x"}', b'{"k":"tick","t":1,"v":[1]}',
         b'{"k":"end","t":1,"id":"no"}', b'{"k":"stop","t":1,"state":"?","exit_code":0,"error":null}',
         b'{"k":"metric","t":1}', b'{"k":"note","t":1,"code":1}', b'{"k":"tick","t":Infinity}', b'{"k":"x","t":1e999}',
         b"\xff\xfe{\0}\0", b'{"k":"tick","t":NaN}']
    ),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(places=st.lists(st.tuples(st.integers(1, 13), garbage), max_size=6))
def test_garbage_lines_anywhere_are_skipped_and_counted(journal: bytes, places: list[tuple[int, bytes]]) -> None:
    lines = journal.splitlines()
    for place, junk in sorted(places, key=lambda item: item[0], reverse=True):
        lines.insert(place, junk)
    log = read(b"\n".join(lines) + b"\n")
    assert log.bad_lines == len(places)
    assert facts(log) == facts(read(journal))


@pytest.mark.parametrize("junk", [b"[" * 100_000, b'{"k":' + b"9" * 5000 + b"}", b"x" * 1_000_000])
def test_endless_garbage_is_one_bad_line(journal: bytes, junk: bytes) -> None:
    log = read(journal + junk + b"\n")
    assert log.bad_lines == 1
    assert facts(log) == facts(read(journal))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(first=st.lists(st.binary(max_size=20), max_size=3))
def test_garbage_before_the_first_line_is_skipped(journal: bytes, first: list[bytes]) -> None:
    log = read(b"\n".join([*first, journal]))
    assert facts(log) == facts(read(journal))


_TOO_FAR = (10**22, 10**18 * 5, -1, -(10**18), -(10**19))


@pytest.mark.parametrize("far_ns", _TOO_FAR)
@pytest.mark.parametrize("change", ["t", "d", "u", "both"])
def test_a_time_that_no_clock_shows_is_a_bad_line(journal: bytes, far_ns: int, change: str) -> None:
    """It would lose the whole run when it is stored, or the energy of what came before."""
    raw = journal.splitlines()
    tick = json.loads(raw[3])
    tick |= {
        "t": {"t": far_ns},
        "d": {"d": [0, far_ns - tick["t"]]},
        "u": {"u": [far_ns - tick["t"], 1, 2, 3, 4]},
        "both": {"t": far_ns, "d": [-far_ns, -far_ns]},
    }[change]
    damaged = json.dumps(tick, separators=(",", ":")).encode()
    log = read(b"\n".join([*raw[:4], damaged, *raw[4:]]))
    assert (log.bad_lines, facts(log)) == (1, facts(read(journal)))
    assert_same_one_by_one([raw[0], *[raw[3], damaged, raw[3]] * 3])


@pytest.mark.parametrize("place", ["t", "wall_ns"])
def test_a_first_line_of_no_time_is_none(journal: bytes, place: str) -> None:
    first, _, rest = journal.partition(b"\n")
    damaged = json.dumps(json.loads(first) | {place: 10**22}).encode()
    assert read_process([damaged, *rest.split(b"\n")]) is None


@pytest.mark.parametrize("hole", [b"\0", b"\0" * 4096, b"\0\0 \0"])
def test_holes_of_nul_bytes_are_counted(journal: bytes, hole: bytes) -> None:
    lines = journal.splitlines()
    log = read(b"\n".join([*lines[:3], hole, *lines[3:], hole]))
    assert log.bad_lines == 2
    assert facts(log) == facts(read(journal))


def test_blanks_around_a_line_do_no_harm(journal: bytes) -> None:
    raw = journal.splitlines()
    log = read(b"\n".join([b" \t" + raw[0], *(b"  " + line + b" \r" for line in raw[1:])]))
    assert (log.bad_lines, facts(log)) == (0, facts(read(journal)))


def test_a_torn_line_costs_itself_only(journal: bytes) -> None:
    lines = journal.splitlines()
    lines[3] = lines[3][: len(lines[3]) // 2]
    log = read(b"\n".join(lines))
    assert (log.bad_lines, log.lines) == (1, len(lines) - 1)
    assert len(log.readings["a:cpu"]) == 7
    assert log.stop is not None


@pytest.mark.parametrize("place", [1, 63, 64, 65, 199])
@pytest.mark.parametrize(
    "junk",
    [
        [b"{"],
        [b'{"k":"x","t":1},{"k":"x","t":1}'],
        [b"[1", b"1]"],
        [b'{"k":"x","t":1'] * 2,
        [b'{"k":"x","t":1},{"k":"x","t":5}', b'{"k":"start","t":9', b'"q":1}'],  # three of three, and none is good
        [b'{"k":"x","t":1},0,{"k":"x","t":5}', b"[1", b"1]"],
        [b'{"k":"x","t":1}] ', b'[{"k":"x","t":1}'],
    ],
)
def test_lines_are_read_many_at_once_and_yet_each_for_itself(
    journal: bytes, place: int, junk: list[bytes]
) -> None:
    lines = journal.splitlines()
    lines[3:3] = [lines[3]] * 200
    whole = read(b"\n".join(lines))
    assert (whole.lines, whole.bad_lines) == (213, 0)
    lines[place:place] = junk
    log = read(b"\n".join(lines))
    assert log.bad_lines == len(junk)
    assert facts(log) == facts(whole)


def test_readings_of_windows_close_to_others_may_be_left_out(tmp_path: Path) -> None:
    """Their times stay, and the last readings of all do."""
    machine = FakeMachine(tmp_path / "machine")
    journal = JournalWriter(tmp_path, machine.host, Role.OWNER, [COUNTER], 1.0)

    def mark(kind: str, **extra: Any) -> None:
        machine.clock.advance(0.001)
        t_ns = machine.clock.mono_ns()
        journal.readings(kind, t_ns, [CounterReading("a:cpu", t_ns, t_ns // 100)], **extra)

    mark(f.START)
    for number in range(1100):
        mark(f.BEGIN, id=str(number), name="w", parent=None)
        mark(f.END, id=str(number))
    mark(f.TICK)
    mark(f.BEGIN, id="last", name="w", parent=None)
    mark(f.END, id="last")
    whole, brief = read_run(tmp_path), read_run(tmp_path, apart_ns=10**7)
    (every,), (some,) = whole.processes, brief.processes
    times_ms = [(reading.t_mono_ns - (every.start_ns or 0)) // 10**6 for reading in some.readings["a:cpu"]]
    assert len(every.readings["a:cpu"]) == 2204
    assert times_ms == [*range(2002), *range(2011, 2201, 10), 2201, 2203]
    assert (some.windows, some.lines, some.last_ns) == (every.windows, every.lines, every.last_ns)
    assert brief.sha256 == whole.sha256
    exact, rough = account(whole).record, account(brief, windows=False).record
    assert rough.energy == exact.energy
    assert (len(exact.windows), rough.windows) == (1101, ())


def test_lines_of_a_later_version_do_no_harm(journal: bytes) -> None:
    lines = [json.loads(line) for line in journal.splitlines()]
    for line in lines:
        line["future"] = {"x": [1]}
        line["version"] = 2
    lines.insert(2, {"k": "request", "t": lines[1]["t"], "seq": 99, "n": "?"})
    log = read("\n".join(json.dumps(line) for line in lines).encode())
    assert log.bad_lines == 0
    assert facts(log)[:-1] == facts(read(journal))[:-1]


def test_everything_written_is_read(journal: bytes) -> None:
    log = read(journal)
    second = 10**9
    start = 1001 * second
    assert (log.role, log.host, log.pid, log.interval_s) == (Role.OWNER, "fake", os.getpid(), 1.0)
    assert log.meta == {"name": "Lauf ü", "tags": {}}
    assert log.channels == (COUNTER, POWER)
    assert [type(reading) for reading in log.readings["b:gpu"]] == [PowerReading] * 4 + [Gap] + [PowerReading] * 3
    assert log.readings["b:gpu"][4] == Gap("b:gpu", start + 4 * second, "lost")
    assert log.readings["a:cpu"][0] == CounterReading("a:cpu", start, start // 100)
    assert log.windows == [
        WindowMark("1", "outer", None, start + second, start + 6 * second),
        WindowMark("2", "inner", "1", start + 3 * second, start + 5 * second),
    ]
    assert log.metrics == [Metric("accuracy", 0.9, True)]
    assert log.units_in(None) == 5
    assert log.incidents == [Incident("x", Text(de="über", en="over"), Text(de="tu", en="do"))]
    assert log.stop == Stop(start + 7 * second, RunState.COMPLETED, 0, None)
    assert (log.bad_lines, log.lines) == (0, 13)


values = st.integers(0, 2**63)
reading_lists = st.lists(st.tuples(st.one_of(st.none(), values), st.one_of(st.none(), values)), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=reading_lists, names=st.lists(st.text(), max_size=4), reason=st.text(max_size=10))
def test_any_readings_and_names_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int | None, int | None]],
    names: list[str],
    reason: str,
) -> None:
    folder = tmp_path_factory.mktemp("round")
    machine = FakeMachine(folder / "machine")
    journal = JournalWriter(folder, machine.host, Role.OWNER, [COUNTER, POWER], 1.0)
    counters: list[Reading] = []
    powers: list[Reading] = []
    for first, second in rows:
        machine.clock.advance(0.5)
        t_ns = machine.clock.mono_ns()
        counters.append(Gap("a:cpu", t_ns, reason) if first is None else CounterReading("a:cpu", t_ns, first))
        powers.append(
            Gap("b:gpu", t_ns + 7, reason) if second is None else PowerReading("b:gpu", t_ns + 7, second)
        )
        journal.readings(f.TICK, t_ns, [powers[-1], counters[-1]])
    for name in names:
        journal.event(f.METRIC, name=name, value=1.0, higher_is_better=False)
    journal.close()
    log = read(journal.path.read_bytes())
    assert log.bad_lines == 0
    assert log.readings.get("a:cpu", []) == counters
    assert log.readings.get("b:gpu", []) == powers
    assert [metric.name for metric in log.metrics] == names


def test_overlapping_windows_keep_their_own_ends(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    journal = JournalWriter(tmp_path, machine.host, Role.OWNER, [], 1.0)
    for kind, name in ((f.BEGIN, "a"), (f.BEGIN, "b"), (f.END, "a"), (f.BEGIN, "c"), (f.END, "b")):
        machine.clock.advance(1)
        extra = {"id": name, "name": name, "parent": None} if kind == f.BEGIN else {"id": name}
        journal.readings(kind, machine.clock.mono_ns(), [], **extra)
    log = read(journal.path.read_bytes())
    journal.close()
    spans = [(w.name, w.t0_ns // 10**9 - 1000, w.t1_ns and w.t1_ns // 10**9 - 1000) for w in log.windows]
    assert spans == [("a", 1, 3), ("b", 2, 5), ("c", 4, None)]


def test_a_name_that_is_no_unicode_does_not_cost_the_line(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    journal = JournalWriter(tmp_path, machine.host, Role.OWNER, [], 1.0, {"name": "M\udcfcnchen"})
    journal.event(f.METRIC, name="\ud800", value=1, higher_is_better=True)
    journal.close()
    log = read(journal.path.read_bytes())
    assert (log.bad_lines, len(log.metrics)) == (0, 1)
    assert str(log.meta["name"]).startswith("M")
    str(log.meta["name"]).encode()


def test_a_file_without_a_first_line_is_counted(tmp_path: Path, journal: bytes) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(journal)
    (folder / "b.jsonl").write_bytes(b"")
    (folder / "c.jsonl").write_bytes(journal.partition(b"\n")[2])
    log = read_run(folder)
    assert (len(log.processes), log.unreadable_files) == (1, 2)
    assert [i.code for i in account(log).record.incidents].count("journal_damaged") == 1


def test_the_digest_tells_every_change(tmp_path: Path, journal: bytes) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(journal)
    before = read_run(folder).sha256
    assert read_run(folder).sha256 == before
    (folder / "a.jsonl").write_bytes(journal.replace(b'"n":5', b'"n":6'))
    assert read_run(folder).sha256 != before


def _tick(number: int, **changes: Any) -> dict[str, Any]:
    return {"k": "tick", "t": number * 10**9, "d": [1, 2], "v": [number * 10**6, 5], "seq": number, **changes}


_ODD = st.sampled_from(
    [
        {"v": [None, 5]}, {"v": [1]}, {"v": [1.5, 2]}, {"v": [True, 2]}, {"v": ["7", 2]}, {"v": "12"}, {"d": [1]},
        {"d": [-5, 10**30]}, {"t": 1.5}, {"t": "9"}, {"t": -3}, {"t": None}, {"k": "end", "id": "1"}, {"c": [1, 0]},
        {"u": [0, 1, 2, 3, 4]}, {"seq": None}, {"extra": 1}, {"k": "checkpoint"}, {"g": {"0": "x"}}, {"k": []},
    ]
)  # fmt: skip


_OPENING = {
    "k": "open", "t": 0, "wall_ns": 0, "pid": 1, "role": "node", "host": "fake", "interval_s": 1.0, "meta": {},
    "channels": [COUNTER.to_json(), POWER.to_json()],
}  # fmt: skip


@given(st.lists(st.tuples(st.booleans(), _ODD), max_size=12))
def test_ticks_read_many_at_once_are_the_same_as_one_by_one(odd: list[tuple[bool, dict[str, Any]]]) -> None:
    ticks = [_tick(number, **(change if is_odd else {})) for number, (is_odd, change) in enumerate(odd)]
    raw = [json.dumps(line, separators=(",", ":")).encode() for line in [_OPENING, *ticks]]
    assert_same_one_by_one(raw)


def assert_same_one_by_one(raw: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_LINES_AT_ONCE", 3)
        many = read_process(raw)
        patch.setattr(TickReader, "read", lambda *_: None)
        assert read_process(raw) == many


@given(
    st.lists(
        st.tuples(
            st.integers(0, 600), st.integers(0, 3), st.sampled_from([b"", b"-", b"0", b"7", b",", b'"', b"t"])
        ),
        max_size=6,
    )
)
def test_ticks_with_damaged_bytes_are_the_same_as_one_by_one(damage: list[tuple[int, int, bytes]]) -> None:
    opening, *ticks = [_OPENING, *(_tick(number) for number in range(10, 18))]
    data = b"\n".join(json.dumps(line, separators=(",", ":")).encode() for line in ticks)
    for place, length, instead in damage:
        data = data[:place] + instead + data[place + length :]
    assert_same_one_by_one([json.dumps(opening).encode(), *data.split(b"\n")])


def test_ticks_as_they_are_written_are_read_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = FakeMachine(tmp_path / "machine")
    journal = JournalWriter(tmp_path, machine.host, Role.NODE, [COUNTER, POWER], 1.0, {})
    for second in range(10):
        machine.clock.advance(1)
        t_ns = machine.clock.mono_ns()
        late_ns = t_ns - 40_000_000  # a slow sensor's last word
        readings: list[Reading] = [
            CounterReading("a:cpu", t_ns + 900, second * 10**6),
            PowerReading("b:gpu", late_ns, 5_000_000),
        ]
        journal.readings(f.TICK, t_ns, readings)
    journal.close()
    seen: list[str] = []
    monkeypatch.setattr(lines, "_LINES_AT_ONCE", 5)
    monkeypatch.setattr(LogReader, "take", lambda _, line: seen.append(line["k"]))
    log = read_process(journal.path.read_bytes().split(b"\n"))
    assert log is not None
    assert (seen, log.lines, len(log.readings["a:cpu"])) == (["open", "close"], 10, 10)

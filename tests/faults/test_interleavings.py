"""Whatever the order of marks, ticks, windows, failed reads, deaths and torn lines: the account never claims more
than the truth, and never loses more than the stretch since the last whole line.
"""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from greenai.core.account import Account, account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role, RunState
from greenai.journal import format as f
from greenai.journal.reader import read_run
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

WRAP_UJ = 262_143_000_000
FIRST_UJ = WRAP_UJ - 1_000_000_000  # so that it wraps within the first kilojoule
CHANNELS = tuple(
    Channel(
        id=name, collector="truth", component=component, kind=Kind.COUNTER, quality=Quality.MEASURED, device=name,
        host="fake", method="truth", uncertainty_rel=0.0, max_power_uw=1_000_000_000, wrap_uj=wrap_uj,
    )
    for name, component, wrap_uj in (("truth:cpu", Component.CPU, None), ("truth:dram", Component.DRAM, WRAP_UJ))
)  # fmt: skip
EDGE_J = 1e-3  # two channels, whole microjoules

# How long something takes (s), and at which power (W).
stretches = st.tuples(st.floats(0.001, 3.0), st.floats(1.0, 900.0))
deeds = st.sampled_from(
    ["tick", "tick", "failed tick", "begin", "end", "metric", "sampler dies", "sampler starts"]
)
steps = st.lists(st.tuples(stretches, deeds), min_size=1, max_size=25)
endings = st.sampled_from(["stop", "orphan", "silence"])
# How many bytes of the last lines of owner and sampler never reached the disk; 0: none.
torn = st.tuples(st.integers(0, 400), st.integers(0, 400))


class Story:
    """A run as it is written, and the truth about it."""

    def __init__(self, root: Path) -> None:
        self.machine = FakeMachine(root / "machine")
        self.folder = root / "spool" / "run"
        self.folder.mkdir(parents=True)
        self._times_ns = [self.machine.clock.mono_ns()]
        self._energies_uj = [0]
        self.owner = JournalWriter(self.folder, self.machine.host, Role.OWNER, CHANNELS, 1.0, {"name": "story"})
        self.sampler: JournalWriter | None = None
        self._samplers = 0
        self.begun: list[str] = []
        self.windows = 0
        self.mark(self.owner, f.START)
        self.start_sampler()

    def pass_time(self, seconds: float, power_w: float) -> None:
        before_ns = self.machine.clock.mono_ns()
        self.machine.clock.advance(seconds)
        now_ns = self.machine.clock.mono_ns()
        self._times_ns.append(now_ns)
        self._energies_uj.append(self._energies_uj[-1] + round(power_w * 1e6) * (now_ns - before_ns) // NS_PER_S)

    def truth_j(self, t0_ns: int, t1_ns: int) -> float:
        """Both channels take the same."""
        return 2 * (self._at(t1_ns) - self._at(t0_ns)) / 1e6

    def _at(self, t_ns: int) -> float:
        index = bisect_right(self._times_ns, t_ns) - 1
        if index + 1 == len(self._times_ns):
            return self._energies_uj[-1]
        t0, t1 = self._times_ns[index], self._times_ns[index + 1]
        e0, e1 = self._energies_uj[index], self._energies_uj[index + 1]
        return e0 + (e1 - e0) * (t_ns - t0) / (t1 - t0)

    def mark(self, journal: JournalWriter, kind: str, *, fails: bool = False, **extra: Any) -> None:
        t_ns = self.machine.clock.mono_ns()
        count_uj = self._energies_uj[-1]
        readings = [
            Gap(channel.id, t_ns, "busy")
            if fails
            else CounterReading(channel.id, t_ns, (FIRST_UJ + count_uj) % (channel.wrap_uj or 2 * WRAP_UJ))
            for channel in CHANNELS
        ]
        journal.readings(kind, t_ns, readings, **extra)

    def start_sampler(self) -> None:
        if self.sampler is None:
            part = f"sampler{self._samplers}"
            self._samplers += 1
            self.sampler = JournalWriter(self.folder, self.machine.host, Role.SAMPLER, CHANNELS, 1.0, part=part)

    def do(self, deed: str) -> None:
        if deed.endswith("tick") and self.sampler is not None:
            self.mark(self.sampler, f.TICK, fails=deed == "failed tick")
        elif deed == "begin":
            self.windows += 1
            self.begun.append(str(self.windows))
            parent = self.begun[-2] if len(self.begun) > 1 else None
            self.mark(self.owner, f.BEGIN, id=self.begun[-1], name="w", parent=parent)
        elif deed == "end" and self.begun:
            self.mark(self.owner, f.END, id=self.begun.pop(0))
        elif deed == "metric":
            self.owner.event(f.METRIC, name="m", value=1.0, higher_is_better=True)
        elif deed == "sampler dies":
            self.sampler = None
        elif deed == "sampler starts":
            self.start_sampler()

    def end(self, how: str) -> None:
        if how == "stop":
            self.mark(self.owner, f.STOP, state="completed", exit_code=0, error=None)
        elif how == "orphan" and self.sampler is not None:
            self.mark(self.sampler, f.ORPHAN)

    def known_ns(self) -> tuple[int, int]:
        """Return the times of the first and the last whole line whose readings are good."""
        known = [t_ns for t_ns, readable in self.lines() if readable] or self._times_ns[:1]
        return min(known), max(known)

    def lines(self) -> list[tuple[int, bool]]:
        found = []
        for path in self.folder.glob("*.jsonl"):
            for raw in path.read_bytes().split(b"\n"):
                try:
                    line = json.loads(raw)
                except ValueError:
                    continue  # torn
                found.append((line["t"], "v" in line and None not in line["v"]))
        return found


def tear(path: Path, missing: int) -> None:
    """Cut the last line; the first one is needed to know what the others mean."""
    data = path.read_bytes()
    before_last = data[:-1].rfind(b"\n") + 1
    if before_last and missing:
        path.write_bytes(data[: max(len(data) - missing, before_last)])


def told(root: Path, story_steps: list[tuple[tuple[float, float], str]], ending: str) -> Story:
    story = Story(root)
    for (seconds, power_w), deed in story_steps:
        story.pass_time(seconds, power_w)
        story.do(deed)
    story.end(ending)
    return story


def check(story: Story, found: Account) -> None:
    record = found.record
    start_ns = story._times_ns[0]
    last_ns = max(t_ns for t_ns, _ in story.lines())
    first_ns, known_ns = story.known_ns()
    energy_j = record.energy_j or 0.0
    assert energy_j <= story.truth_j(start_ns, last_ns) + EDGE_J
    assert record.duration_s <= (last_ns - start_ns) / NS_PER_S + 1e-6
    counted = [channel for channel in record.energy.channels if channel.counted]
    if known_ns > first_ns:
        assert len(counted) == len(CHANNELS)
        assert energy_j >= story.truth_j(first_ns, known_ns) - EDGE_J
    for window in record.windows:
        begins_s = (window.started_ms - record.started_ms) / 1000
        assert begins_s >= -0.002
        assert begins_s + window.duration_s <= record.duration_s + 0.002
        assert window.energy_j is None or window.energy_j <= energy_j + EDGE_J


@settings(max_examples=150, deadline=None)
@given(story_steps=steps, ending=endings, missing=torn)
@example(story_steps=[((1.0, 100.0), "begin"), ((1.0, 100.0), "tick")], ending="silence", missing=(1, 1))
@example(story_steps=[((3.0, 900.0), "sampler dies"), ((3.0, 900.0), "begin")], ending="stop", missing=(400, 0))
def test_the_account_is_never_more_than_the_truth_nor_less_than_what_was_written(
    story_steps: list[tuple[tuple[float, float], str]], ending: str, missing: tuple[int, int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        story = told(Path(name), story_steps, ending)
        tear(story.owner.path, missing[0])
        if story.sampler is not None:
            tear(story.sampler.path, missing[1])
        found = account(read_run(story.folder, 4e9))
        check(story, found)
        whole = {"stop": RunState.COMPLETED, "orphan": RunState.KILLED}
        if missing == (0, 0) and (ending == "stop" or (ending == "orphan" and story.sampler is not None)):
            assert found.record.state is whole[ending]
        else:
            assert found.record.state in (*whole.values(), RunState.LOST)


@settings(max_examples=25, deadline=None)
@given(story_steps=steps, ending=endings, cuts=st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_all_files_cut_anywhere_at_once(
    story_steps: list[tuple[tuple[float, float], str]], ending: str, cuts: list[float]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        story = told(Path(name), story_steps, ending)
        whole = story.truth_j(story._times_ns[0], story._times_ns[-1])
        originals = {path: path.read_bytes() for path in story.folder.glob("*.jsonl")}
        for cut in accumulate(cuts, lambda a, b: (a + b) % 1.0):
            for path, data in originals.items():
                path.write_bytes(data[: round(cut * len(data))])
            log = read_run(story.folder, 4e9)
            if log.processes:
                record = account(log).record
                assert (record.energy_j or 0.0) <= whole + EDGE_J
                assert record.state in (RunState.COMPLETED, RunState.KILLED, RunState.LOST)


def slept(tmp_path: Path, asleep_s: float) -> Account:
    """Write a run of 10 s in the middle of which the machine slept: the monotonic clock stood still meanwhile."""
    machine = FakeMachine(tmp_path / "machine")
    folder = tmp_path / "spool" / "run"
    folder.mkdir(parents=True)
    owner = JournalWriter(folder, machine.host, Role.OWNER, CHANNELS, 1.0, {"name": "sleeper"})
    sampler = JournalWriter(folder, machine.host, Role.SAMPLER, CHANNELS, 1.0, part="sampler")
    awake_ns = machine.clock.mono_ns()

    def mark(journal: JournalWriter, kind: str, **extra: Any) -> None:
        t_ns = machine.clock.mono_ns()
        count_uj = (t_ns - awake_ns) // 10  # 100 W; while it sleeps it takes nothing
        journal.readings(kind, t_ns, [CounterReading(channel.id, t_ns, count_uj) for channel in CHANNELS], **extra)

    mark(owner, f.START)
    for second in range(10):
        machine.clock.advance(1.0)
        if second == 5:
            machine.clock._wall_ns += int(asleep_s * NS_PER_S)
        mark(sampler, f.TICK)
    mark(owner, f.STOP, state="completed", exit_code=0, error=None)
    return account(read_run(folder))


def test_a_machine_that_slept_is_charged_for_the_time_it_was_awake(tmp_path: Path) -> None:
    awake, asleep = slept(tmp_path / "awake", 0.0).record, slept(tmp_path / "asleep", 3600.0).record
    assert asleep.state is RunState.COMPLETED
    assert asleep.energy_j == awake.energy_j == pytest.approx(2000.0)
    assert asleep.duration_s == pytest.approx(10.0)
    assert asleep.started_ms == awake.started_ms
    assert all(channel.gap_s == 0 for channel in asleep.energy.channels)
    assert not any("sampler" in incident.code for incident in asleep.incidents)

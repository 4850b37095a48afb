"""All sensors of a host as one: each at its own rate, none twice, and a broken one harms nobody."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.channel import FASTEST_POLL_S, Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.text import Text
from greenai.plugins import LoadedCollectors
from greenai.sampler.opening import offered, open_sensors, probe_all
from greenai.testing import FakeMachine
from greenai_collectors.cpu_estimate import CpuEstimateCollector
from greenai_collectors.rapl import RaplCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from greenai.sampler.sensors import Sensors

J = 1_000_000
S = 1_000_000_000
COUNTER = Channel(
    id="a:0", collector="a", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED, device="d",
    host="fake", method="m", uncertainty_rel=0.05, max_power_uw=100 * J,
)  # fmt: skip
GAUGE = replace(COUNTER, kind=Kind.POWER)


@dataclass
class Fake:
    """A collector that does what it is told; an exception is raised, anything else is returned."""

    name: str = "a"
    channels: tuple[Channel, ...] = ()
    probes: Any = None
    opens: Exception | None = None
    reads: Any = None
    closes: Exception | None = None
    slow: bool = False
    verified_on: str | None = None
    calls: list[str] = field(default_factory=list)
    opened: tuple[Channel, ...] = ()

    def probe(self) -> Any:
        self.calls.append("probe")
        if isinstance(self.probes, Exception):
            raise self.probes
        return self.probes if self.probes is not None else Available(self.channels)

    def open(self, channels: Any) -> None:
        self.calls.append("open")
        if self.opens is not None:
            raise self.opens
        self.opened = tuple(channels)

    def read(self) -> Any:
        self.calls.append("read")
        if isinstance(self.reads, Exception):
            raise self.reads
        if self.reads is not None:
            return self.reads
        return [CounterReading(channel.id, 1, 7) for channel in self.opened]

    def close(self) -> None:
        self.calls.append("close")
        if self.closes is not None:
            raise self.closes


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


@pytest.fixture
def opened(machine: FakeMachine) -> Callable[..., Sensors]:
    def build(*collectors: Fake, **options: Any) -> Sensors:
        return open_sensors(machine.host, LoadedCollectors(collectors, ()), **options)

    return build


def named(name: str, *numbers: int, **changes: Any) -> tuple[Channel, ...]:
    return tuple(replace(COUNTER, id=f"{name}:{number}", collector=name, **changes) for number in numbers)


GOOD = Fake("good", named("good", 0, component=Component.REST))


# --- how often


@pytest.mark.parametrize(
    ("channel", "interval_s", "beat_s"),
    [
        (COUNTER, 1.0, 1.0),
        (replace(COUNTER, update_s=0.001), 1.0, 1.0),
        (replace(COUNTER, wrap_uj=1000 * J), 1.0, 1.0),
        (replace(COUNTER, wrap_uj=1000 * J), 60.0, 5.0),
        (replace(COUNTER, wrap_uj=20 * J), 1.0, 0.1),
        (replace(COUNTER, wrap_uj=30 * J), 1.0, 1 / 7),
        (GAUGE, 1.0, 1.0),
        (replace(GAUGE, update_s=0.1), 1.0, 0.05),
        (replace(GAUGE, update_s=0.02), 1.0, FASTEST_POLL_S),
        (replace(GAUGE, update_s=0.0), 1.0, FASTEST_POLL_S),
        (replace(GAUGE, update_s=0.5), 1.0, 0.25),
        (replace(GAUGE, update_s=0.6), 1.0, 0.25),
        (replace(GAUGE, update_s=30.0), 1.0, 1.0),
        (replace(GAUGE, wrap_uj=1), 1.0, 1.0),
        (replace(GAUGE, update_s=0.1), 0.02, 0.02),
        (replace(COUNTER, wrap_uj=0), 1.0, 1.0),
        (replace(COUNTER, wrap_uj=5, max_power_uw=0), 1.0, 1.0),
    ],
)  # fmt: skip
def test_each_sensor_has_its_own_rate(
    opened: Callable[..., Sensors], channel: Channel, interval_s: float, beat_s: float
) -> None:
    assert opened(Fake("a", (channel,))).beats_s(interval_s) == [pytest.approx(beat_s)]


@settings(deadline=None)
@given(
    update_s=st.none() | st.floats(0, 100),
    wrap_uj=st.none() | st.integers(1000, 2**40),
    kind=st.sampled_from(list(Kind)),
    interval_s=st.floats(0.05, 3600),
)
def test_no_sensor_is_read_less_often_than_it_needs(
    tmp_path_factory: pytest.TempPathFactory,
    update_s: float | None,
    wrap_uj: int | None,
    kind: Kind,
    interval_s: float,
) -> None:
    channel = replace(COUNTER, kind=kind, update_s=update_s, wrap_uj=wrap_uj, max_power_uw=50)
    host = _machine(tmp_path_factory).host
    (beat_s,) = open_sensors(host, LoadedCollectors((Fake("a", (channel,)),), ())).beats_s(interval_s)
    assert 0 < beat_s <= interval_s * (1 + 1e-12)
    assert beat_s <= channel.poll_s(interval_s) * (1 + 1e-6)
    assert interval_s / beat_s == pytest.approx(round(interval_s / beat_s))
    if kind is Kind.COUNTER and wrap_uj is not None:
        assert beat_s * 50 <= wrap_uj / 2 * (1 + 1e-6)


_made: list[FakeMachine] = []


def _machine(factory: pytest.TempPathFactory) -> FakeMachine:
    if not _made:
        _made.append(FakeMachine(factory.mktemp("machine")))
    return _made[0]


def test_a_collector_goes_by_the_fastest_of_its_channels(opened: Callable[..., Sensors]) -> None:
    fast, slow = replace(GAUGE, id="a:1", update_s=0.2), replace(GAUGE, id="a:2", update_s=4.0)
    lazy = Fake("z", named("z", 0, component=Component.REST))
    assert opened(Fake("a", (slow, fast)), lazy).beats_s(1.0) == [pytest.approx(0.1), 1.0]


def test_only_what_is_due_is_read(opened: Callable[..., Sensors], machine: FakeMachine) -> None:
    a, b = Fake("a", named("a", 0)), Fake("b", named("b", 0, component=Component.GPU))
    sensors = opened(a, b)
    t_ns, readings = sensors.read([1])
    assert t_ns == machine.clock.mono_ns()
    assert [r.channel_id for r in readings] == ["b:0"]
    assert "read" not in a.calls
    assert [r.channel_id for r in sensors.read()[1]] == ["a:0", "b:0"]
    assert sensors.read([])[1] == []


# --- which


def test_the_same_counter_by_two_doors_is_read_once_by_its_own(opened: Callable[..., Sensors]) -> None:
    direct = Fake("rapl", named("rapl", 0))
    agent = Fake("agent", (replace(COUNTER, id="rapl:0", collector="agent"), *named("agent", 9)))
    for order in ((direct, agent), (agent, direct)):
        sensors = opened(*order)
        assert sorted((c.id, c.collector) for c in sensors.channels) == [("agent:9", "agent"), ("rapl:0", "rapl")]


def test_by_the_other_door_where_its_own_is_shut(opened: Callable[..., Sensors]) -> None:
    """And the news that it is shut is none."""
    shut = Incident("rapl_unreadable", Text(de="zu", en="shut"), channel_id="rapl:0")
    other = Incident("rapl_unreadable", Text(de="auch zu", en="shut, too"), channel_id="rapl:1")
    direct = Fake("rapl", probes=Unavailable(shut))
    half = Fake("rapl", probes=Available(named("rapl", 2), (shut, other)))
    perf = Fake("rapl_perf", (replace(COUNTER, id="rapl:0", collector="rapl_perf"),))
    agent = Fake("agent", (replace(COUNTER, id="rapl:0", collector="agent"),))
    sensors = opened(direct, perf, agent)
    assert [(c.id, c.collector) for c in sensors.channels] == [("rapl:0", "agent")]
    assert sensors.incidents == ()
    assert [i.message.en for i in opened(half, agent).incidents] == ["shut, too"]
    assert [i.code for i in opened(direct).incidents] == ["rapl_unreadable"]


def test_a_machine_without_the_hardware_is_no_news(opened: Callable[..., Sensors]) -> None:
    absent = Unavailable(Incident("x_absent", Text(de="x", en="x")), expected=True)
    assert opened(Fake("a", probes=absent), GOOD).incidents == ()


def test_what_a_sensor_measures_is_not_estimated(opened: Callable[..., Sensors]) -> None:
    guess = Fake("guess", named("guess", 0, quality=Quality.ESTIMATED))
    sensors = opened(guess, Fake("rapl", named("rapl", 0)))
    assert [c.id for c in sensors.channels] == ["rapl:0"]
    assert guess.calls == ["probe", "close"]
    assert [c.id for c in opened(guess).channels] == ["guess:0"]


def test_only_what_is_wanted_is_opened(opened: Callable[..., Sensors]) -> None:
    collector = Fake("a", named("a", 0, 1, 2))
    sensors = opened(collector, GOOD, wanted=lambda channel: channel.id in ("a:1", "a:2"))
    assert [c.id for c in sensors.channels] == [c.id for c in collector.opened] == ["a:1", "a:2"]


def test_slow_ones_may_be_left_to_others(opened: Callable[..., Sensors]) -> None:
    slow = Fake("slow", named("slow", 0, component=Component.GPU), slow=True)
    assert [c.id for c in opened(slow, GOOD, slow=False).channels] == ["good:0"]
    assert slow.calls == []
    only = opened(slow, GOOD, slow=True)
    assert [c.id for c in only.channels] == ["slow:0"]
    only.close()


def test_the_sources_of_what_is_read(opened: Callable[..., Sensors]) -> None:
    channels = named("a", 0, 1)
    collector = Fake("a", probes=Available(channels, sources={"a:0": "/sys/x", "a:7": "/sys/y"}))
    assert opened(collector).sources == {"a:0": "/sys/x", "a:1": ""}


def test_where_nothing_is_shared_out_nobody_looks(opened: Callable[..., Sensors]) -> None:
    assert opened(GOOD).usage() is None


def test_a_machine_without_any_sensor(opened: Callable[..., Sensors]) -> None:
    sensors = opened()
    assert (sensors.channels, sensors.beats_s(1.0), sensors.read()[1]) == ((), [], [])
    sensors.close()


# --- broken ones


def said(value: Any) -> CounterReading:
    return CounterReading("bad:0", 1, value)


@pytest.mark.parametrize("probes", [RuntimeError("no"), 5, "x", (), {}])
def test_a_probe_that_fails_is_an_incident(opened: Callable[..., Sensors], probes: Any) -> None:
    sensors = opened(Fake("bad", probes=probes), GOOD)
    assert [c.id for c in sensors.channels] == ["good:0"]
    assert [i.code for i in sensors.incidents] == ["sensor_failed"]
    assert "bad" in sensors.incidents[0].message.de


@pytest.mark.parametrize(
    "changes",
    [
        {"uncertainty_rel": nan}, {"uncertainty_rel": inf}, {"uncertainty_rel": -0.1}, {"uncertainty_low_rel": nan},
        {"share": 1.5}, {"share": nan}, {"share": -0.5}, {"update_s": nan}, {"update_s": -1.0}, {"update_s": "1 s"},
        {"wrap_uj": -5}, {"wrap_uj": "262143328850"}, {"max_power_uw": None}, {"max_power_uw": inf},
        {"component": "tpu"}, {"quality": None}, {"note": "text"}, {"id": 5}, {"uncertainty_short": ((5.0,),)},
        {"uncertainty_short": ((5.0, nan),)}, {"host": "another"}, {"includes": frozenset({"fans"})},
        {"device": b"GPU"}, {"collector": "good"},
    ],
)  # fmt: skip
def test_a_channel_that_no_reader_would_take_is_refused_before_the_run(
    opened: Callable[..., Sensors], changes: dict[str, Any]
) -> None:
    """It stands in the first line of the journal. If that cannot be read, nothing after it can."""
    first, second = named("bad", 0, 1)
    bad = Fake("bad", (first, replace(second, **changes)))
    sensors = opened(bad, GOOD)
    assert [c.id for c in sensors.channels] == ["good:0"]
    assert [i.code for i in sensors.incidents] == ["sensor_failed"]
    for channel in sensors.channels:
        assert Channel.from_json(channel.to_json()) == channel


def test_what_cannot_be_opened_is_an_incident(opened: Callable[..., Sensors]) -> None:
    sensors = opened(Fake("bad", named("bad", 0), opens=OSError("gone")), GOOD)
    assert [c.id for c in sensors.channels] == ["good:0"]
    assert [i.code for i in sensors.incidents] == ["sensor_failed"]
    assert "gone" in sensors.incidents[0].message.en


def test_a_slow_sensor_without_a_thread_is_an_incident(
    opened: Callable[..., Sensors], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", no_thread)
    sensors = opened(Fake("bad", named("bad", 0), slow=True), GOOD)
    assert [c.id for c in sensors.channels] == ["good:0"]
    assert "can't start new thread" in sensors.incidents[0].message.en


@pytest.mark.parametrize(
    ("reads", "reason"),
    [
        (RuntimeError("no"), "RuntimeError"), (KeyError("x"), "KeyError"), ((), "ValueError"), (5, "TypeError"),
        ([5, 6], "TypeError"), ([CounterReading("bad:0", 1, 1)], "ValueError"),
        ([CounterReading("bad:0", 1, 1), CounterReading("bad:0", 1, 1)], "ValueError"),
        ([CounterReading("bad:1", 1, 1), CounterReading("bad:0", 1, 1)], "ValueError"),
        ([CounterReading("bad:0", 1, 1), CounterReading("good:0", 1, 1)], "ValueError"),
        ([CounterReading("bad:0", 1, 1), CounterReading("nowhere", 1, 1)], "ValueError"),
        ([CounterReading("bad:0", 1, 1)] * 3, "ValueError"),
        ([said(nan), Gap("bad:1", 1, "x")], "ValueError"),
        ([said(inf), Gap("bad:1", 1, "x")], "OverflowError"),
        ([said("much"), Gap("bad:1", 1, "x")], "ValueError"),
        ([said(None), Gap("bad:1", 1, "x")], "TypeError"),
    ],
)  # fmt: skip
def test_whatever_a_broken_sensor_says_costs_its_own_channels_only(
    opened: Callable[..., Sensors], machine: FakeMachine, reads: Any, reason: str
) -> None:
    bad = Fake("bad", named("bad", 0, 1), reads=reads)
    _, readings = opened(bad, GOOD).read()
    now_ns = machine.clock.mono_ns()
    assert readings == [
        Gap("bad:0", now_ns, reason), Gap("bad:1", now_ns, reason), CounterReading("good:0", 1, 7),
    ]  # fmt: skip


def test_figures_of_other_kinds_of_number_are_whole_ones(opened: Callable[..., Sensors]) -> None:
    numbers = pytest.importorskip("numpy")
    reads = [CounterReading("a:0", 1, numbers.int64(5)), PowerReading("a:1", 1, 7.9)]  # type: ignore[arg-type]
    _, readings = opened(Fake("a", named("a", 0, 1), reads=reads)).read()
    assert readings == [CounterReading("a:0", 1, 5), PowerReading("a:1", 1, 7)]
    assert {type(readings[0].energy_uj), type(readings[1].power_uw)} == {int}  # type: ignore[union-attr]


def test_a_look_at_the_machine_that_fails_is_none(opened: Callable[..., Sensors]) -> None:
    """It is read at the marks of the tracked program, too: nothing may be raised there."""

    class Broken:
        def read(self) -> None:
            raise RuntimeError("driver")

    assert opened(GOOD, usage=Broken()).usage() is None


def test_closing_closes_all(opened: Callable[..., Sensors]) -> None:
    bad, good = Fake("bad", named("bad", 0), closes=RuntimeError("no")), Fake("good", named("good", 0))
    opened(bad, good).close()
    assert bad.calls[-1] == good.calls[-1] == "close"


def test_probing_says_what_each_found(machine: FakeMachine) -> None:
    broken = Incident("plugin_broken", Text(de="x", en="x"))
    bad, slow = Fake("bad", probes=RuntimeError("no")), Fake("slow", named("slow", 0), slow=True)
    loaded = LoadedCollectors((GOOD, bad, slow), (broken,))
    probed, incidents = probe_all(machine.host, loaded)
    assert [type(item.probe) for item in probed] == [Available, Unavailable, Available]
    assert incidents == [broken]
    channels, troubles = offered(probed)
    assert [c.id for c in channels] == ["good:0", "slow:0"]
    assert [i.code for i in troubles] == ["sensor_failed"]
    assert [item.collector.name for item in probe_all(machine.host, loaded, slow=True)[0]] == ["slow"]


def test_where_a_sensor_cannot_be_opened_the_estimate_it_displaced_is_read(machine: FakeMachine) -> None:
    class Unopenable(RaplCollector):
        def open(self, channels: Sequence[Channel]) -> None:
            raise OSError("gone meanwhile")

    machine.rapl("intel-rapl:0", "package-0", 1)
    collectors = (Unopenable(machine.host), CpuEstimateCollector(machine.host))
    sensors = open_sensors(machine.host, LoadedCollectors(collectors, ()))
    assert [channel.collector for channel in sensors.channels] == ["cpu_estimate"]
    assert [incident.code for incident in sensors.incidents] == ["sensor_failed"]
    sensors.close()

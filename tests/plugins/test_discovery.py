"""Plug-ins: found without importlib.metadata, first on the path wins, a broken one is an incident."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from greenai import plugins
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available
from greenai.core.reading import CounterReading, Gap
from greenai.plugins import Plugin, discover, load_collectors
from greenai.sampler import open_sensors
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.plugins import LoadedCollectors

GOOD = """
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Unavailable
from greenai.core.reading import CounterReading, Gap
from greenai.core.text import Text

class Collector:
    name = "{name}"
    slow = False
    verified_on = None
    def __init__(self, host):
        self.host = host
    def probe(self):
        return Available((Channel("{name}:x", "{name}", Component.REST, Kind.COUNTER, Quality.MEASURED, "x",
                                  self.host.name, "m", 0.1, 10**9),))
    def open(self, channels):
        pass
    def read(self):
        return [CounterReading("{name}:x", self.host.clock.mono_ns(), 5)]
    def close(self):
        pass
"""


def distribution(folder: Path, name: str, entries: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)


def module(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text)


@pytest.mark.parametrize("group", ["greenai.collectors", "greenai.reports", "greenai.commands"])
def test_discovery_agrees_with_the_standard_library(group: str) -> None:
    ours = {(plugin.name, plugin.value) for plugin in discover(group)}
    assert ours == {(point.name, point.value) for point in entry_points(group=group)}
    assert ours


def test_a_third_partys_collector_is_found_loaded_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path / "site", "wattmeter", "[greenai.collectors]\nwattmeter = wattmeter_ab:Collector\n")
    module(tmp_path / "site", "wattmeter_ab", GOOD.format(name="wattmeter"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert Plugin("greenai.collectors", "wattmeter", "wattmeter_ab:Collector") in discover("greenai.collectors")
    sensors = open_sensors(FakeMachine(tmp_path / "machine").host)
    assert "wattmeter:x" in {channel.id for channel in sensors.channels}
    assert "wattmeter:x" in {reading.channel_id for reading in sensors.read()[1]}
    sensors.close()


def test_the_first_on_the_path_wins(tmp_path: Path) -> None:
    for number in (1, 2):
        distribution(tmp_path / str(number), "d", f"[greenai.collectors]\nx = m{number}:C\ny{number} = m:C\n")
    found = {p.name: p.value for p in discover("greenai.collectors", [str(tmp_path / "2"), str(tmp_path / "1")])}
    assert found == {"x": "m2:C", "y2": "m:C", "y1": "m:C"}


def test_the_format_of_entry_points(tmp_path: Path) -> None:
    distribution(
        tmp_path,
        "d",
        "# [greenai.collectors]\n[other]\na = no:C\n\n[greenai.collectors]\n# off = no:C\n; off2 = no:C\n"
        "b=m:C\n  c  =  m.n:C.D [extra]\n\n[greenai.collectors.more]\nd = no:C\n",
    )
    found = {plugin.name: plugin.value for plugin in discover("greenai.collectors", [str(tmp_path)])}
    assert found == {"b": "m:C", "c": "m.n:C.D"}


def test_odd_folders_on_the_path_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "x-1.dist-info").mkdir()
    (tmp_path / "y-1.dist-info" / "entry_points.txt").mkdir(parents=True)
    info = tmp_path / "z-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_bytes(b"[greenai.collectors]\n\xff\xfe = m:C\ngood = m:C\n")
    path = [str(tmp_path / "none"), str(tmp_path / "file"), str(tmp_path)]
    assert "good" in {plugin.name for plugin in discover("greenai.collectors", path)}


BROKEN = {
    "syntax": "def (",
    "import": "import no_such_module_anywhere",
    "raises": "raise RuntimeError('at import')",
    "exits": "import sys\nsys.exit(3)",
    "attribute": "x = 1",
    "says_not_whether_it_is_slow": "class Collector:\n    name = 'b'\n    def __init__(self, host): pass\n",
    "constructor": "class Collector:\n    name = 'b'\n    def __init__(self): pass\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_an_incident_never_fatal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    module(tmp_path / "site", f"broken_{kind}", BROKEN[kind])
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    loaded = load_collectors(
        FakeMachine(tmp_path / "machine").host,
        [
            Plugin("greenai.collectors", "bad", f"broken_{kind}:Collector"),
            Plugin("greenai.collectors", "cpu", "greenai_collectors.cpu_estimate:CpuEstimateCollector"),
        ],
    )
    assert [collector.name for collector in loaded.collectors] == ["cpu_estimate"]
    (incident,) = loaded.incidents
    assert incident.code == "plugin_broken"
    for text in (incident.message.de, incident.message.en):
        assert "bad" in text
        assert f"broken_{kind}" in text


def test_a_nested_attribute_is_found() -> None:
    assert Plugin("g", "n", "greenai.testing:FakeMachine.busy").load() is FakeMachine.busy


MISBEHAVED = {
    "probe_none": "    def probe(self): return None",
    "probe_raises": "    def probe(self): raise RuntimeError('p')",
    "probe_none_close_raises": "    def probe(self): return None\n    def close(self): raise RuntimeError('c')",
    "open_raises": "    def open(self, channels): raise RuntimeError('o')",
    "read_raises": "    def read(self): raise RuntimeError('r')",
    "read_none": "    def read(self): return None",
    "read_junk": "    def read(self): return ['junk', 3]",
    "read_floats": "    def read(self): return [CounterReading('odd:x', 1, 'five')]",
    "close_raises": "    def close(self): raise RuntimeError('c')",
}


def loaded_with(folder: Path, kind: str) -> LoadedCollectors:
    text = GOOD.format(name="odd") + MISBEHAVED[kind] + "\n"
    namespace: dict[str, type] = {}
    exec(compile(text, str(folder / kind), "exec"), namespace)
    host = FakeMachine(folder / "machine").host
    good = load_collectors(
        host, [Plugin("greenai.collectors", "cpu", "greenai_collectors.cpu_estimate:CpuEstimateCollector")]
    )
    return plugins.LoadedCollectors((namespace["Collector"](host), *good.collectors), ())


@pytest.mark.parametrize("kind", MISBEHAVED)
def test_a_misbehaving_collector_costs_its_own_channels_only(tmp_path: Path, kind: str) -> None:
    host = FakeMachine(tmp_path / "machine").host
    sensors = open_sensors(host, loaded_with(tmp_path, kind))
    _, readings = sensors.read()
    by_id = {reading.channel_id: reading for reading in readings}
    assert isinstance(by_id["cpu_estimate:cpu"], CounterReading)
    assert isinstance(by_id.get("odd:x", Gap("odd:x", 0, "")), CounterReading if kind == "close_raises" else Gap)
    sensors.close()
    assert bool(sensors.incidents) is kind.startswith(("probe", "open"))


def test_a_measurement_displaces_the_estimate_of_the_same_part(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.rapl("intel-rapl:0", "package-0", 1)
    sensors = open_sensors(machine.host)
    assert {channel.collector for channel in sensors.channels} == {"rapl", "memory_estimate"}
    assert sensors.incidents == ()
    sensors.close()


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    sensors = open_sensors(FakeMachine(tmp_path / "machine").host, plugins.LoadedCollectors((), ()))
    assert (sensors.channels, [incident.code for incident in sensors.incidents]) == ((), [])


def test_the_modules_of_a_plugin_are_not_imported_by_looking(tmp_path: Path) -> None:
    distribution(tmp_path, "lazy", "[greenai.collectors]\nlazy = lazy_module_xy:C\n")
    assert discover("greenai.collectors", [str(tmp_path)])
    assert "lazy_module_xy" not in sys.modules


def test_a_channel_has_what_the_fake_says(tmp_path: Path) -> None:
    namespace: dict[str, type] = {}
    exec(GOOD.format(name="n"), namespace)
    probe = namespace["Collector"](FakeMachine(tmp_path).host).probe()
    assert isinstance(probe, Available)
    assert isinstance(probe.channels[0], Channel)
    assert (probe.channels[0].component, probe.channels[0].kind) == (Component.REST, Kind.COUNTER)
    assert probe.channels[0].quality is Quality.MEASURED

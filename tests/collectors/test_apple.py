"""Apple silicon: what a sample of powermetrics means, and who may take one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import Gap, PowerReading
from greenai.host.commands import TIMEOUT, CommandResult
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.apple import (
    HAS_RULE,
    MACHINES,
    POWERMETRICS,
    m1_with_macos_12,
    m1_with_macos_13,
    m4_with_a_rule_for_sudo,
    plist,
)
from greenai_collectors.apple import AppleCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture
def mac(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path, platform="darwin")


def probed(machine: FakeMachine) -> Available:
    found = AppleCollector(machine.host).probe()
    assert isinstance(found, Available), found
    return found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id: channel for channel in probed(machine).channels}


def opened(machine: FakeMachine) -> AppleCollector:
    collector = AppleCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available), found
    collector.open(found.channels)
    return collector


def said(collector: AppleCollector) -> dict[str, int | str]:
    values: dict[str, int | str] = {}
    for reading in collector.read():
        assert isinstance(reading, (PowerReading, Gap))
        values[reading.channel_id] = reading.power_uw if isinstance(reading, PowerReading) else reading.reason
    return values


def reason(machine: FakeMachine) -> Incident:
    found = AppleCollector(machine.host).probe()
    assert isinstance(found, Unavailable), found
    assert not found.expected
    return found.reason


@pytest.mark.parametrize("build", MACHINES.values(), ids=MACHINES)
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    assert check_collector(AppleCollector, build(tmp_path))


def test_elsewhere_nothing_is_started(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    host = machine.host
    object.__setattr__(host, "run_command", lambda *_: pytest.fail("started"))
    found = AppleCollector(host).probe()
    assert isinstance(found, Unavailable)
    assert found.expected


def test_the_captured_sample(tmp_path: Path) -> None:
    machine = m1_with_macos_13(tmp_path)
    channels = offered(machine)
    assert {name: (channel.component, channel.device) for name, channel in channels.items()} == {
        "apple:cpu": (Component.CPU, "CPU"),
        "apple:gpu": (Component.GPU, "GPU"),
        "apple:ane": (Component.GPU, "Neural Engine"),
    }
    assert {(channel.kind, channel.quality, channel.uncertainty_rel) for channel in channels.values()} == {
        (Kind.POWER, Quality.ESTIMATED, 0.15)
    }
    # 89 mJ and 31 mJ in 2.019 s: powermetrics itself prints 44.0773 mW and 15.3528 mW.
    assert said(opened(machine)) == {"apple:cpu": 44_077, "apple:gpu": 15_353, "apple:ane": 0}


def test_the_caveat_is_apples_own(tmp_path: Path) -> None:
    for channel in probed(m1_with_macos_13(tmp_path)).channels:
        assert channel.note is not None
        assert "estimate" in channel.note.en
        assert "Schätzung" in channel.note.de


def test_parts_are_summed_and_their_sum_is_not_added(tmp_path: Path) -> None:
    machine = m4_with_a_rule_for_sudo(tmp_path)
    chosen = counted(dict.fromkeys(probed(machine).channels, 1.0))
    assert {name for _, name in chosen} == {"apple:cpu", "apple:gpu", "apple:ane"}
    assert sum(int(value) for value in said(opened(machine)).values()) == 51_000_000


def test_memory_where_macos_tells_it(tmp_path: Path) -> None:
    machine = m1_with_macos_12(tmp_path)
    assert offered(machine)["apple:dram"].component is Component.DRAM
    assert said(opened(machine)) == {
        "apple:cpu": 640_000, "apple:gpu": 305_000, "apple:ane": 12_000, "apple:dram": 89_000,
    }  # fmt: skip
    assert len(counted(dict.fromkeys(probed(machine).channels, 1.0))) == 4


def test_a_sample_stands_for_its_middle(mac: FakeMachine) -> None:
    mac.commands[POWERMETRICS] = plist({"cpu_energy": 5_000}, elapsed_ns=1_000_000_000)
    collector = opened(mac)
    mac.clock.advance(30)
    (reading,) = collector.read()
    assert reading == PowerReading("apple:cpu", mac.clock.mono_ns() - 500_000_000, 5_000_000)


def test_power_where_there_is_no_energy(mac: FakeMachine) -> None:
    mac.commands[POWERMETRICS] = plist({"cpu_power": 2978.45, "gpu_power": 269.614})
    assert said(opened(mac)) == {"apple:cpu": 2_978_450, "apple:gpu": 269_614}


@pytest.mark.parametrize("has_rule", [False, True])
def test_others_than_root_get_the_exact_command(has_rule: bool, mac: FakeMachine) -> None:
    started: list[Sequence[str]] = []

    def run(command: Sequence[str], _timeout_s: float) -> CommandResult:
        started.append(command)
        if command[0] == "/bin/test":
            return CommandResult("", None if has_rule else "exit code 1")
        return CommandResult("", "powermetrics must be invoked as the superuser")

    host = mac.host
    object.__setattr__(host, "run_command", run)
    found = AppleCollector(host).probe()
    assert isinstance(found, Unavailable)
    assert (found.reason.code, found.expected) == ("apple_refused", False)
    assert "superuser" in found.reason.message.de
    assert "superuser" in found.reason.message.en
    command = (
        f'echo "$USER ALL=(root) NOPASSWD: {POWERMETRICS}" | sudo tee /etc/sudoers.d/greenai '
        "&& sudo chmod 440 /etc/sudoers.d/greenai"
    )
    assert found.reason.remedy is not None
    assert found.reason.remedy.de == f"Genau diesen Befehl erlauben: {command}"
    assert found.reason.remedy.en == f"Allow exactly this command: {command}"
    # Without the rule sudo is not even tried: a refusal is reported to the administrator.
    assert any(line[0] == "/usr/bin/sudo" for line in started) == has_rule


def test_the_rule_for_sudo_is_used_where_it_exists(tmp_path: Path) -> None:
    machine = m4_with_a_rule_for_sudo(tmp_path)
    assert said(opened(machine))["apple:gpu"] == 38_000_000
    del machine.commands[HAS_RULE]
    assert reason(machine).code == "apple_refused"


def test_a_mac_with_intel_has_no_such_figures(mac: FakeMachine) -> None:
    mac.commands[POWERMETRICS] = plist({"package_joules": 2.5})
    incident = reason(mac)
    assert incident.code == "apple_no_figures"
    assert "Intel" in incident.message.de
    assert "Intel" in incident.message.en


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("", "apple_no_property_list"),
        ("*** Sampled system activity ***", "apple_no_property_list"),
        ("<plist version='1.0'><dict>", "apple_no_property_list"),
        ("<plist version='1.0'><array/></plist>", "apple_no_property_list"),
        (
            "<plist version='1.0'><dict><key>elapsed_ns</key><integer>5</integer></dict></plist>",
            "apple_no_property_list",
        ),
        (plist({"cpu_energy": 1}).replace("<integer>1</integer>", "<string>1</string>"), "apple_not_in_sample"),
        (plist({"cpu_energy": float("inf")}), "apple_not_in_sample"),
        (plist({"cpu_power": float("nan")}), "apple_not_in_sample"),
        (plist({"cpu_energy": 1}, elapsed_ns=0), "apple_no_length"),
        (plist({"cpu_energy": 1}, elapsed_ns=-5), "apple_no_length"),
        (plist({"cpu_energy": 1}, elapsed_ns=10**18), "apple_no_length"),
        (plist({"cpu_energy": -1}), "apple_not_in_sample"),
        (plist({"cpu_energy": 2**64}), "apple_not_in_sample"),
        (plist({"gpu_energy": 7}), "apple_not_in_sample"),
    ],
)
def test_a_sample_that_cannot_be_is_a_gap(output: str, expected: str, mac: FakeMachine) -> None:
    mac.commands[POWERMETRICS] = plist({"cpu_energy": 1_000}, elapsed_ns=1_000_000_000)
    collector = opened(mac)
    mac.commands[POWERMETRICS] = output
    assert said(collector) == {"apple:cpu": expected}
    mac.commands[POWERMETRICS] = plist({"cpu_energy": 2_000}, elapsed_ns=1_000_000_000)
    assert said(collector) == {"apple:cpu": 2_000_000}


def test_a_program_that_hangs_is_a_gap(mac: FakeMachine) -> None:
    mac.commands[POWERMETRICS] = plist({"cpu_energy": 1_000})
    host = mac.host
    collector = AppleCollector(host)
    found = collector.probe()
    assert isinstance(found, Available)
    assert found.sources == {"apple:cpu": "powermetrics"}
    collector.open(found.channels)
    object.__setattr__(host, "run_command", lambda *_: CommandResult("", TIMEOUT))
    assert said(collector) == {"apple:cpu": "apple_timeout"}
    collector.close()
    assert collector.read() == []

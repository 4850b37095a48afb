"""IPMI: what the programs print, what is no power, and what a user without rights is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve
from greenai.core.reading import Gap, PowerReading
from greenai.host.commands import CommandResult
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.ipmi import (
    FREEIPMI,
    IPMITOOL,
    MACHINES,
    dell,
    freeipmi,
    gigabyte,
    hpe,
    ipmitool,
    openbmc,
)
from greenai_collectors.ipmi import IpmiCollector

if TYPE_CHECKING:
    from collections.abc import Callable

W = 1_000_000


def probed(machine: FakeMachine) -> Available:
    found = IpmiCollector(machine.host).probe()
    assert isinstance(found, Available), found
    return found


def refused(machine: FakeMachine) -> Unavailable:
    found = IpmiCollector(machine.host).probe()
    assert isinstance(found, Unavailable), found
    return found


def said(machine: FakeMachine) -> int | str:
    """Return what one reading gives: microwatts or the reason of a gap."""
    collector = IpmiCollector(machine.host)
    collector.open(probed(hpe(machine.root / "known")).channels)
    (reading,) = collector.read()
    collector.close()
    assert isinstance(reading, (PowerReading, Gap))
    return reading.power_uw if isinstance(reading, PowerReading) else reading.reason


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in MACHINES.items()])
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    machine = build(tmp_path)
    (channel,) = check_collector(IpmiCollector, machine)
    assert (channel.component, channel.kind, channel.quality) == (Component.NODE, Kind.POWER, Quality.MEASURED)
    assert IpmiCollector.slow
    assert {name for _, name in counted({channel: 1.0})} == {"ipmi:node"}


@pytest.mark.parametrize(
    ("build", "watts", "source"),
    [(hpe, 332, "ipmi-dcmi"), (dell, 220, "ipmitool"), (gigabyte, 195, "ipmitool"), (openbmc, 235, "ipmitool")],
)
def test_the_power_of_the_node(
    build: Callable[[Path], FakeMachine], watts: int, source: str, tmp_path: Path
) -> None:
    machine = build(tmp_path)
    assert said(machine) == watts * W
    assert probed(machine).sources == {"ipmi:node": source}


def test_the_energy_by_hand(tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    (channel,) = probed(machine).channels
    collector = IpmiCollector(machine.host)
    collector.open((channel,))
    readings = collector.read()
    start_ns = machine.clock.mono_ns()
    for watts in (400, 200):
        machine.clock.advance(10)
        machine.commands[FREEIPMI] = freeipmi(watts)
        readings += collector.read()
    collector.close()
    curve = EnergyCurve(integrate(channel, readings).intervals)
    assert curve.between(start_ns, machine.clock.mono_ns()).energy_j == (332 + 400) / 2 * 10 + 300 * 10
    assert channel.uncertainty_at(3600) == (0.10, 0.10)
    assert channel.uncertainty_at(5) == (0.50, 0.50)


@pytest.mark.parametrize(
    "text",
    [
        "Current Power                        : 332 watts\nPower Measurement : Active\n",
        "Current Power:332 Watts",
        "ipmiutil dcmi ver 3.17\n  Current Power:                   332 Watts\n  Power reading state is:      active\n",
        "\r\n    Instantaneous power reading:                   332 Watts\r\n    Power reading state is:  activated\r\n",
    ],
)
def test_other_versions_print_it_otherwise(text: str, tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    machine.commands[FREEIPMI] = text
    assert said(machine) == 332 * W


@pytest.mark.parametrize("state", ["Not Available", "Disable", "not active", "Unknown"])
def test_a_controller_that_does_not_measure_is_believed(state: str, tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    machine.commands[FREEIPMI] = freeipmi(332, state)
    assert said(machine) == "ipmi_inactive"
    found = refused(machine)
    assert (found.expected, found.reason.code, found.reason.channel_id) == (False, "ipmi_inactive", "ipmi:node")
    assert found.reason.remedy is not None
    assert "iDRAC" in found.reason.remedy.de


def test_a_deactivated_ipmitool_figure_is_no_power(tmp_path: Path) -> None:
    machine = dell(tmp_path)
    machine.commands[IPMITOOL] = ipmitool(220, "deactivated")
    assert said(machine) == "ipmi_inactive"


@pytest.mark.parametrize(
    ("watts", "reason"),
    [(0, "ipmi_zero"), (65535, "ipmi_sentinel"), (20_001, "ipmi_implausible"), (10**8, "ipmi_implausible")],
)
def test_figures_that_are_no_power(watts: int, reason: str, tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    machine.commands[FREEIPMI] = freeipmi(watts)
    assert said(machine) == reason
    assert refused(machine).reason.code == reason


@pytest.mark.parametrize("now", ["N/A", "-5", "", "12.5.3", "332 mW\nx", "99999999999999"])
def test_garbage_is_a_gap(now: str, tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    machine.commands[FREEIPMI] = freeipmi(now)
    assert said(machine) == "ipmi_garbage"


def test_only_minimum_and_maximum_are_no_power(tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    machine.commands[FREEIPMI] = "Minimum Power over sampling duration : 68 watts\nPower Measurement : Active\n"
    assert said(machine) == "ipmi_garbage"


def test_no_device_is_expected_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> CommandResult:
        raise AssertionError("a program was started")

    machine = hpe(tmp_path)
    (tmp_path / "dev/ipmi0").unlink()
    monkeypatch.setattr(FakeMachine, "_run_command", refuse)
    found = refused(machine)
    assert (found.expected, found.reason.code) == (True, "ipmi_absent")


def deny(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let opening the device fail as it does for a user; root may open anything."""
    opened = os.open

    def refuse(file: Any, *how: int, **where: Any) -> int:
        if file == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(file, *how, **where)

    monkeypatch.setattr(os, "open", refuse)


def test_a_user_without_rights_is_told_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = hpe(tmp_path)
    machine.commands.clear()
    deny(monkeypatch, tmp_path / "dev/ipmi0")
    found = refused(machine)
    assert (found.expected, found.reason.code, found.reason.channel_id) == (False, "ipmi_denied", "ipmi:node")
    assert found.reason.remedy is not None
    for language in (found.reason.remedy.de, found.reason.remedy.en):
        assert 'sudo "$(command -v greenai)" agent' in language
        assert "sudo setfacl -m u:$USER:rw /dev/ipmi0" in language
    assert found.reason.message.de != found.reason.message.en


def test_a_program_that_has_no_rights_either_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = hpe(tmp_path)
    machine.commands = {"ipmi-dcmi --version": "1.6"}
    deny(monkeypatch, tmp_path / "dev/ipmi0")
    assert refused(machine).reason.code == "ipmi_denied"


def test_a_program_with_rights_of_its_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = dell(tmp_path)
    deny(monkeypatch, tmp_path / "dev/ipmi0")
    assert said(machine) == 220 * W


def test_no_way_at_all_says_how_to_check(tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    machine.commands.clear()
    found = refused(machine)
    assert (found.expected, found.reason.code) == (False, "ipmi_no_device")
    assert found.reason.remedy is not None
    assert "sudo apt install freeipmi-tools" in found.reason.remedy.de


def test_a_program_that_fails_once_is_asked_again(tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    collector = IpmiCollector(machine.host)
    collector.open(probed(machine).channels)
    kinds = []
    for text in (freeipmi(332), "", freeipmi(334)):
        machine.commands[FREEIPMI] = text
        kinds += [type(reading) for reading in collector.read()]
    with machine.silenced():
        (gap,) = collector.read()
    collector.close()
    assert kinds == [PowerReading, Gap, PowerReading]
    assert isinstance(gap, Gap)
    assert gap.reason == "ipmi_program_failed"
    assert collector.read() == []


def test_a_controller_that_does_not_know_at_first_is_asked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [freeipmi(0), freeipmi(332)]
    machine = hpe(tmp_path)
    monkeypatch.setattr(FakeMachine, "_run_command", lambda *_: CommandResult(answers.pop(0)))
    assert len(probed(machine).channels) == 1


def test_the_probe_leaves_nothing_open(tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    machine = hpe(tmp_path)
    probed(machine)
    said(machine)
    assert set(Path("/proc/self/fd").iterdir()) == before

"""Every collector keeps the one contract on every fake machine where it finds something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenai.core.collector import Available
from greenai.plugins import COLLECTORS, discover, load_collectors
from greenai.sampler.opening import offered, probe_all
from greenai.testing import check_collector
from greenai.testing.machines import MACHINES

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(plugin.name for plugin in discover(COLLECTORS))
# The agent is another process: tests/agent holds it against the same contract.
ELSEWHERE = {"agent"}


@pytest.mark.parametrize("machine_name", MACHINES)
def test_every_collector_that_finds_something_keeps_the_contract(machine_name: str, tmp_path: Path) -> None:
    machine = MACHINES[machine_name](tmp_path / "probe")
    loaded = load_collectors(machine.host)
    assert not loaded.incidents
    for collector in loaded.collectors:
        found = isinstance(collector.probe(), Available)
        collector.close()
        if found:
            # A machine of its own: silencing it for one collector must not confuse the next.
            check_collector(type(collector), MACHINES[machine_name](tmp_path / collector.name))


def test_every_collector_finds_something_somewhere(tmp_path: Path) -> None:
    found: set[str] = set()
    for number, build in enumerate(MACHINES.values()):
        probed, _ = probe_all(build(tmp_path / str(number)).host)
        found |= {item.collector.name for item in probed if isinstance(item.probe, Available)}
    assert found == set(NAMES) - ELSEWHERE


@pytest.mark.parametrize("machine_name", MACHINES)
def test_whatever_is_wrong_is_said_in_both_languages(machine_name: str, tmp_path: Path) -> None:
    probed, incidents = probe_all(MACHINES[machine_name](tmp_path).host)
    channels, troubles = offered(probed)
    for incident in (*incidents, *troubles):
        assert incident.code
        assert incident.message.de
        assert incident.message.en
        assert incident.remedy is None or (incident.remedy.de and incident.remedy.en)
    assert len({channel.id for channel in channels}) == len(channels)


@pytest.mark.parametrize("name", NAMES)
def test_on_a_machine_without_the_hardware_a_collector_is_quiet(name: str, tmp_path: Path) -> None:
    from greenai.testing import FakeMachine

    machine = FakeMachine(tmp_path)
    probed, _ = probe_all(machine.host)
    (item,) = [item for item in probed if item.collector.name == name]
    if not isinstance(item.probe, Available):
        assert item.probe.expected, item.probe.reason.message

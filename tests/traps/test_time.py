"""Long runs, short ones, several of them, tasks inside them, and an agent that is restarted meanwhile."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from greenai.agent.server import AgentServer
from greenai.core.channel import Component
from greenai.plugins import LoadedCollectors
from greenai.sampler import open_sensors
from greenai.testing import FakeMachine
from greenai.testing.machines.rapl import DRAM_RANGE_UJ, RANGE_UJ, Zone, power_pmu, powercap
from greenai_collectors.rapl import RaplCollector
from greenai_collectors.rapl_perf import RaplPerfCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOUR_S = 3600.0
RANGE_J = RANGE_UJ / 1e6


def socket_with_memory(folder: Path) -> FakeMachine:
    machine = FakeMachine(folder)
    powercap(machine, [Zone("package-0", 0, inside=(Zone("dram", 0, DRAM_RANGE_UJ),))])
    return machine


def changing(t: float) -> float:
    """120 W in the first hour, 180 W afterwards: windows have energies of their own."""
    return 120.0 if t < HOUR_S else 180.0


def test_nested_tasks_of_more_than_an_hour(play: Any) -> None:
    """codecarbon: starting a task stops the sampling, and one at a time only. Each here is longer than a range."""
    stage = play(socket_with_memory)
    stage.rapl("intel-rapl:0", changing)
    stage.rapl("intel-rapl:0:0", 10.0)
    windows = {
        "training": (0.5 * HOUR_S, 3.5 * HOUR_S),
        "epoch": (HOUR_S, 3 * HOUR_S),
        "overlapping": (2 * HOUR_S, 3.25 * HOUR_S),
    }
    run = stage.run(4 * HOUR_S, interval_s=10.0, windows=windows)
    assert run.energy_j == pytest.approx((130 + 3 * 190) * HOUR_S, rel=1e-4)
    for name, (start_s, end_s) in windows.items():
        first_s = max(HOUR_S - start_s, 0)
        expected_j = 130 * first_s + 190 * (end_s - start_s - first_s)
        assert run.window(name) == pytest.approx(expected_j, rel=1e-4)
        assert expected_j > RANGE_J
    assert run.lost == {}


def test_a_task_between_two_beats_is_exact(play: Any) -> None:
    """zeus: short windows return 0 J; codecarbon#188: a sample of 10 ms is extrapolated by factors of hundreds."""
    stage = play(socket_with_memory)
    stage.rapl("intel-rapl:0", lambda t: 250.0 if 4.25 <= t < 4.75 else 50.0)
    stage.rapl("intel-rapl:0:0", 10.0)
    run = stage.run(10, interval_s=2.0, windows={"request": (4.25, 4.75)})
    assert run.window("request") == pytest.approx(0.5 * 260)
    assert run.energy_j == pytest.approx(sum(run.truth_j))


def test_second_start_after_stop(play: Any) -> None:
    """codecarbon#217: cannot be started again, or the second run contains the first and the pause between them."""
    stage = play(socket_with_memory)
    stage.rapl("intel-rapl:0", lambda t: 100.0 if t < 15 else 150.0)
    stage.rapl("intel-rapl:0:0", 10.0)
    first = stage.run(10)
    stage.pass_time(500)
    second = stage.run(10)
    assert first.energy_j == pytest.approx(10 * 110)
    assert second.energy_j == pytest.approx(10 * 160)
    assert first.record.id != second.record.id


def test_half_of_the_time_is_not_observed(play: Any) -> None:
    """carbontracker: a second of reading, a second of pause, and the mean power of the one stands for both."""
    stage = play(socket_with_memory)
    stage.rapl("intel-rapl:0", lambda t: 200.0 if t % 2 < 1 else 50.0)
    stage.rapl("intel-rapl:0:0", 10.0)
    run = stage.run(90, interval_s=30.0)
    assert run.truth_j[0] == pytest.approx(125 * 90, rel=0.01)
    assert run.energy_j == pytest.approx(sum(run.truth_j))


def test_the_controller_of_slurm_is_asked_with_each_sample(
    play: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """codecarbon#447: ``scontrol`` in the loop "spams the Slurm controller". Here no program runs at all."""
    asked: list[tuple[str, ...]] = []
    stage = play(socket_with_memory)
    stage.machine.environ = {"SLURM_JOB_ID": "42", "SLURMD_NODENAME": "n1"}
    monkeypatch.setattr(FakeMachine, "_run_command", lambda _self, command, _s: asked.append(tuple(command)))
    stage.rapl("intel-rapl:0", 100.0)
    stage.rapl("intel-rapl:0:0", 10.0)
    assert stage.run(60).energy_j == pytest.approx(6600)
    assert [command for command in asked if command[0] in ("scontrol", "sacct", "squeue", "sstat")] == []


# --- the agent: counters that only root may read


@contextmanager
def serving(machine: FakeMachine, path: Path, build: Callable[[Any], Any]) -> Iterator[None]:
    sensors = open_sensors(machine.host, LoadedCollectors((build(machine.host),), ()))
    server = AgentServer(machine.host, sensors, path, None)
    stop, stopper = os.pipe()
    thread = threading.Thread(target=server.serve, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(stopper, b"!")
        thread.join()
        server.close()
        sensors.close()
        os.close(stop)
        os.close(stopper)


class Agent:
    """The agent of a node and a user who depends on it."""

    def __init__(self, play: Any, build: Callable[[Any], Any], machine: FakeMachine) -> None:
        socket = machine.root / "agent.sock"
        environ = {"GREENAI_AGENT_SOCKET": str(socket)}
        self.stage = play(lambda folder: FakeMachine(folder, clock=machine.clock, environ=environ))
        self._serve: Callable[[], Any] = lambda: serving(machine, socket, build)
        self._now: Any = None
        self.start()

    def start(self) -> None:
        self._now = self._serve()
        self._now.__enter__()

    def stop(self) -> None:
        self._now.__exit__(None, None, None)


def test_an_agent_that_is_restarted(play: Any, tmp_path: Path) -> None:
    """zeusd, alumet: the client of a restarted daemon fails or starts at 0. Nothing of a counter is lost by it."""
    root = socket_with_memory(tmp_path / "root")
    agent = Agent(play, RaplCollector, root)
    counter = root.root / "sys/class/powercap/intel-rapl:0/energy_uj"
    agent.stage.drive(100.0, lambda joules, _: counter.write_text(f"{round(joules * 1e6)}\n"))
    agent.stage.at(10.5, agent.stop)
    agent.stage.at(20.5, agent.start)
    run = agent.stage.run(60)
    agent.stop()
    assert run.joules(Component.CPU) == pytest.approx(100 * 60)
    assert run.lost["agent_gone"] >= 10


def test_an_agent_that_counts_from_a_new_zero(play: Any, tmp_path: Path) -> None:
    """By perf_event_open the kernel counts from the opening: after a restart that would look like a wrap."""
    root = FakeMachine(tmp_path / "root")
    power_pmu(root, {0: (0, 0)})
    agent = Agent(play, RaplPerfCollector, root)
    run = agent.stage.run(10)
    agent.stop()
    assert "rapl:package-0" not in {row.id for row in run.record.energy.channels}  # it is not handed on

"""The agent: figures for those who may ask, harm from nobody, and runs that find it by themselves."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.agent.server import MOST_PER_USER, RENEWAL_NS, AgentServer
from greenai.core.channel import Component, Kind
from greenai.core.collector import Available, Unavailable
from greenai.core.reading import CounterReading, Gap
from greenai.host.agent_link import AgentLink
from greenai.plugins import LoadedCollectors
from greenai.sampler import open_sensors
from greenai.sampler.opening import ProbedCollector, offered
from greenai.testing import FakeMachine
from greenai_collectors.agent import AgentCollector
from greenai_collectors.rapl import RaplCollector

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    machine = FakeMachine(tmp_path / "machine")
    machine.rapl("intel-rapl:0", "package-0", 5_000_000)
    machine.rapl("intel-rapl:0:0", "dram", 700_000)
    return machine


@contextmanager
def agent(machine: FakeMachine, path: Path, group_id: int | None = None) -> Iterator[AgentServer]:
    sensors = open_sensors(machine.host, LoadedCollectors((RaplCollector(machine.host),), ()))
    server = AgentServer(machine.host, sensors, path, group_id)
    stop, stopper = os.pipe()
    thread = threading.Thread(target=server.serve, args=(stop,))
    thread.start()
    try:
        yield server
    finally:
        os.write(stopper, b"!")
        thread.join()
        server.close()
        sensors.close()
        os.close(stop)
        os.close(stopper)


def user_of(tmp_path: Path, socket_path: Path) -> FakeMachine:
    """A machine whose own counters cannot be read, with an agent."""
    return FakeMachine(tmp_path / "user", environ={"GREENAI_AGENT_SOCKET": str(socket_path)})


def test_a_user_gets_the_channels_and_their_readings(machine: FakeMachine, tmp_path: Path) -> None:
    user = user_of(tmp_path, tmp_path / "s")
    with agent(machine, tmp_path / "s"):
        collector = AgentCollector(user.host)
        found = collector.probe()
        assert isinstance(found, Available)
        names = {(c.id, c.component, c.kind, c.method, c.collector) for c in found.channels}
        assert names == {
            ("rapl:package-0", Component.CPU, Kind.COUNTER, "rapl_powercap", "agent"),
            ("rapl:package-0/dram", Component.DRAM, Kind.COUNTER, "rapl_powercap", "agent"),
        }
        assert all(source.startswith("greenai agent: ") for source in found.sources.values())
        collector.open(found.channels)
        first = {r.channel_id: r for r in collector.read()}
        reading = first["rapl:package-0"]
        assert isinstance(reading, CounterReading)
        assert (reading.energy_uj, reading.t_mono_ns) == (5_000_000, machine.clock.mono_ns())
        machine.rapl("intel-rapl:0", "package-0", 6_000_000)
        machine.clock.advance(1)
        assert [r.energy_uj for r in collector.read() if isinstance(r, CounterReading)] == [6_000_000, 700_000]
        collector.close()


def test_readings_are_not_renewed_faster_than_every_20_ms(machine: FakeMachine, tmp_path: Path) -> None:
    with agent(machine, tmp_path / "s"):
        link = AgentLink(tmp_path / "s", 1.0)

        def ask() -> int:
            return int(link.ask({"ask": "read", "ids": ["rapl:package-0"]})["readings"][0][2])

        assert ask() == 5_000_000
        machine.rapl("intel-rapl:0", "package-0", 6_000_000)
        machine.clock.advance(RENEWAL_NS / 1e9 - 0.001)
        assert ask() == 5_000_000
        machine.clock.advance(0.002)
        assert ask() == 6_000_000
        link.close()


def test_a_failed_sensor_is_a_gap_with_its_reason(machine: FakeMachine, tmp_path: Path) -> None:
    collector = AgentCollector(user_of(tmp_path, tmp_path / "s").host)
    with agent(machine, tmp_path / "s"):
        found = collector.probe()
        assert isinstance(found, Available)
        collector.open(found.channels)
        with machine.silenced():
            readings = collector.read()
    assert [type(reading) for reading in readings] == [Gap, Gap]
    collector.close()


def test_an_agent_that_dies_is_a_gap_and_one_that_comes_back_is_found(
    machine: FakeMachine, tmp_path: Path
) -> None:
    collector = AgentCollector(user_of(tmp_path, tmp_path / "s").host)
    with agent(machine, tmp_path / "s"):
        found = collector.probe()
        assert isinstance(found, Available)
        collector.open(found.channels)
        assert all(isinstance(reading, CounterReading) for reading in collector.read())
    assert [r.reason for r in collector.read() if isinstance(r, Gap)] == ["agent_gone", "agent_gone"]
    with agent(machine, tmp_path / "s"):
        assert all(isinstance(reading, CounterReading) for reading in collector.read())
    collector.close()


def test_an_agent_that_hangs_costs_a_quarter_second_once(tmp_path: Path) -> None:
    user = user_of(tmp_path, tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "s"))
        mute.listen()
        collector = AgentCollector(user.host)
        found = collector.probe()
        assert isinstance(found, Unavailable)
        assert found.reason.code == "agent_failed"
        assert not found.expected
        began_s = time.monotonic()
        collector.open([])
        for _ in range(50):
            collector.read()
        assert time.monotonic() - began_s < 2
    collector.close()


def test_without_an_agent_nothing_is_said(tmp_path: Path) -> None:
    found = AgentCollector(user_of(tmp_path, tmp_path / "none").host).probe()
    assert isinstance(found, Unavailable)
    assert found.expected


@pytest.mark.parametrize(
    "answer", [b"no json\n", b"[]\n", b'{"version": 1}\n', b'{"version":1,"channels":[{}],"sources":{}}\n', b"{"]
)
def test_nonsense_from_the_other_side_is_said_and_harms_nobody(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(str(tmp_path / "s"))
        liar.listen()

        def lie() -> None:
            connection, _ = liar.accept()
            connection.recv(1000)
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=lie)
        thread.start()
        found = AgentCollector(user_of(tmp_path, tmp_path / "s").host).probe()
        thread.join()
    assert isinstance(found, Unavailable)
    assert found.reason.code == "agent_failed"


def test_an_agent_of_another_version_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()

        def answer() -> None:
            connection, _ = other.accept()
            connection.recv(1000)
            connection.sendall(b'{"version":99,"channels":[],"sources":{}}\n')
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        found = AgentCollector(user_of(tmp_path, tmp_path / "s").host).probe()
        thread.join()
    assert isinstance(found, Unavailable)
    assert found.reason.code == "agent_version"
    assert "99" in found.reason.message.de


@pytest.mark.parametrize(
    "question",
    [
        b"no json\n",
        b"[]\n",
        b"{}\n",
        b'{"ask": "write"}\n',
        b'{"ask": "read", "ids": ["/etc/shadow"]}\n',
        b'{"ask": "read", "ids": 5}\n',
        b"[" * 60_000 + b"\n",
        b"x" * 200_000,
        b"\xff\xfe\n",
    ],
)
def test_who_sends_junk_is_sent_away_and_the_others_are_served(
    machine: FakeMachine, tmp_path: Path, question: bytes
) -> None:
    with agent(machine, tmp_path / "s"):
        good = AgentLink(tmp_path / "s", 5.0)
        with socket.socket(socket.AF_UNIX) as bad:
            bad.settimeout(5)
            bad.connect(str(tmp_path / "s"))
            with suppress(BrokenPipeError, ConnectionResetError):
                bad.sendall(question)
            with suppress(ConnectionResetError):
                assert bad.recv(100) == b""
        assert good.ask({"ask": "read", "ids": ["rapl:package-0"]})["readings"][0][2] == 5_000_000
        good.close()


def test_who_does_not_listen_holds_up_nobody(machine: FakeMachine, tmp_path: Path) -> None:
    with agent(machine, tmp_path / "s"), socket.socket(socket.AF_UNIX) as deaf:
        deaf.setblocking(False)
        deaf.connect(str(tmp_path / "s"))
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            for _ in range(100_000):
                deaf.send(b'{"ask": "channels"}\n' * 50)
        good = AgentLink(tmp_path / "s", 5.0)
        assert good.ask({"ask": "channels"})["version"] == 1
        good.close()


def test_one_user_cannot_take_all_places(machine: FakeMachine, tmp_path: Path) -> None:
    with agent(machine, tmp_path / "s"):
        links = []
        for _ in range(MOST_PER_USER):
            link = AgentLink(tmp_path / "s", 5.0)
            link.ask({"ask": "channels"})
            links.append(link)
        one_more = AgentLink(tmp_path / "s", 5.0)
        with pytest.raises(OSError):
            one_more.ask({"ask": "channels"})
        links.pop().close()
        time.sleep(0.1)
        again = AgentLink(tmp_path / "s", 5.0)
        assert again.ask({"ask": "channels"})["version"] == 1
        for link in [*links, one_more, again]:
            link.close()


def served_as(path: Path, uid: int, gid: int, groups: list[int]) -> int | str:
    """Ask the agent as somebody else; return how many channels it named, or the error."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(path))
                client.sendall(b'{"ask": "channels"}\n')
                said = str(len(json.loads(client.makefile().readline())["channels"]))
        except Exception as error:  # noqa: BLE001  # whatever it is, the parent wants to know
            said = type(error).__name__
        os.write(writable, said.encode())
        os._exit(0)
    os.close(writable)
    said = os.read(readable, 100).decode()
    os.close(readable)
    os.waitpid(pid, 0)
    return int(said) if said.isdecimal() else said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("gid", "groups", "everyone", "served"),
    [(4242, [], False, True), (65534, [4242], False, True), (65534, [], False, False), (65534, [], True, True)],
)
def test_only_members_of_the_group_are_served(
    machine: FakeMachine, *, gid: int, groups: list[int], everyone: bool, served: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        path = Path(folder) / "s"
        with agent(machine, path, None if everyone else 4242):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o666 if everyone else 0o660)
            assert served_as(path, 65534, gid, groups) == (2 if served else "PermissionError")
            # Even where the file's mode would let one in, the server asks the kernel who it is.
            path.chmod(0o666)
            assert (served_as(path, 65534, gid, groups) == 2) is served


def test_a_server_that_is_neither_root_nor_oneself_is_not_believed(
    machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with agent(machine, tmp_path / "s"):
        monkeypatch.setattr("greenai.host.agent_link.peer_credentials", lambda _c: (1, 4711, 4711))
        found = AgentCollector(user_of(tmp_path, tmp_path / "s").host).probe()
    assert isinstance(found, Unavailable)
    assert "4711" in found.reason.message.en


def test_a_second_agent_is_refused_and_a_dead_socket_replaced(machine: FakeMachine, tmp_path: Path) -> None:
    with agent(machine, tmp_path / "s"):
        with pytest.raises(OSError) as refused, agent(machine, tmp_path / "s"):
            pass
        assert refused.value.errno == errno.EADDRINUSE
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    with agent(machine, tmp_path / "s"):
        link = AgentLink(tmp_path / "s", 5.0)
        assert link.ask({"ask": "channels"})["version"] == 1
        link.close()
    assert not (tmp_path / "s").exists()


def test_what_the_user_may_read_directly_is_not_read_by_the_agent(machine: FakeMachine, tmp_path: Path) -> None:
    machine.environ = {"GREENAI_AGENT_SOCKET": str(tmp_path / "s")}
    with agent(machine, tmp_path / "s"):
        collectors = (AgentCollector(machine.host), RaplCollector(machine.host))
        sensors = open_sensors(machine.host, LoadedCollectors(collectors, ()))
        assert {channel.collector for channel in sensors.channels} == {"rapl"}
        sensors.close()


def test_what_the_agent_reads_is_no_longer_reported_as_unreadable(machine: FakeMachine, tmp_path: Path) -> None:
    user = user_of(tmp_path, tmp_path / "s")
    for zone, name in (("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "dram")):
        file = user.rapl(zone, name, 1)
        file.unlink()
        file.mkdir()  # not readable, even for root
    rapl = RaplCollector(user.host)
    closed = rapl.probe()
    assert offered([ProbedCollector(rapl, closed)])[1], "without the agent it must be said"
    with agent(machine, tmp_path / "s"):
        link = AgentCollector(user.host)
        channels, incidents = offered([ProbedCollector(rapl, closed), ProbedCollector(link, link.probe())])
        assert {channel.collector for channel in channels} == {"agent"}
        assert not [incident for incident in incidents if incident.channel_id == "rapl:package-0"]
        link.close()


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """This machine has nothing that only root may read: the command says so and does not pretend."""
    done = subprocess.run(
        [sys.executable, "-m", "greenai", "agent", "--everyone", "--socket", str(tmp_path / "s")],
        capture_output=True, text=True, check=False, env={**os.environ, "GREENAI_LANGUAGE": "de"}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "keinen Sensor" in done.stderr


def test_a_missing_group_is_named_with_the_command_that_makes_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "greenai", "agent", "--group", "no-such-group"],
        capture_output=True, text=True, check=False, env={**os.environ, "GREENAI_LANGUAGE": "en"}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "sudo groupadd --system no-such-group" in done.stderr


def test_the_unit_names_this_program_and_gives_away_no_rights() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "greenai", "agent", "--print-unit"], capture_output=True, text=True, check=True
    )
    unit = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line and line[0] != "#")
    assert unit["ExecStart"] == f"{sys.executable} -P -m greenai agent"
    assert unit["CapabilityBoundingSet"].split() == ["CAP_DAC_READ_SEARCH", "CAP_PERFMON", "CAP_CHOWN"]
    assert unit["NoNewPrivileges"] == unit["MemoryDenyWriteExecute"] == "yes"
    assert unit["ProtectSystem"] == "strict"


def test_protocol_lines_are_plain_json(machine: FakeMachine, tmp_path: Path) -> None:
    with agent(machine, tmp_path / "s"), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(tmp_path / "s"))
        client.sendall(b'{"ask":"read","ids":["rapl:package-0/dram"]}\n{"ask":"channels"}\n')
        stream = client.makefile()
        answers: list[dict[str, Any]] = [json.loads(stream.readline()) for _ in range(2)]
        stream.close()
    assert answers[0]["readings"] == [["rapl:package-0/dram", machine.clock.mono_ns(), 700_000, None]]
    assert len(answers[1]["channels"]) == 2
    assert struct.calcsize("3i") == 12


def test_nobody_waits_behind_a_flood(machine: FakeMachine, tmp_path: Path) -> None:
    """Eight clients with thousands of questions waiting: another one is answered within a turn of each."""
    with agent(machine, tmp_path / "s"):
        greedy = []
        for _ in range(8):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            client.connect(str(tmp_path / "s"))
            with suppress(BlockingIOError):
                client.send(b'{"ask":"channels"}\n' * 3000)
            greedy.append(client)
        link = AgentLink(tmp_path / "s", 5.0)
        began_s = time.monotonic()
        for _ in range(20):
            assert link.ask({"ask": "channels"})["version"] == 1
        assert time.monotonic() - began_s < 2
        link.close()
        for client in greedy:
            client.close()


def test_more_questions_than_channels_are_refused(machine: FakeMachine, tmp_path: Path) -> None:
    with agent(machine, tmp_path / "s"):
        link = AgentLink(tmp_path / "s", 5.0)
        with pytest.raises(ConnectionError):
            link.ask({"ask": "read", "ids": ["rapl:package-0"] * 1000})
        link.close()


def test_marks_and_the_sampling_thread_share_one_connection(machine: FakeMachine, tmp_path: Path) -> None:
    user = user_of(tmp_path, tmp_path / "s")
    with agent(machine, tmp_path / "s"):
        sensors = open_sensors(user.host, LoadedCollectors((AgentCollector(user.host),), ()))
        found: list[object] = []

        def read() -> None:
            for _ in range(200):
                found.extend(sensors.read()[1])

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sensors.close()
    assert len(found) == 4 * 200 * 2
    assert not [reading for reading in found if isinstance(reading, Gap)]

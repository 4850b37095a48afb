"""The agent's server: many clients, one thread, read-only.

What keeps it harmless:

* It answers two questions (which channels, their readings) and takes no other order.
* The kernel says who asks (SO_PEERCRED, SO_PEERGROUPS); others than the admitted are sent away.
* Readings are renewed at most every 20 ms whoever asks, and shared between all: fine enough for windows, and far
  coarser than what recovers secrets from energy counters (PLATYPUS, CVE-2020-8694, samples thousands of times a
  second).
* Lines and clients are limited; who sends junk is sent away. Each client gets one answer per turn, and the next
  only when the last is taken: a flood or a deaf client holds up nobody.
* It reads nothing while nobody asks.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenai.core.reading import CounterReading, PowerReading
from greenai.core.units import NS_PER_S
from greenai.host.agent_link import PROTOCOL_VERSION, RENEWAL_S, peer_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from greenai.core.reading import Reading
    from greenai.host import Host
    from greenai.sampler import Sensors

RENEWAL_NS = int(RENEWAL_S * NS_PER_S)
LONGEST_QUESTION = 64 * 1024
MOST_CLIENTS = 512
MOST_PER_USER = 128
_SO_PEERGROUPS = 59  # socket(7), Linux 4.13
_PYTHON_LARGEST_OPTION = 1024  # bytes that socket.getsockopt takes: 256 groups


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    uid: int
    received: bytearray = field(default_factory=bytearray)
    unsent: bytearray = field(default_factory=bytearray)


class AgentServer:
    """Serves the readings of opened sensors over a Unix socket."""

    def __init__(self, host: Host, sensors: Sensors, path: Path, group_id: int | None) -> None:
        """Listen.

        Args:
            host: The machine.
            sensors: Opened sensors.
            path: Where the socket is to be; a dead one there is replaced.
            group_id: The group whose members may ask; None admits every local user.

        Raises:
            OSError: The socket cannot be made; EADDRINUSE if an agent answers there already.
        """
        self._host = host
        self._sensors = sensors
        # A counter with a zero of this process's own would seem to fall when the agent is restarted.
        channels = [channel.to_json() for channel in sensors.channels if not channel.per_process]
        self._channels = _encoded(
            {"version": PROTOCOL_VERSION, "channels": channels, "sources": dict(sensors.sources)}
        )
        self._path = path
        self._group_id = group_id
        self._latest: dict[str, Reading] = {}
        self._latest_ns = -RENEWAL_NS
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = self._listen()
        self._selector.register(self._listener, selectors.EVENT_READ)

    def serve(self, stop_file: int) -> None:
        """Answer until something can be read from ``stop_file`` (a file descriptor)."""
        self._selector.register(stop_file, selectors.EVENT_READ)
        while True:
            for key, events in self._selector.select():
                if key.fd == stop_file:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd in self._clients:
                    self._attend(self._clients[key.fd], events)

    def close(self) -> None:
        """Hang up on everybody and remove the socket."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.close()
        self._listener.close()
        with suppress(OSError):
            self._path.unlink()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            if self._path.is_socket():
                self._remove_if_dead()
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            before = os.umask(0o177)  # nobody gets in before the rights are right
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(before)
            if self._group_id is not None:
                os.chown(self._path, -1, self._group_id)
            self._path.chmod(0o666 if self._group_id is None else 0o660)
            listener.listen(64)
        except BaseException:
            listener.close()
            raise
        return listener

    def _remove_if_dead(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self._path))
            except ConnectionRefusedError:
                self._path.unlink()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again, or no descriptors left
            return
        connection.setblocking(False)
        uid = peer_credentials(connection)[1]
        mine = sum(client.uid == uid for client in self._clients.values())
        if len(self._clients) >= MOST_CLIENTS or mine >= MOST_PER_USER or not self._admitted(connection, uid):
            connection.close()
            return
        self._clients[connection.fileno()] = _Client(connection, uid)
        self._selector.register(connection, selectors.EVENT_READ)

    def _admitted(self, connection: socket.socket, uid: int) -> bool:
        if self._group_id is None or uid in (0, os.geteuid()):
            return True
        _, _, gid = peer_credentials(connection)
        return self._group_id in (gid, *_peer_groups(connection))

    def _attend(self, client: _Client, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._receive(client)
            # One question per turn, and none before the last answer is taken: nobody waits behind a flood.
            line, end, rest = client.received.partition(b"\n")
            if end and not client.unsent:
                client.received = bytearray(rest)
                client.unsent += self._answer(json.loads(line))
            self._send(client)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._drop(client)  # gone, or talks nonsense

    @staticmethod
    def _receive(client: _Client) -> None:
        data = client.connection.recv(LONGEST_QUESTION)
        if not data:
            raise ConnectionResetError
        client.received += data
        if b"\n" not in client.received and len(client.received) >= LONGEST_QUESTION:
            raise ValueError("a question that does not end")

    def _send(self, client: _Client) -> None:
        with suppress(BlockingIOError):
            while client.unsent:
                del client.unsent[: client.connection.send(client.unsent)]
        # Who has a question waiting is not listened to until it is answered.
        waits = client.unsent or b"\n" in client.received
        self._selector.modify(client.connection, selectors.EVENT_WRITE if waits else selectors.EVENT_READ)

    def _drop(self, client: _Client) -> None:
        self._clients.pop(client.connection.fileno(), None)
        with suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.connection.close()

    def _answer(self, question: Mapping[str, Any]) -> bytes:
        if question["ask"] == "channels":
            return self._channels
        if question["ask"] == "read" and len(question["ids"]) <= len(self._sensors.channels):
            self._renew()
            return _encoded({"readings": [_line(self._latest[name]) for name in question["ids"]]})
        raise ValueError("no such question")

    def _renew(self) -> None:
        now_ns = self._host.clock.mono_ns()
        if now_ns - self._latest_ns >= RENEWAL_NS:
            self._latest = {reading.channel_id: reading for reading in self._sensors.read()[1]}
            self._latest_ns = now_ns


def _encoded(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"


def _line(reading: Reading) -> list[Any]:
    if isinstance(reading, CounterReading):
        return [reading.channel_id, reading.t_mono_ns, reading.energy_uj, None]
    if isinstance(reading, PowerReading):
        return [reading.channel_id, reading.t_mono_ns, reading.power_uw, None]
    return [reading.channel_id, reading.t_mono_ns, None, reading.reason]


def _peer_groups(connection: socket.socket) -> tuple[int, ...]:
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _PYTHON_LARGEST_OPTION)
    except OSError:  # an old kernel, or a user of very many groups: the primary group alone decides
        return ()
    return struct.unpack(f"{len(data) // 4}I", data[: len(data) // 4 * 4])

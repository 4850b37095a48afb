"""Talking to the node's privileged reader (``greenai agent``) over its Unix socket: JSON lines both ways.

==================================== ==================================================================
``{"ask": "channels"}``               ``{"version": 1, "channels": [...], "sources": {id: source}}``
``{"ask": "read", "ids": [...]}``     ``{"readings": [[id, t_mono_ns, value or null, reason], ...]}``
==================================== ==================================================================

The times are those of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenai.host.machine import Host

PROTOCOL_VERSION = 1
RENEWAL_S = 0.02  # readings are shared between all clients for so long
LONGEST_LINE = 1 << 20
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


def agent_socket(host: Host) -> Path:
    """Return where the agent listens: ``GREENAI_AGENT_SOCKET``, else ``/run/greenai/agent.sock``."""
    named = host.environ.get("GREENAI_AGENT_SOCKET")
    return Path(named) if named else host.run_root / "greenai" / "agent.sock"


def peer_credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Return process, user and group id of the other end, as the kernel vouches for them."""
    pid, uid, gid = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid, gid


class AgentLink:
    """A connection to the agent."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        """Connect.

        Args:
            path: The socket.
            timeout_s: Longest wait for anything.

        Raises:
            OSError: Nobody answers there, or somebody who is neither root nor ourselves.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._rest = b""
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(str(path))
            uid = peer_credentials(self._socket)[1]
            if uid not in (0, os.geteuid()):
                raise PermissionError(f"the agent at {path} runs as user {uid}")  # noqa: TRY301  # closed below
        except BaseException:
            self.close()
            raise

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question.

        Raises:
            OSError: The agent is gone or does not answer in time.
            ValueError: The answer makes no sense.
        """
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        while b"\n" not in self._rest:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError("the agent hung up")
            self._rest += data
            if len(self._rest) > LONGEST_LINE:
                raise ValueError("the agent's answer does not end")
        line, _, self._rest = self._rest.partition(b"\n")
        answer = json.loads(line)
        if not isinstance(answer, dict) or "error" in answer:
            raise ValueError(str(answer)[:200])
        return answer

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._socket.close()

"""Sensors that only root may read, by the node's agent (``greenai agent``): the same counters by another door.

A channel keeps its id (``rapl:package-0``), so that a sensor that this user may read directly is not read twice.
Where the agent runs, nothing needs to be set: its socket is found at ``/run/greenai/agent.sock``.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Kind
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.host.agent_link import PROTOCOL_VERSION, RENEWAL_S, AgentLink, agent_socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host

# An answer takes a tenth of a millisecond. What takes longer than this must not hold up a training.
_TIMEOUT_S = 0.25
# An agent that hangs is not asked again for this long.
_PAUSE_NS = 5_000_000_000

_ABSENT = Incident(
    "agent_absent",
    Text(de="Auf diesem Knoten läuft kein greenai agent.", en="No greenai agent runs on this node."),
)
_FAILED = Text(
    de="Der greenai agent unter {path} antwortet nicht: {reason}.",
    en="The greenai agent at {path} does not answer: {reason}.",
)
_CHECK = Text(
    de="Läuft er, und gehört der Benutzer zur Gruppe greenai? Prüfen mit: systemctl status greenai-agent ; id",
    en="Does it run, and is the user in group greenai? Check with: systemctl status greenai-agent ; id",
)
_OTHER_VERSION = Text(
    de="Der greenai agent spricht Version {found}, dieses Programm {own}. Bitte auf gleichen Stand bringen.",
    en="The greenai agent speaks version {found}, this program {own}. Please bring both to the same release.",
)


class AgentCollector:
    """The channels that the agent serves."""

    name = "agent"
    slow = False
    verified_on: str | None = None  # what matters is the sensor behind it

    def __init__(self, host: Host) -> None:
        self._host = host
        self._link: AgentLink | None = None
        self._channels: tuple[Channel, ...] = ()
        self._asleep_until_ns = 0

    def probe(self) -> Probe:
        """Ask the agent what it can read."""
        path = agent_socket(self._host)
        if not path.exists():
            return Unavailable(_ABSENT, expected=True)
        try:
            answer = self._connected().ask({"ask": "channels"})
            if answer["version"] != PROTOCOL_VERSION:
                self.close()
                message = _OTHER_VERSION.format(found=answer["version"], own=PROTOCOL_VERSION)
                return Unavailable(Incident("agent_version", message))
            channels = tuple(self._own(Channel.from_json(channel)) for channel in answer["channels"])
            sources = {str(name): f"greenai agent: {source}" for name, source in answer["sources"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.close()
            return Unavailable(Incident("agent_failed", _FAILED.format(path=path, reason=error), _CHECK))
        return Available(channels, sources=sources) if channels else Unavailable(_ABSENT, expected=True)

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep the connection."""
        self._channels = tuple(channels)

    def read(self) -> list[Reading]:
        """Ask the agent for the opened channels; an agent that was restarted is found again."""
        now_ns = self._host.clock.mono_ns()
        if now_ns < self._asleep_until_ns:
            return [Gap(channel.id, now_ns, "agent_gone") for channel in self._channels]
        reason = "agent_gone"
        for _ in range(2):  # the second time to an agent that was restarted meanwhile
            try:
                return self._ask()
            except TimeoutError:
                self._asleep_until_ns = now_ns + _PAUSE_NS
                reason = "agent_hangs"
                break
            except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
                self.close()
        self.close()
        return [Gap(channel.id, now_ns, reason) for channel in self._channels]

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            with suppress(OSError):
                self._link.close()
            self._link = None

    def _ask(self) -> list[Reading]:
        answer = self._connected().ask({"ask": "read", "ids": [channel.id for channel in self._channels]})
        found = {str(line[0]): line for line in answer["readings"]}
        return [_reading(channel, found[channel.id]) for channel in self._channels]

    def _connected(self) -> AgentLink:
        if self._link is None:
            self._link = AgentLink(agent_socket(self._host), _TIMEOUT_S)
        return self._link

    def _own(self, channel: Channel) -> Channel:
        # A container has a name of its own, but stands on the same node.
        renewed_s = max(channel.update_s or 0.0, RENEWAL_S)
        return replace(channel, collector=self.name, host=self._host.name, update_s=renewed_s)


def _reading(channel: Channel, line: list[object]) -> Reading:
    _, t_ns, value, reason = line
    if not isinstance(t_ns, int):
        raise TypeError(f"no time: {t_ns!r}")
    if not isinstance(value, int):
        return Gap(channel.id, t_ns, str(reason))
    kind = CounterReading if channel.kind is Kind.COUNTER else PowerReading
    return kind(channel.id, t_ns, value)

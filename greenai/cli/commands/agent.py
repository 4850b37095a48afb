"""``greenai agent``: reads privileged sensors as root and serves the figures to users, over a Unix socket."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenai.cli.base import Command
from greenai.core.channel import Component, Quality
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.host import this_host
from greenai.host.agent_link import agent_socket

if TYPE_CHECKING:
    from types import FrameType

    from greenai.cli.app import App
    from greenai.core.channel import Channel

DEFAULT_GROUP = "greenai"

_ABOUT = Text(
    de="Liest als root die Energiezähler dieses Knotens und gibt die Werte über einen Unix-Socket weiter, nur "
    "lesend. Gemessene Läufe finden ihn von selbst. Als Dienst: greenai agent --print-unit",
    en="Reads the energy counters of this node as root and hands the figures out over a Unix socket, read-only. "
    "Tracked runs find it by themselves. As a service: greenai agent --print-unit",
)
_SOCKET = Text(de="Wo er lauscht; Vorgabe: /run/greenai/agent.sock", en="where to listen")
_GROUP = Text(de="Gruppe, deren Mitglieder fragen dürfen; Vorgabe: greenai", en="group whose members may ask")
_EVERYONE = Text(de="Alle Benutzer dieses Knotens dürfen fragen", en="every user of this node may ask")
_PRINT_UNIT = Text(de="Die systemd-Unit ausgeben und enden", en="print the systemd unit and end")
_NO_GROUP = Text(de="Die Gruppe {group} gibt es nicht.", en="There is no group {group}.")
_MAKE_GROUP = Text(
    de="Anlegen: sudo groupadd --system {group} und sudo usermod -aG {group} BENUTZER; "
    "oder alle zulassen: greenai agent --everyone",
    en="Make it: sudo groupadd --system {group} and sudo usermod -aG {group} USER; "
    "or admit everybody: greenai agent --everyone",
)
_RUNS_ALREADY = Text(de="Unter {path} antwortet schon ein Agent.", en="An agent answers at {path} already.")
_CANNOT_LISTEN = Text(de="{path}: {reason}.", en="{path}: {reason}.")
_AS_ROOT = Text(
    de="Als root starten: sudo greenai agent; oder woanders lauschen: greenai agent --socket PFAD",
    en="Start it as root: sudo greenai agent; or listen elsewhere: greenai agent --socket PATH",
)
_NOTHING = Text(
    de="Hier gibt es keinen Sensor, den der Agent weitergeben könnte (GPUs liest jeder Benutzer selbst).",
    en="There is no sensor here that the agent could hand on (users read GPUs themselves).",
)
_WHAT = Text(de="Mehr dazu: greenai doctor", en="More about it: greenai doctor")
_SERVING = Text(
    de="Der Agent lauscht unter {path} für {who}: {channels}   (beenden mit Strg-C)",
    en="The agent listens at {path} for {who}: {channels}   (stop with Ctrl-C)",
)
_MEMBERS = Text(de="Mitglieder der Gruppe {group}", en="members of group {group}")
_ALL = Text(de="alle Benutzer", en="all users")


def build(app: App) -> click.Command:
    """Return the command."""

    def call(socket: Path | None, group: str, everyone: bool, print_unit: bool) -> None:
        if print_unit:
            print(unit(everyone=everyone, group=group), end="")
        else:
            serve(app, socket, None if everyone else group)

    return Command(
        "agent",
        callback=call,
        help=app.say(_ABOUT),
        params=[
            click.Option(["--socket"], type=click.Path(path_type=Path), help=app.say(_SOCKET)),
            click.Option(["--group"], default=DEFAULT_GROUP, show_default=True, help=app.say(_GROUP)),
            click.Option(["--everyone"], is_flag=True, help=app.say(_EVERYONE)),
            click.Option(["--print-unit"], is_flag=True, help=app.say(_PRINT_UNIT)),
        ],
    )


def unit(*, everyone: bool, group: str) -> str:
    """Return the systemd unit for this installation."""
    who = ["--everyone"] if everyone else ["--group", group] if group != DEFAULT_GROUP else []
    command = shlex.join([sys.executable, "-P", "-m", "greenai", "agent", *who])
    text = (files("greenai.agent") / "greenai-agent.service").read_text(encoding="utf-8")
    return text.replace("{command}", command)


def serve(app: App, path: Path | None, group: str | None) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        app: The running program.
        path: The socket; None is the usual place.
        group: Whose members may ask; None admits every local user.

    Raises:
        ConfigError: No such group, no right to listen, an agent answers already, or nothing to serve.
    """
    from greenai.agent.server import AgentServer
    from greenai.plugins import LoadedCollectors, load_collectors
    from greenai.sampler import open_sensors

    host = this_host(app.settings().knowledge)
    path = path or agent_socket(host)
    group_id = _group_id(group) if group is not None else None
    loaded = load_collectors(host)
    others = tuple(collector for collector in loaded.collectors if collector.name != "agent")
    sensors = app.closing(open_sensors(host, LoadedCollectors(others, loaded.incidents), wanted=_worth_serving))
    if not sensors.channels:
        raise ConfigError(_NOTHING, _WHAT)
    try:
        server = app.closing(AgentServer(host, sensors, path, group_id))
    except OSError as error:
        if error.errno == errno.EADDRINUSE and path.is_socket():
            raise ConfigError(_RUNS_ALREADY.format(path=path)) from error
        reason = error.strerror or error
        raise ConfigError(_CANNOT_LISTEN.format(path=path, reason=reason), _AS_ROOT) from error
    who = app.say(_MEMBERS, group=group) if group is not None else app.say(_ALL)
    app.tell(_SERVING, path=path, who=who, channels=", ".join(channel.id for channel in sensors.channels))
    server.serve(_stop_signal())


def _worth_serving(channel: Channel) -> bool:
    """Say whether users may lack the right to read it. Drivers let everybody read a GPU."""
    if channel.per_process:  # the server would not hand it out
        return False
    return channel.quality is not Quality.ESTIMATED and channel.component is not Component.GPU


def _group_id(group: str) -> int:
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(_NO_GROUP.format(group=group), _MAKE_GROUP.format(group=group)) from None


def _stop_signal() -> int:
    """Return a file descriptor that can be read from once SIGTERM or SIGINT came."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def handler(_number: int, _frame: FrameType | None) -> None:
        os.write(writable, b"!")

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
    return readable

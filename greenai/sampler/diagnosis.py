"""What a run would measure on this machine, by what, and how much of it: the facts behind ``greenai doctor``."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.account import account
from greenai.core.collector import Available
from greenai.core.events import ProcessLog, RunLog, Stop
from greenai.core.reading import Gap
from greenai.core.text import Text
from greenai.core.vocabulary import Role, RunState, Scope
from greenai.sampler.opening import offered, open_probed, probe_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.channel import Channel
    from greenai.core.collector import Incident
    from greenai.core.reading import Reading
    from greenai.core.run_energy import Energy
    from greenai.host import Host
    from greenai.plugins import LoadedCollectors
    from greenai.sampler.opening import ProbedCollector
    from greenai.sampler.sensors import Sensors

_PAUSE_S = 0.1
_SLOWEST_S = 6.0

_EVERYONE = Text(de="alle", en="everyone")
_GROUP = Text(de="Gruppe {group}", en="group {group}")
_OWNER = Text(de="nur {owner}", en="{owner} only")


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A channel that is read here.

    Attributes:
        channel: The channel.
        source: What is read: a path, a library, a program.
        readable_by: Who may read it.
        verified_on: The real hardware its collector was last run on; None if it only ever met fakes.
    """

    channel: Channel
    source: str
    readable_by: Text
    verified_on: str | None


@dataclass(frozen=True, slots=True)
class Absent:
    """A collector that reads nothing here: no such hardware, or something better does it."""

    collector: str
    reason: Text | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What all sensors saw together, and for how long."""

    energy: Energy
    duration_s: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All there is to know.

    Attributes:
        channels: What is read.
        incidents: What is missing though the hardware is there, with the commands that mend it.
        absent: Collectors that read nothing here.
        trial: The energy of a short trial; None if nothing could be read.
    """

    channels: tuple[ChannelFacts, ...]
    incidents: tuple[Incident, ...]
    absent: tuple[Absent, ...]
    trial: Trial | None


def diagnose(
    host: Host,
    seconds: float,
    loaded: LoadedCollectors | None = None,
    sleep: Callable[[float], None] = time.sleep,
    *,
    rest_of_node: bool = False,
) -> Diagnosis:
    """Probe every collector and read everything for a short while.

    Args:
        host: The machine.
        seconds: Length of the trial; slow sensors make it longer, up to six seconds.
        loaded: The collectors; default is all that are installed.
        sleep: Lets time pass.
        rest_of_node: Whether the estimate of the rest of the node is counted.
    """
    probed, incidents = probe_all(host, loaded)
    channels, troubles = offered(probed)
    facts = [_facts(item, c) for item in probed for c in channels if c.collector == item.collector.name]
    absent = [_absent(item) for item in probed if not _is_read(item, channels)]
    sensors = open_probed(host, probed, ())
    try:
        trial = _trial(host, sensors, seconds, sleep, rest_of_node=rest_of_node) if sensors.channels else None
    finally:
        sensors.close()
    return Diagnosis(tuple(facts), (*incidents, *troubles), tuple(a for a in absent if a), trial)


def _is_read(item: ProbedCollector, channels: list[Channel]) -> bool:
    return any(channel.collector == item.collector.name for channel in channels)


def _absent(item: ProbedCollector) -> Absent | None:
    if isinstance(item.probe, Available):
        return Absent(item.collector.name, None)
    return Absent(item.collector.name, item.probe.reason.message) if item.probe.expected else None


def _facts(item: ProbedCollector, channel: Channel) -> ChannelFacts:
    source = item.probe.sources.get(channel.id, "") if isinstance(item.probe, Available) else ""
    return ChannelFacts(channel, source, _readable_by(source), item.collector.verified_on)


def _readable_by(source: str) -> Text:
    """Say who may read a file; what is no file (a driver's library) is open to everyone who got this far."""
    if not source.startswith("/"):
        return _EVERYONE
    try:
        status = Path(source).stat()
    except OSError:
        return _EVERYONE
    if status.st_mode & stat.S_IROTH:
        return _EVERYONE
    if status.st_mode & stat.S_IRGRP and status.st_gid != 0:
        return _GROUP.format(group=_group_name(status.st_gid))
    return _OWNER.format(owner=_user_name(status.st_uid))


def _group_name(group_id: int) -> str:
    import grp

    try:
        return grp.getgrgid(group_id).gr_name
    except KeyError:
        return str(group_id)


def _user_name(user_id: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _trial(
    host: Host, sensors: Sensors, seconds: float, sleep: Callable[[float], None], *, rest_of_node: bool
) -> Trial | None:
    """Read all sensors for a while: at least ``seconds``, longer for those that are slow to answer."""
    log = ProcessLog(
        role=Role.OWNER,
        host=host.name,
        pid=0,
        wall_ns=host.clock.wall_ns(),
        mono_ns=host.clock.mono_ns(),
        interval_s=_SLOWEST_S,
        meta={"name": "doctor", "scope": Scope.MACHINE.value, "rest_of_node": rest_of_node},
        channels=sensors.channels,
    )
    found: dict[str, list[Reading]] = {}
    times: dict[str, set[int]] = {channel.id: set() for channel in sensors.channels}
    for number in range(int(_SLOWEST_S / _PAUSE_S) + 1):
        if number:
            sleep(_PAUSE_S)
        for reading in sensors.read()[1]:
            found.setdefault(reading.channel_id, []).append(reading)
            if not isinstance(reading, Gap):
                times[reading.channel_id].add(reading.t_mono_ns)
        if number * _PAUSE_S >= seconds and all(len(read) > 1 for read in times.values()):
            break
    # What all of them saw, so that none looks blind because it answers once in two seconds.
    answered = [read for read in times.values() if len(read) > 1]
    if not answered or max(map(min, answered)) >= min(map(max, answered)):
        return None
    log.readings = {**found}
    log.start_ns, log.last_ns = max(map(min, answered)), min(map(max, answered))
    log.stop = Stop(log.last_ns, RunState.COMPLETED, None, None)
    record = account(RunLog("doctor", (log,), "", 0.0)).record
    return Trial(record.energy, record.duration_s)

"""Which sensors of a host are worth reading, and opening them: no counter twice, no estimate beside a sensor."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.cover import without_redundant_estimates
from greenai.core.text import Text
from greenai.plugins import load_collectors
from greenai.sampler.background import BackgroundReader
from greenai.sampler.checks import check_channels
from greenai.sampler.guard import HangsError
from greenai.sampler.guarded import GuardedCollector, guarded, hangs
from greenai.sampler.sensors import OpenedCollector, Sensors

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from greenai.core.channel import Channel
    from greenai.core.collector import Collector
    from greenai.host import Host
    from greenai.plugins import LoadedCollectors
    from greenai.sampler.usage import UsageReader

_FAILED = Text(
    de="Der Sensor „{name}“ ist ausgefallen: {reason}.",
    en='The sensor "{name}" failed: {reason}.',
)


class ProbedCollector(NamedTuple):
    """A collector and what it found."""

    collector: Collector
    probe: Probe


def probe_all(
    host: Host,
    loaded: LoadedCollectors | None = None,
    *,
    slow: bool | None = None,
    late: Container[str] | None = None,
) -> tuple[list[ProbedCollector], list[Incident]]:
    """Ask every collector what it can read. A collector that raises is unavailable.

    Args:
        host: The machine.
        loaded: The collectors; default is all that are installed.
        slow: True asks the slow ones only, False the others; None all.
        late: Asks those of these names only, however long it takes.
    """
    loaded = loaded or load_collectors(host)
    incidents = list(loaded.incidents)
    probed = []
    for found in loaded.collectors:
        if (slow is not None and found.slow is not slow) or (late is not None and found.name not in late):
            continue
        collector = guarded(found) if late is None else found
        try:
            probe: Probe = collector.probe()
            if not isinstance(probe, (Available, Unavailable)):
                raise TypeError(f"probe() returned {probe!r}")  # noqa: TRY301  # handled like any other failure
            if isinstance(probe, Available):
                check_channels(host, collector.name, probe.channels)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody else's code
            probe = Unavailable(_failed(collector.name, error))
        probed.append(ProbedCollector(collector, probe))
    return probed, incidents


def offered(probed: Sequence[ProbedCollector]) -> tuple[list[Channel], list[Incident]]:
    """Return the channels worth reading and what is wrong with the others.

    The same counter by two doors (one channel id) is read once: by the door it is named after, else by the first
    in the alphabet. What kept the other door shut is then no news.
    """
    channels: dict[str, Channel] = {}
    incidents: list[Incident] = []
    for item in sorted(probed, key=lambda item: item.collector.name):
        if isinstance(item.probe, Available):
            for channel in item.probe.channels:
                if channel.id not in channels or channel.id.startswith(f"{channel.collector}:"):
                    channels[channel.id] = channel
            incidents += item.probe.incidents
        elif not item.probe.expected:
            incidents.append(item.probe.reason)
    kept = without_redundant_estimates(channels.values())
    return kept, [incident for incident in incidents if incident.channel_id not in channels]


def open_sensors(
    host: Host,
    loaded: LoadedCollectors | None = None,
    *,
    slow: bool | None = None,
    late: Container[str] | None = None,
    usage: UsageReader | None = None,
    wanted: Callable[[Channel], bool] = lambda _channel: True,
) -> Sensors:
    """Probe and open everything worth reading: no counter twice, no estimate of what a sensor measures.

    Args:
        host: The machine.
        loaded: The collectors; default is all that are installed.
        slow: True opens the slow ones only, False the others; None all.
        late: Opens those of these names only, however long it takes.
        usage: Reads how much of the machine the tracked work uses, if the energy is to be shared out.
        wanted: Says which channels to open; default is all.
    """
    loaded = loaded or load_collectors(host)
    probed, incidents = probe_all(host, loaded, slow=slow, late=late)
    if slow or late is not None:
        incidents = []  # plug-ins that are broken are reported by those who open the others
    sensors = open_probed(host, probed, incidents, usage=usage, wanted=wanted)
    if loaded.plugins:
        useless = {item.collector.name for item in probed} - {
            item.collector.name for item in probed if _answers(item)
        }
        sensors.plugins = tuple(
            plugin
            for collector, plugin in zip(loaded.collectors, loaded.plugins, strict=True)
            if collector.name not in useless
        )
    return sensors


def _answers(item: ProbedCollector) -> bool:
    return isinstance(item.probe, Available) or _is_late(item)


def _is_late(item: ProbedCollector) -> bool:
    return isinstance(item.collector, GuardedCollector) and item.collector.late


def open_probed(
    host: Host,
    probed: Sequence[ProbedCollector],
    incidents: Sequence[Incident],
    *,
    usage: UsageReader | None = None,
    wanted: Callable[[Channel], bool] = lambda _channel: True,
) -> Sensors:
    """Open what was probed, see ``open_sensors``. Collectors that are not needed are closed."""
    usable = list(probed)
    opened: dict[str, OpenedCollector] = {}
    failures: list[Incident] = []
    while True:
        channels, troubles = offered(usable)
        failed: ProbedCollector | None = None
        for item in usable:
            name = item.collector.name
            mine = tuple(channel for channel in channels if channel.collector == name and wanted(channel))
            if name in opened or not mine:
                continue
            try:
                item.collector.open(mine)
                reader = BackgroundReader(host, item.collector, mine) if item.collector.slow else item.collector
            except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody else's code
                failures.append(hangs(name) if isinstance(error, HangsError) else _failed(name, error))
                failed = item
                break
            opened[name] = OpenedCollector(reader, mine)
        if failed is None:
            break
        usable.remove(failed)  # what it displaced, an estimate or another door, is wanted after all
    for item in probed:
        if item.collector.name not in opened:
            with suppress(Exception, SystemExit):  # somebody else's code
                item.collector.close()
    sources: dict[str, str] = {}
    for item in probed:
        if item.collector.name in opened and isinstance(item.probe, Available):
            named = item.probe.sources
            sources |= {channel.id: named.get(channel.id, "") for channel in opened[item.collector.name].channels}
    late = [item.collector.name for item in probed if _is_late(item)]
    return Sensors(host, tuple(opened.values()), (*incidents, *troubles, *failures), usage, sources, late)


def _failed(name: str, error: BaseException) -> Incident:
    return Incident("sensor_failed", _FAILED.format(name=name, reason=repr(error)))

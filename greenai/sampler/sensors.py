"""All sensors of a host, opened: one object to read them at once."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.cover import without_redundant_estimates
from greenai.core.reading import Gap
from greenai.core.text import Text
from greenai.plugins import load_collectors
from greenai.sampler.background import BackgroundReader
from greenai.sampler.checks import check_channels, checked
from greenai.sampler.guard import READ_PATIENCE_S, HangsError
from greenai.sampler.guarded import GuardedCollector, guarded, hangs

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.collector import Collector
    from greenai.core.reading import Reading
    from greenai.core.usage import Usage
    from greenai.host import Host
    from greenai.plugins import LoadedCollectors, Plugin
    from greenai.sampler.usage import UsageReader

_FAILED = Text(
    de="Der Sensor „{name}“ ist ausgefallen: {reason}.",
    en='The sensor "{name}" failed: {reason}.',
)


class ProbedCollector(NamedTuple):
    """A collector and what it found."""

    collector: Collector
    probe: Probe


class OpenedCollector(NamedTuple):
    """A collector that reads, and its channels. A slow one is read by a thread of its own."""

    reader: Collector | BackgroundReader
    channels: tuple[Channel, ...]

    def beat_s(self, interval_s: float) -> float:
        """Return how often to ask it, seconds. A slow one has nothing new to say before its next round."""
        if isinstance(self.reader, BackgroundReader):
            return min(interval_s, self.reader.pause_s)
        return min(channel.poll_s(interval_s) for channel in self.channels)


class Sensors:
    """The opened collectors of one host and the channels they read.

    Attributes:
        channels: What is read.
        incidents: What the record must say of the start.
        sources: By channel id, what is read, see ``Available``.
        late: Names of the collectors whose library did not answer in time; they may answer yet.
        plugins: What another process has to load to read the same and the slow sensors; None for everything.
    """

    def __init__(
        self,
        host: Host,
        opened: Sequence[OpenedCollector],
        incidents: Sequence[Incident],
        usage: UsageReader | None = None,
        sources: Mapping[str, str] | None = None,
        late: Sequence[str] = (),
    ) -> None:
        self._host = host
        self._opened = tuple(opened)
        self._all = tuple(range(len(self._opened)))
        self._pid = -1
        self._readers: list[tuple[Collector | BackgroundReader, threading.Lock, list[str]]] = []
        self._hanging: set[int] = set()
        self._news: list[Incident] = []
        self._usage = usage
        self.sources: Mapping[str, str] = sources or {}
        self.channels: tuple[Channel, ...] = tuple(channel for item in opened for channel in item.channels)
        self.incidents: tuple[Incident, ...] = tuple(incidents)
        self.late = tuple(late)
        self.plugins: tuple[Plugin, ...] | None = None

    def beats_s(self, interval_s: float) -> list[float]:
        """Return how often each collector must be read, seconds; each divides the interval evenly."""
        return [interval_s / ceil(interval_s / item.beat_s(interval_s) - 1e-9) for item in self._opened]

    def native(self) -> dict[int, str]:
        """Return the collectors that call a vendor's library: their numbers, as in ``beats_s``, and names."""
        return {
            number: item.reader.name
            for number, item in enumerate(self._opened)
            if isinstance(item.reader, GuardedCollector)
        }

    def all_but(self, native: Container[str]) -> list[int]:
        """Return the numbers of the collectors without some of those in ``native``, given by name."""
        names = self.native()
        return [number for number in self._all if names.get(number) not in native]

    def read(self, which: Iterable[int] | None = None) -> tuple[int, list[Reading]]:
        """Read once; return the time of the round and one reading per channel.

        A collector that hangs, or raises against its contract, costs a gap on its own channels and nothing else.

        Args:
            which: Numbers of the collectors to read, as in ``beats_s``; default is all.
        """
        if self._pid != os.getpid():
            # Marks and the sampling thread may read at the same moment; a collector is no place for two.
            # In a forked child whoever held a lock is gone.
            self._readers = [
                (item.reader, threading.Lock(), [channel.id for channel in item.channels]) for item in self._opened
            ]
            self._pid = os.getpid()
        t_ns = self._host.clock.mono_ns()
        readings: list[Reading] = []
        for number in self._all if which is None else which:
            reader, lock, channel_ids = self._readers[number]
            try:
                if not (lock.acquire(blocking=False) or lock.acquire(timeout=READ_PATIENCE_S)):
                    raise HangsError  # noqa: TRY301  # handled like one that hangs itself
                try:
                    found = reader.read()
                finally:
                    lock.release()
                readings += checked(found, channel_ids)
            except HangsError:
                readings += self._gaps(channel_ids, "sensor_hangs")
                if number not in self._hanging:
                    self._hanging.add(number)
                    self._news.append(hangs(self._opened[number].channels[0].collector))
            except (Exception, SystemExit) as error:  # noqa: BLE001  # one broken sensor must not blind the others
                readings += self._gaps(channel_ids, type(error).__name__)
        return t_ns, readings

    def _gaps(self, channel_ids: Sequence[str], reason: str) -> list[Reading]:
        now_ns = self._host.clock.mono_ns()
        return [Gap(channel_id, now_ns, reason) for channel_id in channel_ids]

    def news(self) -> list[Incident]:
        """Return what the record must say of the readings since the last call: each collector that hangs, once."""
        news, self._news = self._news, []
        return news

    def watch_gpus(self) -> None:
        """From now on tell in ``usage`` also how much of the GPUs the tracked work uses."""
        if self._usage is not None:
            self._usage.watch_gpus(self.channels)

    def usage(self) -> Usage | None:
        """Return how much of the machine the tracked work uses; None if unknown, or if nothing is shared out."""
        try:
            return self._usage.read() if self._usage is not None else None
        except Exception:  # noqa: BLE001  # a driver's library that breaks must neither end a run nor the sampler
            return None

    def close(self) -> None:
        """Close every collector."""
        for item in self._opened:
            try:
                item.reader.close()
            except (Exception, SystemExit):  # noqa: BLE001, S112  # closing is a courtesy; the run is over
                continue
        if self._usage is not None:
            self._usage.close()


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

"""The opened sensors of a host: one object to read them at once."""

from __future__ import annotations

import os
import threading
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.reading import Gap
from greenai.sampler.background import BackgroundReader
from greenai.sampler.checks import checked
from greenai.sampler.guard import READ_PATIENCE_S, HangsError
from greenai.sampler.guarded import GuardedCollector, hangs

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.collector import Collector, Incident
    from greenai.core.reading import Reading
    from greenai.core.usage import Usage
    from greenai.host import Host
    from greenai.plugins import Plugin
    from greenai.sampler.usage import UsageReader


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

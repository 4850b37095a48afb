"""All sensors of a host, opened: one object to read them at once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.cover import without_redundant_estimates
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.text import Text
from greenai.plugins import load_collectors

if TYPE_CHECKING:
    from greenai.core.channel import Channel
    from greenai.core.collector import Collector
    from greenai.core.reading import Reading
    from greenai.host import Host
    from greenai.plugins import LoadedCollectors

_FAILED = Text(
    de="Der Sensor „{name}“ ist ausgefallen: {reason}.",
    en='The sensor "{name}" failed: {reason}.',
)
_NOTHING = Incident(
    "no_sensor",
    Text(
        de="Auf dieser Maschine lässt sich nichts messen oder schätzen; die Energie bleibt unbekannt.",
        en="Nothing can be measured or estimated on this machine; the energy stays unknown.",
    ),
    Text(de="Mehr dazu: greenai doctor", en="More about it: greenai doctor"),
)


@dataclass(frozen=True, slots=True)
class ProbedCollector:
    """A collector and what it found."""

    collector: Collector
    probe: Probe


class Sensors:
    """The opened collectors of one host and the channels they read."""

    def __init__(
        self, host: Host, opened: list[tuple[Collector, list[Channel]]], incidents: list[Incident]
    ) -> None:
        self._host = host
        self._opened = opened
        self.channels: tuple[Channel, ...] = tuple(channel for _, channels in opened for channel in channels)
        self.incidents: tuple[Incident, ...] = tuple(incidents)

    def read(self) -> tuple[int, list[Reading]]:
        """Read every channel once; return the time of the round and one reading per channel.

        A collector that raises, against its contract, costs a gap on its own channels and nothing else.
        """
        t_ns = self._host.clock.mono_ns()
        readings: list[Reading] = []
        for collector, channels in self._opened:
            try:
                readings += _checked(collector.read())
            except Exception as error:  # noqa: BLE001  # one broken sensor must not blind the others
                now_ns = self._host.clock.mono_ns()
                readings += [Gap(channel.id, now_ns, type(error).__name__) for channel in channels]
        return t_ns, readings

    def close(self) -> None:
        """Close every collector."""
        for collector, _ in self._opened:
            try:
                collector.close()
            except Exception:  # noqa: BLE001, S112  # closing is a courtesy; the run is over
                continue


def probe_all(host: Host, loaded: LoadedCollectors | None = None) -> tuple[list[ProbedCollector], list[Incident]]:
    """Ask every collector what it can read. A collector that raises is unavailable."""
    loaded = loaded or load_collectors(host)
    incidents = list(loaded.incidents)
    probed = []
    for collector in loaded.collectors:
        try:
            probe: Probe = collector.probe()
            if not isinstance(probe, (Available, Unavailable)):
                raise TypeError(f"probe() returned {probe!r}")  # noqa: TRY301  # handled like any other failure
        except Exception as error:  # noqa: BLE001  # somebody else's code
            probe = Unavailable(Incident("sensor_failed", _FAILED.format(name=collector.name, reason=repr(error))))
        probed.append(ProbedCollector(collector, probe))
    return probed, incidents


def open_sensors(host: Host, loaded: LoadedCollectors | None = None) -> Sensors:
    """Probe and open everything worth reading: no estimate of what a sensor measures."""
    probed, incidents = probe_all(host, loaded)
    offered: list[Channel] = []
    for item in probed:
        if isinstance(item.probe, Available):
            offered += item.probe.channels
            incidents += item.probe.incidents
        elif not item.probe.expected:
            incidents.append(item.probe.reason)
    wanted = {channel.id for channel in without_redundant_estimates(offered)}
    opened: list[tuple[Collector, list[Channel]]] = []
    for item in probed:
        channels = [c for c in item.probe.channels if c.id in wanted] if isinstance(item.probe, Available) else []
        if not channels:
            with suppress(Exception):  # somebody else's code
                item.collector.close()
            continue
        try:
            item.collector.open(channels)
        except Exception as error:  # noqa: BLE001  # somebody else's code
            incidents.append(
                Incident("sensor_failed", _FAILED.format(name=item.collector.name, reason=repr(error)))
            )
            continue
        opened.append((item.collector, channels))
    if not opened:
        incidents.append(_NOTHING)
    return Sensors(host, opened, incidents)


def _checked(readings: list[Reading]) -> list[Reading]:
    """Return the readings of a collector as the journal can write them.

    Raises:
        TypeError, ValueError: These are no readings.
    """
    checked: list[Reading] = []
    for reading in readings:
        if isinstance(reading, CounterReading):
            checked.append(CounterReading(reading.channel_id, reading.t_mono_ns, int(reading.energy_uj)))
        elif isinstance(reading, PowerReading):
            checked.append(PowerReading(reading.channel_id, reading.t_mono_ns, int(reading.power_uw)))
        elif isinstance(reading, Gap):
            checked.append(reading)
        else:
            raise TypeError(f"not a reading: {reading!r}")
    return checked

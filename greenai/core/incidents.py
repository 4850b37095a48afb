"""What a reader of a run's figures must know: what was written down, and what the journals themselves show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from greenai.core import labels, quantity
from greenai.core.channel import Component, Quality
from greenai.core.collector import SAMPLER_IN_THREAD, Incident
from greenai.core.course import slept_ns, stopped_ns
from greenai.core.run_energy import unnoticed_s
from greenai.core.suspension import suspended_ns
from greenai.core.text import Text
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.run_energy import ChannelEnergy

# A sampler that wrote nothing for this long before the stop has died.
SAMPLER_LATE_INTERVALS = 2
SAMPLER_LATE_S = 0.5
# So many of a kind are listed one by one; of the others there is a count.
MOST_NAMED = 20

_NO_SAMPLER = Incident(
    code="sampler_missing",
    message=Text(
        de="Der Messprozess hat nichts geschrieben; nur die Messungen des Programms selbst liegen vor.",
        en="The sampling process wrote nothing; only the readings of the program itself exist.",
    ),
)
_SAMPLER_DIED = Text(
    de="Der Messprozess endete {silent} vor dem Lauf; danach liegen nur die Messungen des Programms selbst vor.",
    en="The sampling process ended {silent} before the run; after that only the program's own readings exist.",
)
_NO_OWNER = Incident(
    code="owner_journal_missing",
    message=Text(
        de="Das Journal des Programms fehlt oder ist unlesbar; Angaben zum Lauf sind unvollständig.",
        en="The program's own journal is missing or unreadable; the description of the run is incomplete.",
    ),
)
_NOTHING = Incident(
    "no_sensor",
    Text(
        de="Auf dieser Maschine lässt sich nichts messen oder schätzen; die Energie bleibt unbekannt.",
        en="Nothing can be measured or estimated on this machine; the energy stays unknown.",
    ),
    Text(de="Mehr dazu: greenai doctor", en="More about it: greenai doctor"),
)
_PARTIAL = Text(
    de="{device}: für {gap} von {duration} gibt es keine Messung; die Energie dieser Zeit fehlt in der Summe.",
    en="{device}: for {gap} of {duration} there is no reading; the energy of that time is missing from the total.",
)
_PARTS_INSTEAD = Text(
    de="{device}: für {blind} von {duration} gibt es keine Messung; gezählt sind seine Teile.",
    en="{device}: for {blind} of {duration} there is no reading; its parts are counted instead.",
)
_LESS_THAN_PARTS = Text(
    de="{device}: der Wert ist kleiner als die Summe seiner Teile und wird nicht geglaubt; es zählen die Teile.",
    en="{device}: the figure is less than the sum of its parts and not believed; the parts are counted.",
)
_UNKNOWN = Text(
    de="{device}: keine brauchbare Messung ({reason}); seine Energie fehlt in der Summe.",
    en="{device}: no usable reading ({reason}); its energy is missing from the total.",
)
_UNREADABLE = "_unreadable"
_CLOSED = Text(
    de="Ein Teil der Zähler ist nicht lesbar; ihre Energie fehlt in der Summe.",
    en="Some of the counters may not be read; their energy is missing from the total.",
)
# Not a fault: a battery that is charged has nothing to say.
_ORDINARY = frozenset({"battery_not_discharging", "not_read_yet"})
_SLEPT = Text(
    de="Der Rechner {host} schlief während des Laufs {slept}; Dauer und Energie sind ohne diese Zeit.",
    en="The machine {host} was suspended for {slept} during the run; duration and energy are without that time.",
)
_SUSPENDED = Text(
    de="{host}: Slurm hielt den Job {time} lang an (suspend); wie viel von dem, was der Knoten in dieser "
    "Zeit brauchte, seins war, ist unbekannt.",
    en="{host}: Slurm had the job suspended for {time}; how much of what the node took in that time was the "
    "job's is unknown.",
)
_BAD_LINES = Text(
    de="{count} Zeilen oder Dateien des Journals sind beschädigt und wurden übersprungen.",
    en="{count} lines or files of the journal are damaged and were skipped.",
)
_MORE = Text(de="... und {count} weitere Hinweise dieser Art.", en="... and {count} more notes of this kind.")


def run_incidents(
    log: RunLog, first: ProcessLog, channels: Sequence[ChannelEnergy], duration_s: float
) -> list[Incident]:
    """Return all incidents of a run, each once; those of the nodes of a batch job are in ``core.job_nodes``.

    Args:
        log: The journals; nothing is asked of their readings.
        first: The process that describes the run.
        channels: Each channel of its hosts, over the time that the host was read.
        duration_s: The run's length.
    """
    found = {
        (incident.code, incident.message.en): incident
        for process in log.processes
        for incident in process.incidents
    }
    incidents = list(found.values())
    if any(process.lines for process in log.processes) and not any(p.channels for p in log.processes):
        incidents.append(_NOTHING)
    if first.role not in (Role.OWNER, Role.NODE):
        incidents.append(_NO_OWNER)
    elif first.meta.get("sampler_process") and SAMPLER_IN_THREAD not in {code for code, _ in found}:
        incidents += _sampler_trouble(log, first.host)
    for host, here in sorted(log.by_host().items()):
        asleep_ns = slept_ns(here)
        if asleep_ns:
            message = _SLEPT.format(host=host, slept=_duration(asleep_ns / NS_PER_S))
            incidents.append(Incident("machine_slept", message))
        stopped_s = suspended_ns(here) / NS_PER_S
        if stopped_s:
            incidents.append(Incident("job_suspended", _SUSPENDED.format(host=host, time=_duration(stopped_s))))
    bad = sum(process.bad_lines for process in log.processes) + log.unreadable_files
    if bad:
        incidents.append(Incident("journal_damaged", _BAD_LINES.format(count=bad)))
    incidents += _partial(channels, duration_s) + _missing(channels, duration_s) + _closed(incidents, channels)
    return _shortened(incidents)


def _shortened(incidents: Sequence[Incident]) -> list[Incident]:
    """Leave out what a run of a thousand nodes has too much of, and say how much that is."""
    counts = Counter[str]()
    found = []
    for incident in incidents:
        counts[incident.code] += 1
        if counts[incident.code] <= MOST_NAMED:
            found.append(incident)
    left = [(code, count - MOST_NAMED) for code, count in counts.items() if count > MOST_NAMED]
    return found + [Incident(code, _MORE.format(count=count)) for code, count in left]


def _names(channels: Sequence[ChannelEnergy]) -> list[tuple[ChannelEnergy, str]]:
    """Return each channel with the name of its device; in a run on several hosts, with the host's before it."""
    several = len({channel.host for channel in channels}) > 1
    return [(channel, f"{channel.host}: {channel.device}" if several else channel.device) for channel in channels]


def _partial(channels: Sequence[ChannelEnergy], duration_s: float) -> list[Incident]:
    return [
        Incident(
            "energy_incomplete",
            _PARTIAL.format(
                device=name,
                gap=_duration(channel.gap_s),
                duration=_duration(duration_s),
            ),
        )
        for channel, name in _names(channels)
        if channel.counted and channel.gap_s > unnoticed_s(duration_s)
    ]


def _closed(incidents: Sequence[Incident], channels: Sequence[ChannelEnergy]) -> list[Incident]:
    """Say that a total lacks the counters that may not be read, where others of their kind are counted."""
    families = {channel.id.partition(":")[0] for channel in channels if channel.counted}
    closed = {i.code.removesuffix(_UNREADABLE) for i in incidents if i.code.endswith(_UNREADABLE)}
    return [Incident("energy_unknown", _CLOSED)] if families & closed else []


def _missing(channels: Sequence[ChannelEnergy], duration_s: float) -> list[Incident]:
    """Name the sensors that should have been counted and were not."""
    found = []
    for channel, name in _names(channels):
        blind_s = duration_s if channel.energy_j is None else channel.gap_s
        known = channel.counted or channel.part_of is not None or channel.quality is Quality.ESTIMATED
        if known:
            continue
        whole = channel.component in (Component.NODE, Component.MODULE)
        if whole and channel.energy_j is not None and blind_s <= unnoticed_s(duration_s):
            found.append(Incident("whole_not_counted", _LESS_THAN_PARTS.format(device=name)))
        elif channel.energy_j is None and channel.machine_energy_j is not None and not whole:
            words = labels.word(labels.LOST, "share_unknown")
            found.append(Incident("energy_unknown", _UNKNOWN.format(device=name, reason=words)))
        elif set(channel.lost_readings) <= _ORDINARY or blind_s <= unnoticed_s(duration_s):
            continue
        elif whole:
            message = _PARTS_INSTEAD.format(device=name, blind=_duration(blind_s), duration=_duration(duration_s))
            found.append(Incident("whole_not_counted", message))
        elif channel.energy_j is None:
            reason = max(sorted(channel.lost_readings), key=channel.lost_readings.__getitem__)
            words = labels.word(labels.LOST, reason)
            found.append(Incident("energy_unknown", _UNKNOWN.format(device=name, reason=words)))
    return found


def _sampler_trouble(log: RunLog, host: str) -> list[Incident]:
    stop_ns = stopped_ns(log, host)
    if stop_ns is None:
        return []
    samplers = [process for process in log.processes if process.role is Role.SAMPLER and process.host == host]
    begins_ns = [
        process.start_ns for process in log.processes if process.host == host and process.start_ns is not None
    ]
    last_ns = max((sampler.last_ns for sampler in samplers), default=min(begins_ns, default=stop_ns))
    interval_s = max(process.interval_s for process in log.processes if process.host == host)
    patience_ns = (SAMPLER_LATE_INTERVALS * interval_s + SAMPLER_LATE_S) * NS_PER_S
    if stop_ns - last_ns <= patience_ns:
        return []  # a run shorter than that ends before its sampler has begun
    if not samplers:
        return [_NO_SAMPLER]
    silent_s = (stop_ns - last_ns) / NS_PER_S
    return [Incident("sampler_died", _SAMPLER_DIED.format(silent=_duration(silent_s)))]


def _duration(seconds: float) -> Text:
    return Text.each(lambda language: quantity.duration(seconds, language))

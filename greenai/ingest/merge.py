"""A whole run from its journals, host by host: what is in memory does not grow with their number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from greenai.core.account import together
from greenai.core.outline import Outline
from greenai.ingest.host import HostTask
from greenai.ingest.workers import take_hosts
from greenai.journal.survey import survey_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from greenai.core.channel import Channel
    from greenai.core.condensed import CondensedHour
    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.record import RunRecord
    from greenai.ingest.spill import Spill
    from greenai.journal.files import Fits


@dataclass(frozen=True, slots=True)
class MergedRun:
    """A run, put together from its hosts.

    Attributes:
        record: Its record, without a footprint.
        channels: In the order of ``record.energy.channels``.
        log: Its journals without their readings.
        over: By host, the hours of a service that are over.
    """

    record: RunRecord
    channels: tuple[Channel, ...]
    log: RunLog
    over: Mapping[str, Sequence[CondensedHour]]


def merge(folder: Path, spill: Spill, fits: Fits | None = None) -> MergedRun | None:
    """Put a run together; None if its journals hold nothing yet.

    Args:
        folder: ``<spool>/<run id>``.
        spill: Keeps what its channels said.
        fits: Says of an open file whether it is one of this run; by default all are.

    Raises:
        OSError: The folder cannot be read.
    """
    survey = survey_run(folder, fits=fits)
    if not survey.journals:
        return None
    outline = Outline.of(survey.log.processes)
    by_host = survey.by_host()
    tasks = [HostTask(tuple((n, survey.journals[n]) for n in numbers)) for numbers in by_host.values()]
    hosts = []
    processes: dict[int, ProcessLog] = {}
    over: dict[str, Sequence[CondensedHour]] = {}
    for taken in take_hosts(tasks, outline.terms):
        hosts.append(taken.account)
        processes.update(taken.processes)
        over[taken.account.host] = taken.over
        for key, samples in taken.samples:
            spill.put(key, samples)
    log = replace(survey.log, processes=tuple(processes[number] for number in sorted(processes)))
    record, channels = together(outline, log, hosts)
    return MergedRun(record, channels, log, over)

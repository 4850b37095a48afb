"""One host of a run: its journals in, its account and its samples out, and nothing else kept."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from greenai.core.course import span_of
from greenai.core.host_account import account_host
from greenai.store.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.condensed import CondensedHour
    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog
    from greenai.core.host_account import HostAccount
    from greenai.core.outline import Terms
    from greenai.core.series import Series
    from greenai.journal.survey import Journal
    from greenai.store.chunks import Chunk, Sample


@dataclass(frozen=True, slots=True)
class HostTask:
    """The journals of one host, each with its number among those of the run."""

    journals: tuple[tuple[int, Journal], ...]

    @property
    def length(self) -> int:
        """How long they are, bytes."""
        return sum(journal.length for _, journal in self.journals)


@dataclass(frozen=True, slots=True)
class HostTaken:
    """What is left of a host.

    Attributes:
        account: Its account.
        processes: Its processes without their readings, each with the number of its journal.
        over: Its hours that are over, if it is a service.
        samples: What each of its channels said.
    """

    account: HostAccount
    processes: tuple[tuple[int, ProcessLog], ...]
    over: Sequence[CondensedHour]
    samples: tuple[tuple[Key, list[Chunk]], ...]


def take_host(task: HostTask, terms: Terms) -> HostTaken:
    """Read the journals of a host and do its account.

    Raises:
        OSError: A journal cannot be read.
        ValueError: None of them can be used any more.
    """
    read = [(number, journal.read()) for number, journal in task.journals]
    found = [(number, process) for number, process in read if process is not None]
    here = [process for _, process in found]
    if not here:
        raise ValueError(f"no usable journal in {task.journals[0][1].parts[0][0]}")
    account, traces, over = account_host(here, span_of(here), terms)
    zero_ns = here[0].wall_at(0)  # samples are kept on the wall clock
    samples = tuple(((t.channel.host, t.channel.id), chunks(*_samples(t.readings), zero_ns)) for t in traces)
    return HostTaken(account, tuple((number, p.without_readings()) for number, p in found), over, samples)


def _samples(readings: Series) -> tuple[Sequence[int], Sequence[int | None]]:
    """Return the readings of a channel: times on the monotonic clock, and values; None where one failed."""
    if not readings.failures:
        return readings.times_ns, readings.values
    gaps: list[Sample] = [(t_ns, None) for t_ns, _ in readings.failures]
    samples = sorted([*readings.numbers, *gaps], key=itemgetter(0))
    return [t_ns for t_ns, _ in samples], [value for _, value in samples]

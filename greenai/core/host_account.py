"""The account of one host of a run. Hosts meet only in sums, so one after the other can be read and let go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.checkpoints import energies_at, moments
from greenai.core.hourly import hourly_traces
from greenai.core.job_nodes import may_have_been_unseen, node_names
from greenai.core.service import of_host
from greenai.core.totals import channel_sums, with_rest
from greenai.core.traces import traces
from greenai.core.window_energy import windows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.checkpoints import EnergyAt
    from greenai.core.condensed import CondensedHour
    from greenai.core.events import ProcessLog
    from greenai.core.outline import Terms
    from greenai.core.service import HostService
    from greenai.core.totals import ChannelSum
    from greenai.core.traces import ChannelTrace, Span
    from greenai.core.window_energy import HostWindow


@dataclass(frozen=True, slots=True)
class HostAccount:
    """What the record of a run needs to know of one of its hosts: sums, no readings.

    Attributes:
        host: Its name.
        nodes: What the cluster calls it, if it is a node of a batch job: its host name may be another.
        span: Start and end of what is looked at on its monotonic clock.
        first_reading_ns: When a sensor first said anything; None if none did.
        channels: What each channel adds.
        windows: Its windows with their energy.
        energy_at: What it had taken up to each checkpoint of the run.
        service: What was done there, hour by hour.
    """

    host: str
    nodes: frozenset[str]
    span: Span
    first_reading_ns: int | None
    channels: tuple[ChannelSum, ...]
    windows: tuple[HostWindow, ...]
    energy_at: EnergyAt
    service: HostService


def account_host(
    here: Sequence[ProcessLog], span: Span, terms: Terms, *, windows: bool = True
) -> tuple[HostAccount, tuple[ChannelTrace, ...], Sequence[CondensedHour]]:
    """Do the account of one host; return it, its channels with their curves, and its hours that are over.

    Args:
        here: What the journals of its processes say.
        span: Start and end of what is looked at on its monotonic clock.
        terms: Those of the run.
        windows: Work out the energy of each window, which takes longer than the rest where there are many.
    """
    host = here[0].host
    over: Sequence[CondensedHour] = ()
    if terms.hourly:
        measured, over = hourly_traces(here, span, terms.scope, count_rest=terms.count_rest)
    else:
        measured = traces(here, span, terms.scope)
    spans = {host: span}
    found = with_rest(measured, spans, is_counted=terms.count_rest)
    peaks = may_have_been_unseen(here, span, terms.began_ns)
    sums, chosen = channel_sums(found, spans, count_rest=terms.count_rest, peaks=peaks)
    counted = [trace for key, trace in found.items() if key in chosen]
    first_ns = [trace.readings.times_ns[0] for trace in measured.values() if trace.readings.times_ns]
    own = (moment for process in here for moment in moments(process))
    result = HostAccount(
        host=host,
        nodes=node_names(here),
        span=span,
        first_reading_ns=min(first_ns, default=None),
        channels=tuple(sums),
        windows=windows_of(here, counted, span) if windows else (),
        energy_at=energies_at(dict.fromkeys((*terms.moments, *own)), here[0], counted, span),
        service=of_host(here, [found[key].own for key in sorted(chosen)], span, over),
    )
    return result, tuple(found.values()), over

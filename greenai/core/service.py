"""From the journals of a service to its requests and hours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.activity import Activity, Meter, activity, rising
from greenai.core.requests import Hour, Requests
from greenai.core.units import NS_PER_HOUR, NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from greenai.core.condensed import CondensedHour
    from greenai.core.energy_curve import EnergyCurve
    from greenai.core.events import ProcessLog
    from greenai.core.sketch import Sketch
    from greenai.core.traces import Span


@dataclass(frozen=True, slots=True)
class HostService:
    """What one host did in the hours of a run.

    Attributes:
        hours: Number of each hour since the epoch, when its part began (epoch ns), and what was done in it.
        serves: Whether anybody there counts requests.
        units: What those who do call their units.
    """

    hours: tuple[tuple[int, int, Activity], ...]
    serves: bool
    units: frozenset[str | None] = frozenset()


def of_host(
    here: Sequence[ProcessLog],
    curves: Sequence[EnergyCurve],
    span: Span,
    over: Sequence[CondensedHour] = (),
) -> HostService:
    """Return what a host did, hour by hour.

    Args:
        here: Its processes.
        curves: The run's energy, one curve for each counted channel.
        span: Start and end on its monotonic clock.
        over: The hours that were evaluated on their own.
    """
    meters = [meter_of(process) for process in here if process.activity]
    hours = [(hour.number, here[0].wall_at(hour.t0_ns), hour.done) for hour in over]
    start_ns = over[-1].t1_ns if over else span[0]
    for number, part in hours_of(here[0], (start_ns, span[1])):
        hours.append((number, here[0].wall_at(part[0]), activity(curves, meters, part)))
    units = frozenset(process.meta.get("unit") for process in here if process.activity)
    return HostService(tuple(hours), bool(meters) or bool(over), units)


def service(hosts: Iterable[HostService]) -> tuple[Requests | None, tuple[Hour, ...]]:
    """Return the requests of a run and its hours; None and nothing if it serves none.

    Args:
        hosts: What each of them did.
    """
    hours: dict[int, list[tuple[int, Activity]]] = defaultdict(list)  # when it began, and what was done
    serves = False
    for host in hosts:
        serves = serves or host.serves
        for number, wall_ns, done in host.hours:
            hours[number].append((wall_ns, done))
    if not serves:
        return None, ()
    whole = Activity()
    rows = []
    for _, on_hosts in sorted(hours.items()):
        together = Activity()
        for _, done in on_hosts:
            together = together.plus(done)
        whole = whole.plus(together)
        started_ns = min(wall_ns for wall_ns, _ in on_hosts)
        rows.append(_hour(started_ns // NS_PER_MS, max(done.observed_s for _, done in on_hosts), together))
    return _requests(whole), tuple(rows)


def served_units(hosts: Iterable[HostService], requests: Requests | None, unit: str | None) -> float:
    """Return the requests' units as far as they are those of the run: a run may count others."""
    said = {name for host in hosts for name in host.units}
    if requests is None or said != {unit}:
        return 0.0
    return requests.units


def hours_of(process: ProcessLog, span: Span) -> Iterator[tuple[int, Span]]:
    """Cut a stretch at the full hours (UTC); each part comes with the number of its hour since the epoch.

    Args:
        process: Tells the wall clock at a monotonic time of its host.
        span: The stretch, monotonic nanoseconds.
    """
    start_ns = span[0]
    while start_ns < span[1]:
        number = process.wall_at(start_ns) // NS_PER_HOUR
        next_ns = start_ns + (number + 1) * NS_PER_HOUR - process.wall_at(start_ns)
        yield number, (start_ns, min(next_ns, span[1]))
        start_ns = next_ns


def meter_of(process: ProcessLog) -> Meter:
    """Return what the meter of a process wrote down, in order of time."""
    times = sorted(process.exclusive_times, key=lambda times: times.t1_ns)
    return Meter(rising(process.activity), times)


def _requests(whole: Activity) -> Requests:
    return Requests(
        count=whole.count,
        failed=whole.failed,
        units=whole.units,
        tokens=whole.tokens,
        busy_s=whole.busy_s,
        idle_s=whole.idle_s,
        busy_j=whole.busy_j,
        idle_j=whole.idle_j,
        **_quantiles("request", whole.per_request),
        **_quantiles("unit", whole.per_unit),
        **_quantiles("token", whole.per_token),
    )


def _hour(started_ms: int, duration_s: float, part: Activity) -> Hour:
    return Hour(
        started_ms=started_ms,
        duration_s=duration_s,
        energy_j=part.energy_j,
        busy_j=part.busy_j,
        idle_j=part.idle_j,
        requests=part.count,
        failed=part.failed,
        units=part.units,
        tokens=part.tokens,
        **_quantiles("request", part.per_request),
    )


def _quantiles(what: str, joules: Sketch) -> dict[str, float | None]:
    return {
        f"energy_per_{what}_p50_j": joules.quantile(0.5),
        f"energy_per_{what}_p95_j": joules.quantile(0.95),
    }

"""New footprints for stored runs: a new version beside the old one, measurements untouched."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Text, cast, func, select, update

from greenai.core.channel import Component
from greenai.core.hardware import Device, hardware_of
from greenai.core.record import Site
from greenai.store import footprints
from greenai.store import query as q
from greenai.store import schema as s
from greenai.store.saving import now_ms, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

    from greenai.core.footprint import Cost, Emissions
    from greenai.core.hardware import Hardware
    from greenai.core.views import RunQuery
    from greenai.store.store import Store

_TEXTS = tuple(cast(s.run.c[name], Text).label(name) for name in ("site", "hosts"))
AT_ONCE = 5000  # runs in one transaction: some tenths of a second, so that others can write between
# Of table ``run``, under names that no column of a footprint has.
_SAME = ("id", "started_ms", "ended_ms", "duration_s", "total_j", "machine_total_j", "journal_sha256")
_RUN = {name: name for name in _SAME} | {"run_scope": "scope", "run_location_g": "location_g"}
_OF_FOOTPRINT = tuple(c for c in s.footprint.c if c.name not in ("computed_ms", "journal_sha256"))


class StoredRun(NamedTuple):
    """What a footprint is computed from, without the rest of the record."""

    started_ms: int
    ended_ms: int | None
    duration_s: float
    energy_j: float | None
    site: Site
    hardware: Hardware


class Change(NamedTuple):
    """A footprint that another one took the place of.

    Attributes:
        before: Key of the factor before; None without one.
        after: Key of the factor now.
        before_g: Location-based grams before; None if unknown.
        after_g: Grams now.
        market_before_g: Market-based grams before.
        market_after_g: Grams now.
    """

    before: str | None
    after: str | None
    before_g: float | None
    after_g: float | None
    market_before_g: float | None
    market_after_g: float | None


def recompute(
    store: Store,
    query: RunQuery,
    compute: Callable[[StoredRun], tuple[Emissions, Cost]],
    needs_devices: Callable[[Site], bool],
) -> Iterator[tuple[int, list[Change]]]:
    """Compute the footprints of runs anew; yield for each bundle how many were looked at, and what changed.

    Whoever stops on the way leaves whole bundles; the next time goes on with the rest.

    Args:
        store: The database.
        query: Which runs.
        compute: Returns the footprint of a run.
        needs_devices: Whether the accelerators of a site's runs are wanted; without it they have none.

    Raises:
        StoreError: The database refuses.
    """
    # Few sites are many runs': as text, each is read once.
    columns = [*(s.run.c[name].label(label) for label, name in _RUN.items()), *_TEXTS, *_OF_FOOTPRINT]
    both = s.run.join(s.footprint, (s.footprint.c.run_id == s.run.c.id) & footprints.in_force(), isouter=True)
    wanted = q.filtered(columns, query).select_from(both).order_by(s.run.c.id).limit(AT_ONCE)
    last_id = ""
    while True:
        with store.reading() as connection:
            runs = connection.execute(wanted.where(s.run.c.id > last_id)).mappings().all()
            devices = _devices(connection, [run["id"] for run in runs if needs_devices(_site(run["site"]))])
        if not runs:
            return
        shared: dict[str, Any] = {}
        found = [
            _New(run, footprints.figures(*compute(_stored(run, devices.get(run["id"], ()))), shared))
            for run in runs
        ]
        changes, overtaken = _write(
            store, {new.run["id"]: new for new in found if new.differs or new.astray}, shared
        )
        if overtaken:  # then those runs are computed once more, from what is there now
            yield 0, changes
            continue
        last_id = runs[-1]["id"]
        yield len(runs), changes


class _New(NamedTuple):
    """A run as it was read, and what its footprint says today."""

    run: RowMapping
    figures: dict[str, Any]

    @property
    def differs(self) -> bool:
        """Whether that is something else than before."""
        return self.run["version"] is None or any(self.run[name] != value for name, value in self.figures.items())

    @property
    def astray(self) -> bool:
        """Whether table ``run`` has other grams."""
        return bool(self.run["run_location_g"] != self.figures["location_g"])


def _write(store: Store, found: Mapping[str, _New], shared: dict[str, Any]) -> tuple[list[Change], bool]:
    """Write new versions; not of runs that somebody else has taken in or computed anew meanwhile.

    Returns:
        What changed, and whether there were such runs.
    """
    if not found:
        return [], False
    with store.writing() as connection:
        still = _unchanged(connection, found)
        footprints.share(connection, shared)
        computed_ms = now_ms()
        rows = [
            {
                "run_id": run_id,
                "version": (new.run["version"] or 0) + 1,
                "computed_ms": computed_ms,
                "journal_sha256": new.run["journal_sha256"],
                **new.figures,
            }
            for run_id, new in still.items()
            if new.differs
        ]
        put(connection, s.footprint, rows)
        grams = select(s.footprint.c.location_g).where(s.footprint.c.run_id == s.run.c.id, footprints.in_force())
        astray = [run_id for run_id, new in still.items() if new.astray]
        connection.execute(update(s.run).where(s.run.c.id.in_(astray)).values(location_g=grams.scalar_subquery()))
    return [_change(found[row["run_id"]].run, row) for row in rows], len(still) < len(found)


def _unchanged(connection: Connection, found: Mapping[str, _New]) -> dict[str, _New]:
    """Return those whose journals and footprint are what they were; others wait with them until we are done."""
    runs = select(s.run.c.id, s.run.c.journal_sha256).where(s.run.c.id.in_(found)).order_by(s.run.c.id)
    journals = dict(connection.execute(runs.with_for_update()).all())
    highest = select(s.footprint.c.run_id, func.max(s.footprint.c.version)).where(s.footprint.c.run_id.in_(found))
    versions = dict(connection.execute(highest.group_by(s.footprint.c.run_id)).all())
    return {
        run_id: new
        for run_id, new in found.items()
        if journals.get(run_id) == new.run["journal_sha256"] and versions.get(run_id) == new.run["version"]
    }


def _stored(run: RowMapping, devices: Sequence[Device]) -> StoredRun:
    energy_j, machine_j = run["total_j"], run["machine_total_j"]
    hardware = hardware_of(devices, _count(run["hosts"]), run["run_scope"], energy_j, machine_j)
    return StoredRun(run["started_ms"], run["ended_ms"], run["duration_s"], energy_j, _site(run["site"]), hardware)


def _devices(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[Device]]:
    found: dict[str, list[Device]] = {}
    if run_ids:
        c = s.channel.c
        columns = (c.run_id, c.counted, c.part_of, cast(c.definition, Text))
        for run_id, counted, part_of, definition in connection.execute(
            select(*columns).where(c.run_id.in_(run_ids))
        ):
            device = _device(definition)._replace(counted=bool(counted), part_of=part_of)
            found.setdefault(run_id, []).append(device)
    return found


@lru_cache(maxsize=4096)
def _device(definition: str) -> Device:
    said = json.loads(definition)
    return Device(said["host"], Component(said["component"]), said["device"], counted=False, part_of=None)


@lru_cache(maxsize=4096)
def _count(names: str) -> int:
    return len(json.loads(names))


@lru_cache(maxsize=4096)
def _site(text: str) -> Site:
    return Site(**json.loads(text))


def _change(before: RowMapping, row: dict[str, Any]) -> Change:
    names = ("factor_key", "location_g", "market_g")
    factor, grams, market = ((before[name], row[name]) for name in names)
    return Change(*factor, *grams, *market)

"""Footprints in the database: a row for each version; factors, contracts and reasons, which many share, once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from greenai.core.footprint import Cost, EmbodiedPart, Emissions, FactorUsed, MarketPart, WaterUsed
from greenai.core.text import Text
from greenai.store import schema as s
from greenai.store.saving import now_ms, put

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from greenai.core.record import RunRecord

_KEYS = ("factor_key", "reason_key", "market_reason_key", "water_key", "embodied_reason_key")
_SAME = (
    "location_g", "upstream_g", "pue", "pue_assumed", "scope", "water_l", "embodied_g", "embodied_low_g",
    "embodied_high_g", "embodied_share",
)  # fmt: skip
_TERMS = tuple(name for name in MarketPart.__slots__ if name != "kwh")
_BATCH = 500  # keys in one question


class Footprint(NamedTuple):
    """A version of a run's footprint, to be written."""

    run_id: str
    version: int
    journal_sha256: str
    emissions: Emissions
    cost: Cost


def write(connection: Connection, footprints: Sequence[Footprint]) -> None:
    """Write versions of footprints, and what they refer to."""
    shared: dict[str, Any] = {}
    computed_ms = now_ms()
    values = [
        {
            "run_id": footprint.run_id,
            "version": footprint.version,
            "computed_ms": computed_ms,
            "journal_sha256": footprint.journal_sha256,
            **figures(footprint.emissions, footprint.cost, shared),
        }
        for footprint in footprints
    ]
    share(connection, shared)
    put(connection, s.footprint, values)


def newest(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[Emissions, Cost]]:
    """Return the footprints in force, by run."""
    found = select(s.footprint).where(s.footprint.c.run_id.in_(run_ids), in_force())
    rows = {row["run_id"]: row for row in connection.execute(found).mappings()}
    shared = _shared(connection, rows.values())
    return {run_id: _read(row, shared) for run_id, row in rows.items()}


def in_force() -> ColumnElement[bool]:
    """Return the condition that a footprint is its run's newest."""
    other = s.footprint.alias()
    newest = select(func.max(other.c.version)).where(other.c.run_id == s.footprint.c.run_id)
    return s.footprint.c.version == newest.scalar_subquery()


def keep(connection: Connection, records: Sequence[RunRecord]) -> None:
    """Write the footprints of runs that are taken in; one that was computed for the same journals stays."""
    ids = [record.id for record in records]
    columns = (s.footprint.c.run_id, s.footprint.c.journal_sha256, s.footprint.c.location_g)
    of_runs = select(*columns).where(s.footprint.c.run_id.in_(ids), in_force())
    last: Mapping[str, Any] = {row.run_id: row for row in connection.execute(of_runs)}
    added, outdated = [], []
    for record in records:
        if record.emissions is None or record.cost is None:
            continue
        known = last.get(record.id)
        if known is not None and known.journal_sha256 == record.journal.sha256:
            if known.location_g != record.emissions.location_g:
                grams = update(s.run).where(s.run.c.id == record.id).values(location_g=known.location_g)
                connection.execute(grams)
            continue
        if known is not None:
            outdated.append(record.id)  # the run went on: the same version over more energy
        added.append(Footprint(record.id, 1, record.journal.sha256, record.emissions, record.cost))
    if outdated:
        connection.execute(delete(s.footprint).where(s.footprint.c.run_id.in_(outdated)))
    write(connection, added)


def figures(emissions: Emissions, cost: Cost, shared: dict[str, Any]) -> dict[str, Any]:
    """Return what a row says of a footprint; what it refers to is added to ``shared``."""

    def share(value: FactorUsed | WaterUsed | Text | None) -> str | None:
        if value is None:
            return None
        key, form = _shared_form(value)
        shared[key] = form
        return key

    def device(part: EmbodiedPart) -> str:
        key, form = _shared_form(replace(part, count=1))
        shared[key] = {name: value for name, value in form.items() if name != "count"}
        return key

    def terms(part: MarketPart) -> str:
        key, form = _terms(*(getattr(part, name) for name in _TERMS))
        shared[key] = form
        return key

    return {
        **{name: getattr(emissions, name) for name in _SAME},
        "market_g": emissions.market_g,
        "factor_key": share(emissions.factor),
        "reason_key": share(emissions.reason),
        "market_reason_key": share(emissions.market_reason),
        "embodied_reason_key": share(emissions.embodied_reason),
        "embodied": [[device(part), part.count] for part in emissions.embodied] or None,
        "water_key": share(emissions.water),
        "market": [[terms(part), part.kwh] for part in emissions.market] or None,
        "cost_amount": cost.amount,
        "currency": cost.currency,
    }


@lru_cache(maxsize=4096)  # a million runs have a handful of factors
def _shared_form(value: EmbodiedPart | FactorUsed | WaterUsed | Text) -> tuple[str, dict[str, Any]]:
    form = asdict(value)
    return _key(form), form


@lru_cache(maxsize=4096)
def _terms(*values: Any) -> tuple[str, dict[str, Any]]:
    form = dict(zip(_TERMS, values, strict=True))
    return _key(form), form


def _key(form: dict[str, Any]) -> str:
    """Return under which key a value is kept: the same value has the same key in every database."""
    text = json.dumps(form, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[: s.SHARED_KEY_LENGTH]


def share(connection: Connection, shared: Mapping[str, Any]) -> None:
    """Write shared values that are not there yet; another process may be doing the same."""
    known = set(shared_values(connection, shared))
    # In order, so that two processes never wait for each other.
    new = [{"key": key, "value": shared[key]} for key in sorted(shared) if key not in known]
    if new:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(s.shared_value).on_conflict_do_nothing(), new)


def _shared(connection: Connection, rows: Collection[RowMapping]) -> dict[str, Any]:
    keys = {row[name] for row in rows for name in _KEYS}
    keys |= {key for row in rows for name in ("market", "embodied") for key, _ in row[name] or ()}
    return shared_values(connection, keys - {None})


def shared_values(connection: Connection, keys: Iterable[str]) -> dict[str, Any]:
    """Return what is kept once, by key."""
    wanted = list(keys)
    found: dict[str, Any] = {}
    for start in range(0, len(wanted), _BATCH):
        some = s.shared_value.c.key.in_(wanted[start : start + _BATCH])
        found |= dict(connection.execute(select(s.shared_value).where(some)).all())
    return found


def _read(row: RowMapping, shared: Mapping[str, Any]) -> tuple[Emissions, Cost]:
    def text(key: str | None) -> Text | None:
        return Text.from_json(shared[key]) if key else None

    emissions = Emissions(
        **{name: row[name] for name in _SAME},
        factor=FactorUsed(**shared[row["factor_key"]]) if row["factor_key"] else None,
        reason=text(row["reason_key"]),
        market=tuple(MarketPart(kwh=kwh, **shared[key]) for key, kwh in row["market"] or ()),
        market_reason=text(row["market_reason_key"]),
        embodied=tuple(EmbodiedPart(count=count, **shared[key]) for key, count in row["embodied"] or ()),
        embodied_reason=text(row["embodied_reason_key"]),
        water=WaterUsed(**shared[row["water_key"]]) if row["water_key"] else None,
    )
    return emissions, Cost(row["cost_amount"], row["currency"])

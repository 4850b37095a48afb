"""Checksums over rows that do not depend on their order, nor on which database holds them."""

from __future__ import annotations

import json
from collections import defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import RowMapping

_BITS = 64


class Checksum:
    """The number of rows and the sum of their digests, modulo 2^64: equal rows do not cancel out."""

    __slots__ = ("_sum", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, row: Mapping[str, Any] | RowMapping) -> None:
        """Add a row, as SQLAlchemy gives it."""
        self.rows += 1
        self._sum = (self._sum + _digest(row)) % 2**_BITS

    def add_all(self, other: Checksum) -> None:
        """Add the rows of another checksum."""
        self.rows += other.rows
        self._sum = (self._sum + other._sum) % 2**_BITS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checksum) and (self.rows, self._sum) == (other.rows, other._sum)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __str__(self) -> str:
        return f"{self._sum:0{_BITS // 4}x}"


class Checksums(defaultdict[tuple[str, str], Checksum]):
    """Checksums by table and run; of tables that know no runs, the run is empty."""

    def __init__(self) -> None:
        super().__init__(Checksum)

    def of_table(self, table: str) -> Checksum:
        """Return the sum over a table's runs."""
        whole = Checksum()
        for (name, _), part in self.items():
            if name == table:
                whole.add_all(part)
        return whole


def _digest(row: Mapping[str, Any] | RowMapping) -> int:
    canonical = json.dumps({name: _plain(value) for name, value in row.items()}, sort_keys=True)
    return int.from_bytes(blake2b(canonical.encode(), digest_size=_BITS // 8).digest(), "big")


def _plain(value: Any) -> Any:
    """Return what a value is in both databases: PostgreSQL's JSON does not tell 100.0 from 100 or 1e2."""
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case bytes():
            return blake2b(value, digest_size=16).hexdigest()
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case _:
            return value

"""Quantiles of a stream in constant memory: a histogram whose buckets grow in proportion to the value.

The method is DDSketch (C. Masson, J. E. Rim, H. K. Lee: DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
Relative-Error Guarantees, PVLDB 12(12), 2019, https://doi.org/10.14778/3352063.3352135). Bucket ``i`` holds the
values in (g^(i-1), g^i] with g = (1 + a) / (1 - a); its middle 2 g^i / (g + 1) is off by the share ``a`` at most.
Sketches of the same ``a`` are merged by adding their counts, in any order, without any further error.
"""

from __future__ import annotations

import sys
from math import ceil, log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# A quantile is off by 1 % at most; the values of a service span 1e-9 to 1e6 at the very most: 1,728 buckets.
RELATIVE_ERROR = 0.01
_BASE = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_PER_LOG = 1 / log(_BASE)
_MIDDLE = 2 / (_BASE + 1)
_LARGEST = sys.float_info.max


class Sketch:
    """Counts of values that are 0 or more."""

    __slots__ = ("_counts", "_zeros")
    __hash__ = None  # type: ignore[assignment]  # it grows

    def __init__(self) -> None:
        self._zeros = 0
        self._counts: dict[int, int] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and (self._zeros, self._counts) == (other._zeros, other._counts)

    @property
    def count(self) -> int:
        """How many values were added."""
        return self._zeros + sum(self._counts.values())

    def add(self, value: float, count: int = 1) -> None:
        """Add a value, as often as it occurred. What is not above 0 counts as 0, infinity as the largest float."""
        if value > 0:
            index = ceil(log(min(value, _LARGEST)) * _PER_LOG)
            self._counts[index] = self._counts.get(index, 0) + count
        else:
            self._zeros += count

    def merged(self, other: Sketch) -> Sketch:
        """Return the sketch of both streams."""
        both = Sketch()
        both._zeros = self._zeros + other._zeros
        both._counts = dict(self._counts)
        for index, count in other._counts.items():
            both._counts[index] = both._counts.get(index, 0) + count
        return both

    def times(self, factor: float) -> Sketch:
        """Return the sketch of all values times a factor (0 or more). It is off by 1 % more."""
        result = Sketch()
        result._zeros = self._zeros
        for index, count in self._counts.items():
            result.add(_middle(index) * factor, count)
        return result

    def quantile(self, share: float) -> float | None:
        """Return the value below which a share of the values lies, None if there is none.

        Args:
            share: From 0 (the least) to 1 (the greatest).
        """
        rank = share * (self.count - 1)
        seen = self._zeros
        if seen > max(rank, 0):
            return 0.0
        for index in sorted(self._counts):
            seen += self._counts[index]
            if seen > rank:
                return _middle(index)
        return None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it: the zeros, and each bucket's number with its count."""
        return {"zeros": self._zeros, "counts": [[index, self._counts[index]] for index in sorted(self._counts)]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sketch:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        sketch = cls()
        sketch._zeros = _count(data["zeros"])
        for index, count in data["counts"]:
            _middle(int(index))
            sketch._counts[int(index)] = sketch._counts.get(int(index), 0) + _count(count)
        return sketch


def _middle(index: int) -> float:
    return _MIDDLE * _BASE**index


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"no count: {value}")
    return value

"""Slurm's short form of a list of nodes, ``jwb[0001-0010,0020],login1``, written out. Pure.

Rules (man scontrol, "show hostlist" and "show hostnames", and what Slurm 22.05 makes of odd input):

* a bracket holds numbers and ranges of numbers; the first number's width is that of all in its range: ``[08-11]``
* several brackets count like an odometer, the last one fastest: ``r[0-1]n[0-1]`` begins ``r0n0``, ``r0n1``
* order and repetitions stay, empty entries between commas are skipped
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_NODES = 1 << 16
"""Longest list that is written out; Slurm itself takes no range of more, and no cluster is larger."""

_ENTRY = re.compile(r"(?:[^\[\],()\s]|\[[^\[\]]*\])+")
_PIECE = re.compile(r"\[([^\]]*)\]|([^\[]+)")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


def expand(hostlist: str) -> tuple[str, ...]:
    """Return the name of every node, in order.

    Args:
        hostlist: The short form; empty for no nodes.

    Raises:
        ValueError: It is no such list, or one of more than ``MOST_NODES`` nodes.
    """
    names: list[str] = []
    for entry in _entries(hostlist.strip()):
        pieces = [_numbers(match[1]) if match[2] is None else [match[2]] for match in _PIECE.finditer(entry)]
        count = len(names) + _product(len(piece) for piece in pieces)
        if count > MOST_NODES:
            raise ValueError(f"more than {MOST_NODES} nodes: {entry}")
        names += ["".join(parts) for parts in product(*pieces)]
    return tuple(names)


def _entries(hostlist: str) -> Iterator[str]:
    position = 0
    while position < len(hostlist):
        match = _ENTRY.match(hostlist, position)
        if match is not None:
            yield match[0]
            position = match.end()
        if position < len(hostlist) and hostlist[position] != ",":
            raise ValueError(f"not a list of nodes: {hostlist[:200]}")
        position += 1


def _numbers(ranges: str) -> Sequence[str]:
    numbers: list[str] = []
    for part in ranges.split(","):
        match = _RANGE.fullmatch(part)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise ValueError(f"not a range of numbers: [{ranges[:200]}]")
        first, last = int(match[1]), int(match[2] or match[1])
        if len(numbers) + last - first >= MOST_NODES:
            raise ValueError(f"more than {MOST_NODES} nodes: [{ranges[:200]}]")
        numbers += [f"{number:0{len(match[1])}d}" for number in range(first, last + 1)]
    return numbers


def _product(lengths: Iterable[int]) -> int:
    result = 1
    for length in lengths:
        result *= length
    return result

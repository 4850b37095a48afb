"""Printing tables and taking medians."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a titled table."""
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    print(title)
    for row in (headings, *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


def process_ms(code: str, repeats: int = 15) -> float:
    """Return the median wall time of a fresh interpreter that runs ``code``, milliseconds."""
    return median(_process_ms([sys.executable, "-c", code]) for _ in range(repeats))


def command_ms(command: Sequence[str], repeats: int = 15) -> float:
    """Return the median wall time of a command, milliseconds."""
    return median(_process_ms(command) for _ in range(repeats))


def _process_ms(command: Sequence[str]) -> float:
    began_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - began_s) * 1000

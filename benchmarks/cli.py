"""How long the command line takes to answer."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.table import command_ms, show


def main() -> None:
    """Print wall times of commands."""
    greenai = str(Path(sys.executable).with_name("greenai"))
    rows = [
        (" ".join(arguments), asked, f"{command_ms([greenai, *arguments]):.0f}")
        for arguments, asked in (
            (["--help"], "150"),
            (["run", "--quiet", "--", "true"], "-"),
            (["doctor"], "-"),
            (["runs", "--json"], "-"),
        )
    ]
    show("Command line, ms of wall time (median of 15)", ("greenai", "asked", "ms"), rows)

"""All faults, in the order of the table."""

from __future__ import annotations

from benchmarks.faults import clocks, databases, deaths, disks, hostile, journals, trees

FAULTS = (
    *deaths.FAULTS,
    *disks.FAULTS,
    *databases.FAULTS,
    *clocks.FAULTS,
    *trees.FAULTS,
    *hostile.FAULTS,
    *journals.FAULTS,
)

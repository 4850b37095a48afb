"""What processors draw, by family (``cpu_power.csv``), where neither sensor nor design power is known.

Columns:

* ``cpuid``, ``name``: regular expressions for ``cpu_identity`` (as a whole) and ``plain_model`` (any part); the
  first row counts in which all that are given match. Numbers: arch/x86/include/asm/intel-family.h,
  arch/x86/kernel/cpu/amd.c and arch/arm64/include/asm/cputype.h of Linux.
* ``full_w`` at full load of ``logical_cpus``, for a ``model`` with many cores, as clouds and GPU nodes have: its
  design power (of whole servers at the wall where none is published).
* ``idle_share``: the foot of a straight load line, as a share of full power. Between two things: the median of
  idle to full power (S), and the foot that fits 10...100 % load best (L), for under a job a processor does not
  reach its deepest sleep.
* ``low_w_per_cpu``, ``high_w_per_cpu``: the range over the family's models, watts per logical CPU.
* ``verified``: every number of the row was read in the source named; else some are judged or recalled.

Sources: **C** the table of design powers in codecarbon 3.3 (MIT licence). **S** published SPECpower_ssj2008
results (idle and full load of whole servers, their threads), from the copy of 1 May 2023 in
github.com/cloud-carbon-footprint/cloud-carbon-coefficients (Apache-2.0), data/SPECpower-2023-05-01.csv. **L**
the eleven load levels of the SPECpower result with this number, from the copies in OpenDC's MachineSpecs.kt
(MIT) and simulators built on CloudSim; idle and full load agree with S.

How straight is the line? From 10 % load on, those load levels are off it by -30...+18 % (Xeon, most of it at 10
%), -24...+1 % (EPYC) and -20...+28 % (Xeon E); a machine that does nothing at all by -39...+86 % (EPYC 7702,
which draws 72 W when idle and 181 W at 10 % load). Measured at the package instead of the wall (0.12, 0.32, 0.75
and 1.02 of the design power at 0, 10, 50 and 100 % load: Teads, "Building an AWS EC2 Carbon Emissions Dataset",
2021), the curve lies above the line by a third: the second thread of a core draws less than the first. This is
inside the uncertainties below, which is why the estimate can stay a counter that no load escapes
(docs/decisions/0002).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Half-widths that no family goes below: the load line, and the model, which nobody knows.
_LEAST_LOW_REL, _LEAST_HIGH_REL = 0.4, 0.6
_UNVERIFIED_LOW_REL, _UNVERIFIED_HIGH_REL = 0.5, 1.0

_TABLE = Path(__file__).with_name("cpu_power.csv")


class CpuPower(NamedTuple):
    """The power of a family of processors.

    Attributes:
        family: Its name.
        full_w_per_cpu: Watts per logical CPU at full load.
        idle_share: Foot of the load line, as a share of full power.
        low_rel: Lower half-width of the uncertainty of ``full_w_per_cpu``.
        high_rel: The upper one.
        verified: Whether every number was read in the source named.
        source: Where the numbers are from (see the module's text).
    """

    family: str
    full_w_per_cpu: float
    idle_share: float
    low_rel: float
    high_rel: float
    verified: bool
    source: str


def cpu_power(identity: str | None, plain_name: str) -> CpuPower | None:
    """Return the family of a processor, None if the table has none.

    Args:
        identity: As ``cpu_identity`` gives it.
        plain_name: As ``plain_model`` gives it; empty if there is no name.
    """
    if identity is None:
        return None
    maker = identity.partition(":")[0]
    for row in _rows():
        if not row["cpuid"].startswith(maker):
            continue  # no need to compile the expression
        by_name = not row["name"] or re.search(row["name"], plain_name)
        if by_name and re.fullmatch(row["cpuid"], identity):
            return _cpu_power(row)
    return None


def table() -> list[CpuPower]:
    """Return all families, in the order of the table."""
    return [_cpu_power(row) for row in _rows()]


@cache
def _rows() -> list[dict[str, str]]:
    # No field holds a comma or a quote (a test sees to it): importing csv would cost more than all else here.
    header, *lines = _TABLE.read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def _cpu_power(row: dict[str, str]) -> CpuPower:
    watts = float(row["full_w"]) / int(row["logical_cpus"])
    verified = row["verified"] == "yes"
    least_low, least_high = (
        (_LEAST_LOW_REL, _LEAST_HIGH_REL) if verified else (_UNVERIFIED_LOW_REL, _UNVERIFIED_HIGH_REL)
    )
    return CpuPower(
        family=row["family"],
        full_w_per_cpu=watts,
        idle_share=float(row["idle_share"]),
        low_rel=max(least_low, 1 - float(row["low_w_per_cpu"]) / watts),
        high_rel=max(least_high, float(row["high_w_per_cpu"]) / watts - 1),
        verified=verified,
        source=row["source"],
    )

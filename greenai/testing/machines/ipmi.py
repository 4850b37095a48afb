"""Servers with a management controller on the local IPMI interface.

``/dev/ipmi0`` is an ordinary file here, so the kernel refuses it as no IPMI device and the programs are asked.
Their outputs are those of FreeIPMI (ipmi-dcmi/ipmi-dcmi.c) and ipmitool (lib/ipmi_dcmi.c), as captured:

* by ceems-dev/ceems, pkg/collector/ipmi_test.go and ipmi.go: FreeIPMI and ipmitool on HPE and Dell servers;
* on a Gigabyte G431-MM0 and a Supermicro: ipmitool builds that print time and period in one line;
* by the OpenBMC test suite (Verify Power Reading via IPMI): one figure four times, and "deactivated".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FREEIPMI = "ipmi-dcmi --get-system-power-statistics"
IPMITOOL = "ipmitool dcmi power reading"

_FREEIPMI = """Current Power                        : {now} Watts
Minimum Power over sampling duration : 68 watts
Maximum Power over sampling duration : 504 watts
Average Power over sampling duration : 348 watts
Time Stamp                           : 11/03/2023 - 08:36:29
Statistics reporting time period     : 2685198000 milliseconds
Power Measurement                    : {state}
"""
_IPMITOOL = """
    Instantaneous power reading:              {now:8} Watts
    Minimum during sampling period:                  6 Watts
    Maximum during sampling period:                304 Watts
    Average power reading over sample period:       49 Watts
    IPMI timestamp:                           Thu Feb 15 08:36:01 2024
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   {state}

"""
_ONE_LINE = """
    Instantaneous power reading:                   195 Watts
    Minimum during sampling period:                188 Watts
    Maximum during sampling period:               1940 Watts
    Average power reading over sample period:      194 Watts
    IPMI timestamp:                           08/28/26 07:12:06 UTC    Sampling period:                          00000005 Seconds.
    Power reading state is:                   activated

"""  # noqa: E501  # as it is printed
_OPENBMC = """
    Instantaneous power reading:                   235 Watts
    Minimum during sampling period:                235 Watts
    Maximum during sampling period:                235 Watts
    Average power reading over sample period:      235 Watts
    IPMI timestamp:                           Thu Jan  1 00:00:00 1970
    Sampling period:                          00000000 Seconds.
    Power reading state is:                   deactivated

"""


def freeipmi(now_w: int | str, state: str = "Active") -> str:
    """Return what ipmi-dcmi prints."""
    return _FREEIPMI.format(now=now_w, state=state)


def ipmitool(now_w: int, state: str = "activated") -> str:
    """Return what ipmitool prints."""
    return _IPMITOOL.format(now=now_w, state=state)


def _machine(folder: Path, **outputs: str) -> FakeMachine:
    machine = FakeMachine(folder)
    machine.write("dev/ipmi0", "")
    machine.commands |= {
        {"freeipmi": FREEIPMI, "ipmitool": IPMITOOL}[name]: text for name, text in outputs.items()
    }
    return machine


def hpe(folder: Path) -> FakeMachine:
    """Only FreeIPMI is installed."""
    return _machine(folder, freeipmi=freeipmi(332))


def dell(folder: Path) -> FakeMachine:
    """Only ipmitool is installed."""
    return _machine(folder, ipmitool=ipmitool(220))


def gigabyte(folder: Path) -> FakeMachine:
    """Both are installed; FreeIPMI has the wrong driver."""
    return _machine(folder, freeipmi="", ipmitool=_ONE_LINE)


def openbmc(folder: Path) -> FakeMachine:
    """A controller that says it does not measure, and does."""
    return _machine(folder, ipmitool=_OPENBMC)


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "ipmi-hpe-freeipmi": hpe,
    "ipmi-dell-ipmitool": dell,
    "ipmi-gigabyte-ipmitool": gigabyte,
    "ipmi-openbmc": openbmc,
}

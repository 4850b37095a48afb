"""The processor: its name, its size, and how much of it was busy."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenai.host.machine import Host

_NOISE = re.compile(r"\((?:r|tm|c)\)|\b(?:cpu|processor|\d+-cores?|\d+th gen|with radeon.*)\b|@.*$", re.IGNORECASE)


def cpu_model(host: Host) -> str | None:
    """Return the processor's name as the kernel gives it, None if it gives none."""
    return _field(host, "model name")


def cpu_vendor(host: Host) -> str | None:
    """Return the vendor id, e.g. ``GenuineIntel``."""
    return _field(host, "vendor_id")


def cpu_identity(host: Host) -> str | None:
    """Return what kind of processor it is, by the numbers it gives of itself; None if it gives none.

    x86: ``vendor:family:model:stepping`` in decimal, e.g. ``GenuineIntel:6:85:7``. Arm: ``implementer:part``, e.g.
    ``0x41:0xd0c`` (both from /proc/cpuinfo). A cloud may hide the name (``AMD EPYC``), but hardly ever these.
    """
    for keys in (("vendor_id", "cpu family", "model", "stepping"), ("CPU implementer", "CPU part")):
        values = [_field(host, key) for key in keys]
        if all(values):
            return ":".join(value or "" for value in values)
    return None


def is_virtual(host: Host) -> bool:
    """Say whether this is a virtual machine (CPUID's hypervisor bit)."""
    return "hypervisor" in (_field(host, "flags") or "").split()


def logical_cpus(host: Host) -> int:
    """Return the number of logical processors the kernel runs on."""
    listed = len(re.findall(r"^processor\s*:", host.cpu_info, re.MULTILINE))
    return listed or os.cpu_count() or 1


def sockets(host: Host) -> int:
    """Return the number of processor packages; 1 if the kernel does not say."""
    return len(set(re.findall(r"^physical id\s*:\s*(\d+)", host.cpu_info, re.MULTILINE))) or 1


def plain_model(name: str) -> str:
    """Strip trade marks, clock rates and filler from a processor's name, for look-ups."""
    return " ".join(_NOISE.sub(" ", name).split()).casefold()


def busy_seconds(stat_line: str, ticks_per_second: int) -> float:
    """Return CPU seconds spent working since boot, from the first line of /proc/stat.

    user + nice + system + irq + softirq. Idle, I/O wait and time stolen by the hypervisor are no work of
    this machine; guest time is already inside user (proc_stat(5)). Idle and I/O wait, which may go backwards, are
    not used. The line counts every CPU there ever was (for_each_possible_cpu in fs/proc/stat.c), so the sum does
    not fall when one is taken off-line.

    Raises:
        ValueError: The line is not the aggregate ``cpu`` line.
    """
    fields = stat_line.split()
    if not fields or fields[0] != "cpu":
        raise ValueError(f"not a cpu line: {stat_line[:40]!r}")
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[1:8])
    return (user + nice + system + irq + softirq) / ticks_per_second


def _field(host: Host, key: str) -> str | None:
    """Return a field's first value. Each run asks for several: no regular expressions to compile."""
    text, at = host.cpu_info, -1
    while (at := text.find(key, at + 1)) >= 0:
        name, _, value = text[at : text.find("\n", at) % (len(text) + 1)].partition(":")
        if (at == 0 or text[at - 1] == "\n") and name.rstrip() == key and value.strip():
            return value.strip()
    return None

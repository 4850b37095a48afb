"""What the site's energy plugin (``AcctGatherEnergyType``) counts. Pure.

man slurm.conf and the plugins' documentation (slurm.schedmd.com/acct_gather_energy_plugins.html): ``rapl`` the
processors' packages and their memory, ``pm_counters`` (Cray), ``ipmi``, ``xcc`` and ``ibmaem`` the node, ``gpu``
its GPUs. None of them knows jobs: a step is charged what its nodes drew while it ran.

The uncertainties are those that our own collectors of the same sensors have (``greenai_collectors``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from greenai.core.channel import Component
from greenai.core.text import Text

_TYPE = re.compile(r"^\s*AcctGatherEnergyType\s*=\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class EnergySensor:
    """What Slurm's energy figure contains.

    Attributes:
        name: Of the plugin, e.g. ``rapl``; empty if nobody knows.
        component: What it speaks of.
        includes: What else it contains.
        uncertainty_rel: Half-width of the ~95 % interval, relative.
        contains: The same in words.
    """

    name: str
    component: Component
    includes: frozenset[Component]
    uncertainty_rel: float
    contains: Text

    @property
    def covers(self) -> frozenset[Component]:
        """Every component whose energy is in the figure."""
        return self.includes | {self.component}


_PARTS = frozenset({Component.CPU, Component.DRAM, Component.GPU, Component.MODULE, Component.REST})
_WHOLE = Text(de="ganzer Knoten", en="the whole node")
UNKNOWN = EnergySensor(
    "", Component.NODE, _PARTS, 0.5, Text(de="unbekannt, was der Zähler enthält", en="what it contains is unknown")
)
_SENSORS = (
    EnergySensor(
        "rapl",
        Component.CPU,
        frozenset({Component.DRAM}),
        0.05,
        Text(de="nur Prozessoren und Arbeitsspeicher, keine GPUs", en="processors and memory only, no GPUs"),
    ),
    EnergySensor("pm_counters", Component.NODE, _PARTS, 0.03, _WHOLE),
    EnergySensor("ipmi", Component.NODE, _PARTS, 0.10, _WHOLE),
    EnergySensor("xcc", Component.NODE, _PARTS, 0.05, _WHOLE),
    EnergySensor("ibmaem", Component.NODE, _PARTS, 0.10, _WHOLE),
    EnergySensor("gpu", Component.GPU, frozenset(), 0.15, Text(de="nur die GPUs", en="the GPUs only")),
)
_BY_NAME = {sensor.name: sensor for sensor in _SENSORS}


def energy_sensor(config: str) -> EnergySensor | None:
    """Return what the site meters, None if it meters nothing.

    Args:
        config: What ``scontrol show config`` printed; empty if it cannot be asked.
    """
    match = _TYPE.search(config)
    if match is None:
        return UNKNOWN
    name = match[1].rpartition("/")[2]
    if name in ("none", "(null)"):
        return None
    return _BY_NAME.get(name, UNKNOWN)

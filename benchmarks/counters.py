"""A machine whose counters answer at once: three RAPL files and a GPU. What is left is the cost of the tool."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram", "intel-rapl:1": "package-1"}

# To be run before anything else of greenai is imported: sysfs is then that of the folder in FAKE_SYS.
THERE = """
import dataclasses, os, pathlib
import greenai.host
real_host = greenai.host.this_host
greenai.host.this_host = lambda knowledge=None: dataclasses.replace(
    real_host(knowledge), sys_root=pathlib.Path(os.environ["FAKE_SYS"]))
"""


def build(folder: Path) -> Mapping[str, str]:
    """Build its files; return the environment in which programs find them.

    Args:
        folder: An empty folder.
    """
    for name, domain in _ZONES.items():
        zone = folder / "sys" / "class" / "powercap" / name
        zone.mkdir(parents=True)
        for file, content in (
            ("name", domain),
            ("energy_uj", "123456789012"),
            ("max_energy_range_uj", "262143328850"),
        ):
            (zone / file).write_text(f"{content}\n")
    source = Path(__file__).with_name("steady_nvml.c")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return {"FAKE_SYS": str(folder / "sys"), "LD_LIBRARY_PATH": str(folder)}

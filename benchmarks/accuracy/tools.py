"""The tools under test: greenai, and its peers in environments of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy.lab import BUILT, CACHE, PROGRAMS
from benchmarks.accuracy.machines import COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.machines import Component


@dataclass(frozen=True, slots=True)
class Reported:
    """What a tool says about one component.

    Attributes:
        energy_j: Joules, None if it says nothing.
        gap_s: For how long it says that it knows nothing.
        estimated: It says itself that this is an estimate.
        interval_j: The interval in which it says that the truth lies, None if it gives none.
    """

    energy_j: float | None
    gap_s: float = 0.0
    estimated: bool = False
    interval_j: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool in one of its settings. ``packages`` are what its own environment holds; none: it is greenai."""

    name: str
    setting: str = ""
    packages: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether this is greenai."""
        return not self.packages

    @property
    def title(self) -> str:
        """Its name; with a + in its best setting."""
        return f"{self.name}+" if self.setting == "best" else self.name

    def command(self, seconds: float) -> list[str]:
        """Return the program that tracks ``seconds`` of work and writes its result to ``{result}``."""
        if self.name == "greenai run":
            greenai = str(Path(sys.executable).with_name("greenai"))
            return [greenai, "run", "--quiet", "--record", "{result}", "--", str(BUILT / "work"), repr(seconds)]
        python = sys.executable if self.ours else str(CACHE / self.name / "bin" / "python")
        return [python, str(PROGRAMS / f"track_{self.name}.py"), repr(seconds), self.setting]

    def parse(self, text: str) -> dict[Component, Reported]:
        """Read the result that the program wrote."""
        result = json.loads(text)
        if self.ours:
            return {component: _from_record(result, component) for component in COMPONENTS}
        return {component: Reported(result.get(f"{component}_j")) for component in COMPONENTS}


OURS = (Tool("greenai"), Tool("greenai run"))
_CODECARBON = ("codecarbon==3.3.2",)
_ZEUS = ("zeus==0.16.0",)
_PERUN = ("perun==1.0.0", "nvidia-ml-py==13.615.71")
_CARBONTRACKER = ("carbontracker==2.4.7",)
PEERS = (
    Tool("codecarbon", "default", _CODECARBON),
    Tool("codecarbon", "best", _CODECARBON),
    Tool("zeus", "default", _ZEUS),
    Tool("zeus", "best", _ZEUS),
    Tool("perun", "default", _PERUN),
    Tool("perun", "best", _PERUN),
    Tool("carbontracker", "default", _CARBONTRACKER),
    Tool("carbontracker", "best", _CARBONTRACKER),
)


def install(tools: Sequence[Tool]) -> None:
    """Make the environments that are not there yet, with uv if there is one."""
    for name, packages in {tool.name: tool.packages for tool in tools if tool.packages}.items():
        folder = CACHE / name
        if (folder / "installed").exists():
            continue
        print(f"installing {', '.join(packages)} into {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        python = str(folder / "bin" / "python")
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
        installer = (
            [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
        )
        subprocess.run([*installer, *packages], check=True)
        (folder / "installed").write_text("\n".join(packages))


def _from_record(record: dict[str, Any], component: Component) -> Reported:
    """Add up what greenai measured of a component; an estimate is shown as one, not as a measurement."""
    counted = [c for c in record["energy"]["channels"] if c["counted"] and c["component"] == component]
    measured = [c for c in counted if c["quality"] != "estimated"]
    chosen = measured or counted
    known = [channel for channel in chosen if channel["energy_j"] is not None]
    low_j, energy_j, high_j = (sum(channel[name] for channel in known) for name in ("low_j", "energy_j", "high_j"))
    return Reported(
        energy_j=energy_j if known else None,
        gap_s=max((channel["gap_s"] for channel in chosen), default=0.0),
        estimated=bool(counted) and not measured,
        interval_j=(low_j, high_j) if known else None,
    )

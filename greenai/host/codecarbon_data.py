"""codecarbon's tables (MIT licence) as a labelled fallback, read as files: its import costs a second.

The package is an optional extra; without it every look-up answers None.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import NamedTuple

from greenai.host.cpu import plain_model


class CountryMix(NamedTuple):
    """codecarbon's yearly factor of a country."""

    country: str
    intensity_g_per_kwh: float
    year: int


def data_folder() -> Path | None:
    """Return codecarbon's data folder, or None if it is not installed."""
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "data"


def cpu_tdp_w(model: str, folder: Path | None = None) -> float | None:
    """Return the thermal design power of a processor package in watts, None if the table lacks it."""
    folder = folder or data_folder()
    if folder is None:
        return None
    try:
        table = (folder / "hardware" / "cpu_power.csv").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    wanted = plain_model(model)
    for line in table.splitlines():
        name, _, watts = line.rpartition(",")
        # Comparing only lines of similar length keeps this under a millisecond.
        if abs(len(name) - len(wanted)) <= 20 and plain_model(name) == wanted:  # noqa: PLR2004
            try:
                return float(watts)
            except ValueError:
                return None
    return None


def country_mix(iso3: str, folder: Path | None = None) -> CountryMix | None:
    """Return the yearly electricity factor of a country by its ISO 3166 alpha-3 code."""
    folder = folder or data_folder()
    if folder is None:
        return None
    try:
        text = (folder / "private_infra" / "global_energy_mix.json").read_text(encoding="utf-8")
        entry = json.loads(text)[iso3]
        return CountryMix(str(entry["country_name"]), float(entry["carbon_intensity"]), int(entry["year"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None

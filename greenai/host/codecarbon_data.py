"""codecarbon's tables (MIT licence) as a labelled fallback, read as files: its import costs a second.

The package is an optional extra; without it every look-up answers None.
"""

from __future__ import annotations

import csv
import importlib.util
import json
from math import inf
from pathlib import Path
from typing import NamedTuple

from greenai.host.cpu import plain_model


class CountryMix(NamedTuple):
    """codecarbon's yearly factor of a country."""

    country: str
    intensity_g_per_kwh: float
    year: int


class CloudRegion(NamedTuple):
    """codecarbon's factor of a cloud provider's region."""

    country: str
    city: str
    intensity_g_per_kwh: float
    source: str


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


def cloud_region(provider: str, region: str, folder: Path | None = None) -> CloudRegion | None:
    """Return the electricity factor of a cloud region, e.g. of ``gcp`` and ``europe-west3``; it states no year."""
    folder = folder or data_folder()
    if folder is None:
        return None
    try:
        text = (folder / "cloud" / "impact.csv").read_text(encoding="utf-8-sig")
        for row in csv.DictReader(text.splitlines()):
            if (row["provider"], row["region"]) == (provider, region):
                intensity_g_per_kwh = float(row["impact"])
                if not 0 < intensity_g_per_kwh < inf:
                    return None
                return CloudRegion(row["country_name"], row["city"], intensity_g_per_kwh, row["source"])
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None
    return None

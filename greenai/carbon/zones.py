"""Zones of the electricity grid: three letters and two, and which one somebody may have meant."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

ZONES_FILE = Path(__file__).with_name("data") / "zones.csv"
_ALIASES = {"UK": "GB"}  # reserved in ISO 3166 for just this


@lru_cache(maxsize=1)
def _countries() -> dict[str, tuple[str, str]]:
    """Return two letters and English name of each country by its three letters (ISO 3166-1)."""
    lines = ZONES_FILE.read_text(encoding="utf-8").splitlines()[1:]
    return {three: (two, name) for two, three, name in (line.split(",", 2) for line in lines)}


def alpha_2(zone: str) -> str:
    """Return a country's two letters for its three; every other zone as it is, in capitals."""
    zone = _ALIASES.get(zone.upper(), zone.upper())
    if len(zone) != 3:  # noqa: PLR2004  # ISO 3166-1 alpha-3
        return zone
    known = _countries().get(zone)
    return known[0] if known else zone


def alpha_3(zone: str) -> str | None:
    """Return a country's three letters for its two; None if it is no country."""
    return next((three for three, (two, _) in _countries().items() if two == zone), None)


def nearest_zones(written: str) -> list[str]:
    """Return the zones that somebody may have meant, by code or by English name, e.g. ``DE (Germany)``."""
    from difflib import get_close_matches  # for complaints only

    said = {f"{two} ({name})": (two, three, name) for three, (two, name) in _countries().items()}
    wanted = written.casefold()
    for known, spellings in said.items():
        if wanted in (spelling.casefold() for spelling in spellings):
            return [known]
    by_name = {name.casefold(): known for known, (_, _, name) in said.items()}
    by_three = {three.casefold(): known for known, (_, three, _) in said.items()}
    near = [by_name[name] for name in get_close_matches(wanted, by_name, n=3)]
    near += [by_three[three] for three in get_close_matches(wanted, by_three, n=3)]
    return list(dict.fromkeys(near))[:3]

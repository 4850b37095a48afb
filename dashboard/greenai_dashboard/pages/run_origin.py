"""Where the figures of a run come from: the emission factor, the machine, the journals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dash import html

from greenai.core import labels, quantity
from greenai_dashboard import formats, texts_run
from greenai_dashboard.parts import badge, facts, section

if TYPE_CHECKING:
    from greenai.core.footprint import Emissions
    from greenai.core.record import RunRecord, Work
    from greenai.core.text import Language

MAX_HOSTS = 20


def factor_section(emissions: Emissions, work: Work, language: Language) -> html.Section:
    """Return where the CO2 figure comes from."""
    factor = emissions.factor
    if factor is None:
        raise ValueError("a factor is needed to describe one")
    checked = texts_run.CHECKED_YES if factor.verified else texts_run.CHECKED_NO
    flag = texts_run.VERIFIED if factor.verified else texts_run.UNVERIFIED
    # Shown as text: only web addresses become links.
    linkable = factor.url.startswith(("https://", "http://"))
    source: Any = html.A(factor.source, href=factor.url, rel="noreferrer") if linkable else factor.source
    pairs: list[tuple[str, Any]] = [
        (texts_run.FACTOR.to(language), [per_kwh(factor.value_g_per_kwh, language), " ", html.Code(factor.id)]),
        (texts_run.ZONE.to(language), factor.zone),
        (texts_run.YEAR.to(language), str(factor.year)),
        (texts_run.SOURCE.to(language), source),
        (texts_run.EDITION.to(language), factor.edition),
        (texts_run.BOUNDARY.to(language), labels.word(labels.BOUNDARY, factor.boundary).to(language)),
        (texts_run.GASES.to(language), factor.gases),
        (texts_run.LICENCE.to(language), factor.licence),
        *(
            [(texts_run.INVENTORY.to(language), labels.word(labels.INVENTORY, emissions.scope).to(language))]
            if emissions.scope is not None
            else []
        ),
        *_water(emissions, language),
        *_made(emissions, work, language),
        (
            texts_run.CHECKED.to(language),
            [badge(flag.to(language), "neutral" if factor.verified else "warning"), " ", checked.to(language)],
        ),
    ]
    return section(texts_run.EMISSIONS.to(language), facts(pairs))


def _made(emissions: Emissions, work: Work, language: Language) -> list[tuple[str, Any]]:
    if not emissions.embodied:
        return []
    devices = [
        texts_run.MADE_DEVICE.format(
            count=part.count,
            name=part.name,
            mass=quantity.mass(None if part.kg is None else part.kg * 1000, language),
            years=f"{part.lifetime_years:g}",
        ).to(language)
        for part in emissions.embodied
    ]
    words = texts_run.MADE_VALUE.format(
        mass=quantity.mass(emissions.embodied_g, language),
        span=quantity.mass_range(emissions.embodied_low_g, emissions.embodied_high_g, language),
        devices="; ".join(devices),
    )
    verified = all(part.verified for part in emissions.embodied)
    flag = None if verified else badge(texts_run.UNVERIFIED.to(language), "warning")
    pairs: list[tuple[str, Any]] = [(texts_run.MADE.to(language), [words.to(language), " ", flag])]
    per_unit = emissions.sci_g_per_unit(work.units)
    if per_unit is not None:
        unit = work.unit or texts_run.UNIT_FALLBACK.to(language)
        value = texts_run.SCI_VALUE.format(mass=quantity.mass(per_unit, language), unit=unit)
        pairs.append((texts_run.SCI.to(language), value.to(language)))
    return pairs


def _water(emissions: Emissions, language: Language) -> list[tuple[str, Any]]:
    water = emissions.water
    if water is None:
        return []
    words = texts_run.WATER_VALUE.format(
        volume=quantity.volume(emissions.water_l, language),
        site=quantity.number(water.site_l_per_kwh, language),
        grid=quantity.number(water.grid_l_per_kwh, language, 4),
        source=water.source,
    )
    flag = None if water.verified else badge(texts_run.UNVERIFIED.to(language), "warning")
    return [(texts_run.WATER.to(language), [words.to(language), " ", flag])]


def provenance_section(record: RunRecord, language: Language) -> html.Section:
    """Return whose run it is, where it ran, and what its journals were."""
    journal = texts_run.JOURNAL_LINES.format(
        lines=quantity.integer(record.journal.lines, language),
        bad=quantity.integer(record.journal.bad_lines, language),
        digest=record.journal.sha256,
    )
    pairs: list[tuple[str, Any]] = [
        (texts_run.RUN_ID.to(language), html.Code(record.id)),
        (texts_run.USER.to(language), record.user or quantity.NO_VALUE),
        (texts_run.HOSTS.to(language), _hosts(record) or quantity.NO_VALUE),
        (
            texts_run.GIT_COMMIT.to(language),
            html.Code(record.git_commit) if record.git_commit else quantity.NO_VALUE,
        ),
        (texts_run.ENDED.to(language), formats.moment(record.ended_ms, language)),
        (texts_run.JOURNAL.to(language), journal.to(language)),
    ]
    if record.tags:
        tags = ", ".join(f"{key}={value}" for key, value in sorted(record.tags.items()))
        pairs.append((texts_run.TAGS.to(language), tags))
    if record.slurm:
        pairs += [(f"Slurm {key}", value) for key, value in sorted(record.slurm.items())]
    pairs += [
        (labels.word(labels.ENVIRONMENT, key).to(language), html.Code(_plain(value, language)))
        for key, value in sorted(record.environment.items())
    ]
    download = html.A(
        texts_run.DOWNLOAD_JSON.to(language),
        href=f"/run/{quote(record.id, safe='')}/record.json",
        className="button",
        download="",
    )
    return section(texts_run.PROVENANCE.to(language), facts(pairs), html.P(download))


def _hosts(record: RunRecord) -> str:
    left = len(record.hosts) - MAX_HOSTS
    return ", ".join([*record.hosts[:MAX_HOSTS], *([f"+{left}"] if left > 0 else [])])


def _plain(value: object, language: Language) -> str:
    if isinstance(value, bool):
        return (labels.YES if value else labels.NO).to(language)
    return str(value)


def per_kwh(value_g: float, language: Language) -> str:
    """Write an emission factor, grams per kilowatt hour."""
    return f"{quantity.number(value_g, language)} g/kWh"

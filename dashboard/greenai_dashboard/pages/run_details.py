"""Figures, tables and facts of one run: pure functions of its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from greenai.core import labels, quantity
from greenai.core.remarks import counting, quality_in_words, remarks
from greenai_dashboard import formats, texts_run
from greenai_dashboard.pages.run_market import market_section
from greenai_dashboard.pages.run_nodes import nodes_section
from greenai_dashboard.pages.run_origin import factor_section, per_kwh, provenance_section
from greenai_dashboard.parts import badge, more_rows, quality_badge, section, table, tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.footprint import Emissions
    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy, Energy
    from greenai.core.text import Language, Text

MAX_WINDOW_ROWS = 200
MAX_CHANNEL_ROWS = 200


def summary(record: RunRecord, language: Language) -> html.Section:
    """Return the key figures."""
    tiles = [_energy_tile(record, language), _emissions_tile(record.emissions, language)]
    if record.mean_power_w is not None:
        tiles.append(
            tile(
                texts_run.MEAN_POWER.to(language),
                [quantity.power(record.mean_power_w, language), " ", quality_badge(record.quality, language)],
                _scaled_interval(record.energy, record.mean_power_w, quantity.power, language),
            )
        )
    work = record.work
    if work.units:
        unit = work.unit or texts_run.UNIT_FALLBACK.to(language)
        each_j = work.energy_per_unit_j
        tiles.append(
            tile(
                texts_run.PER_UNIT.format(unit=unit).to(language),
                [quantity.energy(each_j, language), " ", quality_badge(record.quality, language)],
                None if each_j is None else _scaled_interval(record.energy, each_j, quantity.energy, language),
                texts_run.UNITS_DONE.format(count=quantity.integer(work.units, language)).to(language),
            )
        )
    if record.cost is not None and record.cost.amount is not None:
        amount = f"{quantity.number(record.cost.amount, language)} {record.cost.currency}"
        tiles.append(tile(texts_run.COST.to(language), amount))
    return section(texts_run.SUMMARY.to(language), html.Div(tiles, className="tiles"))


def details(record: RunRecord, language: Language) -> list[Any]:
    """Return all that lies below the power trace."""
    nodes = nodes_section(record, language)
    blocks = [*([nodes] if nodes else []), _channels(record, language), _incidents(record, language)]
    if record.emissions is not None and record.emissions.factor is not None:
        blocks.append(factor_section(record.emissions, record.work, language))
    if record.emissions is not None and record.emissions.market:
        blocks.append(market_section(record.emissions, language))
    if record.windows:
        blocks.append(_windows(record, language))
    if record.metrics or record.work.units:
        blocks.append(_results(record, language))
    blocks.append(provenance_section(record, language))
    return blocks


def _energy_tile(record: RunRecord, language: Language) -> html.Div:
    energy = record.energy
    if energy.total_j is None:
        return tile(
            texts_run.ENERGY.to(language),
            texts_run.CO2_UNKNOWN.to(language),
            texts_run.ENERGY_UNKNOWN.to(language),
        )
    quality = quality_in_words(energy)
    whole = None
    if energy.machine_total_j is not None and energy.machine_total_j != energy.total_j:
        whole = texts_run.MACHINE_TOTAL.format(energy=quantity.energy(energy.machine_total_j, language)).to(
            language
        )
    return tile(
        texts_run.ENERGY.to(language),
        [quantity.energy(energy.total_j, language), " ", quality_badge(energy.quality, language)],
        _energy_interval(energy, energy.total_j, language),
        quality.to(language) if quality else None,
        texts_run.SCOPE.format(scope=labels.word(labels.SCOPE, energy.scope)).to(language),
        whole,
        _incomplete(record, language),
    )


def _incomplete(record: RunRecord, language: Language) -> str | None:
    if not record.incomplete:
        return None
    return texts_run.INCOMPLETE.format(
        unseen=quantity.duration(record.unseen_s, language),
        duration=quantity.duration(record.duration_s, language),
    ).to(language)


def _energy_interval(energy: Energy, total_j: float, language: Language) -> str:
    if energy.low_j is None or energy.high_j is None or total_j <= 0:
        return texts_run.NO_INTERVAL.to(language)
    return texts_run.BETWEEN.format(
        low=quantity.energy(energy.low_j, language, like=total_j),
        high=quantity.energy(energy.high_j, language, like=total_j),
        minus=formats.signed_percent(energy.low_j / total_j - 1, language),
        plus=formats.signed_percent(energy.high_j / total_j - 1, language),
    ).to(language)


def _scaled_interval(energy: Energy, value: float, write: Callable[..., str], language: Language) -> str:
    """Return the interval of a figure that is proportional to the energy."""
    if not energy.total_j or energy.low_j is None or energy.high_j is None:
        return texts_run.NO_INTERVAL.to(language)
    low, high = (
        write(value * end_j / energy.total_j, language, like=value) for end_j in (energy.low_j, energy.high_j)
    )
    return texts_run.BETWEEN_SHORT.format(low=low, high=high).to(language)


def _emissions_tile(emissions: Emissions | None, language: Language) -> html.Div:
    label = texts_run.CO2.to(language)
    if emissions is None:
        return tile(label, quantity.NO_VALUE, texts_run.CO2_NOT_COMPUTED.to(language))
    if emissions.location_g is None:
        reason = emissions.reason.to(language) if emissions.reason else None
        return tile(label, texts_run.CO2_UNKNOWN.to(language), reason)
    flag = None
    if emissions.factor is not None and not emissions.factor.verified:
        flag = badge(texts_run.UNVERIFIED.to(language), "warning", texts_run.CHECKED_NO.to(language))
    pue = quantity.number(emissions.pue, language)
    if emissions.pue_assumed:
        pue = f"{pue} {texts_run.PUE_ASSUMED.to(language)}"
    upstream = None
    if emissions.upstream_g is not None:
        mass = quantity.mass(emissions.upstream_g, language)
        upstream = texts_run.UPSTREAM.format(mass=mass).to(language)
    factor = emissions.factor
    source = (
        f"{factor.zone} {factor.year} · {per_kwh(factor.value_g_per_kwh, language)} · {factor.source}"
        if factor
        else None
    )
    return tile(
        label,
        [quantity.mass(emissions.location_g, language), " ", flag],
        source,
        texts_run.CO2_OPERATION.format(pue=pue).to(language),
        upstream,
    )


def _channels(record: RunRecord, language: Language) -> html.Section:
    headers = [
        text.to(language)
        for text in (
            texts_run.COMPONENT, texts_run.DEVICE, texts_run.HOST, texts_run.CHANNEL_ENERGY, texts_run.INTERVAL,
            texts_run.QUALITY, texts_run.METHOD, texts_run.GAP, texts_run.COUNTED, texts_run.NOTE,
        )
    ]  # fmt: skip
    channels = record.energy.channels
    shown = zip(channels[:MAX_CHANNEL_ROWS], counting(channels), strict=False)
    return section(
        texts_run.CHANNELS.to(language),
        html.P(texts_run.CHANNELS_HELP.to(language), className="muted"),
        table(
            texts_run.CHANNELS.to(language),
            headers,
            [_channel(channel, counts, language) for channel, counts in shown],
            numeric=frozenset({3, 7}),
        ),
        more_rows(len(channels), MAX_CHANNEL_ROWS, language),
    )


def _channel(channel: ChannelEnergy, counts: Text, language: Language) -> list[Any]:
    return [
        labels.word(labels.COMPONENT, channel.component.value).to(language),
        channel.device,
        html.Span(channel.host, className="nowrap"),
        quantity.energy(channel.energy_j, language),
        quantity.energy_range(channel.low_j, channel.high_j, language, like=channel.energy_j),
        # A channel that gave nothing has measured nothing.
        quantity.NO_VALUE if channel.energy_j is None else quality_badge(channel.quality, language),
        html.Code(channel.method),
        quantity.duration(channel.gap_s, language),
        counts.to(language),
        [html.Div(remark.to(language)) for remark in remarks(channel)],
    ]


def _incidents(record: RunRecord, language: Language) -> html.Section:
    heading = texts_run.INCIDENTS.to(language)
    if not record.incidents:
        return section(heading, html.P(texts_run.INCIDENTS_NONE.to(language)))
    entries = []
    for incident in record.incidents:
        parts: list[Any] = [html.Span(incident.message.to(language)), " ", html.Code(incident.code)]
        if incident.remedy is not None:
            remedy = html.Strong(texts_run.REMEDY.to(language))
            parts.append(html.Div([remedy, " ", incident.remedy.to(language)], className="remedy"))
        entries.append(html.Li(parts))
    return section(heading, html.Ul(entries, className="incidents"))


def _windows(record: RunRecord, language: Language) -> html.Section:
    names = {window.id: window.name for window in record.windows}
    rows = [
        [
            window.name,
            names.get(window.parent, window.parent) if window.parent else quantity.NO_VALUE,
            quantity.duration((window.started_ms - record.started_ms) / 1000, language),
            quantity.duration(window.duration_s, language),
            quantity.energy(window.energy_j, language),
        ]
        for window in record.windows[:MAX_WINDOW_ROWS]
    ]
    headers = [
        text.to(language)
        for text in (
            texts_run.WINDOW, texts_run.WINDOW_PARENT, texts_run.WINDOW_START, texts_run.WINDOW_DURATION,
            texts_run.CHANNEL_ENERGY,
        )
    ]  # fmt: skip
    heading = texts_run.WINDOWS.to(language)
    more = more_rows(len(record.windows), MAX_WINDOW_ROWS, language)
    help_line = html.P(
        [texts_run.WINDOWS_HELP.to(language), " ", quality_badge(record.energy.quality, language)],
        className="muted",
    )
    return section(heading, help_line, table(heading, headers, rows, numeric=frozenset({2, 3, 4})), more)


def _results(record: RunRecord, language: Language) -> html.Section:
    rows = [
        [
            metric.name,
            quantity.number(metric.value, language, digits=4),
            (texts_run.HIGHER if metric.higher_is_better else texts_run.LOWER).to(language),
        ]
        for metric in record.metrics
    ]
    if record.work.units:
        unit = record.work.unit or texts_run.UNIT_FALLBACK.to(language)
        units = quantity.integer(record.work.units, language)
        rows.append([texts_run.WORK.format(unit=unit).to(language), units, quantity.NO_VALUE])
    heading = texts_run.RESULTS.to(language)
    headers = [text.to(language) for text in (texts_run.METRIC, texts_run.VALUE, texts_run.BETTER)]
    return section(heading, table(heading, headers, rows, numeric=frozenset({1})))

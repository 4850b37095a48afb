"""How factors and figures are shown: as rows of a table, and one by one with all of their origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.cli.app import plain
from greenai.core import labels, quantity
from greenai.core.factor_remarks import period_of
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.carbon.figures import Figure
    from greenai.cli.app import App
    from greenai.core.footprint import FactorUsed

_ZONE, _PERIOD = Text(de="Netz", en="Zone"), Text(de="Zeitraum", en="Period")
_STATUS, _VERIFIED = Text(de="Stand", en="Status"), Text(de="geprüft", en="verified")
_TABLE, _UNIT = Text(de="Tabelle", en="Table"), Text(de="Einheit", en="Unit")
_GASES, _BOUNDARY, _METHOD = (
    Text(de="Gase", en="Gases"), Text(de="Grenze", en="Boundary"), Text(de="Art", en="Method"),
)  # fmt: skip
_VALUE, _LOW, _HIGH = Text(de="Wert", en="Value"), Text(de="von", en="from"), Text(de="bis", en="to")
_LIFETIME = Text(de="Nutzung in Jahren", en="Years of use")
_NAME = Text(de="Für", en="For")
FACTOR_HEADINGS = (
    _ZONE, _PERIOD, Text(de="g/kWh", en="g/kWh"), _GASES, _BOUNDARY, _METHOD, _STATUS, _VERIFIED, _TABLE,
)  # fmt: skip
FIGURE_HEADINGS = (_NAME, _PERIOD, _VALUE, _LOW, _HIGH, _UNIT, _LIFETIME, _VERIFIED, _TABLE)

_LINES = {
    "zone": _ZONE,
    "name": _NAME,
    "value_g_per_kwh": Text(de="Faktor in g/kWh", en="Factor in g/kWh"),
    "value": _VALUE,
    "low": _LOW,
    "high": _HIGH,
    "unit": _UNIT,
    "lifetime_years": _LIFETIME,
    "upstream_g_per_kwh": Text(de="Vorkette in g/kWh", en="Upstream in g/kWh"),
    "period": _PERIOD,
    "gases": _GASES,
    "boundary": _BOUNDARY,
    "basis": Text(de="Je Kilowattstunde", en="Per kilowatt-hour"),
    "method": _METHOD,
    "status": _STATUS,
    "verified": _VERIFIED,
    "source": Text(de="Quelle", en="Source"),
    "edition": Text(de="Ausgabe", en="Edition"),
    "published": Text(de="erschienen", en="Published"),
    "url": Text(de="Adresse", en="Address"),
    "licence": Text(de="Lizenz", en="Licence"),
    "attribution": Text(de="zu nennen", en="Attribution"),
    "retrieved": Text(de="entnommen", en="Retrieved"),
    "file": Text(de="Datei", en="File"),
    "sha256": Text(de="SHA-256", en="SHA-256"),
    "id": Text(de="Schlüssel", en="Id"),
}
_WORDS = {
    "boundary": labels.BOUNDARY,
    "basis": {
        "generated": Text(de="erzeugter Strom", en="generated"),
        "consumed": Text(de="verbrauchter Strom", en="consumed"),
    },
    "method": {
        "average": Text(de="Durchschnitt", en="average"),
        "marginal": Text(de="marginal", en="marginal"),
        "residual": Text(de="Residualmix", en="residual mix"),
        "supplier": Text(de="Lieferant", en="supplier"),
    },
    "status": labels.FACTOR_STATUS,
}


def factor_row(app: App, factor: FactorUsed) -> list[str]:
    """Return the cells under ``FACTOR_HEADINGS``."""
    return [
        factor.zone,
        period_of(factor),
        _exact(factor.value_g_per_kwh, app),
        factor.gases,
        *(app.say(labels.word(_WORDS[name], getattr(factor, name))) for name in ("boundary", "method", "status")),
        app.say(labels.YES if factor.verified else labels.NO),
        factor.table or quantity.NO_VALUE,
    ]


def figure_row(app: App, figure: Figure) -> list[str]:
    """Return the cells under ``FIGURE_HEADINGS``."""
    return [
        figure.id,
        (figure.first_day or quantity.NO_VALUE)[:4],
        *(_exact(number, app) for number in (figure.value, figure.low, figure.high)),
        figure.unit or quantity.NO_VALUE,
        _exact(figure.lifetime_years, app),
        app.say(labels.YES if figure.verified else labels.NO),
        figure.table,
    ]


def page(app: App, entry: dict[str, Any]) -> str:
    """Return all that is known of a factor or figure, a line each; what is unknown is left out."""
    period = " – ".join(day for day in (entry.get("first_day"), entry.get("last_day")) if day)
    width = max(len(app.say(label)) for label in _LINES.values())
    lines = [
        f"{app.say(label).ljust(width)}  {plain(_written(app, name, value))}"
        for name, label in _LINES.items()
        if (value := {**entry, "period": period}.get(name)) not in (None, "")
    ]
    return "\n".join([*lines, *(plain(remark) for remark in entry.get("remarks", ()))])


def _written(app: App, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return app.say(labels.YES if value else labels.NO)
    if isinstance(value, float):
        return _exact(value, app)
    return app.say(labels.word(_WORDS[name], value)) if name in _WORDS else str(value)


def _exact(value: float | None, app: App) -> str:
    """Write a figure as its source has it, not rounded."""
    return quantity.NO_VALUE if value is None else quantity.localise(f"{value:,.9g}", app.language)

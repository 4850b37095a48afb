"""``greenai when``: the start at which a run of known length meets the cleanest electricity; offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from greenai.carbon.intensity.cache import IntensityCache
from greenai.carbon.intensity.series import MS_PER_HOUR, MS_PER_S, StepStatus, layered
from greenai.carbon.intensity.services import CSV, service_names
from greenai.carbon.start_time import best_start
from greenai.carbon.zones import alpha_2
from greenai.cli.app import print_json
from greenai.cli.base import Command, SettingValue
from greenai.cli.moments import Duration, Moment, for_sbatch, in_utc, in_words, is_there_twice
from greenai.core import labels, quantity
from greenai.core.errors import ConfigError, NotFoundError
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS
from greenai.host import this_host
from greenai.settings.model import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.carbon.intensity.series import IntensitySeries, Meaning, Origin, SourcedStep
    from greenai.carbon.start_time import StartAdvice, Window
    from greenai.cli.app import App

_AHEAD_MS = 48 * MS_PER_HOUR
_OLD_MS = 12 * MS_PER_HOUR

_ABOUT = Text(
    de="Wann ein Lauf bekannter Dauer in den nächsten 48 Stunden beginnen sollte, damit sein Strom am "
    'wenigsten CO2 verursacht. Für sbatch: sbatch --begin="$(greenai when --duration 6h)" job.sh',
    en="When a run of known length should start within the next 48 hours, so that its electricity causes the "
    'least CO2. For sbatch: sbatch --begin="$(greenai when --duration 6h)" job.sh',
)
_DURATION = Text(de="wie lange der Lauf dauert, z. B. 6h", en="how long the run lasts, e.g. 6h")
_DEADLINE = Text(
    de="bis wann er fertig sein muss, z. B. 2026-11-23T08:00 (Ortszeit)",
    en="by when it must be done, e.g. 2026-11-23T08:00 (local time)",
)
_SOURCE = Text(
    de="aus welcher Quelle; ohne Angabe die zuletzt geholte", en="from which source; by default the latest fetched"
)
_JSON = Text(de="Als JSON ausgeben", en="print JSON")

_NO_ZONE = Text(de="Welches Stromnetz?", en="Which zone?")
_NAME_ZONE = Text(
    de="Angeben: greenai when --zone DE, oder einmal festlegen: greenai config set zone DE",
    en="Name it: greenai when --zone DE, or set it once: greenai config set zone DE",
)
_TOO_LATE = Text(
    de="Bis {deadline} ist ein Lauf dieser Dauer nicht mehr zu schaffen.",
    en="A run of this length cannot be done by {deadline} any more.",
)
_START_NOW = Text(
    de="Gleich beginnen, --deadline später setzen oder --duration kürzer.",
    en="Start now, or give a later --deadline or a shorter --duration.",
)
_NOTHING = Text(
    de="Für das Stromnetz {zone} liegt keine Prognose vor, die einen ganzen Lauf dieser Dauer umfasst{reach}.",
    en="For the zone {zone} there is no forecast that covers a whole run of this length{reach}.",
)
_REACH = Text(de=" (bekannt ist es bis {end})", en=" (it is known until {end})")
_FETCH = Text(
    de="Holen: greenai factors fetch --zone {zone} --forecast{source}",
    en="Fetch it: greenai factors fetch --zone {zone} --forecast{source}",
)
_BEST = Text(
    de="Bester Beginn: {start}, im Mittel {mean} g/kWh.",
    en="Best start: {start}, {mean} g/kWh on average.",
)
_NOW = Text(
    de="Jetzt beginnen: {mean} g/kWh; später sind es {less} weniger.",
    en="Starting now: {mean} g/kWh; waiting takes {less} off.",
)
_NOW_IS_BEST = Text(de="Das ist jetzt.", en="That is now.")
_NOW_UNKNOWN = Text(
    de="Wie viel ein Beginn jetzt ergäbe, ist unbekannt.", en="What starting now would give is unknown."
)
_WORST = Text(
    de="Schlechtester Beginn: {start}, {mean} g/kWh; der beste liegt {less} darunter.",
    en="Worst start: {start}, {mean} g/kWh; the best is {less} below.",
)
_SIGNAL = Text(
    de="Signal: mittlere (nicht marginale) Intensität, {gases}, {boundary}; {source}, geholt vor {age}; "
    "{forecast} des besten Laufs sind Prognose.",
    en="Signal: average (not marginal) intensity, {gases}, {boundary}; {source}, fetched {age} ago; "
    "{forecast} of the best run are forecast.",
)
_OLD = Text(
    de="Die Prognose ist älter als 12 Stunden. Erneuern: greenai factors fetch --zone {zone} --forecast",
    en="The forecast is older than 12 hours. Renew it: greenai factors fetch --zone {zone} --forecast",
)
_UNSAID = Text(de="nicht angegeben", en="not stated")
_SHORT = Text(
    de="Betrachtet wurden nur Läufe, die bis {end} enden; was danach kommt, ist unbekannt.",
    en="Only runs that end by {end} were looked at; what comes after is unknown.",
)
_TWICE = Text(
    de="Achtung: Diese Ortszeit gibt es zweimal, weil die Uhren zurückgestellt werden; gemeint ist {utc}. "
    "Slurm nimmt die spätere.",
    en="Note: this local time is there twice, since the clocks go back; meant is {utc}. Slurm takes the later.",
)


@dataclass(frozen=True, slots=True)
class _Found:
    """A source's advice, and the fetches behind its best run."""

    service: str
    advice: StartAdvice
    origins: tuple[Origin, ...]

    @property
    def retrieved_ms(self) -> int:
        """When the oldest of them was fetched."""
        return min(origin.retrieved_ms for origin in self.origins)


def build(app: App) -> click.Command:
    """Return the command."""

    def when(
        duration_ms: int, deadline_ms: int | None, zone: str | None, source: str | None, as_json: bool
    ) -> None:
        settings = app.settings(zone=zone)
        if settings.zone is None:
            raise ConfigError(_NO_ZONE, _NAME_ZONE)
        wanted = alpha_2(settings.zone)
        host = this_host()
        now_ms = host.clock.wall_ns() // NS_PER_MS
        earliest_ms = -(-now_ms // MS_PER_S) * MS_PER_S  # batch systems count in whole seconds
        latest_ms = earliest_ms + _AHEAD_MS
        if deadline_ms is not None:
            latest_ms = min(latest_ms, deadline_ms - duration_ms)
            if latest_ms < earliest_ms:
                raise ConfigError(_TOO_LATE.format(deadline=in_words(deadline_ms, app.language)), _START_NOW)
        cached = IntensityCache.of_user(host.environ).load(wanted, earliest_ms, latest_ms + duration_ms)
        for damage in cached.damaged:
            app.tell(damage.said)
        fetches = {
            meaning: found for meaning, found in cached.fetches.items() if source in (None, meaning.service)
        }
        found = _advice(fetches, duration_ms, earliest_ms, latest_ms)
        if found is None:
            named = f" --source {source}" if source not in (None, CSV) else ""
            raise NotFoundError(_nothing(app, wanted, fetches), _FETCH.format(zone=wanted, source=named))
        _tell(app, wanted, found, now_ms, cut=found.advice.known_until_ms < latest_ms + duration_ms)
        if as_json:
            print_json(_as_json(wanted, found, now_ms))
        else:
            print(for_sbatch(found.advice.best.start_ms))

    parameters: list[click.Parameter] = [
        click.Option(["--duration", "duration_ms"], type=Duration(), required=True, help=app.say(_DURATION)),
        click.Option(["--deadline", "deadline_ms"], type=Moment(), help=app.say(_DEADLINE)),
        click.Option(["--zone"], type=SettingValue("zone"), help=app.say(BY_NAME["zone"].help)),
        click.Option(["--source"], type=click.Choice([*service_names(), CSV]), help=app.say(_SOURCE)),
        click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON)),
    ]
    return Command("when", help=app.say(_ABOUT), params=parameters, callback=when)


def _advice(
    fetches: Mapping[Meaning, Sequence[IntensitySeries]], duration_ms: int, earliest_ms: int, latest_ms: int
) -> _Found | None:
    """Return the advice of that meaning which was fetched last; different ones are never mixed."""
    found = []
    for meaning, series in fetches.items():
        sourced = layered(series)
        advice = best_start([one.step for one in sourced], duration_ms, earliest_ms, latest_ms)
        if advice is not None:
            origins = _behind(sourced, advice.best.start_ms, advice.best.start_ms + duration_ms)
            found.append(_Found(meaning.service, advice, origins))
    return max(found, key=lambda one: one.retrieved_ms, default=None)


def _behind(sourced: Sequence[SourcedStep], start_ms: int, end_ms: int) -> tuple[Origin, ...]:
    """Return the origins of what lies in a window, the one of its forecast first."""
    inside = [one for one in sourced if one.step.start_ms < end_ms and one.step.end_ms > start_ms]
    inside.sort(key=lambda one: one.step.status is not StepStatus.FORECAST)
    return tuple(dict.fromkeys(one.origin for one in inside))


def _nothing(app: App, zone: str, fetches: Mapping[Meaning, Sequence[IntensitySeries]]) -> Text:
    ends_ms = [one.step.end_ms for series in fetches.values() for one in layered(series)]
    reach = _REACH.format(end=in_words(max(ends_ms), app.language)) if ends_ms else ""
    return _NOTHING.format(zone=zone, reach=reach)


def _tell(app: App, zone: str, found: _Found, now_ms: int, *, cut: bool) -> None:
    advice, origin = found.advice, found.origins[0]
    best, earliest, worst = advice.best, advice.earliest, advice.worst
    app.tell(_BEST, start=_time(app, best), mean=_mean(app, best))
    if earliest is None:
        app.tell(_NOW_UNKNOWN)
    elif earliest.start_ms == best.start_ms:
        app.tell(_NOW_IS_BEST)
    else:
        app.tell(_NOW, mean=_mean(app, earliest), less=_less(app, best, earliest))
    app.tell(_WORST, start=_time(app, worst), mean=_mean(app, worst), less=_less(app, best, worst))
    app.tell(
        _SIGNAL,
        gases=origin.gases or _UNSAID,
        boundary=labels.word(labels.BOUNDARY, origin.boundary) if origin.boundary else _UNSAID,
        source=origin.source,
        age=quantity.duration((now_ms - found.retrieved_ms) / MS_PER_S, app.language),
        forecast=quantity.part(best.forecast_share, app.language),
    )
    if now_ms - found.retrieved_ms > _OLD_MS:
        app.tell(_OLD, zone=zone)
    if cut:
        app.tell(_SHORT, end=in_words(advice.known_until_ms, app.language))
    if is_there_twice(best.start_ms):
        app.tell(_TWICE, utc=in_utc(best.start_ms))


def _time(app: App, window: Window) -> str:
    return in_words(window.start_ms, app.language)


def _mean(app: App, window: Window) -> str:
    return quantity.number(window.mean_g_per_kwh, app.language)


def _below(best: Window, other: Window | None) -> float | None:
    """Return by which share a mean is below another; None where that is unknown or has no meaning."""
    return 1 - best.mean_g_per_kwh / other.mean_g_per_kwh if other and other.mean_g_per_kwh > 0 else None


def _less(app: App, best: Window, other: Window) -> str:
    return quantity.percent(_below(best, other), app.language)


def _as_json(zone: str, found: _Found, now_ms: int) -> dict[str, Any]:
    advice, origin = found.advice, found.origins[0]
    return {
        "zone": zone,
        "start_local": for_sbatch(advice.best.start_ms),
        "start_utc": in_utc(advice.best.start_ms),
        "mean_g_per_kwh": advice.best.mean_g_per_kwh,
        "forecast_share": advice.best.forecast_share,
        "now_mean_g_per_kwh": advice.earliest.mean_g_per_kwh if advice.earliest else None,
        "below_now_share": _below(advice.best, advice.earliest),
        "worst_start_utc": in_utc(advice.worst.start_ms),
        "worst_mean_g_per_kwh": advice.worst.mean_g_per_kwh,
        "below_worst_share": _below(advice.best, advice.worst),
        "known_until_utc": in_utc(advice.known_until_ms),
        "service": found.service,
        "signal": origin.kind,
        "gases": origin.gases,
        "boundary": origin.boundary,
        "basis": origin.basis,
        "source": origin.source,
        "licence": origin.licence,
        "attribution": origin.attribution,
        "method": origin.method,
        "verified": origin.verified,
        "fetched_utc": in_utc(found.retrieved_ms),
        "age_s": (now_ms - found.retrieved_ms) / MS_PER_S,
    }

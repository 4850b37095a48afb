"""``greenai factors fetch``: grid intensities over time into the user's store. Only this command goes online."""

from __future__ import annotations

from functools import partial
from time import sleep
from typing import TYPE_CHECKING

import click

from greenai.carbon.intensity import csv_file
from greenai.carbon.intensity.cache import IntensityCache
from greenai.carbon.intensity.download import Answer, Download
from greenai.carbon.intensity.request import IntensityRequest
from greenai.carbon.intensity.series import MS_PER_DAY, StepStatus
from greenai.carbon.intensity.services import CSV, default_service, service, service_names
from greenai.carbon.zones import alpha_2
from greenai.cli.base import Command, SettingValue
from greenai.cli.moments import Moment, in_words
from greenai.core import labels
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS
from greenai.host import this_host
from greenai.host.files import open_regular
from greenai.settings.model import BY_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.carbon.intensity.series import IntensitySeries
    from greenai.cli.app import App

_MOST_MS = 366 * MS_PER_DAY
_MOST_BYTES = 64_000_000

ABOUT = Text(
    de="Stromnetzwerte im Zeitverlauf holen und auf diesem Rechner ablegen; nur dieser Befehl geht ins Netz.",
    en="Fetch grid intensities over time and keep them on this machine; only this command goes online.",
)
_SOURCE = Text(
    de="woher; ohne Angabe energy-charts, für GB uk-carbon-intensity",
    en="where from; by default energy-charts, for GB uk-carbon-intensity",
)
_FROM = Text(de="ab wann; ohne Angabe einen Tag vor --to", en="from when; by default one day before --to")
_TO = Text(
    de="bis wann (ein Tag zählt ganz); ohne Angabe bis jetzt",
    en="until when (a day counts whole); by default until now",
)
_FORECAST = Text(de="auch die Prognose holen", en="fetch the forecast as well")
_FILE = Text(de="die Datei zu --source csv", en="the file for --source csv")

_NO_ZONE = Text(de="Welches Stromnetz?", en="Which zone?")
_NAME_ZONE = Text(
    de="Angeben: greenai factors fetch --zone DE, oder einmal festlegen: greenai config set zone DE",
    en="Name it: greenai factors fetch --zone DE, or set it once: greenai config set zone DE",
)
_NO_FILE = Text(de="Zu --source csv gehört eine Datei.", en="--source csv needs a file.")
_NOT_ITS_FILE = Text(de="--file gehört zu --source csv.", en="--file goes with --source csv.")
_GIVE_FILE = Text(
    de="Angeben: greenai factors fetch --zone {zone} --source csv --file DATEI",
    en="Name it: greenai factors fetch --zone {zone} --source csv --file FILE",
)
_NOT_READ = Text(de="{path} ist nicht lesbar: {reason}.", en="{path} cannot be read: {reason}.")
_TOO_LARGE = Text(de="{path} ist größer als {most} MB.", en="{path} is larger than {most} MB.")
_NOT_WITH_FILE = Text(
    de="Mit --source csv gilt die ganze Datei, ohne --from, --to und --forecast.",
    en="With --source csv all of the file counts, without --from, --to and --forecast.",
)
_LEAVE_OUT = Text(de="Diese Angaben weglassen.", en="Leave these out.")
_BAD_PERIOD = Text(
    de="Der Zeitraum muss vor seinem Ende beginnen und höchstens 366 Tage lang sein.",
    en="The period must begin before it ends and last 366 days at most.",
)
_FIX_PERIOD = Text(
    de="Zum Beispiel: greenai factors fetch --from 2026-11-01 --to 2026-11-21",
    en="For example: greenai factors fetch --from 2026-11-01 --to 2026-11-21",
)
_GOT = Text(
    de="{service}, {zone}: {steps} Schritte von {start} bis {end}: {forecast} Prognose, {unknown} unbekannt.",
    en="{service}, {zone}: {steps} steps from {start} to {end}, {forecast} of them forecast, {unknown} unknown.",
)
_MEANING = Text(
    de="{gases}, {boundary}; {verified}; {licence}; Quelle: {attribution}.",
    en="{gases}, {boundary}; {verified}; {licence}; source: {attribution}.",
)
_WAITING = Text(
    de="Der Dienst ist beschäftigt oder gestört; nächster Versuch in {seconds} s.",
    en="The service is busy or in trouble; next try in {seconds} s.",
)
_VERIFIED = Text(de="geprüft", en="verified")
_UNVERIFIED = Text(de="ungeprüft, was sie genau umfassen", en="what they cover exactly is unverified")
_COMPUTED = Text(de="Selbst gerechnet: {method}.", en="Computed here: {method}.")
_UNSAID = Text(de="nicht angegeben", en="not stated")


def build(app: App) -> click.Command:
    """Return the command."""

    def fetch(
        zone: str | None,
        source: str | None,
        from_ms: int | None,
        to_ms: int | None,
        forecast: bool,
        file: Path | None,
    ) -> None:
        settings = app.settings(zone=zone)
        if settings.zone is None:
            raise ConfigError(_NO_ZONE, _NAME_ZONE)
        wanted = alpha_2(settings.zone)
        host = this_host()
        now_ms = host.clock.wall_ns() // NS_PER_MS
        if source == CSV:
            if from_ms is not None or to_ms is not None or forecast:
                raise ConfigError(_NOT_WITH_FILE, _LEAVE_OUT)
            if file is None:
                raise ConfigError(_NO_FILE, _GIVE_FILE.format(zone=wanted))
            found = [csv_file.parse(wanted, _read(file, now_ms))]
        else:
            if file is not None:
                raise ConfigError(_NOT_ITS_FILE, _GIVE_FILE.format(zone=wanted))
            start_ms, end_ms = _period(from_ms, to_ms, now_ms)
            request = IntensityRequest(
                zone=wanted,
                start_ms=start_ms,
                end_ms=end_ms,
                forecast_from_ms=now_ms if forecast else None,
                token=settings.electricity_maps_token,
            )
            found = service(source or default_service(wanted))(Download(sleep=partial(_wait, app)), request)
        cache = IntensityCache.of_user(host.environ)
        for series in found:
            cache.save(series)
            _tell(app, series)

    names = click.Choice([*service_names(), CSV])
    parameters: list[click.Parameter] = [
        click.Option(["--zone"], type=SettingValue("zone"), help=app.say(BY_NAME["zone"].help)),
        click.Option(["--source"], type=names, help=app.say(_SOURCE)),
        click.Option(["--from", "from_ms"], type=Moment(), help=app.say(_FROM)),
        click.Option(["--to", "to_ms"], type=Moment(end_of_day=True), help=app.say(_TO)),
        click.Option(["--forecast"], is_flag=True, help=app.say(_FORECAST)),
        click.Option(["--file"], type=SettingValue("spool"), help=app.say(_FILE)),
    ]
    return Command("fetch", help=app.say(ABOUT), params=parameters, callback=fetch)


def _wait(app: App, seconds: float) -> None:
    app.tell(_WAITING, seconds=f"{seconds:.0f}")
    sleep(seconds)


def _period(from_ms: int | None, to_ms: int | None, now_ms: int) -> tuple[int, int]:
    end_ms = now_ms if to_ms is None else min(to_ms, now_ms)
    start_ms = end_ms - MS_PER_DAY if from_ms is None else from_ms
    if not 0 < end_ms - start_ms <= _MOST_MS:
        raise ConfigError(_BAD_PERIOD, _FIX_PERIOD)
    return start_ms, end_ms


def _read(path: Path, now_ms: int) -> Answer:
    try:
        with open_regular(path) as file:
            body = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(_NOT_READ.format(path=path, reason=error.strerror or error)) from None
    if len(body) > _MOST_BYTES:
        raise ConfigError(_TOO_LARGE.format(path=path, most=_MOST_BYTES // 1_000_000))
    return Answer(str(path), body, now_ms)


def _tell(app: App, series: IntensitySeries) -> None:
    origin, steps = series.origin, series.steps
    start_ms, end_ms = series.span_ms
    app.tell(
        _GOT,
        service=origin.service,
        zone=origin.zone,
        steps=len(steps),
        start=in_words(start_ms, app.language),
        end=in_words(end_ms, app.language),
        forecast=sum(step.status is StepStatus.FORECAST for step in steps),
        unknown=sum(step.g_per_kwh is None for step in steps),
    )
    app.tell(
        _MEANING,
        gases=origin.gases or _UNSAID,
        boundary=labels.word(labels.BOUNDARY, origin.boundary) if origin.boundary else _UNSAID,
        verified=_VERIFIED if origin.verified else _UNVERIFIED,
        licence=origin.licence or _UNSAID,
        attribution=origin.attribution or origin.source,
    )
    if origin.method is not None:
        app.tell(_COMPUTED, method=origin.method)

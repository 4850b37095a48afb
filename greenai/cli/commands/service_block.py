"""The requests of a service on the terminal, as part of the page of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.app import print_table
from greenai.cli.format import moment
from greenai.core import quantity
from greenai.core.requests import DEFAULT_UNIT, TOKENS
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.core.record import RunRecord
    from greenai.core.requests import Requests

_LAST_HOURS = 12
_SAID_ELSEWHERE = (DEFAULT_UNIT, *TOKENS)

_REQUESTS = Text(de="Anfragen", en="Requests")
_COUNT = Text(de="{count}, davon fehlgeschlagen: {failed}", en="{count}, of them failed: {failed}")
_BUSY = Text(de="beschäftigt", en="busy")
_IDLE = Text(de="Leerlauf", en="idle")
_IN = Text(de="{energy} in {duration}", en="{energy} in {duration}")
_PER_REQUEST = Text(de="je Anfrage", en="per request")
_PER_UNIT = Text(de="je {unit}", en="per {unit}")
_UNIT = Text(de="Einheit", en="unit")
_TOKEN = Text(de="Token", en="token")
_MEAN = Text(de="{mean} ohne Leerlauf", en="{mean} without idle")
_MEAN_BOTH = Text(de="{mean} ohne Leerlauf, {whole} mit", en="{mean} without idle, {whole} with it")
_SPREAD = Text(de="{mean}; Median {p50}, 95 % unter {p95}", en="{mean}; median {p50}, 95 % below {p95}")
_HOURS = (
    Text(de="Stunde", en="Hour"),
    Text(de="Anfragen", en="Requests"),
    Text(de="fehlgeschlagen", en="failed"),
    Text(de="Energie", en="Energy"),
    Text(de="davon Leerlauf", en="of it idle"),
    Text(de="je Anfrage, Median", en="per request, median"),
    Text(de="95 % unter", en="95 % below"),
)
_MORE = Text(
    de="Die letzten {shown} von {count} Stunden; alle: greenai runs show {run} --json",
    en="The last {shown} of {count} hours; all of them: greenai runs show {run} --json",
)


def service_facts(app: App, record: RunRecord) -> list[tuple[str, str]]:
    """Return the facts about the requests of a run, nothing if it serves none."""
    found = record.requests
    if found is None:
        return []
    language = app.language
    count, failed = quantity.integer(found.count, language), quantity.integer(found.failed, language)
    facts = [
        (app.say(_REQUESTS), app.say(_COUNT, count=count, failed=failed)),
        (f"  {app.say(_BUSY)}", _in(app, found.busy_j, found.busy_s)),
        (f"  {app.say(_IDLE)}", _in(app, found.idle_j, found.idle_s)),
    ]
    if found.energy_per_request_j is not None:
        facts.append((f"  {app.say(_PER_REQUEST)}", _per_request(app, found)))
    if found.energy_per_unit_j is not None and record.work.unit not in _SAID_ELSEWHERE:
        each = _spread(
            app, found.energy_per_unit_j, found.energy_per_unit_p50_j, found.energy_per_unit_p95_j, _MEAN
        )
        facts.append((f"  {app.say(_PER_UNIT, unit=record.work.unit or _UNIT)}", each))
    if found.energy_per_token_j is not None:
        each = _spread(
            app, found.energy_per_token_j, found.energy_per_token_p50_j, found.energy_per_token_p95_j, _MEAN
        )
        facts.append((f"  {app.say(_PER_UNIT, unit=_TOKEN)}", each))
    return facts


def show_hours(app: App, record: RunRecord) -> None:
    """Write the last hours of a service, if it has seen more than one."""
    if len(record.hours) < 2:  # noqa: PLR2004  # one hour says what the whole says
        return
    language = app.language
    print()
    rows = [
        [
            moment(hour.started_ms, language),
            quantity.integer(hour.requests, language),
            quantity.integer(hour.failed, language),
            quantity.energy(hour.energy_j, language),
            quantity.energy(hour.idle_j, language),
            quantity.energy(hour.energy_per_request_p50_j, language),
            quantity.energy(hour.energy_per_request_p95_j, language),
        ]
        for hour in record.hours[-_LAST_HOURS:]
    ]
    print_table([app.say(heading) for heading in _HOURS], rows, right=(1, 2, 3, 4, 5, 6))
    if len(record.hours) > _LAST_HOURS:
        print(app.say(_MORE, shown=_LAST_HOURS, count=len(record.hours), run=record.id))


def _in(app: App, energy_j: float | None, duration_s: float) -> str:
    energy, duration = quantity.energy(energy_j, app.language), quantity.duration(duration_s, app.language)
    return app.say(_IN, energy=energy, duration=duration)


def _per_request(app: App, found: Requests) -> str:
    whole = quantity.energy(found.energy_per_request_with_idle_j, app.language)
    return _spread(
        app,
        found.energy_per_request_j,
        found.energy_per_request_p50_j,
        found.energy_per_request_p95_j,
        _MEAN_BOTH.format(mean="{mean}", whole=whole),
    )


def _spread(app: App, mean_j: float | None, p50_j: float | None, p95_j: float | None, sentence: Text) -> str:
    mean = app.say(sentence, mean=quantity.energy(mean_j, app.language))
    if p50_j is None:
        return mean
    p50, p95 = quantity.energy(p50_j, app.language), quantity.energy(p95_j, app.language)
    return app.say(_SPREAD, mean=mean, p50=p50, p95=p95)

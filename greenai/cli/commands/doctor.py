"""``greenai doctor``: what is measured here, by what, how well; what is missing, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command
from greenai.core import labels, quantity
from greenai.core.channel import Quality
from greenai.core.collector import Available
from greenai.core.cover import without_redundant_estimates
from greenai.core.errors import GreenAIError
from greenai.core.text import Text
from greenai.host import this_host
from greenai.host.cpu import cpu_model, is_virtual
from greenai.sampler.sensors import probe_all
from greenai.settings.edit import shown_value

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.core.channel import Channel
    from greenai.core.collector import Incident
    from greenai.sampler.sensors import ProbedCollector
    from greenai.settings import Settings

_ABOUT = Text(
    de="Zeigt, was hier gemessen wird, womit und wie genau, was fehlt und welcher Befehl es behebt.",
    en="Shows what is measured here, by what and how well, what is missing and the command that mends it.",
)
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_STRICT = Text(
    de="Mit 1 enden, wenn etwas fehlt oder nur geschätzt wird",
    en="end with 1 if anything is missing or only estimated",
)
_MACHINE = Text(
    de="Maschine: {cpu}, {logical} logische CPUs ({physical} Kerne), {memory} Speicher{virtual}",
    en="Machine: {cpu}, {logical} logical CPUs ({physical} cores), {memory} of memory{virtual}",
)
_VIRTUAL = Text(de=", virtuell", en=", virtual")
_SENSORS = Text(de="Gelesen werden:", en="What is read:")
_HEADINGS = (
    Text(de="Teil", en="Part"),
    Text(de="Gerät", en="Device"),
    Text(de="Güte", en="Quality"),
    Text(de="Unsicherheit", en="Uncertainty"),
    Text(de="Verfahren", en="Method"),
)
_NOTHING = Text(de="Nichts. Die Energie bleibt unbekannt.", en="Nothing. Energies stay unknown.")
_OTHERS = Text(de="Nicht vorhanden oder nicht lesbar:", en="Not there, or not readable:")
_REDUNDANT = Text(
    de="nicht nötig: wird hier gemessen statt geschätzt",
    en="not needed: measured here, not estimated",
)
_STORAGE = Text(de="Ablage:", en="Storage:")
_DATABASE_OK = Text(de="Datenbank {url}: in Ordnung", en="Database {url}: fine")
_DATABASE_BAD = Text(de="Datenbank {url}: {problem}", en="Database {url}: {problem}")
_SPOOL = Text(de="Journale: {path}", en="Journals: {path}")
_CARBON = Text(de="CO2:", en="CO2:")
_ZONE = Text(de="Stromnetz {zone} ({origin})", en="Grid zone {zone} ({origin})")
_NO_ZONE = Text(
    de="Kein Stromnetz angegeben, daher keine CO2-Werte. Festlegen: greenai config set zone DE",
    en="No grid zone, hence no CO2 figures. Set it: greenai config set zone DE",
)
_DEFAULT = Text(de="Vorgabe", en="default")


def build(app: App) -> click.Command:
    """Return the command."""
    return Command(
        "doctor",
        callback=lambda **given: _doctor(app, **given),
        help=app.say(_ABOUT),
        params=[
            click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON)),
            click.Option(["--strict"], is_flag=True, help=app.say(_STRICT)),
        ],
    )


def _doctor(app: App, as_json: bool, strict: bool) -> int:
    settings = app.settings()
    probed, incidents = probe_all(this_host(settings.knowledge))
    offered = [channel for item in probed if isinstance(item.probe, Available) for channel in item.probe.channels]
    read = without_redundant_estimates(offered)
    for item in probed:
        item.collector.close()
        if isinstance(item.probe, Available):
            incidents += item.probe.incidents
        elif not item.probe.expected:
            incidents.append(item.probe.reason)
    problem = _database_problem(app, settings)
    if as_json:
        print_json(_json(app, settings, read, probed, incidents, problem))
    else:
        _print(app, settings, read, probed, incidents, problem)
    all_measured = bool(read) and all(channel.quality is not Quality.ESTIMATED for channel in read)
    healthy = all_measured and not incidents and problem is None and settings.zone is not None
    return 1 if strict and not healthy else 0


def _database_problem(app: App, settings: Settings) -> str | None:
    from greenai.store import open_store

    try:
        open_store(settings.db).close()
    except GreenAIError as error:
        remedy = f" {app.say(error.remedy)}" if error.remedy else ""
        return f"{app.say(error.message)}{remedy}"
    return None


def _range(app: App, channel: Channel) -> str:
    low, high = channel.uncertainty_at(float("inf"))
    if low == high:
        return f"±{quantity.percent(high, app.language)}"
    return f"{quantity.percent(-low, app.language)} / +{quantity.percent(high, app.language)}"


def _json(
    app: App,
    settings: Settings,
    read: list[Channel],
    probed: list[ProbedCollector],
    incidents: list[Incident],
    problem: str | None,
) -> dict[str, Any]:
    unavailable = [
        {
            "collector": item.collector.name,
            "reason": app.say(item.probe.reason.message),
            "expected": item.probe.expected,
        }
        for item in probed
        if not isinstance(item.probe, Available)
    ]
    return {
        "channels": [channel.to_json() for channel in read],
        "unavailable": unavailable,
        "incidents": [
            {
                "code": incident.code,
                "message": app.say(incident.message),
                "remedy": app.say(incident.remedy) if incident.remedy else None,
            }
            for incident in incidents
        ],
        "database": {"url": shown_value(settings, "db"), "problem": problem},
        "spool": str(settings.spool),
        "zone": settings.zone,
    }


def _print(
    app: App,
    settings: Settings,
    read: list[Channel],
    probed: list[ProbedCollector],
    incidents: list[Incident],
    problem: str | None,
) -> None:
    print(_machine(app))
    print(f"\n{app.say(_SENSORS)}")
    if read:
        rows = [
            [
                app.say(labels.COMPONENT[channel.component]),
                channel.device,
                app.say(labels.QUALITY[channel.quality]),
                _range(app, channel),
                channel.method,
            ]
            for channel in read
        ]
        print_table([app.say(heading) for heading in _HEADINGS], rows)
    else:
        print(app.say(_NOTHING))
    _print_missing(app, read, probed, incidents)
    print(f"\n{app.say(_STORAGE)}")
    url = shown_value(settings, "db")
    print(app.say(_DATABASE_BAD, url=url, problem=problem) if problem else app.say(_DATABASE_OK, url=url))
    print(app.say(_SPOOL, path=settings.spool))
    print(f"\n{app.say(_CARBON)}")
    origin = settings.origins.get("zone", _DEFAULT)
    print(app.say(_ZONE, zone=settings.zone, origin=origin) if settings.zone else app.say(_NO_ZONE))


def _machine(app: App) -> str:
    import psutil

    host = this_host()
    memory_gib = psutil.virtual_memory().total / 2**30
    return app.say(
        _MACHINE,
        cpu=cpu_model(host) or "CPU",
        logical=psutil.cpu_count(logical=True),
        physical=psutil.cpu_count(logical=False),
        memory=f"{quantity.number(memory_gib, app.language)} GiB",
        virtual=_VIRTUAL if is_virtual(host) else "",
    )


def _print_missing(
    app: App, read: list[Channel], probed: list[ProbedCollector], incidents: list[Incident]
) -> None:
    lines = []
    for item in probed:
        if not isinstance(item.probe, Available):
            lines.append(f"- {item.collector.name}: {app.say(item.probe.reason.message)}")
        elif not any(channel.collector == item.collector.name for channel in read):
            lines.append(f"- {item.collector.name}: {app.say(_REDUNDANT)}")
    for incident in incidents:
        remedy = f"\n  {app.say(incident.remedy)}" if incident.remedy else ""
        lines.append(f"- {app.say(incident.message)}{remedy}")
    if lines:
        print(f"\n{app.say(_OTHERS)}")
        print("\n".join(dict.fromkeys(lines)))

"""``greenai doctor``: what is measured here, by what, how well; what is missing, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenai.cli.app import plain, print_json, print_table
from greenai.cli.base import Command
from greenai.core import labels, quantity
from greenai.core.channel import Quality
from greenai.core.errors import GreenAIError
from greenai.core.text import Text
from greenai.host import this_host
from greenai.host.cpu import cpu_model, is_virtual
from greenai.sampler.diagnosis import diagnose
from greenai.settings.edit import shown_value

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.core.channel import Channel
    from greenai.host import Host
    from greenai.sampler.diagnosis import Diagnosis, Trial
    from greenai.settings import Settings

TRIAL_S = 1.0
MS_PER_S = 1000

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
    Text(de="±", en="±"),
    Text(de="erneuert alle", en="renewed every"),
    Text(de="lesbar für", en="readable by"),
    Text(de="Verfahren", en="Method"),
    Text(de="an Hardware geprüft", en="verified on hardware"),
)
_NOT_VERIFIED = Text(de="nicht an Hardware geprüft", en="not verified on hardware")
_NO_HARDWARE_NEEDED = Text(de="–", en="–")
_NOTHING = Text(de="Nichts. Die Energie bleibt unbekannt.", en="Nothing. Energies stay unknown.")
_SHARE = Text(
    de="Ein Lauf wäre hier zu {measured} gemessen, zu {allocated} zugeteilt, zu {estimated} geschätzt "
    "(Probe von {duration}: {power}).",
    en="A run here would be {measured} measured, {allocated} allocated, {estimated} estimated "
    "(trial of {duration}: {power}).",
)
_NO_SHARE = Text(de="Die Probe ergab keine Energie.", en="The trial gave no energy.")
_REST_OFF = Text(
    de="Netzteil, Lüfter, Platine und Platten misst hier nichts: geschätzt weitere {power}, nicht mitgezählt "
    "(einschalten mit: greenai config set rest_of_node true).",
    en="Nothing here measures power supply, fans, board and disks: an estimated {power} more, not counted "
    "(switch on with: greenai config set rest_of_node true).",
)
_OTHERS = Text(de="Was fehlt, und was es behebt:", en="What is missing, and what mends it:")
_ABSENT = Text(de="Gibt es hier nicht: {names}", en="Not on this machine: {names}")
_REDUNDANT = Text(
    de="Nicht nötig, weil ein anderer Sensor dasselbe besser liest: {names}",
    en="Not needed, as another sensor reads the same better: {names}",
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
    host = this_host(settings.knowledge)
    found = diagnose(host, TRIAL_S, rest_of_node=settings.rest_of_node)
    problem = _database_problem(app, settings)
    if as_json:
        print_json(
            {
                **sensors_as_json(app, found),
                "database": {"url": shown_value(settings, "db"), "problem": problem},
                "spool": str(settings.spool),
                "zone": settings.zone,
            }
        )
    else:
        print(_machine(app, host))
        print_sensors(app, found)
        _print_storage(app, settings, problem)
    healthy = all_measured(found) and not found.incidents and problem is None and settings.zone is not None
    return 1 if strict and not healthy else 0


def all_measured(found: Diagnosis) -> bool:
    """Say whether a run would contain no estimate."""
    channels = [fact.channel for fact in found.channels]
    return bool(channels) and all(channel.quality is not Quality.ESTIMATED for channel in channels)


def sensors_as_json(app: App, found: Diagnosis) -> dict[str, Any]:
    """Return the diagnosis of the sensors for programs."""
    return {
        "channels": [
            {
                **fact.channel.to_json(),
                "source": fact.source or None,
                "readable_by": app.say(fact.readable_by),
                "verified_on": fact.verified_on,
            }
            for fact in found.channels
        ],
        "trial": {
            "duration_s": found.trial.duration_s if found.trial else None,
            "power_w": _power_w(found.trial),
            **{f"{quality.value}_share": _share(found.trial, quality) for quality in Quality},
        },
        "unavailable": [
            {"collector": absent.collector, "reason": app.say(absent.reason) if absent.reason else None}
            for absent in found.absent
        ],
        "incidents": [
            {
                "code": incident.code,
                "message": app.say(incident.message),
                "remedy": app.say(incident.remedy) if incident.remedy else None,
            }
            for incident in found.incidents
        ],
    }


def print_sensors(app: App, found: Diagnosis) -> None:
    """Write the diagnosis of the sensors to stdout for people."""
    print(f"\n{app.say(_SENSORS)}")
    if found.channels:
        rows = [_row(app, fact.channel, app.say(fact.readable_by), fact.verified_on) for fact in found.channels]
        print_table([app.say(heading) for heading in _HEADINGS], rows, right=(4,))
        print(_share_in_words(app, found))
        rest_w = _rest_w(found)
        if rest_w is not None:
            print(app.say(_REST_OFF, power=quantity.power(rest_w, app.language, 2)))
    else:
        print(app.say(_NOTHING))
    if found.incidents:
        print(f"\n{app.say(_OTHERS)}")
        lines = []
        for incident in found.incidents:
            remedy = f"\n    {plain(app.say(incident.remedy))}" if incident.remedy else ""
            lines.append(f"  {plain(app.say(incident.message))}{remedy}")
        print("\n".join(dict.fromkeys(lines)))
    missing = [absent.collector for absent in found.absent if absent.reason]
    redundant = [absent.collector for absent in found.absent if not absent.reason]
    print()
    if missing:
        print(app.say(_ABSENT, names=", ".join(missing)))
    if redundant:
        print(app.say(_REDUNDANT, names=", ".join(redundant)))


def _row(app: App, channel: Channel, readable_by: str, verified_on: str | None) -> list[str]:
    low, high = channel.uncertainty_at(float("inf"))
    width = f"{quantity.percent(high, app.language)}"
    if low != high:
        width = f"{quantity.percent(-low, app.language)} / +{width}"
    renewed = quantity.NO_VALUE
    if channel.update_s is not None:
        renewed = f"{quantity.number(channel.update_s * MS_PER_S, app.language)} ms"
    if channel.quality is Quality.ESTIMATED:
        verified_on = verified_on or app.say(_NO_HARDWARE_NEEDED)
    return [
        app.say(labels.COMPONENT[channel.component]),
        channel.device,
        app.say(labels.QUALITY[channel.quality]),
        width,
        renewed,
        readable_by,
        channel.method,
        verified_on or app.say(_NOT_VERIFIED),
    ]


def _share_in_words(app: App, found: Diagnosis) -> str:
    power_w = _power_w(found.trial)
    if found.trial is None or power_w is None:
        return app.say(_NO_SHARE)
    duration = quantity.duration(found.trial.duration_s, app.language)
    shares = {q.value: quantity.part(_share(found.trial, q) or 0.0, app.language) for q in Quality}
    return app.say(_SHARE, duration=duration, power=quantity.power(power_w, app.language), **shares)


def _power_w(trial: Trial | None) -> float | None:
    if trial is None or trial.energy.total_j is None or trial.duration_s <= 0:
        return None
    return trial.energy.total_j / trial.duration_s


def _share(trial: Trial | None, quality: Quality) -> float | None:
    return trial.energy.quality_shares.get(quality) if trial is not None else None


def _rest_w(found: Diagnosis) -> float | None:
    """Return the estimated power of the rest of the node where it is neither measured nor counted, watts."""
    if found.trial is None:
        return None
    rest = [c for c in found.trial.energy.channels if c.method == "rest_of_node_factor" and not c.counted]
    return rest[0].energy_j / found.trial.duration_s if rest and rest[0].energy_j is not None else None


def _database_problem(app: App, settings: Settings) -> str | None:
    from greenai.store import open_store

    try:
        open_store(settings.db).close()
    except GreenAIError as error:
        remedy = f" {app.say(error.remedy)}" if error.remedy else ""
        return f"{app.say(error.message)}{remedy}"
    return None


def _print_storage(app: App, settings: Settings, problem: str | None) -> None:
    print(f"\n{app.say(_STORAGE)}")
    url = shown_value(settings, "db")
    print(app.say(_DATABASE_BAD, url=url, problem=problem) if problem else app.say(_DATABASE_OK, url=url))
    print(app.say(_SPOOL, path=settings.spool))
    print(f"\n{app.say(_CARBON)}")
    origin = settings.origins.get("zone", _DEFAULT)
    print(app.say(_ZONE, zone=settings.zone, origin=origin) if settings.zone else app.say(_NO_ZONE))


def _machine(app: App, host: Host) -> str:
    import psutil

    memory_gib = psutil.virtual_memory().total / 2**30
    return app.say(
        _MACHINE,
        cpu=cpu_model(host) or "CPU",
        logical=psutil.cpu_count(logical=True),
        physical=psutil.cpu_count(logical=False),
        memory=f"{quantity.number(memory_gib, app.language)} GiB",
        virtual=_VIRTUAL if is_virtual(host) else "",
    )

"""All settings there are: name, type, default and meaning, in one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from greenai.core.text import Language, Text
from greenai.core.vocabulary import Approach, Phase, Scope
from greenai.host import SiteKnowledge
from greenai.settings.values import (
    number_between,
    one_of,
    read_address,
    read_currency,
    read_database,
    read_folder,
    read_label,
    read_switch,
    read_tags,
    read_text,
    read_zone,
    without_password,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Ingest = Literal["background", "later"]
MachineOwner = Literal["own", "rented"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Built by ``load_settings``; ``origins`` says where each value came from."""

    db: str
    spool: Path
    language: Language
    zone: str | None = None
    factors: Path | None = None
    pue: float | None = None
    wue: float | None = None
    electricity_price_per_kwh: float | None = None
    currency: str = "EUR"
    electricity: Path | None = None
    machine_owner: MachineOwner | None = None
    machine: str | None = None
    electricity_maps_token: str | None = field(default=None, repr=False)
    cpu_tdp_w: float | None = None
    redfish_url: str | None = None
    redfish_user: str | None = None
    redfish_password: str | None = None
    redfish_verify_tls: bool = True
    rest_of_node: bool = False
    interval_s: float = 1.0
    scope: Scope = Scope.AUTO
    ingest: Ingest = "background"
    project: str | None = None
    task: str | None = None
    approach: str | None = None
    phase: str | None = None
    unit: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    keep_samples_days: float | None = None
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def knowledge(self) -> SiteKnowledge:
        """What the settings say about the machine, for its sensors."""
        return SiteKnowledge(**{name: getattr(self, name) for name in SiteKnowledge.__slots__})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: how its value is read, what it means, and how it may be shown (None: as it is)."""

    name: str
    parse: Callable[[object], Any]
    help: Text
    masked: Callable[[str], str] | None = None


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "db",
        read_database,
        Text(
            de="Datenbank (SQLAlchemy-Adresse); Vorgabe: SQLite im Datenordner des Benutzers",
            en="database (SQLAlchemy URL); default: SQLite in the user's data folder",
        ),
        masked=without_password,
    ),
    Setting(
        "spool", read_folder, Text(de="Ordner der Journale laufender Messungen", en="folder of the runs' journals")
    ),
    Setting("language", one_of("de", "en"), Text(de="Sprache: de oder en", en="language: de or en")),
    Setting(
        "zone",
        read_zone,
        Text(
            de="Stromnetz, dessen CO2-Faktor gilt (ISO 3166, z. B. DE); ohne Angabe keine CO2-Werte",
            en="grid whose CO2 factor applies (ISO 3166, e.g. DE); without it no CO2 figures",
        ),
    ),
    Setting(
        "factors",
        read_folder,
        Text(
            de="Ordner (oder Datei) mit eigenen Faktortabellen; sie gehen vor den mitgelieferten",
            en="folder (or file) of your own factor tables; they go before the shipped ones",
        ),
    ),
    Setting(
        "pue",
        number_between(1.0, 5.0),
        Text(
            de="PUE des Standorts (Gesamtstrom / IT-Strom); ohne Angabe 1,0, als Annahme gekennzeichnet",
            en="the site's PUE (facility / IT electricity); without it 1.0, marked as assumed",
        ),
    ),
    Setting(
        "wue",
        number_between(0.0, 100.0),
        Text(
            de="WUE des Standorts: Liter Kühlwasser je kWh IT-Strom; ohne Angabe kein Wasserverbrauch",
            en="the site's WUE: litres of cooling water per kWh of IT electricity; without it no water figure",
        ),
    ),
    Setting(
        "electricity_price_per_kwh",
        number_between(0.0, 10.0),
        Text(de="Strompreis je kWh laut eigener Rechnung", en="electricity price per kWh from your own bill"),
    ),
    Setting(
        "currency", read_currency, Text(de="Währung des Strompreises", en="currency of the electricity price")
    ),
    Setting(
        "electricity",
        read_folder,
        Text(
            de="Datei mit den Stromverträgen, dem Verbrauch und den Preisen des Standorts, nach Zeiträumen",
            en="file with the site's electricity contracts, consumption and prices by period",
        ),
    ),
    Setting(
        "machine_owner",
        one_of("own", "rented"),
        Text(
            de="Wem die Maschine gehört: own (Scope 2) oder rented, etwa Cloud oder Rechenzentrum "
            "(Scope 3, Kategorie 1)",
            en="whose machine it is: own (scope 2) or rented, as cloud and computing centre (scope 3, category 1)",
        ),
    ),
    Setting(
        "electricity_maps_token",
        read_text,
        Text(
            de="eigenes Token für Electricity Maps (greenai factors fetch --source electricity-maps)",
            en="token of your own for Electricity Maps (greenai factors fetch --source electricity-maps)",
        ),
        masked=lambda _: "***",
    ),
    Setting(
        "machine",
        read_label,
        Text(
            de="Art der Maschine, für ihre Herstellung: server, laptop, desktop, oder was „greenai factors list "
            "--kind embodied“ zeigt",
            en='kind of machine, for its manufacture: server, laptop, desktop, or what "greenai factors list '
            '--kind embodied" shows',
        ),
    ),
    Setting(
        "cpu_tdp_w",
        number_between(0.1, 10_000.0),
        Text(
            de="TDP aller CPUs dieser Maschine in Watt; in einer VM deren Anteil am Wirt",
            en="TDP of all CPUs of this machine in watts; in a VM its share of the host",
        ),
    ),
    Setting(
        "rest_of_node",
        read_switch,
        Text(
            de="Schätzung für Netzteil, Lüfter, Platine und Platten in die Summe aufnehmen (true/false)",
            en="count the estimate for power supply, fans, board and disks in the total (true/false)",
        ),
    ),
    Setting(
        "redfish_url",
        read_address,
        Text(
            de="Management-Controller (Redfish), z. B. https://{host}-bmc; {host} wird der Rechnername",
            en="management controller (Redfish), e.g. https://{host}-bmc; {host} becomes the host name",
        ),
        masked=without_password,
    ),
    Setting("redfish_user", read_text, Text(de="Benutzer am Management-Controller", en="its user")),
    Setting(
        "redfish_password",
        read_text,
        Text(de="Kennwort am Management-Controller", en="its password"),
        masked=lambda _: "***",
    ),
    Setting(
        "redfish_verify_tls",
        read_switch,
        Text(
            de="Zertifikat des Management-Controllers prüfen (true/false)",
            en="check its certificate (true/false)",
        ),
    ),
    Setting(
        "interval_s",
        number_between(0.01, 3600.0),
        Text(de="Messabstand in Sekunden", en="sampling interval in seconds"),
    ),
    Setting(
        "scope",
        one_of(*Scope),
        Text(
            de="Wessen Energie: machine (ganze Maschine), process (Prozessbaum), cgroup (Container, Slurm-Job); "
            "auto: cgroup in einem Slurm-Job, der den Knoten teilt, sonst machine",
            en="whose energy: machine (all of it), process (process tree), cgroup (container, Slurm job); "
            "auto: cgroup in a Slurm job that shares its node, else machine",
        ),
    ),
    Setting(
        "ingest",
        one_of("background", "later"),
        Text(
            de="Wann Läufe in die Datenbank kommen: sofort im Hintergrund oder beim nächsten Lesen",
            en="when runs enter the database: at once in the background, or at the next reading",
        ),
    ),
    Setting("project", read_label, Text(de="Projekt", en="project")),
    Setting("task", read_label, Text(de="Aufgabe, die verglichen wird", en="task that is compared")),
    Setting("approach", one_of(*Approach), Text(de="Ansatz: ai oder classical", en="approach: ai or classical")),
    Setting("phase", one_of(*Phase), Text(de="Phase des Laufs", en="phase of the run")),
    Setting("unit", read_label, Text(de="Bezugsgröße, z. B. Dokument", en="functional unit, e.g. document")),
    Setting("tags", read_tags, Text(de="freie Merkmale", en="free tags")),
    Setting(
        "keep_samples_days",
        number_between(1.0, 36_500.0),
        Text(
            de="Tage, nach denen greenai db prune die Rohdaten beendeter Läufe löscht; Summen bleiben",
            en="days after which greenai db prune drops the raw samples of ended runs; totals stay",
        ),
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}

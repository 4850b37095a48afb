"""All settings there are: name, type, default and meaning, in one table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from greenai.core.errors import ConfigError
from greenai.core.text import Language, Text
from greenai.core.vocabulary import Approach, Phase, Scope
from greenai.host import SiteKnowledge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Ingest = Literal["background", "later"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Built by ``load_settings``; ``origins`` says where each value came from."""

    db: str
    spool: Path
    language: Language
    zone: str | None = None
    pue: float | None = None
    electricity_price_per_kwh: float | None = None
    currency: str = "EUR"
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
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def knowledge(self) -> SiteKnowledge:
        """What the settings say about the machine, for its sensors."""
        return SiteKnowledge(**{name: getattr(self, name) for name in SiteKnowledge.__slots__})


LONGEST_LABEL = 200
_A_LABEL = Text(
    de=f"eine druckbare Zeile von 1 bis {LONGEST_LABEL} Zeichen",
    en=f"one printable line of 1 to {LONGEST_LABEL} characters",
)


_PASSWORD = re.compile(r"(://[^:/]*):.*@")
_PASSWORD_OPTION = re.compile(r"([?&]password=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """Return a database URL as it may be shown."""
    return _PASSWORD_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))


class WrongValueError(ValueError):
    """A value does not fit its setting; carries what would."""

    def __init__(self, expected: Text) -> None:
        super().__init__(str(expected))
        self.expected = expected


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError(Text(de="ein nicht leerer Text", en="a text that is not empty"))
    return value.strip()


def _label(value: object) -> str:
    """Read a name that people will see in tables: one printable line."""
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_LABEL or not value.isprintable():
        raise WrongValueError(_A_LABEL)
    return value.strip()


def _number(low: float, high: float) -> Callable[[object], float]:
    expected = Text(de=f"eine Zahl von {low:g} bis {high:g}", en=f"a number from {low:g} to {high:g}")

    def parse(value: object) -> float:
        try:
            parsed = float(value) if isinstance(value, (int, float, str)) else None
        except (ValueError, OverflowError):
            parsed = None
        if parsed is None or isinstance(value, bool) or not low <= parsed <= high:
            raise WrongValueError(expected)
        return parsed

    return parse


def _choice(*names: str) -> Callable[[object], str]:
    expected = Text(de="eines von: " + ", ".join(names), en="one of: " + ", ".join(names))

    def parse(value: object) -> str:
        if not isinstance(value, str) or value.strip().casefold() not in names:
            raise WrongValueError(expected)
        return value.strip().casefold()

    return parse


def _switch(value: object) -> bool:
    word = str(value).strip().casefold()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise WrongValueError(Text(de="true oder false", en="true or false"))


_ZONE = re.compile(r"[A-Z]{2,3}|[A-Z]{2}-[A-Z0-9]{1,3}|EU27|WORLD")


def _zone(value: object) -> str:
    zone = value.strip().upper() if isinstance(value, str) else ""
    if not _ZONE.fullmatch(zone):
        raise WrongValueError(
            Text(
                de="ein Ländercode nach ISO 3166 wie DE oder DEU, oder EU27 oder WORLD",
                en="an ISO 3166 country code such as DE or DEU, or EU27 or WORLD",
            )
        )
    return zone


def _folder(value: object) -> Path:
    try:
        return Path(_text(value)).expanduser().absolute()
    except RuntimeError:  # ~name of somebody unknown
        raise WrongValueError(Text(de="ein Ordner", en="a folder")) from None


def _database(value: object) -> str:
    url = _text(value)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("sqlite", "postgresql"):
        raise WrongValueError(
            Text(
                de="eine Datenbankadresse wie sqlite:////pfad/greenai.db oder postgresql://host/name",
                en="a database URL such as sqlite:////path/greenai.db or postgresql://host/name",
            )
        )
    if scheme.partition("+")[0] == "sqlite" and rest.partition("?")[0] in ("", "/", "/:memory:"):
        raise WrongValueError(
            Text(
                de="eine Datei: Was nur im Speicher liegt, ginge verloren",
                en="a file: what lives in memory only would be lost",
            )
        )
    relative = rest.startswith("/") and not rest.startswith("//")
    if scheme.partition("+")[0] == "sqlite" and relative:
        # A relative file would be a different database in every folder: pin it to where it was said.
        return f"{scheme}:///{Path(rest[1:]).expanduser().absolute()}"
    return url


_WRONG_NAME = Text(
    de="Der Name {name} passt nicht; erwartet wird {expected}.",
    en="The name {name} does not fit; expected is {expected}.",
)
_WRONG_TAG = Text(de="Merkmal „{tag}“: erwartet wird schluessel=wert.", en='Tag "{tag}": expected is key=value.')


def run_name(name: object) -> str:
    """Return the name of a run.

    Raises:
        ConfigError: It is not one printable line.
    """
    try:
        return _label(name)
    except WrongValueError as error:
        raise ConfigError(_WRONG_NAME.format(name=repr(name)[:60], expected=error.expected)) from None


def tag_pairs(words: Iterable[str]) -> dict[str, str]:
    """Read tags from a command line, one per word; a value may hold a comma.

    Raises:
        ConfigError: A word is no pair.
    """
    pairs = {}
    for word in words:
        key, separator, text = word.partition("=")
        if not separator or not key.strip():
            raise ConfigError(_WRONG_TAG.format(tag=word))
        pairs[key.strip()] = text.strip()
    return pairs


def _currency(value: object) -> str:
    code = value.strip().upper() if isinstance(value, str) else ""
    if len(code) != 3 or not code.isalpha():  # noqa: PLR2004  # ISO 4217
        raise WrongValueError(Text(de="ein Währungscode wie EUR", en="a currency code such as EUR"))
    return code


def _tags(value: object) -> dict[str, str]:
    expected = Text(de="Paare schluessel=wert, mit Komma getrennt", en="pairs key=value, separated by commas")
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not separator or not key.strip() for key, separator, _ in pairs):
            raise WrongValueError(expected)
        return {key.strip(): text.strip() for key, _, text in pairs}
    if isinstance(value, dict) and all(isinstance(item, (str, int, float)) for item in value.values()):
        return {str(key): str(item) for key, item in value.items()}
    raise WrongValueError(expected)


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
        _database,
        Text(
            de="Datenbank (SQLAlchemy-Adresse); Vorgabe: SQLite im Datenordner des Benutzers",
            en="database (SQLAlchemy URL); default: SQLite in the user's data folder",
        ),
        masked=without_password,
    ),
    Setting(
        "spool", _folder, Text(de="Ordner der Journale laufender Messungen", en="folder of the runs' journals")
    ),
    Setting("language", _choice("de", "en"), Text(de="Sprache: de oder en", en="language: de or en")),
    Setting(
        "zone",
        _zone,
        Text(
            de="Stromnetz, dessen CO2-Faktor gilt (ISO 3166, z. B. DE); ohne Angabe keine CO2-Werte",
            en="grid whose CO2 factor applies (ISO 3166, e.g. DE); without it no CO2 figures",
        ),
    ),
    Setting(
        "pue",
        _number(1.0, 5.0),
        Text(
            de="PUE des Standorts (Gesamtstrom / IT-Strom); ohne Angabe 1,0, als Annahme gekennzeichnet",
            en="the site's PUE (facility / IT electricity); without it 1.0, marked as assumed",
        ),
    ),
    Setting(
        "electricity_price_per_kwh",
        _number(0.0, 10.0),
        Text(de="Strompreis je kWh laut eigener Rechnung", en="electricity price per kWh from your own bill"),
    ),
    Setting("currency", _currency, Text(de="Währung des Strompreises", en="currency of the electricity price")),
    Setting(
        "cpu_tdp_w",
        _number(0.1, 10_000.0),
        Text(
            de="TDP aller CPUs dieser Maschine in Watt; in einer VM deren Anteil am Wirt",
            en="TDP of all CPUs of this machine in watts; in a VM its share of the host",
        ),
    ),
    Setting(
        "rest_of_node",
        _switch,
        Text(
            de="Schätzung für Netzteil, Lüfter, Platine und Platten in die Summe aufnehmen (true/false)",
            en="count the estimate for power supply, fans, board and disks in the total (true/false)",
        ),
    ),
    Setting(
        "redfish_url",
        _text,
        Text(
            de="Management-Controller (Redfish), z. B. https://{host}-bmc; {host} wird der Rechnername",
            en="management controller (Redfish), e.g. https://{host}-bmc; {host} becomes the host name",
        ),
    ),
    Setting("redfish_user", _text, Text(de="Benutzer am Management-Controller", en="its user")),
    Setting(
        "redfish_password",
        _text,
        Text(de="Kennwort am Management-Controller", en="its password"),
        masked=lambda _: "***",
    ),
    Setting(
        "redfish_verify_tls",
        _switch,
        Text(
            de="Zertifikat des Management-Controllers prüfen (true/false)",
            en="check its certificate (true/false)",
        ),
    ),
    Setting(
        "interval_s", _number(0.05, 3600.0), Text(de="Messabstand in Sekunden", en="sampling interval in seconds")
    ),
    Setting(
        "scope",
        _choice(*Scope),
        Text(
            de="Wessen Energie: machine (ganze Maschine), process (Prozessbaum), cgroup (Container, Slurm-Job); "
            "auto: cgroup in einem Slurm-Job, der den Knoten teilt, sonst machine",
            en="whose energy: machine (all of it), process (process tree), cgroup (container, Slurm job); "
            "auto: cgroup in a Slurm job that shares its node, else machine",
        ),
    ),
    Setting(
        "ingest",
        _choice("background", "later"),
        Text(
            de="Wann Läufe in die Datenbank kommen: sofort im Hintergrund oder beim nächsten Lesen",
            en="when runs enter the database: at once in the background, or at the next reading",
        ),
    ),
    Setting("project", _label, Text(de="Projekt", en="project")),
    Setting("task", _label, Text(de="Aufgabe, die verglichen wird", en="task that is compared")),
    Setting("approach", _choice(*Approach), Text(de="Ansatz: ai oder classical", en="approach: ai or classical")),
    Setting("phase", _choice(*Phase), Text(de="Phase des Laufs", en="phase of the run")),
    Setting("unit", _label, Text(de="Bezugsgröße, z. B. Dokument", en="functional unit, e.g. document")),
    Setting("tags", _tags, Text(de="freie Merkmale", en="free tags")),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}

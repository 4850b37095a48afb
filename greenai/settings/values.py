"""How the values of settings are read: each parser returns the value or says what was expected."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError
from greenai.core.quantity import localise
from greenai.core.text import LANGUAGES, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST_LABEL = 200
_A_LABEL = Text(
    de=f"eine druckbare Zeile von 1 bis {LONGEST_LABEL} Zeichen",
    en=f"one printable line of 1 to {LONGEST_LABEL} characters",
)
_A_NUMBER = Text(de="eine Zahl von {low} bis {high}", en="a number from {low} to {high}")
_WITH_POINT = Text(de="{expected}, mit Dezimalpunkt geschrieben", en="{expected}, with a decimal point")

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


def read_text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError(Text(de="ein nicht leerer Text", en="a text that is not empty"))
    return value.strip()


def read_label(value: object) -> str:
    """Read a name that people will see in tables: one printable line."""
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_LABEL or not value.isprintable():
        raise WrongValueError(_A_LABEL)
    return value.strip()


def read_address(value: object) -> str:
    """Read a web address without a password in it."""
    address = read_text(value)
    scheme, _, rest = address.partition("://")
    if scheme not in ("https", "http") or not rest or "@" in rest.partition("/")[0]:
        expected = "https://{host}-bmc"
        raise WrongValueError(
            Text(
                de=f"eine Adresse wie {expected}, ohne Benutzer und Kennwort",
                en=f"an address such as {expected}, without user and password",
            )
        )
    return address


def number_between(low: float, high: float) -> Callable[[object], float]:
    """Return a parser of numbers in a range, ends included."""
    low_text, high_text = (
        Text(*(localise(f"{end:g}", language) for language in LANGUAGES)) for end in (low, high)
    )
    expected = _A_NUMBER.format(low=low_text, high=high_text)

    def parse(value: object) -> float:
        try:
            parsed = float(value) if isinstance(value, (int, float, str)) else None
        except (ValueError, OverflowError):
            parsed = None
        if parsed is None or isinstance(value, bool) or not low <= parsed <= high:
            comma = isinstance(value, str) and "," in value
            raise WrongValueError(_WITH_POINT.format(expected=expected) if comma else expected)
        return parsed

    return parse


def one_of(*names: str) -> Callable[[object], str]:
    """Return a parser of fixed words, whatever their case."""
    expected = Text(de="eines von: " + ", ".join(names), en="one of: " + ", ".join(names))

    def parse(value: object) -> str:
        if not isinstance(value, str) or value.strip().casefold() not in names:
            raise WrongValueError(expected)
        return value.strip().casefold()

    return parse


def read_switch(value: object) -> bool:
    """Read true or false."""
    word = str(value).strip().casefold()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise WrongValueError(Text(de="true oder false", en="true or false"))


_ZONE = re.compile(r"[A-Z]{2,3}|[A-Z]{2}-[A-Z0-9]{1,3}|EU27|WORLD")


def read_zone(value: object) -> str:
    """Read the code of a grid zone."""
    zone = value.strip().upper() if isinstance(value, str) else ""
    if not _ZONE.fullmatch(zone):
        raise WrongValueError(
            Text(
                de="ein Ländercode nach ISO 3166 wie DE oder DEU, oder EU27 oder WORLD",
                en="an ISO 3166 country code such as DE or DEU, or EU27 or WORLD",
            )
        )
    return zone


def read_folder(value: object) -> Path:
    """Read a path and make it absolute."""
    try:
        return Path(read_text(value)).expanduser().absolute()
    except RuntimeError:  # ~name of somebody unknown
        raise WrongValueError(Text(de="ein Ordner", en="a folder")) from None


def read_database(value: object) -> str:
    """Read a database URL; a relative SQLite file is pinned to where it was said."""
    url = read_text(value)
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
        return read_label(name)
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


def read_currency(value: object) -> str:
    """Read a currency code (ISO 4217)."""
    code = value.strip().upper() if isinstance(value, str) else ""
    if len(code) != 3 or not code.isalpha():  # noqa: PLR2004  # ISO 4217
        raise WrongValueError(Text(de="ein Währungscode wie EUR", en="a currency code such as EUR"))
    return code


def read_tags(value: object) -> dict[str, str]:
    """Read tags: pairs in one text, or a table."""
    expected = Text(de="Paare schluessel=wert, mit Komma getrennt", en="pairs key=value, separated by commas")
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not separator or not key.strip() for key, separator, _ in pairs):
            raise WrongValueError(expected)
        return {key.strip(): text.strip() for key, _, text in pairs}
    if isinstance(value, dict) and all(isinstance(item, (str, int, float)) for item in value.values()):
        return {str(key): str(item) for key, item in value.items()}
    raise WrongValueError(expected)

"""Reading the settings: call > command line > environment > project file > user file > site file > default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from greenai.core.errors import ConfigError
from greenai.core.text import Language, Text
from greenai.host.files import working_folder
from greenai.settings.file import read_settings
from greenai.settings.model import BY_NAME, Settings
from greenai.settings.paths import SITE_CONFIG, data_folder, user_config
from greenai.settings.values import WrongValueError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PREFIX = "GREENAI_"
_NOT_SETTINGS = frozenset({"GREENAI_CONFIG", "GREENAI_RUN_ID", "GREENAI_REQUIRE_PG"})

_UNKNOWN_KEY = Text(
    de="{origin}: die Einstellung „{key}“ gibt es nicht.",
    en='{origin}: there is no setting "{key}".',
)
_NOT_IN_PROJECT = Text(
    de="{path}: „{key}“ darf nicht in der Datei eines Projekts stehen.",
    en='{path}: "{key}" may not stand in the file of a project.',
)
_IN_YOUR_OWN = Text(
    de="Dort löschen und festlegen mit: greenai config set {key} WERT",
    en="Delete it there and set it with: greenai config set {key} VALUE",
)
_NEAREST = Text(de="Gemeint ist vielleicht „{nearest}“.", en='Did you mean "{nearest}"?')
_SHOW_ALL = Text(
    de="Alle Einstellungen zeigt: greenai config show", en="All settings are shown by: greenai config show"
)
_WRONG_VALUE = Text(
    de="{origin}: „{key}“ = {value!r} passt nicht; erwartet wird {expected}.",
    en='{origin}: "{key}" = {value!r} does not fit; expected is {expected}.',
)
_NOT_TOML = Text(de="{path} ist kein gültiges TOML: {problem}.", en="{path} is not valid TOML: {problem}.")
_NO_TABLE = Text(de="{path}: [{section}] ist keine Tabelle.", en="{path}: [{section}] is not a table.")
_NO_FILE = Text(
    de="GREENAI_CONFIG nennt {path}; diese Datei ist nicht lesbar.",
    en="GREENAI_CONFIG names {path}; that file cannot be read.",
)
_ARGUMENT = Text(de="Argument", en="argument")


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Return the settings in force.

    Args:
        overrides: Values from the call or the command line; None means "not said".
        environ: Environment; default is the process's own.
        folder: Where ``greenai.toml`` and ``pyproject.toml`` are looked for; default is the working directory.

    Raises:
        ConfigError: A file, key or value is wrong; the message names it and what would be right.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in _layers(environ, folder or working_folder()):
        for key, value in layer.items():
            values[key] = parse_value(key, value, origin)
            origins[key] = origin
    for key, value in (overrides or {}).items():
        if value is not None:
            values[key] = parse_value(key, value, _ARGUMENT)
            origins[key] = _ARGUMENT.en
    data = data_folder(environ)
    values.setdefault("db", f"sqlite:///{data / 'greenai.db'}")
    values.setdefault("spool", data / "spool")
    values.setdefault("language", language_of(environ))
    return Settings(**values, origins=origins)


def said_here(settings: Settings) -> dict[str, Any]:
    """Return the settings that the call, the command line or the environment gave; not those of files."""
    origins = settings.origins.items()
    return {
        key: getattr(settings, key)
        for key, origin in origins
        if origin == _ARGUMENT.en or origin.startswith(_PREFIX)
    }


def language_of(environ: Mapping[str, str]) -> Language:
    """Return the language of the locale (LC_ALL, LC_MESSAGES, LANG); English unless it is German."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(variable):
            return "de" if environ[variable].casefold().startswith("de") else "en"
    return "en"


def _layers(environ: Mapping[str, str], folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the sources from the weakest to the strongest."""
    user = user_config(environ)
    if "GREENAI_CONFIG" in environ and not os.access(user, os.R_OK):
        raise ConfigError(_NO_FILE.format(path=user))
    files = [
        (str(path), _checked(path, _toml(path, section), folder))
        for path, section in (
            (SITE_CONFIG, ()),
            (user, ()),
            (folder / "pyproject.toml", ("tool", "greenai")),
            (folder / "greenai.toml", ()),
        )
    ]
    variables = {
        name.removeprefix(_PREFIX).casefold(): value
        for name, value in environ.items()
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS and value != ""
    }
    unknown = [key for key in variables if key not in BY_NAME]
    if unknown:
        raise _unknown(_PREFIX + unknown[0].upper(), unknown[0], prefix=_PREFIX)
    return [*files, *((_PREFIX + key.upper(), {key: value}) for key, value in variables.items())]


def _checked(path: Path, data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the settings of a file; one that came with somebody's project may not say where a password goes.

    Raises:
        ConfigError: It says so.
    """
    named = [key for key in data if key.startswith("redfish_")]
    if named and path.parent == folder:
        raise ConfigError(_NOT_IN_PROJECT.format(path=path, key=named[0]), _IN_YOUR_OWN.format(key=named[0]))
    return data


def _toml(path: Path, section: tuple[str, ...]) -> dict[str, Any]:
    try:
        text = read_settings(path)
    except OSError:
        return {}
    except UnicodeDecodeError as error:
        raise ConfigError(_NOT_TOML.format(path=path, problem=error)) from error
    if section and f"[{'.'.join(section)}" not in text:
        return {}
    import tomllib

    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(_NOT_TOML.format(path=path, problem=error)) from error
    for name in section:
        data = data.get(name, {})
        if not isinstance(data, dict):
            raise ConfigError(_NO_TABLE.format(path=path, section=".".join(section)))
    unknown = [key for key in data if key not in BY_NAME]
    if unknown:
        raise _unknown(str(path), unknown[0])
    return data


def parse_value(key: str, value: Any, origin: str | Text) -> Any:
    """Return the value of a setting in its own type.

    Args:
        key: Name of the setting.
        value: As a file, an environment variable or a call has it.
        origin: Where it was said, for the message.

    Raises:
        ConfigError: There is no such setting, or the value does not fit.
    """
    check_key(key, origin)
    setting = BY_NAME[key]
    try:
        return setting.parse(value)
    except WrongValueError as error:
        shown = setting.masked(str(value)) if setting.masked is not None else value
        raise ConfigError(
            _WRONG_VALUE.format(origin=origin, key=key, value=shown, expected=error.expected)
        ) from None


def check_key(key: str, origin: str | Text) -> None:
    """Make sure that there is such a setting.

    Raises:
        ConfigError: There is none; the message names the nearest.
    """
    if key not in BY_NAME:
        raise _unknown(origin, key)


def _unknown(origin: str | Text, key: str, prefix: str = "") -> ConfigError:
    from difflib import get_close_matches

    nearest = get_close_matches(key, BY_NAME, n=1)
    shown = f"{prefix}{nearest[0].upper() if prefix else nearest[0]}" if nearest else ""
    return ConfigError(
        _UNKNOWN_KEY.format(origin=origin, key=key), _NEAREST.format(nearest=shown) if nearest else _SHOW_ALL
    )

"""Changing the user's settings file, one line at a time; comments and order stay as they are."""

from __future__ import annotations

import json
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.settings.file import read_settings
from greenai.settings.load import check_key, parse_value
from greenai.settings.model import BY_NAME, Settings
from greenai.settings.paths import user_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Too much hidden is better than too little: user names may contain an @, passwords a /.
_NOT_WRITABLE = Text(de="{path} ist nicht beschreibbar ({reason}).", en="{path} cannot be written ({reason}).")
_BY_HAND = Text(
    de="{path} lässt sich nicht sicher ändern; „{key}“ bitte dort von Hand setzen.",
    en='{path} cannot be changed safely; please set "{key}" there by hand.',
)
_ARGUMENT = Text(de="config set", en="config set")


def set_value(key: str, value: str | None, environ: Mapping[str, str]) -> Path:
    """Write a setting into the user's file, or take it out (None).

    Returns:
        The file.

    Raises:
        ConfigError: There is no such setting, the value does not fit, or the file cannot be written.
    """
    check_key(key, _ARGUMENT.en)
    parsed = parse_value(key, value, _ARGUMENT.en) if value is not None else None
    path = user_config(environ)
    try:
        before = read_settings(path) if path.exists() else ""
        line = f"{key} = {_toml(parsed)}" if value is not None else None
        _replace(path, _changed(before, key, line))
    except ValueError as error:
        raise ConfigError(_BY_HAND.format(path=path, key=key)) from error
    except OSError as error:
        raise ConfigError(_NOT_WRITABLE.format(path=path, reason=error.strerror)) from error
    return path


def shown_value(settings: Settings, name: str) -> Any:
    """Return a setting's value as it may be shown: passwords are hidden."""
    value = getattr(settings, name)
    masked = BY_NAME[name].masked
    if value is not None and masked is not None:
        return masked(str(value))
    return value if isinstance(value, (int, float, dict)) or value is None else str(value)


def _changed(before: str, key: str, line: str | None) -> str:
    """Return the file's text with the line of a setting replaced, added or (None) taken out.

    Raises:
        ValueError: The setting is written in a way that one line cannot replace: as a table or over many lines.
    """
    import tomllib

    lines = before.splitlines()
    tables = (number for number, text in enumerate(lines) if text.lstrip().startswith("["))
    top = next(tables, len(lines))
    said = [number for number in range(top) if re.match(rf"\s*{re.escape(key)}\s*=", lines[number])]
    at = said[0] if said else 0
    lines[at : at + len(said)] = [line] if line is not None else []
    after = "\n".join(lines) + "\n"
    wanted = {name: value for name, value in tomllib.loads(before).items() if name != key}
    if tomllib.loads(after) != wanted | tomllib.loads(line or ""):
        raise ValueError(key)
    return after


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_string(k)} = {_string(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (int, float)):
        return repr(value)
    return _string(str(value))


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON allows DEL, TOML does not


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees either the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)  # noqa: PTH105  # a string path, as mkstemp gives it

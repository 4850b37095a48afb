"""Changing the user's settings file, one line at a time; comments and order stay as they are."""

from __future__ import annotations

import json
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.settings.load import check_key, parse_value
from greenai.settings.model import BY_NAME, Settings
from greenai.settings.paths import user_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PASSWORD = re.compile(r"(://[^:/@]*):[^@]*@")
_NOT_WRITABLE = Text(de="{path} ist nicht beschreibbar ({reason}).", en="{path} cannot be written ({reason}).")
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
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if not re.match(rf"\s*{re.escape(key)}\s*=", line)]
        if value is not None:
            kept.insert(0, f"{key} = {_toml(parsed)}")
        _replace(path, "\n".join(kept) + "\n")
    except OSError as error:
        raise ConfigError(_NOT_WRITABLE.format(path=path, reason=error.strerror)) from error
    return path


def shown_value(settings: Settings, name: str) -> Any:
    """Return a setting's value as it may be shown: passwords are hidden."""
    value = getattr(settings, name)
    if value is not None and BY_NAME[name].secret:
        return _PASSWORD.sub(r"\1:***@", str(value))
    return value if isinstance(value, (int, float, dict)) or value is None else str(value)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{json.dumps(k)} = {json.dumps(v, ensure_ascii=False)}" for k, v in value.items())
            + " }"
        )
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees either the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)  # noqa: PTH105  # a string path, as mkstemp gives it

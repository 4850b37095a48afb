"""Where files live, after the XDG base directory specification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SITE_CONFIG = Path("/etc/greenai/config.toml")


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's data folder: database and spool."""
    return _base(environ, "XDG_DATA_HOME", ".local/share") / "greenai"


def user_config(environ: Mapping[str, str]) -> Path:
    """Return the user's configuration file (``GREENAI_CONFIG`` names another)."""
    named = environ.get("GREENAI_CONFIG")
    return Path(named) if named else _base(environ, "XDG_CONFIG_HOME", ".config") / "greenai" / "config.toml"


def _base(environ: Mapping[str, str], variable: str, default: str) -> Path:
    value = environ.get(variable, "")
    return Path(value) if value.startswith("/") else _home(environ) / default


def _home(environ: Mapping[str, str]) -> Path:
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path.home()
    except RuntimeError:  # a container whose user has no entry in passwd
        return Path("/")

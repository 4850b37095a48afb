"""The services there are, found by entry point (group ``greenai.intensity``), and which is asked by default.

An entry point is named as the service and leads to its ``fetch`` (see ``request.Fetch``); so do the built-ins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.plugins import discover

if TYPE_CHECKING:
    from greenai.carbon.intensity.request import Fetch

_GROUP = "greenai.intensity"
CSV = "csv"  # a file, no service; never asked, only read
_BY_DEFAULT = "energy-charts"
_OF_ZONE = {"GB": "uk-carbon-intensity"}

_UNKNOWN = Text(
    de="Die Quelle „{name}“ gibt es nicht; vorhanden sind: {names}.",
    en='There is no source "{name}"; there are: {names}.',
)
_BROKEN = Text(
    de="Die Quelle „{name}“ ({value}) ließ sich nicht laden: {reason}.",
    en='The source "{name}" ({value}) could not be loaded: {reason}.',
)
_REINSTALL = Text(
    de="Das Paket, aus dem sie kommt, neu installieren: pip install --force-reinstall PAKET",
    en="Install the package it comes from anew: pip install --force-reinstall PACKAGE",
)


def service_names() -> tuple[str, ...]:
    """Return the names of the services, none of which is loaded for it."""
    return tuple(plugin.name for plugin in discover(_GROUP))


def default_service(zone: str) -> str:
    """Return the service that knows a zone without an account."""
    return _OF_ZONE.get(zone, _BY_DEFAULT)


def service(name: str) -> Fetch:
    """Load a service.

    Raises:
        ConfigError: There is none of that name, or it cannot be loaded.
    """
    plugin = next((plugin for plugin in discover(_GROUP) if plugin.name == name), None)
    if plugin is None:
        raise ConfigError(_UNKNOWN.format(name=name, names=", ".join(service_names())), _REINSTALL)
    try:
        return cast("Fetch", plugin.load())
    except (Exception, SystemExit) as error:
        message = _BROKEN.format(name=name, value=plugin.value, reason=repr(error))
        raise ConfigError(message, _REINSTALL) from error

"""``greenai config``: settings with their origin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from greenai.carbon.electricity_file import electricity_of
from greenai.carbon.tables import layers
from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command, Group
from greenai.core import quantity
from greenai.core.text import Text
from greenai.settings.edit import set_value, shown_value
from greenai.settings.load import parse_value
from greenai.settings.model import SETTINGS
from greenai.settings.paths import user_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.cli.app import App

_ABOUT = Text(de="Einstellungen zeigen und setzen.", en="Show and change settings.")
_SHOW = Text(de="Alle Einstellungen mit Wert und Herkunft.", en="All settings with value and origin.")
_PATH = Text(de="Wo die eigene Einstellungsdatei liegt.", en="Where your settings file lies.")
_SET = Text(de="Eine Einstellung dauerhaft setzen, z. B. zone DE.", en="Change a setting for good, e.g. zone DE.")
_UNSET = Text(de="Eine Einstellung auf die Vorgabe zurücksetzen.", en="Return a setting to its default.")
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_HEADINGS = (
    Text(de="Einstellung", en="Setting"),
    Text(de="Wert", en="Value"),
    Text(de="Herkunft", en="Origin"),
    Text(de="Bedeutung", en="Meaning"),
)
_DEFAULT = Text(de="Vorgabe", en="default")
_WRITTEN = Text(de="{key} steht jetzt in {path}.", en="{key} is now in {path}.")
_READ_AT_ONCE: dict[str, Callable[[Any], object]] = {"electricity": electricity_of, "factors": layers}
_REMOVED = Text(de="{key} hat wieder die Vorgabe.", en="{key} has its default again.")


def build(app: App) -> click.Command:
    """Return the command group."""
    group = Group("config", help=app.say(_ABOUT))

    def show(as_json: bool) -> None:
        settings = app.settings()
        default = app.say(_DEFAULT)
        origins = {setting.name: settings.origins.get(setting.name) for setting in SETTINGS}
        if as_json:
            values: dict[str, Any] = {
                name: {"value": shown_value(settings, name), "origin": origin} for name, origin in origins.items()
            }
            print_json(values)
            return
        rows = [
            [
                s.name,
                _cell(shown_value(settings, s.name)),
                origins[s.name] or default,
                app.say(s.help),
            ]
            for s in SETTINGS
        ]
        print_table([app.say(heading) for heading in _HEADINGS], rows)

    def write(key: str, value: str) -> None:
        if key in _READ_AT_ONCE:  # a mistake in it is better found now than in every run
            _READ_AT_ONCE[key](parse_value(key, value, key))
        app.tell(_WRITTEN, key=key, path=set_value(key, value, os.environ))

    def remove(key: str) -> None:
        set_value(key, None, os.environ)
        app.tell(_REMOVED, key=key)

    as_json = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))
    key, value = click.Argument(["key"], metavar="KEY"), click.Argument(["value"], metavar="VALUE")
    group.add_command(Command("show", help=app.say(_SHOW), params=[as_json], callback=show))
    group.add_command(Command("path", help=app.say(_PATH), callback=lambda: print(user_config(os.environ))))
    group.add_command(Command("set", help=app.say(_SET), params=[key, value], callback=write))
    group.add_command(Command("unset", help=app.say(_UNSET), params=[key], callback=remove))
    return group


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as the file has it
    return quantity.NO_VALUE if value in (None, {}) else str(value)

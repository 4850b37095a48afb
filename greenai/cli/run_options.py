"""The options by which a run is described: the same for ``run`` and for batch jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenai.cli.base import SettingValue
from greenai.core.text import Text
from greenai.core.vocabulary import Approach, Phase, Scope
from greenai.settings.model import BY_NAME
from greenai.settings.values import run_name, tag_pairs

if TYPE_CHECKING:
    from greenai.cli.app import App

_TAG = Text(de="Merkmal schluessel=wert; mehrfach möglich", en="tag key=value; may be repeated")


def run_options(app: App, name_help: Text) -> list[click.Option]:
    """Return the options; ``described`` reads what they were given.

    Args:
        app: The running program.
        name_help: What the name is by default.
    """

    def setting(name: str, kind: Any = None, *, option: str | None = None) -> click.Option:
        about, metavar = app.say(BY_NAME[name].help), "S" if name.endswith("_s") else None
        kind = kind or SettingValue(name)
        return click.Option([f"--{option or name}"], type=kind, metavar=metavar, help=about)

    return [
        click.Option(["--name"], help=app.say(name_help)),
        setting("project"),
        setting("task"),
        setting("approach", click.Choice([approach.value for approach in Approach])),
        setting("phase", click.Choice([phase.value for phase in Phase])),
        setting("unit"),
        click.Option(["--tag"], multiple=True, metavar="KEY=VALUE", help=app.say(_TAG)),
        setting("scope", click.Choice([scope.value for scope in Scope])),
        setting("zone"),
        setting("interval_s", option="interval"),
    ]


def described(given: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the name of the run and the settings that were given; they are taken out of ``given``.

    Raises:
        ConfigError: The name or a tag is none.
    """
    name = given.pop("name")
    settings = {"interval_s": given.pop("interval"), "tags": tag_pairs(given.pop("tag")) or None}
    for key in ("project", "task", "approach", "phase", "unit", "scope", "zone"):
        settings[key] = given.pop(key)
    return run_name(name) if name is not None else None, settings

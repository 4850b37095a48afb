"""``greenai dashboard``: the Dash app on this machine."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

import click

from greenai.cli.base import Command, WholeNumber
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.plugins import COMMANDS, discover

if TYPE_CHECKING:
    from greenai.analysis import Analysis
    from greenai.cli.app import App

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORT = 8050

_ABOUT = Text(
    de="Öffnet die Übersicht im Browser; sie läuft nur auf dieser Maschine, bis Strg-C gedrückt wird.",
    en="Opens the dashboard in the browser; it runs on this machine only, until Ctrl-C is pressed.",
)
_HOST = Text(de="Adresse, an der sie lauscht", en="address to listen on")
_PORT = Text(de="Port; 0 nimmt einen freien", en="port; 0 takes a free one")
_NO_BROWSER = Text(de="Keinen Browser öffnen", en="do not open a browser")
_ADDRESS = Text(de="Übersicht: {url}   (beenden mit Strg-C)", en="Dashboard: {url}   (stop with Ctrl-C)")
_OPEN_TO_ALL = Text(
    de="Achtung: {host} ist für andere Rechner erreichbar, und die Übersicht kennt keine Anmeldung.",
    en="Careful: other machines can reach {host}, and the dashboard has no login.",
)
_MISSING = Text(
    de="Die Übersicht ist nicht installiert ({reason}).",
    en="The dashboard is not installed ({reason}).",
)
_INSTALL = Text(
    de="Installieren: pip install 'greenai[dashboard]'", en="Install it: pip install 'greenai[dashboard]'"
)


def build(app: App) -> click.Command:
    """Return the command."""

    def call(host: str, port: int, no_browser: bool) -> None:
        serve(app, app.analysis(), host=host, port=port, browser=not no_browser)

    return Command(
        "dashboard",
        callback=call,
        help=app.say(_ABOUT),
        params=[
            click.Option(["--host"], default=LOOPBACK[0], show_default=True, help=app.say(_HOST)),
            click.Option(
                ["--port"],
                type=WholeNumber(0, 65535),
                default=DEFAULT_PORT,
                show_default=True,
                help=app.say(_PORT),
            ),
            click.Option(["--no-browser"], is_flag=True, help=app.say(_NO_BROWSER)),
        ],
    )


def serve(app: App, analysis: Analysis, *, host: str, port: int, browser: bool) -> None:
    """Serve the dashboard until Ctrl-C.

    Raises:
        ConfigError: It is not installed, or the port is taken.
    """
    if host not in LOOPBACK:
        app.tell(_OPEN_TO_ALL, host=host)

    def ready(url: str) -> None:
        app.tell(_ADDRESS, url=url)
        if browser:
            webbrowser.open(url)

    try:
        entry = next(plugin for plugin in discover(COMMANDS) if plugin.name == "dashboard").load()
    except (ImportError, StopIteration) as error:
        raise ConfigError(_MISSING.format(reason=error), _INSTALL) from error
    entry(analysis, host=host, port=port, language=app.language, on_ready=ready)

"""``greenai``: the entry point.

Exit codes: 0 done; 1 the answer is no, or it failed; 2 the call or the configuration is wrong. ``greenai run``
gives the exit code of the command it ran (128+n after signal n, 127 if there is no such command, 126 if it
cannot be executed).
"""

from __future__ import annotations

import os
import signal
import sys

import click

from greenai.cli.app import App
from greenai.cli.base import WIDEST_HELP, Group, complaint
from greenai.cli.output import OutputError, flush_stdout, tell, watch_stdout
from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.text import Language, Text
from greenai.core.version import __version__
from greenai.settings.load import language_of, load_settings

AFTER_SIGNAL = 128  # as shells do

_ABOUT = Text(
    de="Energie und CO2 von KI-Training und -Betrieb: messen, mit klassischen Lösungen vergleichen, berichten.",
    en="Energy and CO2 of AI training and inference: measure, compare with classical solutions, report.",
)
_VERSION = Text(de="Version zeigen", en="show the version")
_ERROR = Text(de="Fehler", en="Error")
_STOPPED = Text(de="Abgebrochen.", en="Stopped.")

_HERE = "greenai.cli.commands"
COMMANDS: dict[str, tuple[str, Text]] = {
    "run": (f"{_HERE}.run", Text(de="Einen Befehl ausführen und messen.", en="Run a command and track it.")),
    "runs": (f"{_HERE}.runs", Text(de="Läufe zeigen, ausgeben, löschen.", en="Show, export and delete runs.")),
    "slurm": (
        f"{_HERE}.slurm",
        Text(de="Batch-Jobs: einreichen, zusammenführen, abgleichen.", en="Batch jobs: submit, merge, reconcile."),
    ),
    "compare": (
        f"{_HERE}.compare",
        Text(de="KI und klassische Lösung vergleichen.", en="Compare AI with classical."),
    ),
    "baseline": (
        f"{_HERE}.baseline",
        Text(de="Die klassische Vergleichslösung wählen.", en="Choose the classical solution to compare with."),
    ),
    "report": (f"{_HERE}.report", Text(de="Einen Bericht schreiben.", en="Write a report.")),
    "dashboard": (f"{_HERE}.dashboard", Text(de="Die Übersicht im Browser öffnen.", en="Open the dashboard.")),
    "metrics": (
        f"{_HERE}.metrics",
        Text(de="Leistung und Energie für Prometheus und OTLP.", en="Power and energy for Prometheus and OTLP."),
    ),
    "doctor": (
        f"{_HERE}.doctor",
        Text(
            de="Was hier gemessen wird, wie gut, und was fehlt.",
            en="What is measured here, how well, and what is missing.",
        ),
    ),
    "agent": (
        f"{_HERE}.agent",
        Text(
            de="Zähler, die nur root lesen darf, für alle lesbar machen.",
            en="Let all users read counters that only root may read.",
        ),
    ),
    "factors": (
        f"{_HERE}.factors",
        Text(de="CO2-Faktoren und ihre Herkunft.", en="CO2 factors and their origin."),
    ),
    "when": (
        f"{_HERE}.when",
        Text(de="Den Beginn mit dem wenigsten CO2 finden.", en="Find the start with the least CO2."),
    ),
    "ingest": (
        f"{_HERE}.ingest",
        Text(de="Journale in die Datenbank holen.", en="Take journals into the database."),
    ),
    "config": (f"{_HERE}.config", Text(de="Einstellungen zeigen und setzen.", en="Show and change settings.")),
    "db": (
        f"{_HERE}.db",
        Text(de="Datenbank prüfen, erneuern, kopieren.", en="Check, upgrade and copy the database."),
    ),
    "demo": (
        f"{_HERE}.demo",
        Text(de="Alles einmal an echten Daten vorführen.", en="Show everything once, on real data."),
    ),
}


def main() -> None:
    """Run the command line and leave with its exit code."""
    watch_stdout()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code.
    """
    app = App(_language())
    try:
        result = _root(app).main(arguments, prog_name="greenai", standalone_mode=False, obj=app)
        flush_stdout()
    except click.exceptions.Abort:
        tell(app.say(_STOPPED))
        return AFTER_SIGNAL + signal.SIGINT
    except click.ClickException as error:
        tell(f"{app.say(_ERROR)}: {complaint(app, error)}")
        return 2
    except GreenAIError as error:
        if isinstance(error, OutputError) and error.reader_gone:
            return AFTER_SIGNAL + signal.SIGPIPE
        tell(f"{app.say(_ERROR)}: {app.say(error.message)}")
        if error.remedy:
            tell(app.say(error.remedy))
        return 2 if isinstance(error, ConfigError) else 1
    finally:
        app.close()
    return result if isinstance(result, int) else 0


def _root(app: App) -> Group:
    root = Group(
        "greenai",
        help=app.say(_ABOUT),
        lazy=COMMANDS,
        no_args_is_help=False,
        invoke_without_command=True,
        context_settings={"max_content_width": WIDEST_HELP},
    )

    def show_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            print(__version__)
            context.exit()

    version = click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, help=app.say(_VERSION))
    version.callback = show_version
    root.params.append(version)

    def without_command() -> None:
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            print(context.get_help())

    root.callback = without_command
    return root


def _language() -> Language:
    try:
        return load_settings().language
    except ConfigError:
        wanted = os.environ.get("GREENAI_LANGUAGE", "")
        return "de" if wanted == "de" else "en" if wanted == "en" else language_of(os.environ)

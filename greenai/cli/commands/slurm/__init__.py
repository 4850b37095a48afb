"""``greenai slurm``: batch jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.base import Group
from greenai.core.text import Text

if TYPE_CHECKING:
    import click

    from greenai.cli.app import App

_ABOUT = Text(
    de="Batch-Jobs unter Slurm: messen ohne Rootrechte und ohne Dienst, Knoten zusammenführen, mit Slurms "
    "Abrechnung abgleichen.",
    en="Batch jobs under Slurm: measure without root and without a daemon, merge the nodes, reconcile with "
    "Slurm's accounting.",
)
_HERE = "greenai.cli.commands.slurm"
_COMMANDS = {
    "submit": (
        f"{_HERE}.submit",
        Text(de="Statt sbatch: einen Job messen.", en="Instead of sbatch: track a job."),
    ),
    "wrap": (f"{_HERE}.wrap", Text(de="Das umhüllte Skript zeigen.", en="Show the wrapped script.")),
    "merge": (
        f"{_HERE}.merge",
        Text(de="Alle Knoten eines Jobs zu einem Lauf.", en="All nodes of a job, one run."),
    ),
    "import": (
        f"{_HERE}.import_",
        Text(de="Frühere Jobs aus sacct; Abgleich.", en="Past jobs from sacct; reconciliation."),
    ),
    "site": (f"{_HERE}.site", Text(de="Dateien für Administratoren.", en="Files for administrators.")),
    "textfile": (f"{_HERE}.textfile", Text(de="Zahlen für Prometheus.", en="Figures for Prometheus.")),
}


def build(app: App) -> click.Command:
    """Return the group."""
    return Group("slurm", help=app.say(_ABOUT), lazy=_COMMANDS)

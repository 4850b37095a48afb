"""``greenai slurm submit [options] -- [sbatch options] job.sh [arguments]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenai.cli.base import Command
from greenai.cli.run_options import described, run_options
from greenai.core.text import Text
from greenai.slurm.submit import options_for_job, submit

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Reicht einen Job ein wie sbatch und misst ihn auf jedem seiner Knoten. Das Skript und seine "
    "#SBATCH-Zeilen bleiben, wie sie sind; Ausgabe und Exit-Code sind die von sbatch.",
    en="Submits a job as sbatch does and tracks it on each of its nodes. The script and its #SBATCH lines stay "
    "as they are; output and exit code are sbatch's.",
)
NAME = Text(de="Name des Laufs; ohne Angabe der des Jobs", en="name of the run; by default the job's")
_ARGUMENTS = Text(de="-- [SBATCH-OPTIONEN] SKRIPT [ARGUMENTE]", en="-- [SBATCH OPTIONS] SCRIPT [ARGUMENTS]")
_SUBMITTED = Text(
    de="greenai: Wird gemessen. Nach dem Ende: greenai slurm merge JOBID",
    en="greenai: will be measured. When it is over: greenai slurm merge JOBID",
)
_AS_IT_IS = Text(
    de="greenai: sbatch nimmt dieses Skript so nicht an; es wurde unverändert übergeben.",
    en="greenai: sbatch does not take such a script; it was handed over unchanged.",
)


def build(app: App) -> click.Command:
    """Return the command."""

    def call(arguments: tuple[str, ...], **given: Any) -> int:
        name, said = described(given)
        outcome = submit(arguments, options_for_job(app.settings(**said), name))
        if outcome.refused:
            app.tell(_AS_IT_IS)
        elif outcome.wrapped and outcome.exit_code == 0:
            app.tell(_SUBMITTED)
        return outcome.exit_code

    return Command(
        "submit",
        callback=call,
        help=app.say(_ABOUT),
        context_settings={"allow_interspersed_args": False},
        params=[
            *run_options(app, NAME),
            click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED, metavar=app.say(_ARGUMENTS)),
        ],
    )

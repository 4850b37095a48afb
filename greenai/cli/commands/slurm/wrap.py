"""``greenai slurm wrap [options] job.sh``: the script that ``submit`` would hand to sbatch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenai.cli.base import Command
from greenai.cli.commands.slurm.submit import NAME
from greenai.cli.output import flush_stdout
from greenai.cli.run_options import described, run_options
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.slurm.script import BatchScript, wrapped
from greenai.slurm.submit import options_for_job

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Zeigt das umhüllte Skript, so wie „greenai slurm submit“ es einreicht. Aufheben: greenai slurm wrap "
    "job.sh > gemessen.sh; sbatch gemessen.sh",
    en='Shows the wrapped script as "greenai slurm submit" hands it in. To keep it: greenai slurm wrap job.sh '
    "> tracked.sh; sbatch tracked.sh",
)
_SCRIPT = Text(de="SKRIPT", en="SCRIPT")
_UNREADABLE = Text(de="{path} ist nicht lesbar ({reason}).", en="{path} cannot be read ({reason}).")
_NO_SCRIPT = Text(
    de="{path} ist kein Skript, das sbatch nimmt: Die erste Zeile muss mit #! beginnen, ohne Zeilenenden von DOS.",
    en="{path} is no script that sbatch takes: its first line must begin with #!, without line breaks of DOS.",
)
_FIRST_LINE = Text(
    de="Die erste Zeile ergänzen: sed -i '1i #!/bin/bash' {path}",
    en="Add the first line: sed -i '1i #!/bin/bash' {path}",
)


def build(app: App) -> click.Command:
    """Return the command."""

    def call(script: str, **given: Any) -> int:
        name, said = described(given)
        options = options_for_job(app.settings(**said), name)
        try:
            text = Path(script).read_bytes().decode(errors="surrogateescape")
        except OSError as error:
            raise ConfigError(_UNREADABLE.format(path=script, reason=error.strerror)) from error
        parsed = BatchScript.parse(text)
        if parsed is None:
            raise ConfigError(_NO_SCRIPT.format(path=script), _FIRST_LINE.format(path=script))
        flush_stdout()
        shown = parsed.text if parsed.is_wrapped else wrapped(parsed, sys.executable, options)
        sys.stdout.buffer.write(shown.encode(errors="surrogateescape"))
        return 0

    return Command(
        "wrap",
        callback=call,
        help=app.say(_ABOUT),
        params=[*run_options(app, NAME), click.Argument(["script"], metavar=app.say(_SCRIPT))],
    )

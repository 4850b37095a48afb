"""Handing a batch script to ``sbatch``, wrapped so that it is measured."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.host.files import make_folder
from greenai.settings.load import said_here
from greenai.slurm.options import write_options
from greenai.slurm.sbatch import SbatchCall
from greenai.slurm.script import BatchScript, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.settings import Settings

_NO_SLURM = Text(de="Hier gibt es kein sbatch: kein Slurm.", en="There is no sbatch here: no Slurm.")
_WITHOUT = Text(
    de="Ohne Slurm misst: greenai run -- bash job.sh",
    en="Without Slurm, this measures: greenai run -- bash job.sh",
)
_NOT_WRITABLE = Text(
    de="Der Journalordner {path} ist nicht beschreibbar ({reason}); eingereicht wurde nichts.",
    en="The journal folder {path} cannot be written ({reason}); nothing was submitted.",
)
_CHOOSE_OTHER = Text(
    de="Einen Ordner wählen, den alle Knoten sehen: export GREENAI_SPOOL=/gemeinsamer/ordner",
    en="Choose a folder that all nodes see: export GREENAI_SPOOL=/shared/folder",
)
_NAME_OF_WRAP = "wrap"  # what sbatch calls a job made by --wrap, and one from its standard input
_NAME_OF_STDIN = "sbatch"
# Secrets do not belong into a script that Slurm shows to its administrators; collectors write to no database.
_NEVER_SAID = frozenset({"db", "redfish_user", "redfish_password", "language"})


class Submission(NamedTuple):
    """What became of it.

    Attributes:
        exit_code: That of sbatch.
        wrapped: Whether it got the wrapped script.
        refused: Whether there was one that sbatch does not take.
    """

    exit_code: int
    wrapped: bool = False
    refused: bool = False


def options_for_job(settings: Settings, name: str | None) -> list[str]:
    """Return what a job must be told, since its environment may be another: what was said here and now.

    Raises:
        ConfigError: The spool cannot be written.
    """
    try:
        make_folder(settings.spool)
        if not os.access(settings.spool, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        message = _NOT_WRITABLE.format(path=settings.spool, reason=error.strerror)
        raise ConfigError(message, _CHOOSE_OTHER) from error
    said = {key: value for key, value in said_here(settings).items() if key not in _NEVER_SAID}
    return write_options(name, {**said, "spool": settings.spool})


def submit(arguments: Sequence[str], options: Sequence[str]) -> Submission:
    """Run ``sbatch``. What it prints, and its exit code, are its own.

    Args:
        arguments: As ``sbatch`` takes them.
        options: See ``options_for_job``.

    Raises:
        ConfigError: There is no ``sbatch``.
    """
    if shutil.which("sbatch") is None:
        raise ConfigError(_NO_SLURM, _WITHOUT)
    call = SbatchCall.parse(arguments)
    given: bytes | None = None
    if call.command is not None and call.script is not None:
        return Submission(_sbatch(arguments))  # sbatch says that this cannot be
    if call.command is not None:
        text, name = f"#!/bin/sh\n# This script was created by sbatch --wrap.\n\n{call.command}\n", _NAME_OF_WRAP
    elif call.script is None:
        if sys.stdin.isatty():
            return Submission(_sbatch(arguments))
        given = sys.stdin.buffer.read()
        text, name = given.decode(errors="surrogateescape"), _NAME_OF_STDIN
    else:
        path = _find(call.script)
        if path is None:
            return Submission(_sbatch(arguments))
        text, name = path.read_bytes().decode(errors="surrogateescape"), path.name
    script = BatchScript.parse(text)
    if script is None:
        return Submission(_sbatch(arguments, given), refused=bool(text))
    if script.is_wrapped:
        return Submission(_sbatch(arguments, given), wrapped=True)
    with tempfile.TemporaryDirectory(prefix="greenai-") as folder:
        file = Path(folder, name)  # sbatch names the job after the file
        file.write_bytes(wrapped(script, sys.executable, options).encode(errors="surrogateescape"))
        code = _sbatch([*call.options, str(file), *call.arguments])
    return Submission(code, wrapped=True)


def _find(script: str) -> Path | None:
    """Return the file that sbatch would take: here, else along PATH (man sbatch)."""
    places = [Path(script)]
    if "/" not in script:
        places += [Path(folder or ".", script) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    readable = (path for path in places if os.access(path, os.R_OK) and not path.is_dir())
    return next(readable, None)


def _sbatch(arguments: Sequence[str], given: bytes | None = None) -> int:
    return subprocess.run(["sbatch", *arguments], input=given, check=False).returncode

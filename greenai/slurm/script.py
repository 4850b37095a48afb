"""A batch script inside a wrapper that starts the collectors first. Pure text.

``sbatch`` reads the options in the comments before the first command, so these lines are kept as they are. The
script itself is the end of the wrapper, word for word, and is run by its own interpreter with its own arguments.
Where greenai cannot be loaded on a node, the wrapper runs the script without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHITE = " \t\v\f\r"
_MARK = "# Wrapped by greenai to measure"
_BODY = """\
# Wrapped by greenai to measure what this job takes. From line {begin} on: the job's own script, word for word.
greenai_why="no folder for temporary files"
for greenai_folder in "${{TMPDIR:-/tmp}}" /tmp /dev/shm "$HOME" .; do
    greenai_folder=$(mktemp -d "$greenai_folder/greenai-XXXXXXXX" 2>/dev/null) || continue
    greenai_script=$greenai_folder/slurm_script
    if tail -n +{begin} "$0" >"$greenai_script" && chmod 700 "$greenai_script"; then
        # No installation on this node, or a broken one, is found out before the job depends on it.
        if greenai_why=$(timeout 20 {python} -P -c '' 2>&1); then
            exec {python} -P -c '
import os, signal, sys
try:
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(20)
    from greenai.slurm.batch import main
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
except BaseException as error:
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.write(2, f"greenai: this job is not measured: {{error!r}}\\n".encode())
    command = sys.argv[sys.argv.index("--") + 2 :]
    os.execvp(command[0], command)
main()' {options}-- "$greenai_folder" {interpreter} "$greenai_script" "$@"
        fi
        echo "greenai: this job is not measured: $greenai_why" >&2
        exec {interpreter} "$greenai_script" "$@"
    fi
    rm -rf "$greenai_folder"
done
echo "greenai: this job is not measured: $greenai_why" >&2
tail -n +{begin} "$0" | {interpreter} /dev/stdin "$@"
exit
"""


@dataclass(frozen=True, slots=True)
class BatchScript:
    """A batch script as its user wrote it.

    Attributes:
        text: All of it. Bytes that are no Unicode are surrogates (``errors="surrogateescape"``).
        interpreter: Program and at most one argument, as the kernel takes them from the first line (execve(2)).
        head: The comments between the first line and the first command, each with its line break.
    """

    text: str
    interpreter: tuple[str, ...]
    head: str

    @property
    def is_wrapped(self) -> bool:
        """Whether it has been wrapped already."""
        return any(line.startswith(_MARK) for line in self.head.split("\n"))

    @classmethod
    def parse(cls, text: str) -> BatchScript | None:
        """Read a script; None for what ``sbatch`` will refuse: no ``#!`` line, line breaks of DOS, NUL."""
        first, _, rest = text.partition("\n")
        words = first.removeprefix("#!").split(maxsplit=1)
        if not first.startswith("#!") or not words or "\0" in text or "\r\n" in text:
            return None
        head = []
        for line in rest.split("\n"):
            # As sbatch reads it: white space and comments up to the first command.
            if not line.strip(_WHITE).startswith("#") and line.strip(_WHITE):
                break
            if line.startswith("#"):
                head.append(f"{line}\n")
        return cls(text, tuple(word.strip() for word in words), "".join(head))


def wrapped(script: BatchScript, python: str, options: Sequence[str] = ()) -> str:
    """Return the script that ``sbatch`` gets.

    Args:
        script: The user's.
        python: The interpreter that greenai is installed for.
        options: What the user said about the run, as ``greenai.slurm.batch`` takes it.
    """
    above = f"#!/bin/sh\n{script.head}"
    body = _BODY.format(
        begin=above.count("\n") + _BODY.count("\n") + 1,
        python=quote(python),
        options="".join(f"{quote(option)} " for option in options),
        interpreter=" ".join(quote(word) for word in script.interpreter),
    )
    return f"{above}{body}{script.text}"

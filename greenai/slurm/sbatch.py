"""Which word of a call of ``sbatch`` is the script. Pure; from man sbatch, versions 22.05 to 25.11."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Options without a value, or with one only behind "=". All others take the next word.
_FLAGS = frozenset(
    {
        "consolidate-segments", "contiguous", "exclusive", "get-user-env", "help", "hold", "ignore-pbs", "nice",
        "no-kill", "no-requeue", "oom-kill-step", "overcommit", "oversubscribe", "parsable", "propagate", "quiet",
        "reboot", "requeue", "share", "spread-job", "spread-segments", "stepmgr", "test-only", "usage",
        "use-min-nodes", "verbose", "version", "wait",
    }
)  # fmt: skip
_SHORT_FLAGS = frozenset("hHkOQsvVW")
_WRAP = "wrap"
_NEXT_COMPONENT = ":"  # of a heterogeneous job


@dataclass(frozen=True, slots=True)
class SbatchCall:
    """The arguments of ``sbatch``, taken apart.

    Attributes:
        options: All words before the script, without ``--wrap``.
        script: The script's file; None if there is none, and it is read from standard input.
        arguments: The script's own arguments.
        command: What ``--wrap`` makes a script of; None without it.
    """

    options: tuple[str, ...]
    script: str | None
    arguments: tuple[str, ...]
    command: str | None

    @classmethod
    def parse(cls, words: Sequence[str]) -> SbatchCall:
        """Take a call apart; it need not be one that ``sbatch`` accepts."""
        options: list[str] = []
        command: str | None = None
        rest = list(words)
        while rest and rest[0] != "--" and (_is_option(rest[0]) or rest[0] == _NEXT_COMPONENT):
            word = rest.pop(0)
            value = [rest.pop(0)] if _takes_next(word) and rest else []
            name, _, content = word.removeprefix("--").partition("=")
            if word.startswith("--") and name and _WRAP.startswith(name) and name != "w":
                command = value[0] if value else content
            else:
                options += [word, *value]
        if rest and rest[0] == "--":
            rest.pop(0)
        return cls(tuple(options), rest[0] if rest else None, tuple(rest[1:]), command)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _takes_next(word: str) -> bool:
    if word == _NEXT_COMPONENT:
        return False
    if word.startswith("--"):
        name = word[2:]
        return "=" not in name and not any(flag.startswith(name) for flag in _FLAGS)
    letters = word[1:]
    for position, letter in enumerate(letters):
        if letter not in _SHORT_FLAGS:
            return position == len(letters) - 1
    return False

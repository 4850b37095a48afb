"""What a fault is, and what came of one try."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from benchmarks.faults.place import Place

# Beyond one sampling interval: what the machine needs to notice a death and read once more.
GRACE_S = 0.1
_LONGEST = 240


@dataclass
class Outcome:
    """One try.

    Attributes:
        missing_s: How much of the program's life is not in the account, in seconds of its constant power; None if
            the fault is not about that.
        state: The run's state on record.
        exit_code: True if the program ended exactly as without greenai; None if the fault is not about that.
        database: When the run was there: "at once" by itself, "next" at the next reading.
        complaints: What was not as asked.
        remarks: What was done instead where this computer lacks something.
    """

    missing_s: float | None = None
    state: str = ""
    exit_code: bool | None = None
    database: str = ""
    complaints: list[str] = field(default_factory=list)
    remarks: set[str] = field(default_factory=set)

    def ask(self, fulfilled: object, what: str) -> None:
        """Complain unless ``fulfilled``; of what a program wrote, the end says most."""
        if not fulfilled:
            line = " ".join(what.split())
            self.complaints.append(line if len(line) <= _LONGEST else f"{line[:60]} ... {line[60 - _LONGEST :]}")


@dataclass(frozen=True)
class Fault:
    """A fault and how it is done.

    Attributes:
        name: As the table names it.
        asked: What must hold, beside the loss rule.
        play: Does it once and checks.
        times: How often the command tries it.
    """

    name: str
    asked: str
    play: Callable[[Place, Random], Outcome]
    times: int = 3

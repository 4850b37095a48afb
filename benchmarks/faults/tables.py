"""The table, for the terminal and for the documentation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.faults.plugin.constant_power import POWER_W
from benchmarks.table import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.faults.fault import Fault, Outcome

HEADINGS = ("fault", "tries", "missing, worst", "state", "exit code", "database", "asked", "verdict")


def show_all(faults: Sequence[Fault], outcomes: Mapping[str, Sequence[Outcome]]) -> None:
    """Print the table, and what was not as asked."""
    show("Faults", HEADINGS, [_row(fault, outcomes[fault.name]) for fault in faults])
    for fault in faults:
        found = outcomes[fault.name]
        for complaint, count in Counter(c for outcome in found for c in outcome.complaints[:1]).most_common(5):
            print(f"  {fault.name}: {complaint} ({count} of {len(found)})")
        for remark in sorted({remark for outcome in found for remark in outcome.remarks}):
            print(f"  {fault.name}: {remark}")


def markdown(faults: Sequence[Fault], outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Return the page of the documentation."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(_row(fault, outcomes[fault.name]) for fault in faults)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    remarks = sorted({f"* {f.name}: {r}." for f in faults for o in outcomes[f.name] for r in o.remarks})
    return f"{_ABOUT}\n{table}\n" + (f"\nDone differently here:\n\n{chr(10).join(remarks)}\n" if remarks else "")


_ABOUT = f"""# Faults

Written by `python -m benchmarks faults --write docs/faults.md`: real processes, real kills, real file systems, at
random moments, with a sampling interval of 0.5 s. A sensor of constant {POWER_W} W gives the truth. Asked of every
fault: at most one sampling interval and 0.1 s of the program's energy missing, its exit code untouched, the run in
the database.

*missing*: the worst of all tries, in seconds of the program's life and in joules. *database*: `at once`, by
itself, or with the `next` reading, e.g. `greenai runs`.
"""


def _row(fault: Fault, found: Sequence[Outcome]) -> tuple[str, ...]:
    missing_s = max((outcome.missing_s for outcome in found if outcome.missing_s is not None), default=None)
    kept = {outcome.exit_code for outcome in found if outcome.exit_code is not None}
    bad = sum(bool(outcome.complaints) for outcome in found)
    return (
        fault.name,
        str(len(found)),
        "-" if missing_s is None else f"{max(missing_s, 0.0):.2f} s, {max(missing_s, 0.0) * POWER_W:.0f} J",
        _each(outcome.state for outcome in found),
        "-" if not kept else "kept" if kept == {True} else "CHANGED",
        _each(outcome.database for outcome in found),
        fault.asked,
        f"{bad} FAIL" if bad else "pass",
    )


def _each(words: Iterable[str]) -> str:
    counts = Counter(word for word in words if word)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {word}" for word, count in counts.most_common()) or "-"

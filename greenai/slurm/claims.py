"""Whose a job is, and so which runs are its: where many write, a journal may name any job.

A run is his who owns its folder, see ``greenai.ingest.owner``. It counts for a job if the job is his as well. What
root wrote, or whoever asks, is believed.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.file_owner import FileOwner
from greenai.core.text import Text
from greenai.ingest.owner import NOT_COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from greenai.core.batch_job import BatchJob
    from greenai.core.record import RunRecord

_CLOCKS_DIFFER_MS = 600_000  # as munge, and so Slurm, lets them at most
UNKNOWN_USER = "job_user_unknown"

_NOT_THE_JOBS = Text(
    de="{run} nennt Job {job}, gehört aber {owner}; der Job gehört {user}. Nicht gezählt.",
    en="{run} names job {job}, but is {owner}'s; the job is {user}'s. It is not counted.",
)
_NAMELESS = Text(
    de="{run} nennt Job {job} und gehört {owner}: dessen Namen kennt diese Maschine nicht, der Job gehört {user}. "
    "Gezählt.",
    en="{run} names job {job} and is {owner}'s: this machine does not know that user's name, the job is {user}'s. "
    "It is counted.",
)
_LOOK = Text(
    de="Ansehen: ls -ln {run}; wem der Job gehört, sagt: sacct -X -o JobID,User -j {job}",
    en="Look at it: ls -ln {run}; to see whose the job is: sacct -X -o JobID,User -j {job}",
)
_SEVERAL = Text(
    de="Läufe von {owners} nennen Job {job}, und hier weiß niemand, wem er gehört: weder sacct noch scontrol "
    "antworten darauf. Alle sind gezählt.",
    en="Runs of {owners} name job {job}, and nobody here knows whose it is: neither sacct nor scontrol says so. "
    "All of them are counted.",
)


class JobUser:
    """Whose a job number is, at which time: numbers come again, also as another user's."""

    def __init__(self, job: str, attempts: Iterable[BatchJob], ask: Callable[[], str | None]) -> None:
        """Prepare.

        Args:
            job: The number, as it was asked for.
            attempts: What is known of jobs of this number from the accounting.
            ask: Asks Slurm itself; called once, if the accounting knows nothing.
        """
        self._job = job
        self._attempts = [attempt for attempt in attempts if attempt.user]
        self._ask = ask

    @cached_property
    def _asked(self) -> str | None:
        return self._ask()

    def names(self, cluster: str | None = None, moment_ms: int | None = None) -> frozenset[str]:
        """Return the users whose the job may be, empty if nobody knows.

        Args:
            cluster: Its cluster, if that is known.
            moment_ms: A moment at which it ran, if one is known, epoch milliseconds.
        """
        there = [attempt for attempt in self._attempts if cluster in (None, attempt.cluster)]
        then = [attempt for attempt in there if moment_ms is not None and _ran_at(attempt, moment_ms)]
        # One that names a cluster, or a time, of which nothing is known, gets no further by it.
        nearest: Sequence[BatchJob] = then or there or self._attempts
        names = frozenset(attempt.user for attempt in nearest if attempt.user)
        return names or (frozenset({self._asked}) if self._asked else frozenset())

    def refusal(self, run: str, owner: FileOwner, names: frozenset[str]) -> Incident | None:
        """Return why a run is none of this job; None if it is one, or nobody can tell.

        Args:
            run: Its id, or its folder.
            owner: Whose it is by the file system.
            names: Whose the job may be, see ``names``.
        """
        if not _is_strange(owner, names):
            return None
        message = _NOT_THE_JOBS.format(run=run, job=self._job, owner=owner.label, user=", ".join(sorted(names)))
        return Incident(NOT_COUNTED, message, _LOOK.format(run=run, job=self._job))

    def sift(self, records: Iterable[RunRecord], asker: str | None) -> tuple[list[RunRecord], list[Incident]]:
        """Return the runs that are of this job, and what is to be said of the others.

        Args:
            records: Runs that name it.
            asker: Who asks: where nobody knows whose the job is and a run of it is his, it is his. None for root.
        """
        kept: list[RunRecord] = []
        refused: list[Incident] = []
        owners: set[str] = set()
        records = list(records)
        has_own = asker is not None and any(FileOwner.of(record.slurm) is None for record in records)
        for record in records:
            owner = FileOwner.of(record.slurm)
            names: frozenset[str] = frozenset()
            if owner is not None:
                names = self.names((record.slurm or {}).get("cluster"), record.started_ms)
                if not names and has_own and asker is not None:
                    names = frozenset({asker})
            why = self.refusal(record.id, owner, names) if owner is not None else None
            if why is not None:
                refused.append(why)
                continue
            kept.append(record)
            if owner is not None and not names:
                owners.add(owner.label)
            elif owner is not None and not any(owner.is_user(name) for name in names):
                refused.append(self._untold(record.id, owner, names))
        if len(owners) > 1:
            several = _SEVERAL.format(owners=", ".join(sorted(owners)), job=self._job)
            refused.append(Incident(UNKNOWN_USER, several))
        return kept, refused

    def _untold(self, run: str, owner: FileOwner, names: frozenset[str]) -> Incident:
        user = ", ".join(sorted(names))
        message = _NAMELESS.format(run=run, job=self._job, owner=owner.label, user=user)
        return Incident(UNKNOWN_USER, message, _LOOK.format(run=run, job=self._job))


def _is_strange(owner: FileOwner, names: frozenset[str]) -> bool:
    """Say whether a user is certainly none of these."""
    answers = [owner.is_user(name) for name in names]
    return bool(answers) and all(answer is False for answer in answers)


def _ran_at(attempt: BatchJob, moment_ms: int) -> bool:
    begin_ms = moment_ms if attempt.start_ms is None else attempt.start_ms
    end_ms = moment_ms if attempt.end_ms is None else attempt.end_ms
    return begin_ms - _CLOCKS_DIFFER_MS <= moment_ms <= end_ms + _CLOCKS_DIFFER_MS

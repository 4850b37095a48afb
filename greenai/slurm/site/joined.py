"""A job that ``greenai slurm submit`` has wrapped, on a site whose Prolog measures every job: counted once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.vocabulary import Role, Scope
from greenai.host import this_host
from greenai.journal.writer import JournalWriter
from greenai.tracking.meta import run_meta
from greenai.tracking.session.announcement import announced

if TYPE_CHECKING:
    from greenai.settings import Settings
    from greenai.slurm.site.notes import JobNote


class JoinedRun:
    """The site's run, in place of collectors of our own.

    Attributes:
        environ: What the script's environment needs, so that programs in it find the run.
    """

    def __init__(self, site: JobNote, settings: Settings, name: str | None) -> None:
        """Join, and add to the run what its user said of it.

        Args:
            site: The site's collector on this node.
            settings: The settings in force.
            name: The name that the user gave the run.
        """
        folder = Path(site.spool, site.run_id)
        self.environ = announced(folder)
        host = this_host()
        name_given = name is not None
        meta = run_meta(host, settings, name or "", Scope.AUTO, name_given=name_given, service=False, group=None)
        with suppress(OSError):  # then it lacks a label
            JournalWriter(folder, host, Role.MEMBER, (), settings.interval_s, meta).close()

    def end(self, code: int) -> None:
        """Do nothing: the Epilog says how the job ended."""

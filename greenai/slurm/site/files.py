"""The files that make up a site's installation, filled in for this one."""

from __future__ import annotations

import shlex
import sys
from importlib.resources import files
from typing import NamedTuple

from greenai.core.text import Text

_EXECUTABLE = 0o755
_READABLE = 0o644


class SiteFile(NamedTuple):
    """One file.

    Attributes:
        name: Its name among them.
        place: Where it belongs, as a rule.
        about: What it is for.
        mode: Its permissions.
    """

    name: str
    place: str
    about: Text
    mode: int = _READABLE

    def text(self) -> str:
        """Return its content, with the program of this installation."""
        if self.name == "greenai-agent.service":
            template = (files("greenai.agent") / self.name).read_text(encoding="utf-8")
            agent = shlex.join([sys.executable, "-P", "-m", "greenai", "agent", "--everyone"])
            return template.replace("{command}", agent)
        template = (files("greenai.slurm.site") / "templates" / self.name).read_text(encoding="utf-8")
        return template.replace("{python}", shlex.quote(sys.executable))


SITE_FILES = (
    SiteFile(
        "slurm.conf",
        "/etc/slurm/slurm.conf",
        Text(de="Diese Zeilen gehören zusätzlich in slurm.conf.", en="Lines to be added to slurm.conf."),
    ),
    SiteFile(
        "prolog",
        "/etc/slurm/greenai/prolog",
        Text(
            de="Beginnt auf jedem Knoten eines Jobs zu messen; scheitert nie, dauert höchstens 1 s.",
            en="Begins to measure on each node of a job; never fails, takes 1 s at most.",
        ),
        _EXECUTABLE,
    ),
    SiteFile(
        "epilog",
        "/etc/slurm/greenai/epilog",
        Text(de="Beendet die Messung des Jobs.", en="Ends the measurement of the job."),
        _EXECUTABLE,
    ),
    SiteFile(
        "task_prolog",
        "/etc/slurm/greenai/task_prolog",
        Text(
            de="Nennt Programmen im Job ihren Lauf, damit nichts doppelt zählt.",
            en="Tells programs in the job of its run, so that nothing counts twice.",
        ),
        _EXECUTABLE,
    ),
    SiteFile(
        "config.toml",
        "/etc/greenai/config.toml",
        Text(
            de="Einstellungen des Standorts: Journalordner, Stromnetz, PUE.",
            en="The site's settings: spool, grid, PUE.",
        ),
    ),
    SiteFile(
        "tmpfiles.conf",
        "/etc/tmpfiles.d/greenai.conf",
        Text(
            de="Legt /run/greenai und den Journalordner mit ihren Rechten an.",
            en="Makes /run/greenai and the spool with their permissions.",
        ),
    ),
    SiteFile(
        "greenai-agent.service",
        "/etc/systemd/system/greenai-agent.service",
        Text(
            de="Auf Rechenknoten: gibt Zähler weiter, die nur root lesen darf.",
            en="On compute nodes: hands on counters that only root may read.",
        ),
    ),
    SiteFile(
        "greenai-ingest.service",
        "/etc/systemd/system/greenai-ingest.service",
        Text(
            de="Auf einem Verwaltungsknoten: Journale und sacct in eine Datenbank; schreibt greenai.prom.",
            en="On one management node: journals and sacct into a database; writes greenai.prom.",
        ),
    ),
    SiteFile(
        "greenai-ingest.timer",
        "/etc/systemd/system/greenai-ingest.timer",
        Text(de="Ruft das alle zehn Minuten auf.", en="Calls that every ten minutes."),
    ),
)
BY_NAME = {file.name: file for file in SITE_FILES}

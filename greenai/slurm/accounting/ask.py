"""Asks Slurm for its accounting, and for what is needed to read it: one call of sacct, scontrol and sinfo each."""

from __future__ import annotations

import re
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.text import Text
from greenai.host.commands import NOT_FOUND, TIMEOUT
from greenai.slurm.accounting.sensors import energy_sensor
from greenai.slurm.accounting.site_facts import SiteFacts
from greenai.slurm.accounting.table import columns
from greenai.slurm.ask import run_slurm

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from greenai.host import Host

PATIENCE_S = 900.0
"""How long the accounting may take: a day of a large cluster may be minutes of work for a busy database."""

EVERYBODY = "all"
_DISABLED = "accounting storage is disabled"
_JOBS = re.compile(r"[0-9]+[0-9_+,\[\]-]*")
_USER = re.compile(r"[^-,\s][^,\s]*")

_NO_SACCT = Text(
    de="Hier gibt es kein sacct: Slurms Programme sind nicht installiert oder nicht im PATH.",
    en="There is no sacct here: Slurm's programs are not installed or not in the PATH.",
)
_NO_SACCT_REMEDY = Text(
    de="Auf einem Login-Knoten des Clusters aufrufen, oder dort aufzeichnen und hier lesen: "
    "{command} > jobs.txt; greenai slurm import --file jobs.txt",
    en="Call it on a login node of the cluster, or record there and read here: "
    "{command} > jobs.txt; greenai slurm import --file jobs.txt",
)
_IS_DISABLED = Text(
    de="Dieses Slurm führt keine Bücher (Slurm accounting storage is disabled); von vergangenen Jobs weiß es "
    "nichts.",
    en="This Slurm keeps no accounts (Slurm accounting storage is disabled); it knows nothing of past jobs.",
)
_DISABLED_REMEDY = Text(
    de="Der Administrator schaltet sie ein: slurmdbd einrichten und in slurm.conf "
    "AccountingStorageType=accounting_storage/slurmdbd setzen. Künftige Jobs misst: "
    "greenai slurm submit -- job.sh",
    en="The administrator turns it on: set up slurmdbd, and AccountingStorageType=accounting_storage/slurmdbd in "
    "slurm.conf. Jobs to come are tracked by: greenai slurm submit -- job.sh",
)
_SLOW = Text(
    de="sacct hat binnen {minutes} Minuten nicht geantwortet.", en="sacct did not answer within {minutes} minutes."
)
_SLOW_REMEDY = Text(
    de="Einen Zeitraum von Stunden nehmen: greenai slurm import --since 2026-11-21T08:00 --until 2026-11-21T10:00",
    en="Take a period of hours: greenai slurm import --since 2026-11-21T08:00 --until 2026-11-21T10:00",
)
_FAILED = Text(de="sacct schlug fehl: {reason}", en="sacct failed: {reason}")
_WRONG_JOBS = Text(
    de="--jobs {value}: erwartet werden Jobnummern, mit Komma getrennt, z. B. 4711,4712_3.",
    en="--jobs {value}: expected are job ids separated by commas, e.g. 4711,4712_3.",
)
_WRONG_USER = Text(
    de="--user {value}: erwartet wird ein Benutzername, oder all für alle.",
    en="--user {value}: expected is a user name, or all for everybody.",
)
_NO_FILE = Text(
    de="{path} ist keine gewöhnliche Datei; die Ausgabe von sacct in eine schreiben und diese angeben.",
    en="{path} is no regular file; write the output of sacct into one, and give that.",
)
_UNREADABLE = Text(de="{path} ist nicht lesbar ({reason}).", en="{path} cannot be read ({reason}).")


@dataclass(frozen=True, slots=True)
class Period:
    """Which jobs.

    Attributes:
        since: Begin, in the cluster's time; None with ``jobs``.
        until: End, the same; None for now.
        user: Whose; None leaves it to sacct (one's own, root: everybody's), ``all`` for everybody.
        jobs: Job ids separated by commas; None for all.
    """

    since: datetime | None = None
    until: datetime | None = None
    user: str | None = None
    jobs: str | None = None

    def options(self) -> list[str]:
        """Return sacct's options.

        Raises:
            ConfigError: Something is no job id, or no user.
        """
        if self.jobs is not None and not _JOBS.fullmatch(self.jobs):
            raise ConfigError(_WRONG_JOBS.format(value=self.jobs[:60]))
        if self.user is not None and not _USER.fullmatch(self.user):
            raise ConfigError(_WRONG_USER.format(value=self.user[:60]))
        options = [f"--starttime={self.since.isoformat()}"] if self.since else []
        options += [f"--endtime={self.until.isoformat()}"] if self.until else []
        options += [f"--jobs={self.jobs}"] if self.jobs else []
        if self.user == EVERYBODY:
            return [*options, "--allusers"]
        return [*options, f"--user={self.user}"] if self.user else options


def sacct_command(period: Period, available: str = "", delimiter: str = "|") -> list[str]:
    """Return the call of sacct whose output can be read.

    Every attempt of a requeued job (``-D``), the columns' names first, sizes as they are.

    Args:
        period: Which jobs.
        available: What ``sacct --helpformat`` said.
        delimiter: Between the columns.

    Raises:
        ConfigError: Something in ``period`` is no job id, or no user.
    """
    names = ",".join(columns(available.split()))
    return ["sacct", "-D", "-P", f"--delimiter={delimiter}", f"--format={names}", *period.options()]


def recording_command(period: Period) -> str:
    """Return what to type where sacct is, so that its output can be read anywhere: times of no zone."""
    words = " ".join(sacct_command(period)).replace("--delimiter=|", "--delimiter='|'")
    return f"SLURM_TIME_FORMAT=%s {words}"


def ask_accounts(host: Host, period: Period) -> list[str]:
    """Return what sacct says, line by line.

    Its columns are separated by a word made up for this call: a job's name may hold anything, and might otherwise
    look like the row of another job.

    Raises:
        ConfigError: There is no sacct here, or something in ``period`` is no job id, or no user.
        GreenAIError: The accounting is turned off, or sacct fails.
    """
    period.options()
    help_format = run_slurm(host, ["sacct", "--helpformat"], PATIENCE_S)
    if help_format.reason == NOT_FOUND:
        raise ConfigError(_NO_SACCT, _NO_SACCT_REMEDY.format(command=recording_command(period)))
    command_words = sacct_command(period, help_format.output, f"|{secrets.token_hex(4)}|")
    answer = run_slurm(host, command_words, PATIENCE_S)
    if answer.reason is not None:
        raise _error(answer.reason)
    return answer.output.split("\n")


def read_recorded(path: Path) -> list[str]:
    """Return a recorded output of sacct, line by line; signs that are no UTF-8 are replaced.

    Raises:
        ConfigError: It cannot be read, or is no file: a folder, a pipe.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(_NO_FILE.format(path=path))
        return path.read_bytes().decode(errors="replace").split("\n")
    except OSError as error:
        raise ConfigError(_UNREADABLE.format(path=path, reason=error.strerror)) from error


def ask_site(host: Host, cpu_tdp_w: float | None) -> SiteFacts:
    """Return what the site meters and how large its nodes are; what cannot be asked is unknown.

    Args:
        host: The machine.
        cpu_tdp_w: Setting: design power of all CPUs of a node, watts.
    """
    config = run_slurm(host, ["scontrol", "show", "config"])
    nodes = run_slurm(host, ["sinfo", "-a", "-N", "-h", "-o", "%N|%c"])
    pairs = [line.strip().partition("|") for line in nodes.output.splitlines()]
    cpus = {name: int(number) for name, _, number in pairs if name and number.isdecimal()}
    return SiteFacts(energy_sensor(config.output), cpus, cpu_tdp_w)


def _error(reason: str) -> GreenAIError:
    if _DISABLED in reason:
        return GreenAIError(_IS_DISABLED, _DISABLED_REMEDY)
    if reason == TIMEOUT:
        return GreenAIError(_SLOW.format(minutes=f"{PATIENCE_S / 60:.0f}"), _SLOW_REMEDY)
    return GreenAIError(_FAILED.format(reason=reason))

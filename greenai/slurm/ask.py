"""Asks Slurm about a job, by its own program ``scontrol``: one question per job, never one per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError, GreenAIError, NotFoundError
from greenai.core.text import Text
from greenai.host.commands import NOT_FOUND, TIMEOUT
from greenai.slurm.job_facts import JobFacts, whole_job
from greenai.slurm.job_json import parse_json
from greenai.slurm.job_text import parse_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.host import Host
    from greenai.host.commands import CommandResult

PATIENCE_S = 20.0
"""How long a busy controller may take to answer; Slurm's own MessageTimeout is 10 s."""

# Prolog and Epilog have hardly any PATH (man slurm.conf); these are where Slurm is installed to.
_FOLDERS = "/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin"
_NO_SUCH_JOB = "Invalid job id specified"

_NO_SLURM = Text(
    de="Hier gibt es kein Slurm: scontrol wurde nicht gefunden.",
    en="There is no Slurm here: scontrol was not found.",
)
_NO_SLURM_REMEDY = Text(
    de="Auf einem Login- oder Rechenknoten des Clusters aufrufen, oder Slurm in den PATH aufnehmen "
    "(module load slurm).",
    en="Call it on a login or compute node of the cluster, or put Slurm into the PATH (module load slurm).",
)
_SLOW = Text(
    de="Slurm hat binnen {seconds} s nicht auf {command} geantwortet.",
    en="Slurm did not answer {command} within {seconds} s.",
)
_SLOW_REMEDY = Text(
    de="Ob der Controller läuft, sagt: scontrol ping", en="To see whether the controller runs: scontrol ping"
)
_FAILED = Text(de="{command} schlug fehl: {reason}", en="{command} failed: {reason}")
# Where PrivateData=jobs is set, Slurm says the same of other users' jobs.
_UNKNOWN = Text(
    de="Slurm kennt keinen Job {job}, oder zeigt ihn nicht, weil er jemand anderem gehört.",
    en="Slurm knows no job {job}, or does not show it because it is somebody else's.",
)
_UNKNOWN_REMEDY = Text(
    de="Die eigenen zeigt „squeue --me“; Jobs, die schon länger zu Ende sind, kennt nur noch „sacct -j {job}“.",
    en='To see your own: "squeue --me"; jobs that ended some time ago are known to "sacct -j {job}" only.',
)
_UNREADABLE = Text(
    de="Was Slurm über Job {job} sagt, ist nicht zu verstehen: {reason}",
    en="What Slurm says of job {job} cannot be understood: {reason}",
)


def ask_job(host: Host, job_id: int, patience_s: float = PATIENCE_S) -> tuple[JobFacts, ...]:
    """Return what Slurm says of a job: the job, then the other components if it is heterogeneous.

    Args:
        host: The machine; its environment says where Slurm's configuration and programs are.
        job_id: The job's number (``SLURM_JOB_ID``).
        patience_s: How long to wait for an answer, seconds.

    Raises:
        ConfigError: There is no Slurm here.
        NotFoundError: Slurm knows no such job, or tells us nothing of it.
        GreenAIError: Slurm does not answer, fails, or says what cannot be understood.
    """
    show = ["-d", "show", "job", str(job_id)]
    answer, parse = run_slurm(host, ["scontrol", "--json", *show], patience_s), parse_json
    if answer.reason not in (None, NOT_FOUND, TIMEOUT):  # older than 23.02; or this Slurm was built without JSON
        answer, parse = run_slurm(host, ["scontrol", *show], patience_s), parse_text
    if answer.reason is not None:
        raise _error(answer.reason, job_id, patience_s)
    try:
        return whole_job(parse(answer.output), job_id)
    except LookupError:
        raise _error(_NO_SUCH_JOB, job_id, patience_s) from None
    except ValueError as error:
        raise GreenAIError(_UNREADABLE.format(job=job_id, reason=error)) from error


def run_slurm(host: Host, command: Sequence[str], patience_s: float = PATIENCE_S) -> CommandResult:
    """Run one of Slurm's programs to its end, with this machine's PATH and Slurm settings.

    Args:
        host: The machine.
        command: Program and arguments.
        patience_s: How long to wait for its end, seconds.
    """
    return host.run_command(command, patience_s, slurm_environ(host.environ))


def slurm_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for Slurm's programs: times in seconds since the epoch, messages in English."""
    path = ":".join(filter(None, (environ.get("PATH"), _FOLDERS)))
    return {**environ, "PATH": path, "LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}


def _error(reason: str, job_id: int, patience_s: float) -> GreenAIError:
    command = f"scontrol show job {job_id}"
    if reason == NOT_FOUND:
        return ConfigError(_NO_SLURM, _NO_SLURM_REMEDY)
    if reason == TIMEOUT:
        return GreenAIError(_SLOW.format(seconds=f"{patience_s:g}", command=command), _SLOW_REMEDY)
    if _NO_SUCH_JOB in reason:
        return NotFoundError(_UNKNOWN.format(job=job_id), _UNKNOWN_REMEDY.format(job=job_id))
    return GreenAIError(_FAILED.format(command=command, reason=reason))

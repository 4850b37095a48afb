"""The collector of one node: ``python -P -m greenai.slurm.collector``, a task of a step beside the job's own.

It reads the node's sensors into a journal of its own from the moment it is ready until the script has ended and
no step of the job is left on the node. Slurm's signals do not end it: at a time limit, a cancellation or a requeue
the job goes on for ``KillWait`` seconds, and so does it. SIGKILL costs what it took since the last reading.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenai.core.collector import Incident
from greenai.core.errors import GreenAIError
from greenai.core.text import Text
from greenai.core.vocabulary import Role, RunState, Scope
from greenai.host import this_host
from greenai.host.files import make_folder
from greenai.journal import format as f
from greenai.journal.spool import hold_run
from greenai.journal.writer import JournalWriter
from greenai.sampler import SlowSampler, UsageReader, open_sensors, resolve_scope, sample
from greenai.settings import load_settings
from greenai.settings.load import language_of
from greenai.slurm.job_host import changed
from greenai.slurm.order import FAILED, READY, Order
from greenai.slurm.watch import JobWatch
from greenai.tracking.meta import run_meta

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.host import Host
    from greenai.sampler import Sensors

# While the job ends it may be killed at any moment: then this is the most that is lost.
ENDING_INTERVAL_S = 0.2

_NO_JOURNAL = Text(
    de="in {path} lässt sich kein Journal schreiben ({reason}). Einen Ordner wählen, den alle Knoten sehen: "
    "export GREENAI_SPOOL=/gemeinsamer/ordner",
    en="no journal can be written in {path} ({reason}). Choose a folder that all nodes see: "
    "export GREENAI_SPOOL=/shared/folder",
)
_SHARE_UNKNOWN = Incident(
    "share_unknown",
    Text(
        de="Slurm führt hier keine Cgroups mit CPU-Zeit; gezählt ist die ganze Maschine, auch was andere Jobs "
        "darauf brauchten.",
        en="Slurm keeps no control groups with CPU time here; the whole machine is counted, with what other jobs "
        "on it took.",
    ),
    Text(
        de="Für die Administratoren: JobAcctGatherType=jobacct_gather/cgroup in slurm.conf",
        en="For the administrators: JobAcctGatherType=jobacct_gather/cgroup in slurm.conf",
    ),
)


def main(prepare: Callable[[Order], Order] | None = None) -> None:
    """Collect until the job has ended here. Always ends with 0: a failure of ours is no failure of the job.

    Args:
        prepare: Completes an order that was given by one who does not know all of the job.
    """
    node = os.environ.get("SLURMD_NODENAME") or os.uname().nodename
    watch = JobWatch(this_host(), os.environ.get("SLURM_JOB_ID", ""), os.environ.get("SLURM_STEP_ID"))
    order = None
    try:
        line = watch.first_line()
        if line:
            order = Order.from_line(line)
            _collect(prepare(order) if prepare is not None else order, watch, node)
    except GreenAIError as error:
        say(FAILED, node, str(error))
    except OSError as error:
        path = error.filename or (order.spool if order is not None else "?")
        reason = _NO_JOURNAL.format(path=path, reason=error.strerror)
        say(FAILED, node, reason.to(language_of(os.environ)))
    except Exception as error:  # noqa: BLE001  # said where the job's user sees it
        say(FAILED, node, repr(error))


def say(word: str, node: str, reason: str = "") -> None:
    """Tell the batch step something; one that is gone does not hear."""
    with suppress(OSError):
        os.write(1, f"{word} {node} {' '.join(reason.split())}".strip().encode() + b"\n")


def _collect(order: Order, watch: JobWatch, node: str) -> None:
    settings = load_settings({**order.overrides, "spool": order.spool})
    host = this_host(settings.knowledge)
    host = replace(host, environ=changed(host.environ, order.environ_of(node)))
    folder = Path(order.spool, order.run_id)
    make_folder(folder)
    with suppress(OSError):  # no locks on this file system: nothing else is lost
        hold_run(folder, host.name)
    scope, trouble = _scope(host, Scope(settings.scope), exclusive=order.exclusive)
    usage = UsageReader(host, scope, os.getpid()) if scope is not Scope.MACHINE else None
    slow = SlowSampler(host, folder, settings.interval_s)
    sensors = open_sensors(host, slow=False, usage=usage)
    late = SlowSampler(host, folder, settings.interval_s, sensors.late) if sensors.late else None
    sensors.watch_gpus()
    meta = {
        **run_meta(host, settings, order.name, scope, name_given=True, service=False, group=None),
        "slurm": order.slurm,
        "nodes": list(order.nodes),
        "node": node,
        "sampler_process": False,
    }
    journal = JournalWriter(folder, host, Role.NODE, sensors.channels, settings.interval_s, meta)
    for incident in (*sensors.incidents, *((trouble,) if trouble else ())):
        journal.incident(incident)
    _write(journal, host, sensors, watch, node, settings.interval_s, until_sigterm=order.until_sigterm)
    for sampler in (slow, late):
        if sampler is not None:
            sampler.stop()
    sensors.close()
    if order.script_folder and watch.script_end is None and watch.batch_has_gone:
        shutil.rmtree(order.script_folder, ignore_errors=True)  # the batch step was killed before it could


def _scope(host: Host, asked: Scope, *, exclusive: bool | None) -> tuple[Scope, Incident | None]:
    """Return whose energy the run is on this node, and what must be said about it.

    Args:
        host: The machine.
        asked: What the settings say.
        exclusive: Whether no other job may use the node; None if that is not known.
    """
    if asked is Scope.AUTO and exclusive is not None:
        asked = Scope.MACHINE if exclusive else Scope.CGROUP
    scope, trouble = resolve_scope(host, asked)
    if scope is Scope.PROCESS:  # that would be this collector and what it started
        return Scope.MACHINE, _SHARE_UNKNOWN
    return scope, trouble


def _write(
    journal: JournalWriter,
    host: Host,
    sensors: Sensors,
    watch: JobWatch,
    node: str,
    interval_s: float,
    *,
    until_sigterm: bool,
) -> None:
    def mark(kind: str, **extra: Any) -> None:
        t_ns, readings = sensors.read()
        if kind in (f.START, f.BEGIN):
            t_ns = host.clock.mono_ns()  # a stretch begins after its first readings
        with suppress(OSError):  # a full disk costs this line
            journal.readings(kind, t_ns, readings, sensors.usage(), **extra)

    mark(f.START)
    say(READY, node)
    watch.begin(mark, lambda word: say(word, node), until_sigterm=until_sigterm)
    sample(host, sensors, journal, interval_s, watch.pause)
    if not watch.over:
        sample(host, sensors, journal, ENDING_INTERVAL_S, watch.pause_while_ending)
    end = watch.script_end
    if end is None:
        mark(f.STOP, state=RunState.KILLED.value, exit_code=None, error=None)
    else:
        state = RunState.COMPLETED if end.code == 0 else RunState.FAILED if end.code > 0 else RunState.KILLED
        mark(f.STOP, state=state.value, exit_code=end.code if end.code >= 0 else 128 - end.code, error=None)
    with suppress(OSError):
        journal.sync()
    journal.close()


if __name__ == "__main__":
    main()

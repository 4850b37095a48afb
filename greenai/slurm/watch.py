"""What the collector of a node waits for: the end of the script, the end of the job's steps, Slurm's signals."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.journal import format as f
from greenai.slurm.order import ASKS, HERE, OTHERS, ScriptEnd
from greenai.slurm.steps import BATCH, StepWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.host import Host

# ``scancel -s`` reaches every step of a job: what its user sends to his program must not end the collector.
_NOT_FOR_US = (
    signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
)  # fmt: skip
# Slurm suspends a job by SIGTSTP, and two seconds later SIGSTOP; it goes on with SIGCONT. That one comes without a
# stop before it at the job's end as well.
_WARNED_NS = 10 * NS_PER_S
_LEAST_STOP_NS = 300 * NS_PER_MS
_SHORT_NS = 4 * NS_PER_S
_LONGEST_LINE = 1 << 20
_LOOK_EVERY_S = 0.02  # while the job ends: the batch step waits for us
_ASK_AGAIN_S = 1.0
_LONGEST_TRUST_S = 64.0
_MOST_UNANSWERED = 3
_STEP_ENDS_WITHIN_S = 0.8  # its manager goes a moment after the step's own processes


class Mark(Protocol):
    """Reads the sensors and writes a line of this kind."""

    def __call__(self, kind: str, **extra: object) -> None:
        """Do it."""


class JobWatch:
    """Waits in place of the sampling loop, and marks the job's steps as windows.

    Attributes:
        over: Whether there is nothing left to measure.
        script_end: How the batch script ended, once the batch step has said so.
        batch_has_gone: Whether the batch step was on this node, and is gone.
    """

    def __init__(self, host: Host, job_id: str, own_step: str | None) -> None:
        """Prepare, and be deaf to signals that are not for us.

        Args:
            host: The machine.
            job_id: The job's number.
            own_step: The step that this process runs in.
        """
        for number in _NOT_FOR_US:
            signal.signal(number, signal.SIG_IGN)
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._note_end)
        signal.signal(signal.SIGTSTP, self._note_warning)
        signal.signal(signal.SIGCONT, self._note_going_on)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self.over = False
        self.script_end: ScriptEnd | None = None
        self._heard_s = 0.0
        self._ending = False
        self._until_sigterm = False
        self._told_to_end = False
        self._batch_seen = False
        self.batch_has_gone = False
        self._continued = False
        self._warned_ns = -_WARNED_NS  # when a suspension was announced
        self._line: list[int] = [0]
        self._heard = b""
        self._watch = StepWatch(host, job_id, own_step)
        self._steps: frozenset[str] = frozenset()
        self._mark: Mark | None = None
        self._tell: Callable[[str], None] | None = None
        self._told_of_others = False
        self._asked_s = 0.0
        self._unanswered = 0
        self._trust_s = _ASK_AGAIN_S  # longer after each answer: a job may go on for hours after a SIGTERM

    def first_line(self) -> bytes:
        """Return the first line from the batch step; nothing if it has gone."""
        while b"\n" not in self._heard and len(self._heard) < _LONGEST_LINE:
            found = os.read(0, 1 << 16)
            if not found:
                return b""
            self._heard += found
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def begin(self, mark: Mark, tell: Callable[[str], None], *, until_sigterm: bool) -> None:
        """Watch from now on.

        Args:
            mark: Marks the begin and end of a step.
            tell: Says a word to the batch step: that steps of the job go on after the script has ended, or a
                question.
            until_sigterm: Whether nothing else ends it, see ``Order``.
        """
        self._until_sigterm = until_sigterm
        if until_sigterm:
            self._line = []
        if self._ending:  # told before we began
            self._end_if_told()
        self._mark = mark
        self._tell = tell

    def pause(self, seconds: float) -> bool:
        """Wait; True when the job is ending: then readings should come faster."""
        self._wait(seconds)
        return self.over or self._ending

    def pause_while_ending(self, seconds: float) -> bool:
        """Wait; True when nothing of the job is left here."""
        self._wait(seconds)
        return self.over

    def _wait(self, seconds: float) -> None:
        """Wait for this long, or until the job begins to end, or has ended."""
        began_ending = self._ending
        end_s = time.monotonic() + seconds
        self._look()
        while not self.over and self._ending is began_ending and (left_s := end_s - time.monotonic()) > 0:
            pause_s = min(left_s, _LOOK_EVERY_S) if began_ending else left_s
            events = [self._watch.events.fileno()] if self._watch.events is not None else []
            before_ns = time.monotonic_ns()
            readable, _, _ = select.select([*self._line, self._woken, *events], [], [], pause_s)
            self._note_stop(before_ns, pause_s)
            if self._woken in readable:
                os.read(self._woken, 4096)
            if 0 in readable:
                self._hear()
            if began_ending or set(events) & set(readable):
                self._look()

    def _note_stop(self, before_ns: int, pause_s: float) -> None:
        """Mark that the job was suspended, if it was: this process was, too."""
        if not self._continued or self._mark is None:
            return
        self._continued = False
        now_ns = time.monotonic_ns()
        stopped = now_ns - before_ns > pause_s * NS_PER_S + _LEAST_STOP_NS
        warned = before_ns - self._warned_ns <= _WARNED_NS
        begin_ns = min(self._warned_ns, before_ns) if warned else before_ns
        self._warned_ns = -_WARNED_NS
        # Of a short one Slurm's second signal has not come: only the job's own programs stood still.
        if stopped or (warned and now_ns - begin_ns <= _SHORT_NS):
            self._mark(f.SUSPENDED, ns=now_ns - begin_ns)

    def _hear(self) -> None:
        found = os.read(0, 4096)
        *lines, self._heard = (self._heard + found).split(b"\n")
        for line in lines:
            if line == HERE.strip():
                self._trust_s = min(2 * self._trust_s, _LONGEST_TRUST_S)
                self._unanswered = 0
            elif self.script_end is None:
                with suppress(ValueError):  # damaged: then the end is that of the line
                    self.script_end = ScriptEnd.from_line(line)
                self._heard_s = time.monotonic()
        if not found:
            self._line = []
        self._ending = self._ending or not self._line or self.script_end is not None

    def _end_if_told(self) -> None:
        """End at a signal that is an Epilog's, which may have written before it how the script ended."""
        if not self._until_sigterm or self.over:
            return
        self.over = True
        os.set_blocking(0, False)
        with suppress(OSError, ValueError):
            self.script_end = ScriptEnd.from_line(self._heard + os.read(0, 4096))

    def _look(self) -> None:
        """Note which steps have begun and ended, and whether the job is over here."""
        steps = self._watch.look()
        self._batch_seen = self._batch_seen or BATCH in steps
        self.batch_has_gone = self._batch_seen and BATCH not in steps
        if self._mark is not None:
            for step in sorted(self._steps - steps - {BATCH}):
                self._mark(f.END, id=f"step-{step}")
            for step in sorted(steps - self._steps - {BATCH}):
                self._mark(f.BEGIN, id=f"step-{step}", name=f"step {step}", parent=None)
            self._steps = steps
        if self.script_end is not None:
            self.over = not steps - {BATCH}
            late = time.monotonic() - self._heard_s > _STEP_ENDS_WITHIN_S
            if late and not self.over and not self._told_of_others and self._tell is not None:
                self._tell(OTHERS)
                self._told_of_others = True
        elif self.batch_has_gone and self._told_to_end:
            self.over = not steps
        elif not self._line and not self._until_sigterm:
            self.over = not steps  # the batch step was killed; what is left of the job goes on until it is, too
        elif self._told_to_end and not steps and not self._until_sigterm:
            self.over = self._nobody_answers()

    def _nobody_answers(self) -> bool:
        """Ask whether the batch step is there: one that was killed at once with its srun has not hung up.

        Where it is, it may be a script that Slurm has told to end, and that starts steps yet.
        """
        pause_s = _ASK_AGAIN_S if self._unanswered else self._trust_s
        if time.monotonic() - self._asked_s >= pause_s and self._tell is not None:
            self._asked_s = time.monotonic()
            self._unanswered += 1
            self._tell(ASKS)
        return self._unanswered > _MOST_UNANSWERED

    def _note_end(self, _number: int, _frame: object) -> None:
        self._ending = self._told_to_end = True
        self._end_if_told()

    def _note_warning(self, _number: int, _frame: object) -> None:
        self._warned_ns = time.monotonic_ns()

    def _note_going_on(self, _number: int, _frame: object) -> None:
        self._continued = True

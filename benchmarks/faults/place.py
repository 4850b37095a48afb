"""A place for one try: folders of its own, programs in it, and the truth about the energy they took."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.faults.fault import GRACE_S, Outcome
from benchmarks.faults.plugin.constant_power import POWER_W
from benchmarks.faults.program import PATIENCE_S, Program
from greenai.core.account import account
from greenai.core.units import NS_PER_S
from greenai.core.views import RunQuery
from greenai.journal.reader import read_run
from greenai.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from greenai.core.record import RunRecord
    from greenai.core.vocabulary import RunState

# Alembic, which makes the tables of a new database, is not made for several threads.
_one_at_a_time = threading.Lock()
PLUGIN = Path(__file__).with_name("plugin")
SAMPLER = "greenai.sampler_process"
INTAKE = "greenai.ingest"
WRAPPER = (sys.executable, "-m", "greenai", "run", "--quiet", "--")
_MARK = "FAULT_PLACE"
_FOREIGN = ("GREENAI_", "SLURM_", "CUDA_", "XDG_", "PYTHON")


# A process that becomes another program has no environment for a moment: one look is not enough.
_LOOKS = 3
# The intake works at the lowest priority: where others keep all CPUs busy, it takes its time.
_INTAKE_S = 90.0


class Place:
    """Folders, environment and processes of one try. Use it in a ``with`` statement: it leaves nothing behind."""

    def __init__(self, interval_s: float = 0.5, ingest: str = "background") -> None:
        self.interval_s = interval_s
        self.ingest = ingest

    def __enter__(self) -> Self:
        self.root = Path(tempfile.mkdtemp(prefix="fault-", dir="/tmp"))
        self.root.chmod(0o755)
        self.spool = self.root / "spool"
        self.work = self.root / "work"
        self.work.mkdir()
        (self.root / "tmp").mkdir()
        self.database = f"sqlite:///{self.root}/data/greenai.db"
        self._begun: list[subprocess.Popen[bytes]] = []
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._begun:
            if process.stdout:
                process.stdout.close()
        for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if mount.split()[1].startswith(f"{self.root}/"):
                subprocess.run(["umount", "-l", mount.split()[1]], check=False)
        for process in self._begun:
            process.wait(10)
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the programs."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {
            **inherited,
            _MARK: str(self.root),
            "HOME": str(self.root),
            "TMPDIR": str(self.root / "tmp"),
            "PYTHONPATH": str(PLUGIN),
            "GREENAI_SPOOL": str(self.spool),
            "GREENAI_DB": self.database,
            "GREENAI_INGEST": self.ingest,
            "GREENAI_INTERVAL_S": str(self.interval_s),
        }

    def start(
        self,
        source: str,
        *arguments: str,
        wrapped: bool = False,
        prefix: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Program:
        """Start a program in a process group of its own.

        Args:
            source: Its text.
            *arguments: What it is called with.
            wrapped: By ``greenai run``.
            prefix: A command that starts it.
            environ: What to add to the environment.
            **options: For ``Popen``.
        """
        script = self.root / f"program_{len(self._begun)}.py"
        script.write_text(source)
        command = [*prefix, *(WRAPPER if wrapped else ()), sys.executable, str(script), *arguments]
        options.setdefault("start_new_session", True)
        asked_ns = time.monotonic_ns()
        with script.with_suffix(".err").open("wb") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                cwd=options.pop("cwd", self.work), env={**self.environ, **(environ or {})}, **options,
            )  # fmt: skip
        self._begun.append(process)
        return Program(process, asked_ns, script.with_suffix(".err"))

    def run_beside(self, command: Sequence[str]) -> None:
        """Start a helper that ends with the place."""
        quiet = subprocess.DEVNULL
        self._begun.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=self.environ))

    def processes(self, part: str = "") -> list[int]:
        """Return the living processes of this place whose command line contains ``part``."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if f"{_MARK}={self.root}\0".encode() not in (entry / "environ").read_bytes() + b"\0":
                    continue
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX" and part in (entry / "cmdline").read_text().replace("\0", " "):
                    found.append(int(entry.name))
        return found

    def samplers(self) -> list[int]:
        """Return the living samplers."""
        return self.processes(SAMPLER)

    def until(self, what: Callable[[], object], seconds: float = PATIENCE_S, *, say: str = "") -> None:
        """Wait for something to come true.

        Raises:
            TimeoutError: It did not.
        """
        until_s = time.monotonic() + seconds
        while not what():
            if time.monotonic() > until_s:
                raise TimeoutError(say or "it did not happen in time")
            time.sleep(0.03)

    def settle(self, seconds: float = _INTAKE_S) -> None:
        """Wait until nothing of ours is at work here any more.

        Raises:
            TimeoutError: Something still is.
        """
        until_s = time.monotonic() + seconds
        quiet = 0
        while quiet < _LOOKS:
            left = self.processes("greenai.")
            quiet = 0 if left else quiet + 1
            if time.monotonic() > until_s:
                raise TimeoutError(f"these do not end: {[_command_line(pid) for pid in left]}")
            time.sleep(0.03)

    def folders(self) -> list[Path]:
        """Return the folders of the runs, oldest first."""
        return sorted({journal.parent for journal in self.spool.glob("*/*.jsonl")})

    def records(self, *, later_s: float = 0.0) -> list[RunRecord]:
        """Return what the journals say, as somebody finds it who comes so many seconds later."""
        now_s = time.time() + later_s
        return [account(read_run(folder, now_s)).record for folder in self.folders()]

    def record(self, *, later_s: float = 0.0) -> RunRecord:
        """Return what the journals of the only run say."""
        (record,) = self.records(later_s=later_s)
        return record

    def ticks(self) -> int:
        """Return how many readings samplers have written."""
        return sum(path.read_bytes().count(b'"k":"tick"') for path in self.spool.glob("*/*.jsonl"))

    def in_database(self) -> list[RunRecord]:
        """Return the runs in the database, without taking anything in."""
        with _one_at_a_time, closing(open_store(self.database)) as store:
            return store.records(RunQuery())

    def next_reading(self) -> list[dict[str, Any]]:
        """Return what ``greenai runs`` says: the real command, which takes in what is not there yet."""
        command = [sys.executable, "-m", "greenai", "runs", "--json"]
        done = subprocess.run(
            command, env=self.environ, cwd=self.work, capture_output=True, check=False, timeout=60
        )
        if done.returncode:
            raise RuntimeError(f"greenai runs: exit code {done.returncode}: {done.stderr.decode()[-300:]}")
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def judge(
        self,
        program: Program,
        died_ns: int,
        record: RunRecord,
        states: Sequence[RunState],
        *,
        ended_ns: int | None = None,
    ) -> Outcome:
        """Hold a record against the truth.

        Args:
            program: Whose life it is.
            died_ns: When that was over.
            record: What is on record.
            states: Those in order.
            ended_ns: When its energy ends at the latest; default is ``died_ns``.
        """
        outcome = Outcome(state=record.state.value)
        life_s = (died_ns - program.wait_for("begins", 0)) / NS_PER_S
        kept_s = (record.energy_j or 0.0) / POWER_W
        outcome.missing_s = life_s - kept_s
        surplus_s = kept_s - ((ended_ns or died_ns) - program.asked_ns) / NS_PER_S
        allowed_s = self.interval_s + GRACE_S
        outcome.ask(outcome.missing_s <= allowed_s, f"{outcome.missing_s:.3f} s of energy are missing")
        outcome.ask(surplus_s <= self.interval_s + GRACE_S, f"{surplus_s:.3f} s of energy too much")
        outcome.ask(record.state in states, f"state {record.state.value}")
        outcome.ask(record.energy_j is not None or life_s < allowed_s, "no energy")
        return outcome

    def find_in_database(self, outcome: Outcome, record: RunRecord) -> None:
        """Say when the run was in the database, and complain if it is not, or with another energy."""
        found = {row.id: row.energy_j for row in self.in_database()} if self.ingest == "background" else {}
        outcome.database = "at once" if record.id in found else "next"
        if record.id not in found:
            found = {row["id"]: row["total_j"] for row in self.next_reading()}
        energy_j = found.get(record.id)
        # One reading and no more, of a life shorter than an interval: unknown in both.
        same = energy_j == record.energy_j or abs((energy_j or 0.0) - (record.energy_j or 0.0)) < 0.01
        outcome.ask(record.id in found, "not in the database")
        outcome.ask(same, f"database says {energy_j} J, the journal {record.energy_j} J")


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return "one that has just ended"

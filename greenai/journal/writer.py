"""Writing a journal: whole lines by one system call each, so that a kill costs at most the line in flight."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.units import NS_PER_HOUR
from greenai.host.descriptors import AppendedFile
from greenai.host.files import open_own
from greenai.journal import format as f
from greenai.journal.spool import sync_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.core.channel import Channel
    from greenai.core.collector import Incident
    from greenai.core.reading import Reading
    from greenai.core.usage import Usage
    from greenai.core.vocabulary import Role
    from greenai.host import Host


# Made once: marks of the tracked program wait for it.
_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class JournalWriter:
    """The journal of one process.

    After a fork the child gets a file of its own at its first write, so two processes never share one.
    """

    def __init__(
        self,
        folder: Path,
        host: Host,
        role: Role,
        channels: Sequence[Channel],
        interval_s: float,
        meta: dict[str, Any] | None = None,
        part: str = "",
        *,
        rotates: bool = False,
    ) -> None:
        """Create the file and write its first line.

        Args:
            folder: The run's folder.
            host: The machine.
            role: What this process does for the run.
            channels: What it reads.
            interval_s: Sampling interval.
            meta: What the user said about the run (owner only).
            part: Distinguishes a second journal of the same process.
            rotates: Go on in a new file each hour, so that those of a service can be condensed.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder = folder
        self._part = f"-{part}" if part else ""
        self._host = host
        self._index = {channel.id: index for index, channel in enumerate(channels)}
        self._all = list(self._index)
        self._first = {
            "version": f.VERSION,
            "role": role.value,
            "host": host.name,
            "interval_s": interval_s,
            "channels": [channel.to_json() for channel in channels],
            "meta": meta or {},
        }
        self._path = folder
        self._pid = os.getpid()
        self._begun = False  # whether the file has its first line; without it, it is of no use
        self._closed = False
        self._rotates = rotates
        self._rotated = 0
        self._hour = self._clock_hour()
        self._open()

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def readings(
        self, kind: str, t_ns: int, readings: Sequence[Reading], usage: Usage | None = None, **extra: Any
    ) -> None:
        """Write a line with readings.

        Args:
            kind: What the line is.
            t_ns: Monotonic time of the line.
            readings: One for each channel, or for some of them.
            usage: How much of the machine the tracked work uses, if it was read.
            **extra: What else belongs to the line.
        """
        line: dict[str, Any] = {
            "k": kind,
            "t": t_ns,
            "d": [reading.t_mono_ns - t_ns for reading in readings],
            "v": [
                reading.energy_uj if type(reading) is CounterReading else _value(reading) for reading in readings
            ],
            **extra,
        }
        channel_ids = [reading.channel_id for reading in readings]
        if channel_ids != self._all:
            line["c"] = [self._index[channel_id] for channel_id in channel_ids]
        if None in line["v"]:
            line["g"] = {
                str(position): reading.reason if isinstance(reading, Gap) else "unknown"
                for position, reading in enumerate(readings)
                if _value(reading) is None
            }
        if usage is not None:
            line["u"] = [
                usage.t_mono_ns - t_ns, usage.own_cpu_us, usage.machine_cpu_us, usage.own_memory_bytes,
                usage.machine_memory_bytes,
            ]  # fmt: skip
            if usage.gpu_shares is not None:
                line["s"] = {str(self._index[name]): share for name, share in usage.gpu_shares.items()}
            if usage.of_jobs:
                line["j"] = 1
        self._write(line)

    def event(self, kind: str, **content: Any) -> None:
        """Write a line without readings."""
        self._write({"k": kind, "t": self._host.clock.mono_ns(), **content})

    def incident(self, incident: Incident) -> None:
        """Write down something that a reader of the figures must know."""
        self.event(
            f.NOTE,
            code=incident.code,
            message=incident.message.to_json(),
            remedy=incident.remedy.to_json() if incident.remedy else None,
        )

    def sync(self) -> None:
        """Make sure that what was written, here and by others of this host, survives a crash of the machine.

        Raises:
            OSError: It could not be written through.
        """
        sync_run(self._folder, self._host.name)

    def close(self) -> None:
        """Write the last line and close the file. A forked child leaves its parent's journal alone."""
        if not self._closed and self._pid == os.getpid():
            self.event(f.CLOSE)
            self._file.close()
            self._closed = True

    def rotate(self) -> None:
        """Go on in a new file: the one so far is never written again. To a reader they are one journal.

        Raises:
            OSError: The folder cannot be written; later lines make a new file.
        """
        if self._closed or self._pid != os.getpid():
            return
        self._put({"k": f.CLOSE, "t": self._host.clock.mono_ns()})
        self._file.close()
        self._rotated += 1
        self._begun = False
        self._open()

    def _clock_hour(self) -> int:
        return self._host.clock.wall_ns() // NS_PER_HOUR

    def _open(self) -> None:
        """Begin the file of this process."""
        number = f"{f.PART_MARK}{self._rotated:06}" if self._rotated else ""
        name = f"{self._host.name.replace('/', '_')}-{self._pid}{self._part}{number}"
        path = self._folder / f"{name}{f.SUFFIX}"
        if path != self._path:
            self._path, self._torn, self._closed = path, False, False
        self._seq = 0
        self._open_file()
        self._put(
            {
                "k": f.OPEN,
                "t": self._host.clock.mono_ns(),
                "wall_ns": self._host.clock.wall_ns(),
                "pid": self._pid,
                **self._first,
            }
        )
        self._begun = True

    def _open_file(self) -> None:
        self._file = AppendedFile(open_own(self._path, os.O_WRONLY | os.O_APPEND))

    def _write(self, line: dict[str, Any]) -> None:
        if self._pid != os.getpid():
            self._pid, self._begun = os.getpid(), False
            self._first["role"] = "member"
            self._first["meta"] = {}
        if not self._begun:
            self._open()
        elif not self._file.ours:  # the program has closed what was not its own
            self._open_file()
        if self._rotates and self._clock_hour() != self._hour:
            self._hour = self._clock_hour()
            self.rotate()
        self._put(line)

    def _put(self, line: dict[str, Any]) -> None:
        line["seq"] = self._seq
        self._seq += 1
        # A name that is no Unicode (a variable in another encoding) costs its odd bytes, not the line.
        data = _to_json(line).encode(errors="replace") + b"\n"
        if self._torn:
            data = b"\n" + data
        # A full disk takes half a line. The next one starts clean; the reader counts the torn one.
        self._torn = self._file.write(data) < len(data)


def _value(reading: Reading) -> int | None:
    if type(reading) is CounterReading:
        return reading.energy_uj
    return reading.power_uw if type(reading) is PowerReading else None

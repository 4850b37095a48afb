"""The values in sacct's columns. Pure; each reader returns None for "unknown" and raises for what is none.

man sacct: times as ``SLURM_TIME_FORMAT`` says or ISO 8601 without a zone, durations ``[DD-[HH:]]MM:SS[.mmm]``,
sizes with K, M, G, T or P of 1024, ``Unknown`` and ``None`` where there is nothing yet.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from greenai.core.batch_job import STATES, JobResources

_NOTHING = frozenset({"", "Unknown", "None", "N/A", "NONE", "INVALID", "UNLIMITED", "Partition_Limit", "(null)"})
# slurm.h: INFINITE and NO_VAL of 16, 32 and 64 bits mean "not set".
_NOT_SET = frozenset({0xFFFF, 0xFFFE, 0xFFFFFFFF, 0xFFFFFFFE, 2**64 - 1, 2**64 - 2})
_NUMBER = re.compile(r"-?[0-9]{1,20}")
_SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?)([KMGTPE]?)[BncN]?")
_UNITS: dict[str, int] = {letter: 1024**power for power, letter in enumerate(("", "K", "M", "G", "T", "P", "E"))}
_DURATION = re.compile(
    r"(?:(?:(?P<days>[0-9]{1,6})-)?(?P<hours>[0-9]{1,6}):)?(?P<minutes>[0-9]{1,9}):(?P<seconds>[0-9]{2}(?:\.[0-9]{1,9})?)"
)
_EXIT = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")
_EPOCH = re.compile(r"[0-9]{1,11}")
_STATE = re.compile(r"([A-Z_]+)(?: by [0-9]+| by \S+|\+)?")
_LARGEST_BYTES = 2.0**60
_MOST = 2**31
# More than any node has; slices of a GPU (MIG, seven at most) count as GPUs.
_MOST_GPUS, _MOST_CPUS = 128, 16_384
_MOST_NODES = 65_536  # slurm.h: MAX_SLURM_NODES


class StrangeValueError(ValueError):
    """A value that its column cannot hold."""


def count(text: str) -> int | None:
    """Read a number of things, or of whole seconds (``ElapsedRaw``).

    Raises:
        StrangeValueError: It is negative, no whole number, or more than there can be.
    """
    text = text.strip()
    if text in _NOTHING:
        return None
    if not _NUMBER.fullmatch(text):
        raise StrangeValueError(text)
    number = int(text)
    if number in _NOT_SET:
        return None
    if not 0 <= number <= _MOST:
        raise StrangeValueError(text)
    return number


def joules(text: str) -> float | None:
    """Read an energy (``ConsumedEnergyRaw``); 0 is what Slurm says where nothing was counted: unknown.

    Raises:
        StrangeValueError: It is no number, or negative.
    """
    text = text.strip()
    if text in _NOTHING:
        return None
    if not _NUMBER.fullmatch(text) or int(text) < 0:
        raise StrangeValueError(text)
    return None if int(text) in _NOT_SET else float(text) or None


def moment_ms(text: str) -> int | None:
    """Read a moment: epoch seconds, or ISO 8601 in this machine's zone; epoch milliseconds.

    Raises:
        StrangeValueError: It is neither.
    """
    text = text.strip()
    if text in _NOTHING:
        return None
    if _EPOCH.fullmatch(text):
        return int(text) * 1000 if int(text) else None
    try:
        moment = datetime.fromisoformat(text)
        ms: int = round(moment.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise StrangeValueError(text) from None
    if ms < 0:
        raise StrangeValueError(text)
    return ms


def is_epoch(text: str) -> bool:
    """Say whether a moment is in epoch seconds, which no clock's change can confuse."""
    return _EPOCH.fullmatch(text.strip()) is not None


def duration_s(text: str) -> float | None:
    """Read a duration such as ``1-02:03:04`` or ``00:02.631``, seconds.

    Raises:
        StrangeValueError: It is none.
    """
    text = text.strip()
    if text in _NOTHING:
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise StrangeValueError(text)
    days, hours, minutes = (int(match[name] or 0) for name in ("days", "hours", "minutes"))
    return float(((days * 24 + hours) * 60 + minutes) * 60) + float(match["seconds"])


def size_bytes(text: str) -> int | None:
    """Read a size such as ``2932K``, ``500M`` or ``1.50G``, bytes.

    Raises:
        StrangeValueError: It is none, or more memory than there is.
    """
    text = text.strip()
    if text in _NOTHING:
        return None
    match = _SIZE.fullmatch(text)
    if match is None or float(match[1]) * _UNITS[match[2]] > _LARGEST_BYTES:
        raise StrangeValueError(text)
    return round(float(match[1]) * _UNITS[match[2]])


def exit_code(text: str) -> tuple[int | None, int | None]:
    """Read ``code:signal``; a signal of 0 is none.

    Raises:
        StrangeValueError: It is no such pair.
    """
    text = text.strip()
    if text in _NOTHING:
        return None, None
    match = _EXIT.fullmatch(text)
    if match is None:
        raise StrangeValueError(text)
    return int(match[1]), int(match[2]) or None


def state(text: str) -> str:
    """Read a job's state: its base word, without who cancelled it.

    Raises:
        StrangeValueError: Slurm has no such state.
    """
    match = _STATE.fullmatch(text.strip())
    if match is None or match[1] not in STATES:
        raise StrangeValueError(text)
    return match[1]


class Tres(NamedTuple):
    """Trackable resources, by name, e.g. ``cpu`` or ``gres/gpu:a100``."""

    values: dict[str, str]

    @classmethod
    def read(cls, text: str) -> Tres:
        """Read ``cpu=4,mem=500M,gres/gpu:a100=4``.

        Raises:
            StrangeValueError: It is no such list.
        """
        if text.strip() in _NOTHING:
            return cls({})
        pairs = [part.partition("=") for part in text.strip().split(",")]
        if not all(name and sign for name, sign, _ in pairs):
            raise StrangeValueError(text)
        return cls({name: value for name, _, value in pairs})

    def resources(self) -> JobResources:
        """Return what is asked for or given; memory of 0 means "all of the node": how much, nobody says.

        Raises:
            StrangeValueError: One of the values is none.
        """
        found = JobResources(
            cpus=count(self.values.get("cpu", "")),
            memory_bytes=size_bytes(self.values.get("mem", "")) or None,
            nodes=count(self.values.get("node", "")),
            gpus=self._gpus() or None,
        )
        nodes = found.nodes or _MOST_NODES
        if found.gpu_count > _MOST_GPUS * nodes or (found.cpus or 0) > _MOST_CPUS * nodes:
            raise StrangeValueError(",".join(f"{name}={value}" for name, value in self.values.items()))
        return found

    def _gpus(self) -> dict[str, int]:
        """Return GPUs by type; Slurm gives the sum under ``gres/gpu``, and each type beside it where set up so."""
        typed = {
            name.partition(":")[2]: count(value) or 0
            for name, value in self.values.items()
            if name.startswith("gres/gpu:")
        }
        untyped = (count(self.values.get("gres/gpu", "")) or 0) - sum(typed.values())
        return {kind: number for kind, number in {**typed, "": max(untyped, 0)}.items() if number}

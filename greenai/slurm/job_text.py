"""Reads what ``scontrol -d show job`` prints as text; Slurm before 23.02 has nothing else. Pure.

Two lines that matter, of many (man scontrol; recorded from Slurm 22.05)::

    JobId=4 JobName=two words
       UserId=ada(1000) GroupId=ada(1000) MCS_label=N/A
         Nodes=n[2-3] CPU_IDs=0-1 Mem=2000 GRES=gpu:a100:1(IDX:0)      one line for nodes with equal shares

A job's name and folder are anybody's words and may contain line ends: a line that is there twice is no answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from greenai.core.hostlist import expand
from greenai.slurm.job_facts import NO_GPUS, JobFacts, NodeAllocation, gpus_of, number_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RECORD = re.compile(r"^(?=JobId=)", re.MULTILINE)
_KEY = re.compile(r"([\w/:&]+)=(.*)")
# Their value is the rest of the line, blanks included.
_FREE_TEXT = frozenset(
    {"AdminComment", "Command", "Comment", "StdErr", "StdIn", "StdOut", "SystemComment", "WorkDir"}
)
_USER = re.compile(r"(.*)\([0-9]{1,10}\)")
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGT]?)")
_BYTES = {"K": 1 << 10, "": 1 << 20, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}  # Slurm counts MiB
_NOTHING = frozenset({"", "(null)", "N/A", "None", "Unknown", "UNLIMITED", "Partition_Limit"})
_EXCLUSIVE = {"NO": True, "YES": False, "OK": False, "USER": False, "MCS": False}


def parse_text(output: str) -> tuple[JobFacts, ...]:
    """Return the jobs of which this tells.

    Args:
        output: What ``scontrol -d show job`` printed.

    Raises:
        ValueError: Something that matters is missing, there twice, or unreadable.
    """
    return tuple(_job(record) for record in _RECORD.split(output) if record.startswith("JobId="))


def _job(record: str) -> JobFacts:
    first, *lines = record.split("\n")
    head, _, name = first.partition(" JobName=")
    fields = dict(_tokens(head))
    details: list[Mapping[str, str]] = []
    among_nodes = False  # their lines follow JOB_GRES; anywhere else they are part of a name or a folder's name
    for line in lines:
        found = dict(_line(line.strip()))
        if among_nodes and "Nodes" in found:
            details.append(found)
            continue
        among_nodes = "JOB_GRES" in found
        if found.keys() & fields.keys():
            raise ValueError(f"there twice: {', '.join(sorted(found.keys() & fields.keys()))}")
        fields |= found
    known = {key: value for key, value in fields.items() if value not in _NOTHING}
    user = _USER.fullmatch(known.get("UserId", ""))
    if user is None or "JobState" not in known:
        raise ValueError(f"no user or no state: {first[:200]}")
    return JobFacts(
        job_id=int(fields["JobId"]),
        nodes=_nodes(details, known),
        array_job_id=_number(known.get("ArrayJobId")),
        array_task_id=_number(known.get("ArrayTaskId")),
        het_job_id=_number(known.get("HetJobId")),
        het_offset=_number(known.get("HetJobOffset")),
        user_name=user[1],
        name=name or None,
        account=known.get("Account"),
        partition=known.get("Partition"),
        exclusive=_EXCLUSIVE.get(known.get("OverSubscribe", "")),
    )


def _line(line: str) -> Iterator[tuple[str, str]]:
    key, _, value = line.partition("=")
    if key in _FREE_TEXT:
        yield key, value
    else:
        yield from _tokens(line)


def _tokens(line: str) -> Iterator[tuple[str, str]]:
    for token in line.split(" "):
        match = _KEY.fullmatch(token)
        if match is not None:
            yield match[1], match[2]


def _nodes(details: list[Mapping[str, str]], known: Mapping[str, str]) -> tuple[NodeAllocation, ...]:
    if not details:  # NodeList alone would do, but it loses nodes while a job ends
        return tuple(NodeAllocation(name) for name in expand(known.get("NodeList", "")))
    gpus_by_line = [gpus_of(line.get("GRES", "")) for line in details]
    if gpus_of(known.get("JOB_GRES", "")) != NO_GPUS and all(gpus == NO_GPUS for gpus in gpus_by_line):
        gpus_by_line = [None] * len(details)  # when a job is over, its GPUs disappear from these lines
    nodes: list[NodeAllocation] = []
    for line, gpus in zip(details, gpus_by_line, strict=True):
        cpus = len(set(number_list(line.get("CPU_IDs", ""))))
        nodes += [
            NodeAllocation(
                name,
                cpus=cpus or None,
                memory_bytes=_memory_bytes(line.get("Mem", "")),
                gpus=gpus,
            )
            for name in expand(line["Nodes"])
        ]
    return tuple(nodes)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


def _memory_bytes(text: str) -> int | None:
    """Return memory in bytes; a plain number is MiB, and 0 means that Slurm does not share memory out."""
    match = _MEMORY.fullmatch(text)
    return int(float(match[1]) * _BYTES[match[2]]) or None if match is not None else None

"""The sampler's process, ordered as a tracked program orders it that is over before the sampler looks."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from greenai.core.vocabulary import Scope
from greenai.host import SiteKnowledge
from greenai.host.processes import start_ticks
from greenai.sampler.leash import STOP_WORD
from greenai.sampler.order import SamplingOrder
from greenai.sampler_process import MODULE

if TYPE_CHECKING:
    from pathlib import Path


def order_for(program: subprocess.Popen[bytes], folder: Path) -> SamplingOrder:
    return SamplingOrder(
        folder=str(folder),
        interval_s=1.0,
        knowledge=SiteKnowledge(),
        scope=Scope.MACHINE,
        database=None,
        service=False,
        pid=program.pid,
        started_ticks=start_ticks(program.pid),
    )


def start(stdin: socket.socket) -> subprocess.Popen[bytes]:
    with stdin:
        return subprocess.Popen([sys.executable, "-P", "-m", MODULE], stdin=stdin.fileno())


@pytest.mark.parametrize(("said", "journals"), [(STOP_WORD, 0), (b"", 1)], ids=["said stop", "killed"])
def test_of_a_program_that_has_ended_only_one_that_did_not_say_so_is_measured(
    tmp_path: Path, said: bytes, journals: int
) -> None:
    """After the stop a reading more would change figures that were shown already."""
    program = subprocess.Popen(["sleep", "60"])
    order = order_for(program, tmp_path)
    program.kill()
    program.wait()
    ours, theirs = socket.socketpair()
    ours.sendall(order.to_line() + said)
    ours.close()
    assert start(theirs).wait(timeout=30) == 0
    assert len(list(tmp_path.glob("*.jsonl"))) == journals


def test_a_program_that_dies_before_it_has_heard_the_sampler(tmp_path: Path) -> None:
    """The kernel tells the sampler of what was not read by an error instead of an end."""
    program = subprocess.Popen(["sleep", "60"])
    ours, theirs = socket.socketpair()
    ours.sendall(order_for(program, tmp_path).to_line())
    sampler = start(theirs)
    assert select.select([ours], [], [], 30)[0]  # a sign of life, left unread
    ours.close()
    time.sleep(0.3)
    program.kill()
    program.wait()
    assert sampler.wait(timeout=30) == 0
    (journal,) = tmp_path.glob("*.jsonl")
    assert '{"k":"orphan"' in journal.read_text()

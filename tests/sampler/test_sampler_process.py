"""The sampler's process, ordered as a tracked program orders it that is over before the sampler looks."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from greenai.core.vocabulary import Scope
from greenai.host import SiteKnowledge
from greenai.host.processes import start_ticks
from greenai.sampler_process import MODULE, STOP_WORD, Order

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("said", "journals"), [(STOP_WORD, 0), (b"", 1)], ids=["said stop", "killed"])
def test_of_a_program_that_has_ended_only_one_that_did_not_say_so_is_measured(
    tmp_path: Path, said: bytes, journals: int
) -> None:
    """After the stop a reading more would change figures that were shown already."""
    program = subprocess.Popen(["sleep", "60"])
    order = Order(
        folder=str(tmp_path),
        interval_s=1.0,
        knowledge=SiteKnowledge(),
        scope=Scope.MACHINE,
        database=None,
        service=False,
        pid=program.pid,
        started_ticks=start_ticks(program.pid),
    )
    program.kill()
    program.wait()
    ours, theirs = socket.socketpair()
    ours.sendall(order.to_line() + said)
    ours.close()
    with theirs:
        subprocess.run([sys.executable, "-P", "-m", MODULE], stdin=theirs.fileno(), check=True, timeout=30)
    assert len(list(tmp_path.glob("*.jsonl"))) == journals

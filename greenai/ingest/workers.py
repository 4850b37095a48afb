"""Hosts of a run in processes beside this one, where there are several hosts and several CPUs.

Plain processes that are told by a pipe: they know nothing of the program that asks, which may be any. If one
cannot be started, or dies, its host is done here. They end with this process, however it ends.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING

from greenai.ingest.host import HostTaken, take_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from greenai.core.outline import Terms
    from greenai.ingest.host import HostTask

# A worker takes 0.3 s to start: as long as it takes to read this much.
_WORTH_A_WORKER_BYTES = 8 * 1024 * 1024
# Each takes some 100 MB, and a login node is everybody's.
_MOST_WORKERS = 8


def take_hosts(tasks: Sequence[HostTask], terms: Terms) -> Iterator[HostTaken]:
    """Take hosts one by one, in their order; some are done ahead, by several processes.

    Args:
        tasks: The hosts.
        terms: Those of the run.

    Raises:
        OSError, ValueError: See ``take_host``.
    """
    length = sum(task.length for task in tasks)
    count = min(_cpus(), len(tasks), length // _WORTH_A_WORKER_BYTES, _MOST_WORKERS)
    if count <= 1:
        for task in tasks:
            yield take_host(task, terms)
        return
    idle: SimpleQueue[_Worker] = SimpleQueue()
    workers = [_Worker(terms) for _ in range(count)]
    for worker in workers:
        idle.put(worker)

    def take(task: HostTask) -> HostTaken | None:
        worker = idle.get()
        try:
            return worker.take(task)
        finally:
            idle.put(worker)

    ahead: deque[tuple[HostTask, Future[HostTaken | None]]] = deque()
    left = iter(tasks)
    pool = ThreadPoolExecutor(count)
    try:
        while True:
            for task in islice(left, 2 * count - len(ahead)):
                ahead.append((task, pool.submit(take, task)))
            if not ahead:
                return
            first, future = ahead.popleft()
            yield future.result() or take_host(first, terms)
    finally:
        for worker in workers:
            worker.kill()
        pool.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()


def serve() -> None:
    """Take hosts as another process asks for them; see ``_Worker``."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError):  # nobody asks any more
        terms = pickle.load(requests)  # noqa: S301  # of the process that started this one
        while True:
            answer = _answer(pickle.load(requests), terms)  # noqa: S301
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
            del answer  # before the next one needs the memory


def _answer(task: HostTask, terms: Terms) -> HostTaken | None:
    try:
        return take_host(task, terms)
    except Exception:  # noqa: BLE001  # whoever asked does it again, and sees what is wrong
        return None


class _Worker:
    """A process that takes hosts. The pipes lead to a program of our own."""

    def __init__(self, terms: Terms) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        command = [sys.executable, "-P", "-m", "greenai.ingest", "--hosts"]
        with suppress(OSError, ValueError):
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._ask(terms)

    def take(self, task: HostTask) -> HostTaken | None:
        """Take a host; None if this process cannot."""
        if self._process is None or self._process.stdout is None:
            return None
        try:
            self._ask(task)
            answer = pickle.load(self._process.stdout)  # noqa: S301  # of our own process
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            return None
        return answer if isinstance(answer, HostTaken) else None

    def kill(self) -> None:
        """End the process, at work or not; whoever waits for it gets None."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Forget the process once it was killed and nobody waits for it."""
        if self._process is not None:
            self._process.communicate()

    def _ask(self, what: Terms | HostTask) -> None:
        if self._process is not None and self._process.stdin is not None:
            pickle.dump(what, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()


def _cpus() -> int:
    """Return how many CPUs this process may use; macOS does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

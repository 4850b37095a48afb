"""Faults are mostly waiting: several of them are done at a time, in the order in which the tests ask for them."""

from __future__ import annotations

import random
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from benchmarks.faults import once
from benchmarks.faults.mounts import own_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.faults.fault import Fault, Outcome

INTERVAL_S = 0.25
AT_A_TIME = 4


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """Do every fault that a chosen test asks for, once; needs root, as it mounts file systems."""
    own_mounts()
    chosen: list[Fault] = [
        item.callspec.params["fault"]  # type: ignore[misc]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "outcomes" in item.fixturenames
    ]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {fault.name: pool.submit(once, fault, random.Random(), INTERVAL_S) for fault in chosen}
        pool.shutdown(cancel_futures=True)

"""For tests of greenai and of third-party plug-ins: fake machines, and the contract every collector must pass."""

from greenai.testing.collectors import check_collector
from greenai.testing.machine import FakeClock, FakeMachine
from greenai.testing.nvml import FakeGpu, FakeNvml, FakeNvmlError

__all__ = ["FakeClock", "FakeGpu", "FakeMachine", "FakeNvml", "FakeNvmlError", "check_collector"]

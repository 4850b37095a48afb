"""Waiting for accelerators: the right calls, only of what the program uses already, and no error of ours."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import greenai
from greenai.tracking import devices
from greenai.tracking.devices import cuda_devices_in_use, wait_for_devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class FakeFrameworks:
    """Modules that record what is asked of them.

    Attributes:
        calls: What was waited for, in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self._monkeypatch = monkeypatch
        for name in ("torch", "jax", "cupy", "jax._src.xla_bridge"):
            monkeypatch.delitem(sys.modules, name, raising=False)

    def add(self, name: str, **content: Any) -> SimpleNamespace:
        module = SimpleNamespace(**content)
        self._monkeypatch.setitem(sys.modules, name, module)
        return module

    def note(self, what: str, answer: Any = None) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self.calls.append(what.format(*arguments))
            return answer

        return called

    def torch(
        self, contexts: tuple[int, ...] = (), *, awake: bool = True, capturing: bool = False, **more: Any
    ) -> SimpleNamespace:
        cuda = SimpleNamespace(
            is_initialized=lambda: awake,
            is_current_stream_capturing=lambda: capturing,
            device_count=lambda: 4 if awake else self.note("woken!", 4)(),
            synchronize=self.note("cuda {}"),
        )
        inner = SimpleNamespace(_cuda_hasPrimaryContext=lambda index: index in contexts)
        return self.add("torch", cuda=cuda, _C=inner, **more)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeFrameworks:
    return FakeFrameworks(monkeypatch)


def test_without_frameworks_there_is_nothing_to_wait_for(fake: FakeFrameworks) -> None:
    assert wait_for_devices() is None
    assert {"torch", "jax", "cupy"}.isdisjoint(sys.modules)


def test_torch_waits_for_the_devices_that_have_a_context(fake: FakeFrameworks) -> None:
    fake.torch(contexts=(0, 2))
    assert wait_for_devices() is None
    assert fake.calls == ["cuda 0", "cuda 2"]


def test_torch_is_not_woken(fake: FakeFrameworks) -> None:
    fake.torch(contexts=(0,), awake=False)
    assert wait_for_devices() is None
    assert fake.calls == []


def test_the_capture_of_a_graph_is_not_broken(fake: FakeFrameworks) -> None:
    fake.torch(contexts=(0,), capturing=True)
    assert wait_for_devices() is None
    assert fake.calls == []


def test_intel_and_apple_devices_of_torch(fake: FakeFrameworks) -> None:
    def xpu(*, awake: bool) -> SimpleNamespace:
        return SimpleNamespace(
            is_initialized=lambda: awake, device_count=lambda: 2, synchronize=fake.note("xpu {}")
        )

    def mps(allocated: int) -> SimpleNamespace:
        return SimpleNamespace(current_allocated_memory=lambda: allocated, synchronize=fake.note("mps"))

    backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True))
    fake.torch(awake=False, xpu=xpu(awake=True), mps=mps(100), backends=backends)
    assert wait_for_devices() is None
    assert fake.calls == ["xpu 0", "xpu 1", "mps"]
    fake.torch(awake=False, xpu=xpu(awake=False), mps=mps(0), backends=backends)
    assert wait_for_devices() is None
    assert fake.calls == ["xpu 0", "xpu 1", "mps"]


def fake_jax(fake: FakeFrameworks, *, awake: bool) -> None:
    class Array:
        def __init__(self, device: str) -> None:
            self.device = device

        def __add__(self, _other: int) -> Array:
            fake.calls.append(f"queued on {self.device}")
            return self

        def block_until_ready(self) -> None:
            fake.calls.append(f"waited for {self.device}")

    @contextlib.contextmanager
    def eager() -> Iterator[None]:
        fake.calls.append("eager")
        yield

    fake.add(
        "jax",
        local_devices=lambda: ["gpu:0", "gpu:1"],
        device_put=lambda _value, device: Array(device),
        ensure_compile_time_eval=eager,
    )
    fake.add("jax._src.xla_bridge", backends_are_initialized=lambda: awake)


def test_jax_queues_something_last_on_each_device_and_waits_for_it(fake: FakeFrameworks) -> None:
    fake_jax(fake, awake=True)
    assert wait_for_devices() is None
    assert fake.calls == [
        "eager", "queued on gpu:0", "queued on gpu:1", "waited for gpu:0", "waited for gpu:1"
    ]  # fmt: skip


def test_jax_is_not_woken(fake: FakeFrameworks) -> None:
    fake_jax(fake, awake=False)
    assert wait_for_devices() is None
    assert fake.calls == []


@pytest.mark.parametrize("capturing", [False, True])
def test_cupy(fake: FakeFrameworks, monkeypatch: pytest.MonkeyPatch, capturing: bool) -> None:
    stream = SimpleNamespace(is_capturing=lambda: capturing)
    device = lambda index: SimpleNamespace(synchronize=fake.note(f"cupy {index}"))  # noqa: E731
    fake.add("cupy", cuda=SimpleNamespace(get_current_stream=lambda: stream, Device=device))
    monkeypatch.setattr(devices, "cuda_devices_in_use", lambda: iter([1, 3]))
    assert wait_for_devices() is None
    assert fake.calls == ([] if capturing else ["cupy 1", "cupy 3"])


def test_one_framework_that_fails_does_not_keep_the_others_waiting(fake: FakeFrameworks) -> None:
    fake.add("torch")
    fake_jax(fake, awake=True)
    trouble = wait_for_devices()
    assert trouble is not None
    assert "torch: AttributeError" in str(trouble.message)
    assert fake.calls[-1] == "waited for gpu:1"


# --- the CUDA driver

_DRIVER = """
#include <stdlib.h>
static int awake(void) { return getenv("FAKE_CUDA") != NULL; }
int cuDeviceGetCount(int *count) { if (!awake()) return 3; *count = 3; return 0; }
int cuDeviceGet(int *device, int index) { *device = 10 + index; return 0; }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    *flags = 0; *active = device != 11; return device == 12 ? 101 : 0;
}
"""
_ASK = """
import ctypes, os, sys
from greenai.tracking.devices import cuda_devices_in_use
print(list(cuda_devices_in_use()))
ctypes.CDLL(sys.argv[1])
print(list(cuda_devices_in_use()))
os.environ["FAKE_CUDA"] = "1"
print(list(cuda_devices_in_use()))
"""


@pytest.mark.slow
def test_the_driver_says_which_devices_are_in_use_and_is_not_loaded_for_that(tmp_path: Path) -> None:
    library = tmp_path / "libcuda.so.1"
    (tmp_path / "driver.c").write_text(_DRIVER)
    command = [
        "cc",
        "-shared",
        "-fPIC",
        "-Wl,-soname,libcuda.so.1",
        "-o",
        str(library),
        str(tmp_path / "driver.c"),
    ]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(library)], check=True, capture_output=True, text=True, timeout=60
    )
    # Not loaded; loaded, but cuInit was not called; the second has no context and the third is gone.
    assert done.stdout.splitlines() == ["[]", "[]", "[0]"]


def test_a_system_without_the_means_to_ask_has_no_device_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "RTLD_NOLOAD")
    assert list(cuda_devices_in_use()) == []


# --- in a run


def test_marks_wait_only_where_that_was_asked_for(fake: FakeFrameworks) -> None:
    fake.torch(contexts=(0,))

    def waits() -> int:
        count = len(fake.calls)
        fake.calls.clear()
        return count

    with greenai.track("off") as run:
        with run.window("a"):
            pass
        assert waits() == 0
        with run.window("b", synchronize=True):
            assert waits() == 1
        assert waits() == 1
        for _ in run.steps([1], synchronize=True):
            assert waits() == 1
        assert waits() == 1
    assert waits() == 0
    with greenai.track("on", synchronize=True) as run:
        assert waits() == 1
        with run.window("a"):
            assert waits() == 1
        assert waits() == 1
        with run.window("a", synchronize=False):
            pass
        assert waits() == 0
        run.checkpoint()
        assert waits() == 1
    assert waits() == 1

    @greenai.track(synchronize=True)
    def train() -> int:
        return waits()

    assert train() == 1
    assert waits() == 1


def test_an_error_of_queued_work_is_told_once_and_not_raised(fake: FakeFrameworks) -> None:
    torch = fake.torch(contexts=(0,))

    def broken(_index: int) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    torch.cuda.synchronize = broken
    with greenai.track("x", synchronize=True) as run:
        for _ in range(3):
            with run.window("w"):
                pass
    (incident,) = (i for i in run.result.incidents if i.code == "device_not_waited_for")
    assert "illegal memory access" in incident.message.de
    assert len(run.result.windows) == 3


def test_a_user_who_loses_patience_while_a_device_is_waited_for_gets_the_window_ended(
    fake: FakeFrameworks,
) -> None:
    torch = fake.torch(contexts=(0,))

    def interrupted(_index: int) -> None:
        raise KeyboardInterrupt

    with greenai.track("x") as run:
        window = run.window("w", synchronize=True)
        window.__enter__()
        torch.cuda.synchronize = interrupted
        with pytest.raises(KeyboardInterrupt):
            window.__exit__(None, None, None)
        before_s = run.result.windows[0].duration_s
        assert run.result.windows[0].duration_s == before_s

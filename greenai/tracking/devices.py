"""Waiting until the accelerators have done what was asked of them.

Frameworks queue work and go on. A mark that is to enclose the work of a GPU has to wait for it. Nothing is
imported here and no device is woken: what counts is what the program has loaded, and the devices it already uses.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from greenai.core.collector import Incident
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_NOT_WAITED = Text(
    de="Auf ein Gerät konnte nicht gewartet werden ({reason}); Fenster können seine Arbeit verfehlen.",
    en="A device could not be waited for ({reason}); windows may miss its work.",
)


def wait_for_devices() -> Incident | None:
    """Block until all work queued by PyTorch, JAX and CuPy is done; return what failed, None if nothing did.

    An error of queued work surfaces here first. It is not raised: the program's own next call raises it again,
    as CUDA errors are sticky and a failed JAX array fails whoever reads it.
    """
    trouble = None
    for name, wait in _FRAMEWORKS.items():
        framework = sys.modules.get(name)
        if framework is not None:
            try:
                wait(framework)
            except Exception as error:  # noqa: BLE001  # whatever a framework throws, the program goes on
                reason = f"{name}: {type(error).__name__}: {error}"
                trouble = Incident("device_not_waited_for", _NOT_WAITED.format(reason=reason))
    return trouble


def _torch(torch: Any) -> None:
    """PyTorch: ``synchronize`` would create a context on a device that has none, and break a graph's capture."""
    if torch.cuda.is_initialized() and not torch.cuda.is_current_stream_capturing():
        for index in range(torch.cuda.device_count()):
            if torch._C._cuda_hasPrimaryContext(index):  # noqa: SLF001  # there is no public name for it
                torch.cuda.synchronize(index)
    xpu = getattr(torch, "xpu", None)
    if xpu is not None and xpu.is_initialized():
        for index in range(xpu.device_count()):
            xpu.synchronize(index)
    mps = getattr(torch, "mps", None)
    if mps is not None and torch.backends.mps.is_available() and mps.current_allocated_memory() > 0:
        mps.synchronize()


def _jax(jax: Any) -> None:
    """JAX runs computations in order on each device, so one that is queued now ends last (jax issue 4335).

    ``jax.effects_barrier`` waits for side effects only. Inside a function that is being traced the computation
    must not become part of the trace.
    """
    bridge = sys.modules.get("jax._src.xla_bridge")  # there is no public way to ask without waking the devices
    if bridge is None or not bridge.backends_are_initialized():
        return
    with jax.ensure_compile_time_eval():
        for last in [jax.device_put(0.0, device) + 0 for device in jax.local_devices()]:
            last.block_until_ready()


def _cupy(cupy: Any) -> None:
    if not cupy.cuda.get_current_stream().is_capturing():
        for index in cuda_devices_in_use():
            cupy.cuda.Device(index).synchronize()


def cuda_devices_in_use() -> Iterator[int]:
    """Return the numbers of the CUDA devices that this process has a context on.

    The driver is asked, if it is loaded; neither ``cuInit`` nor a context comes of it (CUDA Driver API:
    cuDeviceGetCount fails before cuInit, cuDevicePrimaryCtxGetState creates nothing).
    """
    import ctypes

    try:
        driver = ctypes.CDLL("libcuda.so.1", mode=os.RTLD_NOLOAD)
    except (OSError, AttributeError):  # not loaded; a system without this flag
        return
    count, device, flags, active = ctypes.c_int(), ctypes.c_int(), ctypes.c_uint(), ctypes.c_int()
    if driver.cuDeviceGetCount(ctypes.byref(count)):
        return
    for index in range(count.value):
        failed = driver.cuDeviceGet(ctypes.byref(device), index) or driver.cuDevicePrimaryCtxGetState(
            device, ctypes.byref(flags), ctypes.byref(active)
        )
        if not failed and active.value:
            yield index


_FRAMEWORKS: dict[str, Callable[[Any], None]] = {"torch": _torch, "jax": _jax, "cupy": _cupy}

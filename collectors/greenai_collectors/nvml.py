"""NVIDIA GPUs by NVML (``pynvml``, the official nvidia-ml-py): the energy counter, else polled power.

Which meters there are and what they mean: ``greenai.host.nvml_meters``. Which GPUs are the program's:
``greenai.core.visible_devices``. Channels::

    nvml:GPU-<uuid>                 a GPU: its counter, else its power
    nvml:GPU-<uuid>/<gi>/<ci>+...   MIG devices of one board: the whole board's meter, allocated by slices
    nvml:module:GPU-<uuid>          a Grace superchip: GPUs, Grace and memories; the GPU alone is offered beside it

A superchip's module contains its GPU, so the cover rule counts one of the two. A module is offered only where all
its GPUs are the program's. MIG devices have no meter of their own (NVML API Reference Guide).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Kind
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.host.nvml import (
    ERROR_DRIVER_NOT_LOADED,
    ERROR_UNINITIALIZED,
    NO_LIBRARY,
    BadValueError,
    error_code,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host
    from greenai.host.nvml import NvmlApi
    from greenai.host.nvml_meters import Source

LIBRARY = "libnvidia-ml.so.1"

_ABSENT = Incident(
    "nvml_absent",
    Text(de="Kein NVIDIA-Treiber auf dieser Maschine.", en="No NVIDIA driver on this machine."),
)
_FAILED = Text(
    de="Der NVIDIA-Treiber antwortet nicht: {reason}.",
    en="The NVIDIA driver does not answer: {reason}.",
)
_CHECK_DRIVER = Text(de="Prüfen mit: nvidia-smi", en="Check with: nvidia-smi")
_NONE_VISIBLE = Incident(
    "nvml_no_device",
    Text(
        de="Keine GPU sichtbar (CUDA_VISIBLE_DEVICES schließt alle aus, oder es gibt keine).",
        en="No GPU is visible (CUDA_VISIBLE_DEVICES excludes all, or there is none).",
    ),
)
_DENIED = Incident(
    "nvml_no_permission",
    Text(
        de="Es gibt NVIDIA-GPUs, aber dieser Benutzer darf keine davon öffnen.",
        en="There are NVIDIA GPUs, but this user may open none of them.",
    ),
    Text(
        de='sudo usermod -aG "$(stat -c %G /dev/nvidia0)" "$USER" (danach neu anmelden)',
        en='sudo usermod -aG "$(stat -c %G /dev/nvidia0)" "$USER" (then log in again)',
    ),
)


class NvmlCollector:
    """Energy of the GPUs that the program may use."""

    name = "nvml"
    slow = False
    native = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._api: NvmlApi | None = None
        self._holds = False  # a nvmlInit of ours is not yet paid back
        self._sources: dict[str, Source] = {}
        self._opened: tuple[Channel, ...] = ()

    def probe(self) -> Probe:
        """List the visible GPUs and find out which of them count energy."""
        if self._api is None:
            load = self._host.load_nvml()
            if load.api is None:
                return Unavailable(_ABSENT, expected=True) if load.reason == NO_LIBRARY else _failed(load.reason)
            self._api = load.api
        from greenai.host.nvml_offer import nvml_offer  # only where there is a driver

        api = self._api
        try:
            if not self._holds:
                api.nvmlInit()
                self._holds = True
            offer = nvml_offer(api, self._host)
        except api.NVMLError as error:
            self.close()
            # Without a loaded driver no program can use a GPU.
            no_driver = error_code(error) == ERROR_DRIVER_NOT_LOADED
            return Unavailable(_ABSENT, expected=True) if no_driver else _failed(error)
        self._sources = offer.sources
        if offer.channels:
            return Available(tuple(offer.channels), tuple(offer.incidents), dict.fromkeys(offer.sources, LIBRARY))
        self.close()
        if offer.incidents:
            return Unavailable(offer.incidents[0])
        if offer.all_denied and "SLURM_JOB_ID" not in self._host.environ:
            return Unavailable(_DENIED)
        return Unavailable(_NONE_VISIBLE, expected=True)

    def open(self, channels: Sequence[Channel]) -> None:
        """Remember what to read; the handles of the probe belong to this process and stay valid."""
        self._opened = tuple(channels)

    def read(self) -> list[Reading]:
        """Read every GPU once."""
        readings = [self._read(channel) for channel in self._opened]
        if not self._holds and self._start_again():
            readings = [self._read(channel) for channel in self._opened]
        return readings

    def close(self) -> None:
        """Leave NVML as it was found: it counts its starts, and the last end ends it."""
        if self._api is not None and self._holds:
            with contextlib.suppress(self._api.NVMLError):
                self._api.nvmlShutdown()
        self._api, self._holds = None, False
        self._sources, self._opened = {}, ()

    def _read(self, channel: Channel) -> Reading:
        source = self._sources.get(channel.id)
        t_ns = self._host.clock.mono_ns()
        if self._api is None or source is None:
            return Gap(channel.id, t_ns, "nvml_device_gone")
        try:
            value = source.read(self._api, t_ns)
        except BadValueError as error:
            return Gap(channel.id, t_ns, str(error))
        except self._api.NVMLError as error:
            if error_code(error) == ERROR_UNINITIALIZED:
                self._holds = False  # somebody in this process ended NVML once too often: it was our start
            return Gap(channel.id, t_ns, f"nvml_{_slug(error)}")
        if channel.kind is Kind.COUNTER:
            return CounterReading(channel.id, t_ns, value)
        return PowerReading(channel.id, t_ns, value)

    def _start_again(self) -> bool:
        """Start NVML anew, once per round; the handles from before are void."""
        if self._api is None:
            return False
        try:
            self._api.nvmlInit()
        except self._api.NVMLError:
            return False
        self._holds = True
        for source in self._sources.values():
            try:
                source.handle = self._api.nvmlDeviceGetHandleByUUID(source.uuid)
            except self._api.NVMLError:
                source.handle = None
        return True


def _failed(reason: object) -> Unavailable:
    return Unavailable(Incident("nvml_failed", _FAILED.format(reason=reason), _CHECK_DRIVER))


def _slug(error: Exception) -> str:
    return "_".join(str(error).casefold().split()) or type(error).__name__

"""NVIDIA GPUs by NVML (``pynvml``, the official nvidia-ml-py): the energy counter, else polled power.

``nvmlDeviceGetTotalEnergyConsumption`` counts **mJ** since the driver was loaded, on Volta and newer, renewed
about every 100 ms. ``nvmlDeviceGetPowerUsage`` gives **mW**; on most boards it sees a short window of each
period only (Yang, Adámek, Armour, SC24, arXiv:2312.02741), hence the wider uncertainty.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UJ_PER_MJ, UW_PER_MW, UW_PER_W
from greenai.host.nvml import NO_LIBRARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host
    from greenai.host.nvml import NvmlApi

METHOD_COUNTER = "nvml_energy_counter"
METHOD_POWER = "nvml_power_polled"
_MAX_GPU_POWER_UW = 3000 * UW_PER_W

# ~95 % half-widths after Yang et al.; short runs suffer from the 100 ms renewal of the counter.
_UNCERTAINTY_COUNTER = 0.05
_UNCERTAINTY_POWER = 0.10
_UNCERTAINTY_SHORT = ((5.0, 0.40), (60.0, 0.10))
_UNCERTAINTY_SHORT_POWER = ((5.0, 0.40), (60.0, 0.20))

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
_UNKNOWN_DEVICE = Text(
    de="CUDA_VISIBLE_DEVICES nennt „{entry}“; diese GPU wurde nicht gefunden und nicht gemessen.",
    en='CUDA_VISIBLE_DEVICES names "{entry}"; that GPU was not found and not measured.',
)
_UNREACHABLE = Text(
    de="GPU {index} antwortet nicht ({reason}); sie wird nicht gemessen.",
    en="GPU {index} does not answer ({reason}); it is not measured.",
)
_NO_ENERGY = Text(
    de="{device} gibt weder Energie noch Leistung an ({reason}); ihre Energie ist unbekannt.",
    en="{device} reports neither energy nor power ({reason}); its energy is unknown.",
)
_SUPERCHIP = Text(
    de="Bei diesem Superchip kann der Wert die CPU enthalten.",
    en="On this superchip the figure may contain the CPU.",
)


@dataclass(frozen=True, slots=True)
class _Device:
    index: int
    uuid: str
    name: str
    handle: Any


class NvmlCollector:
    """Energy of the GPUs that the program may use."""

    name = "nvml"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._api: NvmlApi | None = None
        self._opened: list[tuple[Channel, Any]] = []

    def probe(self) -> Probe:
        """List the visible GPUs and find out which of them count energy."""
        load = self._host.load_nvml()
        if load.api is None:
            if load.reason == NO_LIBRARY:
                return Unavailable(_ABSENT, expected=True)
            return Unavailable(Incident("nvml_failed", _FAILED.format(reason=load.reason), _CHECK_DRIVER))
        self._api = load.api
        try:
            devices, incidents = self._visible(self._api)
            channels = []
            for device in devices:
                found = self._channel(self._api, device)
                if isinstance(found, Channel):
                    channels.append(found)
                else:
                    incidents.append(found)
        except self._api.NVMLError as error:
            return Unavailable(Incident("nvml_failed", _FAILED.format(reason=error), _CHECK_DRIVER))
        if channels:
            return Available(tuple(channels), tuple(incidents))
        if incidents:
            return Unavailable(incidents[0])
        return Unavailable(_NONE_VISIBLE, expected=True)

    def open(self, channels: Sequence[Channel]) -> None:
        """Look up the devices again; their handles belong to this process."""
        if self._api is None:
            return
        handles = {f"{self.name}:{device.uuid}": device.handle for device in self._visible(self._api)[0]}
        self._opened = [(channel, handles.get(channel.id)) for channel in channels]

    def read(self) -> list[Reading]:
        """Read every GPU once."""
        return [self._read(channel, handle) for channel, handle in self._opened]

    def close(self) -> None:
        """Leave NVML as it was found."""
        if self._api is not None:
            with contextlib.suppress(self._api.NVMLError):
                self._api.nvmlShutdown()
            self._api = None
        self._opened = []

    def _read(self, channel: Channel, handle: Any) -> Reading:
        t_ns = self._host.clock.mono_ns()
        if self._api is None or handle is None:
            return Gap(channel.id, t_ns, "nvml_device_gone")
        try:
            if channel.kind is Kind.COUNTER:
                energy_mj = self._api.nvmlDeviceGetTotalEnergyConsumption(handle)
                return CounterReading(channel.id, t_ns, int(energy_mj) * UJ_PER_MJ)
            power_mw = self._api.nvmlDeviceGetPowerUsage(handle)
            return PowerReading(channel.id, t_ns, int(power_mw) * UW_PER_MW)
        except self._api.NVMLError as error:
            return Gap(channel.id, t_ns, f"nvml_{_slug(error)}")

    def _visible(self, api: NvmlApi) -> tuple[list[_Device], list[Incident]]:
        """Return the devices the program may use, and what is wrong with the others.

        Indices, UUIDs and UUID prefixes are understood. As in CUDA, -1 or an empty value hides everything, and
        nothing after an invalid entry counts.
        """
        devices: list[_Device] = []
        unreachable: list[Incident] = []
        for index in range(api.nvmlDeviceGetCount()):
            try:
                handle = api.nvmlDeviceGetHandleByIndex(index)
                uuid, name = api.nvmlDeviceGetUUID(handle), api.nvmlDeviceGetName(handle)
            except api.NVMLError as error:  # fallen off the bus, or another job's
                message = _UNREACHABLE.format(index=index, reason=error)
                unreachable.append(Incident("nvml_device_unreachable", message))
            else:
                devices.append(_Device(index, uuid, name, handle))
        wanted = self._host.environ.get("CUDA_VISIBLE_DEVICES")
        if wanted is None:
            return devices, unreachable
        chosen: list[_Device] = []
        for entry in (part.strip() for part in wanted.split(",")):
            matches = [
                device
                for device in devices
                if (entry.isdecimal() and device.index == int(entry))
                or (entry.startswith("GPU-") and device.uuid.startswith(entry))
            ]
            if len(matches) != 1:
                if entry not in {"", "-1", "NoDevFiles"}:
                    unreachable.append(Incident("nvml_device_unknown", _UNKNOWN_DEVICE.format(entry=entry)))
                break
            if matches[0] not in chosen:
                chosen.append(matches[0])
        return chosen, unreachable

    def _channel(self, api: NvmlApi, device: _Device) -> Channel | Incident:
        label = f"{device.name} ({device.uuid})"
        counter = power = None
        try:
            counter = api.nvmlDeviceGetTotalEnergyConsumption(device.handle)
        except api.NVMLError as counter_error:
            reason = str(counter_error)
            try:
                power = api.nvmlDeviceGetPowerUsage(device.handle)
            except api.NVMLError as power_error:
                reason = str(power_error)
        if counter is None and power is None:
            return Incident("nvml_no_energy", _NO_ENERGY.format(device=label, reason=reason))
        counts = counter is not None
        return Channel(
            id=f"{self.name}:{device.uuid}",
            collector=self.name,
            component=Component.GPU,
            kind=Kind.COUNTER if counts else Kind.POWER,
            quality=Quality.MEASURED,
            device=f"{device.index} {device.name}",
            host=self._host.name,
            method=METHOD_COUNTER if counts else METHOD_POWER,
            uncertainty_rel=_UNCERTAINTY_COUNTER if counts else _UNCERTAINTY_POWER,
            uncertainty_short=_UNCERTAINTY_SHORT if counts else _UNCERTAINTY_SHORT_POWER,
            max_power_uw=_MAX_GPU_POWER_UW,
            note=_SUPERCHIP if "GH200" in device.name or "GB200" in device.name else None,
        )


def _slug(error: Exception) -> str:
    return "_".join(str(error).casefold().split()) or type(error).__name__

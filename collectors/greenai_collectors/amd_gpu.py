"""AMD GPUs: the energy counter by ``amdsmi`` where it can be trusted, else the power by the kernel's hwmon.

What is read (layouts: ``greenai.host.amdgpu``, ``greenai.host.amdsmi``)::

    amdsmi_get_energy_count    energy_accumulator x counter_resolution (15.3 **µJ**), since the driver was loaded
    hwmon power1_average       **µW**, averaged by the GPU's firmware; preferred where both exist
    hwmon power1_input         **µW**, momentary

The counter is taken from amdsmi 6.2.1 on (there the key ``power`` became ``energy_accumulator``), and never on a
MI100: others stand still (ROCm/amdsmi#22) or count wrongly (ROCm/amdsmi#38). While it is read, it is held against
the power.

What a figure contains:

* A discrete GPU with its memory, as far as its firmware accounts for it.
* MI250 and MI250X: both dies of the card, once. If the program may use only one of them, half is allocated to it.
* MI300A: the whole socket with its CPU cores and memory, so it is a module.
* An integrated GPU: the power of the whole processor ("On APUs this includes the CPU", amdgpu_pm.c). It is offered
  as a CPU, and more uncertain than RAPL: where RAPL can be read, that counts, never both. It is not subject to the
  variables that hide GPUs.

A GPU that sleeps answers EPERM (``amdgpu_pm_get_access_if_active``): no matter of permissions. It is not woken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_W
from greenai.host.amdgpu import AmdCard, AmdCards, AmdPowerFile, amd_cards, has_amd_gpu
from greenai.host.amdsmi import NO_LIBRARY, AmdSmiCounter, AmdSmiPower, status_of
from greenai.host.hwmon import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host
    from greenai.host.amdsmi import AmdSmiApi

METHOD_COUNTER = "amdsmi_energy_counter"
METHOD_POWER = "amdgpu_hwmon_power"
METHOD_SMI_POWER = "amdsmi_power_polled"
POLICY = "gpu_part_share"

_MI100 = frozenset({"0x738c", "0x738e"})  # pci.ids: "Arcturus GL-XL [Instinct MI100]"
_MI300A = "0x74a0"  # pci.ids: "Aqua Vanjaram [Instinct MI300A]"
_RESOLUTION_UJ = 16
_MAX_GPU_POWER_UW = 2500 * UW_PER_W
_MAX_PROCESSOR_POWER_UW = 500 * UW_PER_W

# ~95 % half-widths: this project's cautious choice, no study is known (research, domain 6.8). A gauge sees less
# than a counter. Half a card by counting dies may be far from what that die took.
_UNCERTAINTY_COUNTER = 0.15
_UNCERTAINTY_POWER = 0.20
_UNCERTAINTY_SHORT = ((5.0, 0.40), (60.0, 0.25))
_UNCERTAINTY_PART = 0.50

_ABSENT = Incident(
    "amd_gpu_absent", Text(de="Keine AMD-GPU in dieser Maschine.", en="No AMD GPU in this machine.")
)
_NONE_VISIBLE = Incident(
    "amd_gpu_hidden",
    Text(
        de="Keine AMD-GPU sichtbar (ROCR_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES oder eine Cgroup verbirgt alle).",
        en="No AMD GPU is visible (ROCR_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES or a cgroup hides all).",
    ),
)
_UNKNOWN_DEVICE = Text(
    de="{variable} nennt „{entry}“; diese AMD-GPU wurde nicht gefunden und nicht gemessen.",
    en='{variable} names "{entry}"; that AMD GPU was not found and not measured.',
)
_LIBRARY_FAILED = Text(
    de="AMDs Bibliothek amdsmi antwortet nicht ({reason}); gemessen wird die Leistung statt des Energiezählers.",
    en="AMD's library amdsmi does not answer ({reason}); power is measured instead of the energy counter.",
)
_JOIN_GROUPS = Text(
    de='sudo usermod -aG render,video "$USER"   (danach neu anmelden; prüfen mit: amd-smi list)',
    en='sudo usermod -aG render,video "$USER"   (then log in again; check with: amd-smi list)',
)
_UNREADABLE = Text(
    de="Der Leistungssensor {path} ist für diesen Benutzer nicht lesbar.",
    en="The power sensor {path} may not be read by this user.",
)
_MAKE_READABLE = Text(
    de="Bis zum Neustart: sudo chmod a+r {path}", en="Until the next boot: sudo chmod a+r {path}"
)
_NO_SENSOR = Text(
    de="{device} gibt weder Energie noch Leistung an (in virtuellen Maschinen üblich); die Energie ist unbekannt.",
    en="{device} reports neither energy nor power (usual in virtual machines); its energy is unknown.",
)
_SECOND_DIE = Text(
    de="{device} ist der zweite Chip einer Karte; ihre Leistung meldet nur der erste, und der fehlt hier. "
    "Die Energie ist unbekannt, nicht 0.",
    en="{device} is the second die of a card; only the first one reports its power, and that one is not here. "
    "Its energy is unknown, not 0.",
)
_PROCESSOR = Text(
    de="Leistung des ganzen Prozessors samt integrierter GPU, nach Angabe des GPU-Treibers.",
    en="Power of the whole processor with its integrated GPU, as the GPU driver says.",
)
_SOCKET = Text(de="Ganzer Sockel: CPU-Kerne, GPU und Speicher.", en="The whole socket: CPU cores, GPU and memory.")
_BOTH_DIES = Text(
    de="Beide Chips der Karte; nur einer meldet, für beide.",
    en="Both dies of the card; only one reports, for both.",
)
_PART = Text(
    de="{visible} von {nodes} Teilen der Karte sind freigegeben; zugeteilt ist ihr Anteil nach Anzahl.",
    en="{visible} of the card's {nodes} parts may be used; their share by number is allocated.",
)


_Sensor = AmdPowerFile | AmdSmiCounter | AmdSmiPower


class AmdGpuCollector:
    """Energy of the AMD GPUs that the program may use, and of processors with an integrated one."""

    name = "amd_gpu"
    slow = False
    native = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._api: AmdSmiApi | None = None
        self._opened: list[tuple[Channel, _Sensor | None]] = []

    def probe(self) -> Probe:
        """List the cards and find out how each can be read."""
        if not has_amd_gpu(self._host):
            return Unavailable(_ABSENT, expected=True)
        found = amd_cards(self._host)
        incidents = self._unknown(found)
        handles = self._handles(found, incidents)
        channels: list[Channel] = []
        sources: dict[str, str] = {}
        for card in found.cards:
            if not (card.integrated or card.visible):
                continue
            offer = self._offer(card, handles.get(card.device.address))
            if isinstance(offer, Incident):
                incidents.append(offer)
            else:
                channel, source = offer
                channels.append(channel)
                sources[channel.id] = source
        if channels:
            return Available(tuple(channels), tuple(incidents), sources)
        return Unavailable(incidents[0]) if incidents else Unavailable(_NONE_VISIBLE, expected=True)

    def open(self, channels: Sequence[Channel]) -> None:
        """Open the power files and look up the devices again; handles belong to this process."""
        found = amd_cards(self._host)
        handles = self._handles(found, [])
        cards = {self._id(card): card for card in found.cards}
        for channel in channels:
            card = cards.get(channel.id)
            self._opened.append((channel, self._sensor(channel, card, handles) if card else None))

    def read(self) -> list[Reading]:
        """Read every card once."""
        readings: list[Reading] = []
        for channel, sensor in self._opened:
            t_ns = self._host.clock.mono_ns()
            value = "amd_gpu_gone" if sensor is None else sensor.read(t_ns)
            if isinstance(value, str):
                readings.append(Gap(channel.id, t_ns, value))
            elif channel.kind is Kind.COUNTER:
                readings.append(CounterReading(channel.id, t_ns, value))
            else:
                readings.append(PowerReading(channel.id, t_ns, value))
        return readings

    def close(self) -> None:
        """Close the files. The library stays initialised: it may be the user's program that needs it."""
        for _, sensor in self._opened:
            if sensor is not None:
                sensor.close()
        self._opened.clear()
        self._api = None

    def _unknown(self, found: AmdCards) -> list[Incident]:
        # Where an NVIDIA driver is loaded, CUDA_VISIBLE_DEVICES speaks of its devices.
        nvidia = (self._host.proc_root / "driver" / "nvidia").exists()
        return [
            Incident("amd_gpu_unknown", _UNKNOWN_DEVICE.format(variable=variable, entry=entry))
            for variable, entry in found.unknown
            if not all(card.integrated for card in found.cards) and not (nvidia and variable.startswith("CUDA"))
        ]

    def _handles(self, found: AmdCards, incidents: list[Incident]) -> dict[str, Any]:
        """Return the library's handles by PCI address; none if only processors are to be read."""
        if not any(card.visible and not card.integrated for card in found.cards):
            return {}
        load = self._host.load_amdsmi()
        self._api = load.api
        reason = load.reason
        handles: dict[str, Any] = {}
        if load.api is not None:
            try:
                for handle in load.api.amdsmi_get_processor_handles():
                    # Partitions of a card have its address; the first of them has its counter.
                    handles.setdefault(load.api.amdsmi_get_gpu_device_bdf(handle).lower(), handle)
            except Exception as error:  # noqa: BLE001  # somebody else's library
                reason = status_of(error)
        if reason not in ("", NO_LIBRARY):
            incidents.append(Incident("amd_gpu_library", _LIBRARY_FAILED.format(reason=reason), _JOIN_GROUPS))
        return handles

    def _offer(self, card: AmdCard, handle: Any) -> tuple[Channel, str] | Incident:
        label = self._label(card, handle)
        if not card.reports:
            return Incident("amd_gpu_second_die", _SECOND_DIE.format(device=label), channel_id=self._id(card))
        path = card.power_file
        if self._counts(card, handle):
            return self._channel(card, label, METHOD_COUNTER), "amdsmi"
        if path is not None and readable(path):
            return self._channel(card, label, METHOD_POWER), str(path)
        if (
            self._api is not None
            and handle is not None
            and isinstance(AmdSmiPower(self._api, handle).read(0), int)
        ):
            return self._channel(card, label, METHOD_SMI_POWER), "amdsmi"
        if path is not None and path.exists():
            closed, remedy = _UNREADABLE.format(path=path), _MAKE_READABLE.format(path=path)
            return Incident("amd_gpu_unreadable", closed, remedy, self._id(card))
        return Incident("amd_gpu_no_sensor", _NO_SENSOR.format(device=label), channel_id=self._id(card))

    def _counts(self, card: AmdCard, handle: Any) -> bool:
        if self._api is None or handle is None or card.integrated or card.device.text("device") in _MI100:
            return False
        return isinstance(AmdSmiCounter(self._api, handle).energy_uj(), int)

    def _sensor(self, channel: Channel, card: AmdCard, handles: dict[str, Any]) -> _Sensor | None:
        handle = handles.get(card.device.address)
        if channel.method == METHOD_POWER:
            return AmdPowerFile(card.power_file, channel.max_power_uw) if card.power_file else None
        if self._api is None or handle is None:
            return None
        return (AmdSmiCounter if channel.kind is Kind.COUNTER else AmdSmiPower)(self._api, handle)

    def _id(self, card: AmdCard) -> str:
        return f"{self.name}:{card.device.address}"

    def _label(self, card: AmdCard, handle: Any) -> str:
        product = card.device.text("product_name")
        if self._api is not None and handle is not None and not product:
            try:
                product = str(self._api.amdsmi_get_gpu_asic_info(handle).get("market_name", ""))
            except Exception:  # noqa: BLE001  # somebody else's library, and only a name
                product = ""
        if product in ("", "N/A"):
            ids = ":".join(card.device.text(file).removeprefix("0x") for file in ("vendor", "device"))
            product = f"AMD [{ids}]"
        return f"{product} ({card.device.address})"

    def _channel(self, card: AmdCard, label: str, method: str) -> Channel:
        module = card.device.text("device") == _MI300A
        processor = card.integrated and not module
        part = not processor and 0 < card.visible < card.nodes
        counts = method == METHOD_COUNTER
        uncertainty = _UNCERTAINTY_COUNTER if counts else _UNCERTAINTY_POWER
        note = None
        if part:
            note = _PART.format(visible=card.visible, nodes=card.nodes)
        elif processor or module:
            note = _PROCESSOR if processor else _SOCKET
        elif card.dies > 1:
            note = _BOTH_DIES
        return Channel(
            id=self._id(card),
            collector=self.name,
            component=Component.CPU if processor else Component.MODULE if module else Component.GPU,
            kind=Kind.COUNTER if counts else Kind.POWER,
            quality=Quality.ALLOCATED if part else Quality.MEASURED,
            device=label,
            host=self._host.name,
            method=method,
            uncertainty_rel=max(uncertainty, _UNCERTAINTY_PART) if part else uncertainty,
            uncertainty_short=() if part else _UNCERTAINTY_SHORT,
            max_power_uw=_MAX_PROCESSOR_POWER_UW if processor else _MAX_GPU_POWER_UW,
            resolution_uj=_RESOLUTION_UJ if counts else 0,
            share=card.visible / card.nodes if part else 1.0,
            policy=POLICY if part else None,
            gpu_vendor="" if processor else "amd",
            note=note,
        )

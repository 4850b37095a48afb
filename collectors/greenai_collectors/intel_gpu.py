"""Intel's discrete GPUs (Arc, Flex, Max): the energy counters of the drivers i915 and xe, by the kernel's hwmon.

Layout (Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and -xe-hwmon, i915_hwmon.c, xe_hwmon.c)::

    /sys/bus/pci/drivers/i915/0000:03:00.0/hwmon/hwmon3/name            i915
    /sys/bus/pci/drivers/i915/0000:03:00.0/hwmon/hwmon3/energy1_input   **µJ** of the device    <- counted
    /sys/bus/pci/drivers/i915/0000:03:00.0/hwmon/hwmon4/name            i915_gt0
    /sys/bus/pci/drivers/i915/0000:03:00.0/hwmon/hwmon4/energy1_input   **µJ** of a tile        <- inside it
    /sys/bus/pci/drivers/xe/0000:03:00.0/hwmon/hwmon3/name              xe
    /sys/bus/pci/drivers/xe/0000:03:00.0/hwmon/hwmon3/energy1_label     card
    /sys/bus/pci/drivers/xe/0000:03:00.0/hwmon/hwmon3/energy1_input     **µJ** of the card      <- counted
    /sys/bus/pci/drivers/xe/0000:03:00.0/hwmon/hwmon3/energy2_label     pkg
    /sys/bus/pci/drivers/xe/0000:03:00.0/hwmon/hwmon3/energy2_input     **µJ** of the package   <- inside it
    /sys/bus/pci/drivers/xe/0000:03:00.0/tile0, tile1                   one folder per tile

The package is counted only where the card is not (Arc A under xe). i915 calls its counter the device's, but reads
the package's register on DG1 and DG2 (``PCU_PACKAGE_ENERGY_STATUS``), which have no chips of tiles; either way the
note says so. Integrated GPUs have no hwmon: they are part of RAPL's package.

The hardware counts 2^32 steps of 2^-14 J, which are 262 kJ, and the driver adds them up **when it is read**:
between two reads it notices one turn at most. So for an interval it is as if the counter wrapped, although its
value grows. Where a read fails, xe says 0 (``xe_hwmon_energy_get``). Reading wakes a card that sleeps, hence the
note about that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.core.units import UJ_PER_J, UW_PER_W
from greenai.host.hwmon import SensorFile, readable
from greenai.host.pci import PciDevice, pci_devices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from greenai.host import Host
    from greenai.host.hwmon import HwmonChip

METHOD = "intel_gpu_hwmon"
POLICY = "gpu_part_share"

_DRIVERS = ("i915", "xe")
_INTEGRATED = "0000:00:02.0"  # where Intel's integrated GPUs are, always
_TILE_CHIP = re.compile(r"^i915_gt\d+$")
_TILE_FOLDER = re.compile(r"^tile\d+$")
_ENTRY = re.compile(r"^(\d+)(?:\.(\d+))?$")

_TURN_UJ = 2**32 * UJ_PER_J // 2**14
_RESOLUTION_UJ = 62
_MAX_CARD_POWER_UW = 1000 * UW_PER_W

# ~95 % half-widths: this project's cautious choice, no study is known. A package is less than its card, so the
# truth lies above it rather than below. A tile's share by number may be far from what that tile took.
_UNCERTAINTY_CARD = 0.15
_UNCERTAINTY_PACKAGE = 0.30
_UNCERTAINTY_PART = 0.50

_ABSENT = Incident(
    "intel_gpu_absent",
    Text(
        de="Keine Intel-GPU mit Energiezähler in dieser Maschine.", en="No Intel GPU with an energy counter here."
    ),
)
_NONE_VISIBLE = Incident(
    "intel_gpu_hidden",
    Text(de="ZE_AFFINITY_MASK verbirgt alle Intel-GPUs.", en="ZE_AFFINITY_MASK hides all Intel GPUs."),
)
_UNKNOWN_DEVICE = Text(
    de="ZE_AFFINITY_MASK nennt „{entry}“; diese Intel-GPU wurde nicht gefunden und nicht gemessen.",
    en='ZE_AFFINITY_MASK names "{entry}"; that Intel GPU was not found and not measured.',
)
_UNREADABLE = Text(
    de="Der GPU-Energiezähler {path} ist für diesen Benutzer nicht lesbar.",
    en="The GPU energy counter {path} may not be read by this user.",
)
_MAKE_READABLE = Text(
    de="Bis zum Neustart: sudo chmod a+r {path}", en="Until the next boot: sudo chmod a+r {path}"
)
_PACKAGE_ONLY = Text(
    de="Zähler des GPU-Chips; Grafikspeicher und Spannungswandler können fehlen.",
    en="Counter of the GPU's package; video memory and voltage regulators may be missing.",
)
_KEPT_AWAKE = Text(
    de="Das Messen kann verhindern, dass die Karte im Leerlauf schläft.",
    en="Measuring may keep the card from sleeping while it idles.",
)
_PART = Text(
    de="{visible} von {tiles} Kacheln der Karte sind freigegeben; zugeteilt ist ihr Anteil nach Anzahl.",
    en="{visible} of the card's {tiles} tiles may be used; their share by number is allocated.",
)


class _Card(NamedTuple):
    device: PciDevice
    counter: Path | None  # None for integrated GPUs and virtual functions
    package_only: bool
    tiles: int


class IntelGpuCollector:
    """Energy counters of the discrete Intel GPUs that the program may use."""

    name = "intel_gpu"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._files: list[tuple[str, SensorFile | None]] = []

    def probe(self) -> Probe:
        """List the visible cards with a counter. No counter is read: that would wake a card that sleeps."""
        cards = self._cards()
        if all(card.counter is None for card in cards):
            return Unavailable(_ABSENT, expected=True)
        visible, unknown = visible_tiles([card.tiles for card in cards], self._host.environ)
        incidents = [Incident("intel_gpu_unknown", _UNKNOWN_DEVICE.format(entry=entry)) for entry in unknown]
        channels: list[Channel] = []
        sources: dict[str, str] = {}
        for card, count in zip(cards, visible, strict=True):
            if card.counter is None or not count:
                continue
            channel = self._channel(card, count)
            if readable(card.counter):
                channels.append(channel)
                sources[channel.id] = str(card.counter)
            else:
                closed, remedy = _UNREADABLE.format(path=card.counter), _MAKE_READABLE.format(path=card.counter)
                incidents.append(Incident("intel_gpu_unreadable", closed, remedy, channel.id))
        if channels:
            return Available(tuple(channels), tuple(incidents), sources)
        return Unavailable(incidents[0]) if incidents else Unavailable(_NONE_VISIBLE, expected=True)

    def open(self, channels: Sequence[Channel]) -> None:
        """Take one file per counter."""
        paths = {self._id(card): card.counter for card in self._cards()}
        for channel in channels:
            path = paths.get(channel.id)
            self._files.append((channel.id, SensorFile(path) if path is not None else None))

    def read(self) -> list[Reading]:
        """Read every counter once."""
        readings: list[Reading] = []
        for channel_id, file in self._files:
            t_ns = self._host.clock.mono_ns()
            try:
                energy_uj = file.number() if file is not None else 0
            except (OSError, ValueError) as error:
                readings.append(Gap(channel_id, t_ns, f"intel_gpu_{type(error).__name__}"))
                continue
            if energy_uj > 0:
                readings.append(CounterReading(channel_id, t_ns, energy_uj))
            else:
                readings.append(Gap(channel_id, t_ns, "intel_gpu_zero" if file is not None else "intel_gpu_gone"))
        return readings

    def close(self) -> None:
        """Close the counters."""
        for _, file in self._files:
            if file is not None:
                file.close()
        self._files.clear()

    def _cards(self) -> list[_Card]:
        """Return all Intel GPUs in the order of Level Zero (execution_environment.cpp, ``sortNeoDevices``).

        That is the order of the bus, the integrated GPU last; with ZE_ENABLE_PCI_ID_DEVICE_ORDER=1 in its place.
        """
        cards = []
        for device in (device for driver in _DRIVERS for device in pci_devices(self._host, driver)):
            chips = device.hwmon_chips()
            chip = next((chip for chip in chips if chip.name in _DRIVERS), None)
            counter, package_only = _counter(chip) if chip is not None else (None, False)
            tiles = sum(bool(_TILE_CHIP.match(chip.name)) for chip in chips)
            package_only = package_only or (chip is not None and chip.name == "i915" and not tiles)
            cards.append(_Card(device, counter, package_only, max(tiles, _tile_folders(device), 1)))
        in_place = self._host.environ.get("ZE_ENABLE_PCI_ID_DEVICE_ORDER") == "1"

        def order(card: _Card) -> tuple[bool, int, str]:
            address = card.device.address
            return address == _INTEGRATED and not in_place, len(address), address

        return sorted(cards, key=order)

    def _id(self, card: _Card) -> str:
        return f"{self.name}:{card.device.address}"

    def _channel(self, card: _Card, visible: int) -> Channel:
        part = visible < card.tiles
        notes = [_PART.format(visible=visible, tiles=card.tiles)] if part else []
        notes += [_PACKAGE_ONLY] if card.package_only else []
        notes += [_KEPT_AWAKE] if card.device.text("power/control") == "auto" else []
        note = Text(de=" ".join(n.de for n in notes), en=" ".join(n.en for n in notes)) if notes else None
        uncertainty = _UNCERTAINTY_PACKAGE if card.package_only else _UNCERTAINTY_CARD
        device_id = card.device.text("device").removeprefix("0x")
        return Channel(
            id=self._id(card),
            collector=self.name,
            component=Component.GPU,
            kind=Kind.COUNTER,
            quality=Quality.ALLOCATED if part else Quality.MEASURED,
            device=f"Intel [8086:{device_id}] ({card.device.address})",
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=max(uncertainty, _UNCERTAINTY_PART) if part else uncertainty,
            uncertainty_low_rel=_UNCERTAINTY_CARD if card.package_only and not part else None,
            max_power_uw=_MAX_CARD_POWER_UW,
            resolution_uj=_RESOLUTION_UJ,
            wrap_uj=_TURN_UJ,
            share=visible / card.tiles if part else 1.0,
            policy=POLICY if part else None,
            gpu_vendor="intel",
            note=note,
        )


def visible_tiles(tiles: Sequence[int], environ: Mapping[str, str]) -> tuple[list[int], list[str]]:
    """Return how many tiles of each device a Level Zero program may use, and the entries that name none.

    ``ZE_AFFINITY_MASK`` (Level Zero specification, "Affinity Mask"): ``1`` is device 1, ``1.0`` its tile 0. Unless
    ZE_FLAT_DEVICE_HIERARCHY is COMPOSITE, each tile of a card with several is a device of its own. That is the
    default of the only such card, the Max series. An empty mask is none.

    Args:
        tiles: The number of tiles of each device, in Level Zero's order.
        environ: The environment variables.
    """
    mask = environ.get("ZE_AFFINITY_MASK", "").strip()
    if not mask:
        return list(tiles), []
    flat = environ.get("ZE_FLAT_DEVICE_HIERARCHY") != "COMPOSITE"
    handles = [(card, tile) for card, count in enumerate(tiles) for tile in range(count)]
    chosen: set[tuple[int, int]] = set()
    unknown: list[str] = []
    for entry in (part.strip() for part in mask.split(",")):
        match = _ENTRY.match(entry)
        device, tile = (int(match[1]), match[2]) if match else (-1, None)
        if flat and tile is None:
            found = handles[device : device + 1] if device >= 0 else []
        else:
            found = [h for h in handles if h[0] == device and (tile is None or h[1] == int(tile))]
            # In the flat hierarchy a tile has no tiles; "0.0" is harmless where there is one only.
            found = [h for h in found if not flat or tiles[h[0]] == 1]
        chosen.update(found)
        unknown += [] if found else [entry]
    return [sum(card == number for card, _ in chosen) for number in range(len(tiles))], unknown


def _counter(chip: HwmonChip) -> tuple[Path | None, bool]:
    """Return the file of the widest counter, and whether that is the package's only."""
    files = sorted(name for name in chip.files if re.match(r"^energy\d+_input$", name))
    labels = {name: chip.text(name.replace("_input", "_label")) or "card" for name in files}
    for wanted in ("card", "pkg"):
        for name in files:
            if labels[name] == wanted:
                return chip.folder / name, wanted == "pkg"
    return None, False


def _tile_folders(device: PciDevice) -> int:
    return sum(bool(_TILE_FOLDER.match(path.name)) for path in device.folder.glob("tile*"))

"""Apple silicon: CPU, GPU and Neural Engine by macOS's own program ``powermetrics``, which needs root.

Read is one sample of one second in ``-f plist`` (a capture of a M1 with macOS 13.3: graelo/pumas, tests/data)::

    elapsed_ns                   2019178750   length of the sample
    processor / cpu_energy       89           **mJ** within the sample     cpu_power       44.0773 **mW**
    processor / gpu_energy       31           **mJ**                       gpu_power       15.3528
    processor / ane_energy       0            **mJ**, the Neural Engine    ane_power       0
    processor / combined_power   59.4301      **mW**, their sum            <- not counted, it contains the others
    processor / dram_energy                   **mJ**, macOS 11 and 12 only (tlkh/asitop#44)
    processor / package_energy                **mJ**, macOS 11 and 12 only <- not counted, it contains the others

What that is: the energy of the past second, divided by its length, as a power at the **middle** of the sample,
because a mean belongs there and the trapezoids between such points are right. It is no counter: what happened
between two samples (the program is started anew for each, about every two seconds) is interpolated, not seen.

Apple calls the figures estimates: "Average power values reported by powermetrics are estimated and may be
inaccurate - hence they should not be used for any comparison between devices" (powermetrics --help). So they are
estimates here too, though the chip's own and better than a model from outside. Memory (from macOS 13 on), display,
disk and losses of the power supply are not in it. The Neural Engine is counted with the GPU: both are
accelerators.

``IOReport`` gives the same without root, but is a private interface that changes with the chips; it is not used.

``powermetrics`` can write files as root, so the rule for sudo in the remedy allows this one command line only.
Without that rule's file sudo is not tried: on managed machines every refusal is reported to the administrator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import NS_PER_S, UJ_PER_MJ, UW_PER_MW, UW_PER_W

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host

METHOD = "apple_powermetrics"

_COMMAND = ("/usr/bin/powermetrics", "--samplers", "cpu_power", "-n", "1", "-i", "1000", "-f", "plist")
_SUDO = ("/usr/bin/sudo", "-n")
_RULE = "/etc/sudoers.d/greenai"
_HAS_RULE = ("/bin/test", "-e", _RULE)
_TIMEOUT_S = 10.0
_LONGEST_SAMPLE_NS = 60 * NS_PER_S

_MAX_POWER_UW = 500 * UW_PER_W

# ~95 % half-widths: this project's cautious choice (research, domain 6.8). In a short run there are few samples.
_UNCERTAINTY = 0.15
_UNCERTAINTY_SHORT = ((10.0, 0.50), (60.0, 0.25))

_ABSENT = Incident("apple_absent", Text(de="Das ist kein Mac.", en="This is no Mac."))
_NO_FIGURES = Incident(
    "apple_no_figures",
    Text(
        de="powermetrics nennt auf diesem Mac weder CPU- noch GPU-Energie (bei Intel-Prozessoren ist das so).",
        en="powermetrics names neither CPU nor GPU energy on this Mac (with Intel processors that is so).",
    ),
)
_REFUSED = Text(
    de="macOS gibt die Leistung nur an Administratoren heraus (powermetrics: {reason}).",
    en="macOS gives out the power to administrators only (powermetrics: {reason}).",
)
_ALLOW = Text(
    de="Genau diesen Befehl erlauben: "
    'echo "$USER ALL=(root) NOPASSWD: {command}" | sudo tee {rule} && sudo chmod 440 {rule}',
    en="Allow exactly this command: "
    'echo "$USER ALL=(root) NOPASSWD: {command}" | sudo tee {rule} && sudo chmod 440 {rule}',
).format(command=" ".join(_COMMAND), rule=_RULE)
_NOTE = Text(
    de="Laut Apple eine Schätzung des Chips, ungeeignet für den Vergleich verschiedener Geräte.",
    en="By Apple's own words an estimate of the chip, not fit for comparing different devices.",
)


class _Part(NamedTuple):
    key: str
    component: Component
    device: str


_PARTS = (
    _Part("cpu", Component.CPU, "CPU"),
    _Part("gpu", Component.GPU, "GPU"),
    _Part("ane", Component.GPU, "Neural Engine"),
    _Part("dram", Component.DRAM, "DRAM"),
)


class _Sample(NamedTuple):
    elapsed_ns: int
    powers_uw: dict[str, int]


class AppleCollector:
    """Mean power of Apple's chips over a second, again and again."""

    name = "apple"
    slow = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._command: tuple[str, ...] = _COMMAND
        self._channels: tuple[Channel, ...] = ()

    def probe(self) -> Probe:
        """Take one sample: it shows whether that is permitted, and what this chip and macOS report."""
        if self._host.platform != "darwin":
            return Unavailable(_ABSENT, expected=True)
        sample = self._sample()
        if isinstance(sample, str) and not self._host.run_command(_HAS_RULE, _TIMEOUT_S).reason:
            self._command = (*_SUDO, *_COMMAND)
            sample = self._sample()
        if isinstance(sample, str):
            return Unavailable(Incident("apple_refused", _REFUSED.format(reason=sample), _ALLOW))
        channels = tuple(self._channel(part) for part in _PARTS if part.key in sample.powers_uw)
        if not channels:
            return Unavailable(_NO_FIGURES)
        return Available(channels, sources={channel.id: "powermetrics" for channel in channels})

    def open(self, channels: Sequence[Channel]) -> None:
        """Remember what is wanted; the program is started for each sample."""
        self._channels = tuple(channels)

    def read(self) -> list[Reading]:
        """Take a sample; this takes its second."""
        if not self._channels:
            return []
        sample = self._sample()
        end_ns = self._host.clock.mono_ns()
        if isinstance(sample, str):
            return [Gap(channel.id, end_ns, f"apple_{_slug(sample)}") for channel in self._channels]
        middle_ns = end_ns - sample.elapsed_ns // 2
        readings: list[Reading] = []
        for channel in self._channels:
            power_uw = sample.powers_uw.get(channel.id.partition(":")[2])
            if power_uw is None:
                readings.append(Gap(channel.id, end_ns, "apple_not_in_sample"))
            else:
                readings.append(PowerReading(channel.id, middle_ns, power_uw))
        return readings

    def close(self) -> None:
        """Forget what was wanted."""
        self._channels = ()

    def _sample(self) -> _Sample | str:
        """Return a sample, or why there is none."""
        result = self._host.run_command(self._command, _TIMEOUT_S)
        return result.reason or _parse(result.output)

    def _channel(self, part: _Part) -> Channel:
        return Channel(
            id=f"{self.name}:{part.key}",
            collector=self.name,
            component=part.component,
            kind=Kind.POWER,
            quality=Quality.ESTIMATED,
            device=part.device,
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            uncertainty_short=_UNCERTAINTY_SHORT,
            max_power_uw=_MAX_POWER_UW,
            note=_NOTE,
        )


def _parse(output: str) -> _Sample | str:
    """Read a property list; of several, separated by NUL, the first."""
    import plistlib
    from xml.parsers.expat import ExpatError

    try:
        data = plistlib.loads(output.partition("\0")[0].strip().encode())
        elapsed_ns, processor = data["elapsed_ns"], data["processor"]
        sane = 0 < elapsed_ns <= _LONGEST_SAMPLE_NS
        powers_uw = {part.key: _power_uw(processor, part.key, elapsed_ns) for part in _PARTS} if sane else {}
    except (ExpatError, plistlib.InvalidFileException, KeyError, TypeError, ValueError, AttributeError):
        return "no property list"
    if not sane:
        return "no length"
    return _Sample(elapsed_ns, {key: power_uw for key, power_uw in powers_uw.items() if power_uw is not None})


def _power_uw(processor: dict[str, Any], key: str, elapsed_ns: int) -> int | None:
    """Return the mean power from the energy, else the power that is printed; None if neither is a sane number."""
    energy_mj, power_mw = processor.get(f"{key}_energy"), processor.get(f"{key}_power")
    if isinstance(energy_mj, (int, float)):
        power_uw = energy_mj * UJ_PER_MJ * NS_PER_S / elapsed_ns
    elif isinstance(power_mw, (int, float)):
        power_uw = power_mw * UW_PER_MW
    else:
        return None
    return round(power_uw) if 0 <= power_uw <= _MAX_POWER_UW else None


def _slug(reason: str) -> str:
    return "_".join(reason.casefold().split())

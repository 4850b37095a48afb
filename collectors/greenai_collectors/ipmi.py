"""A whole server as its management controller (BMC) sees it: the DCMI power reading, by the local IPMI interface.

The command is Get Power Reading (DCMI 1.5, section 6.6.1: network function 0x2C, command 0x02, mode 1 "system
power statistics"); the answer, little-endian, as in ipmitool's ``struct power_reading`` (lib/ipmi_dcmi.c)::

    completion code u8 | 0xDC | now u16 W | minimum u16 | maximum u16 | average u16 | time u32 s | period u32 ms |
    state u8, bit 6: measuring

It goes through the kernel's ``/dev/ipmi0`` (``greenai.host.ipmi``). Where that is not to be had, a program may
have the right that we have not (set-uid, capabilities), so two are tried; what they print, after FreeIPMI's
ipmi-dcmi.c and ipmitool's ipmi_dcmi.c::

    Current Power                        : 332 Watts            Instantaneous power reading:          332 Watts
    Power Measurement                    : Active               Power reading state is:               activated

A controller that says it does not measure is believed (its last figure would stay for ever), with one exception:
OpenBMC always says so, and gives one figure as now, minimum, maximum and average.

The figure is in whole watts, on most servers of the power supplies' input, and renewed every 1 to 10 s.
"""

from __future__ import annotations

import errno
import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_W
from greenai.host.commands import NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host
    from greenai.host.ipmi import IpmiDevice

METHOD = "ipmi_dcmi"
_DEVICE = "ipmi0"
_KERNEL: tuple[str, ...] = ()
_PROGRAMS: tuple[tuple[str, ...], ...] = (
    ("ipmi-dcmi", "--get-system-power-statistics"),
    ("ipmitool", "dcmi", "power", "reading"),
)
_PROBES = 2  # some controllers do not know at the first question
_TIMEOUT_S = 5.0
_UPDATE_S = 2.0
_MAX_NODE_POWER_W = 20_000  # a DGX B200 has 14.3 kW; nothing that fits under one BMC needs more
_SENTINEL_W = 0xFFFF

# ~95 % half-widths: whole watts, 1-10 s between renewals, the supplies' own meters of +/-5 % and more (recalled).
# A window begins and ends up to 10 s late.
_UNCERTAINTY = 0.10
_UNCERTAINTY_SHORT = ((10.0, 0.50), (60.0, 0.20))

_KERNEL_DENIES, _NO_KERNEL_DEVICE = "ipmi_denied", "ipmi_no_device"
_KERNEL_REASONS = {
    errno.EACCES: _KERNEL_DENIES,
    errno.EPERM: _KERNEL_DENIES,
    errno.ETIMEDOUT: "ipmi_timeout",
    errno.ENOENT: _NO_KERNEL_DEVICE,
    errno.ENOTTY: _NO_KERNEL_DEVICE,
    errno.ENXIO: _NO_KERNEL_DEVICE,
}

_NETFN_GROUP, _GET_POWER_READING, _DCMI = 0x2C, 0x02, 0xDC
_REQUEST = bytes((_DCMI, 0x01, 0x00, 0x00))
_STATISTICS = struct.Struct("<4HIIB")
_MEASURING = 0x40
_NO_SUCH_COMMAND = ("ipmi_code_c1", "ipmi_code_cc")  # invalid command; invalid data field: no DCMI at all

_FLAGS = re.IGNORECASE | re.MULTILINE
_NOW = re.compile(r"^\s*(?:Current Power|Instantaneous power reading)\s*:\s*(\d{1,9})\s*watts", _FLAGS)
_OTHERS = re.compile(r"^\s*(?:Min|Max|Average)[^:\n]*:\s*(\d{1,9})\s*watts", _FLAGS)
_STATE = re.compile(r"^\s*(?:Power Measurement|Power reading state is)\s*:\s*(\w[\w ]*)", _FLAGS)
_OTHER_FIGURES = 3

_ABSENT = Incident(
    "ipmi_absent",
    Text(
        de="Kein /dev/ipmi0: kein Management-Controller, oder sein Treiber ist nicht geladen.",
        en="No /dev/ipmi0: no management controller, or its driver is not loaded.",
    ),
    Text(
        de="Falls der Server einen hat: sudo modprobe -a ipmi_si ipmi_devintf",
        en="If the server has one: sudo modprobe -a ipmi_si ipmi_devintf",
    ),
)
_NO_DCMI = Incident(
    "ipmi_no_dcmi",
    Text(
        de="Der Management-Controller dieser Maschine kennt keine Leistungsmessung (DCMI).",
        en="This machine's management controller knows no power reading (DCMI).",
    ),
)
_DENIED = Incident(
    "ipmi_denied",
    Text(
        de="Der Management-Controller könnte den ganzen Knoten messen, aber dieser Benutzer darf /dev/ipmi0 nicht "
        "verwenden.",
        en="The management controller could measure the whole node, but this user may not use /dev/ipmi0.",
    ),
    Text(
        de='Für alle Benutzer: sudo "$(command -v greenai)" agent – oder bis zum Neustart: '
        "sudo setfacl -m u:$USER:rw /dev/ipmi0 "
        "(dieser Benutzer darf den Controller dann auch steuern; dauerhaft: udev-Regel aus docs/sensors.md)",
        en='For all users: sudo "$(command -v greenai)" agent – or until the next boot: '
        "sudo setfacl -m u:$USER:rw /dev/ipmi0 "
        "(this user may then also command the controller; for good: the udev rule in docs/sensors.md)",
    ),
    "ipmi:node",
)
_NO_ANSWER = Text(
    de="Der Management-Controller (/dev/ipmi0) gibt keine Leistung an: {reason}.",
    en="The management controller (/dev/ipmi0) gives no power: {reason}.",
)
_CHECK = Text(
    de="Prüfen mit: sudo apt install freeipmi-tools && sudo ipmi-dcmi --get-system-power-statistics",
    en="Check with: sudo apt install freeipmi-tools && sudo ipmi-dcmi --get-system-power-statistics",
)
_SWITCH_ON = Text(
    de="In der Weboberfläche des Controllers (iDRAC, iLO, XCC, BMC) die Leistungsmessung einschalten; danach "
    "prüfen mit: sudo ipmi-dcmi --get-system-power-statistics",
    en="Switch power measurement on in the controller's web interface (iDRAC, iLO, XCC, BMC); then check with: "
    "sudo ipmi-dcmi --get-system-power-statistics",
)


class _Statistics(NamedTuple):
    """What the controller says of the node's power, in watts."""

    now_w: int
    others_w: tuple[int, ...]
    measuring: bool

    def power_w(self) -> int:
        """Return the power of this moment.

        Raises:
            _SilentError: It is none.
        """
        if self.now_w == _SENTINEL_W:
            raise _SilentError("ipmi_sentinel")
        is_openbmc = len(self.others_w) == _OTHER_FIGURES and set(self.others_w) == {self.now_w}
        if not self.measuring and not is_openbmc:
            raise _SilentError("ipmi_inactive")
        if self.now_w == 0:
            raise _SilentError("ipmi_zero")
        if self.now_w > _MAX_NODE_POWER_W:
            raise _SilentError("ipmi_implausible")
        return self.now_w


class _SilentError(Exception):
    """The controller gives no power; carries the short reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IpmiCollector:
    """Power of the whole node, by its management controller."""

    name = "ipmi"
    slow = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._path = host.dev_root / _DEVICE
        self._device: IpmiDevice | None = None
        self._way: tuple[str, ...] | None = None  # that led to the controller: the kernel or a program
        self._channels: tuple[Channel, ...] = ()

    def probe(self) -> Probe:
        """Ask the controller; it counts as a sensor if it gives a power."""
        if not self._path.exists():
            return Unavailable(_ABSENT, expected=True)
        reason = ""
        for _ in range(_PROBES):
            try:
                self._ask().power_w()
            except _SilentError as silence:
                reason = silence.reason
                if reason == _KERNEL_REASONS[errno.ETIMEDOUT]:
                    break  # once is long enough
                continue
            source = self._way[0] if self._way else str(self._path)
            self._release()
            return Available((self._channel(),), sources={f"{self.name}:node": source})
        self._release()
        return _unavailable(reason)

    def open(self, channels: Sequence[Channel]) -> None:
        """Take down what to read; the way to the controller is found at the first reading."""
        self._channels = tuple(channels)

    def read(self) -> list[Reading]:
        """Ask the controller once."""
        if not self._channels:
            return []
        t_ns = self._host.clock.mono_ns()
        try:
            power_uw = self._ask().power_w() * UW_PER_W
        except _SilentError as silence:
            return [Gap(channel.id, t_ns, silence.reason) for channel in self._channels]
        return [PowerReading(channel.id, t_ns, power_uw) for channel in self._channels]

    def close(self) -> None:
        """Close the kernel's device."""
        self._release()
        self._channels = ()

    def _release(self) -> None:
        if self._device is not None:
            self._device.close()
        self._device, self._way = None, None

    def _channel(self) -> Channel:
        return Channel(
            id=f"{self.name}:node",
            collector=self.name,
            component=Component.NODE,
            kind=Kind.POWER,
            quality=Quality.MEASURED,
            device="node (BMC)",
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            uncertainty_short=_UNCERTAINTY_SHORT,
            max_power_uw=_MAX_NODE_POWER_W * UW_PER_W,
            update_s=_UPDATE_S,
        )

    def _ask(self) -> _Statistics:
        """Return what the controller says, by the way that led to it before or by the first that does.

        Raises:
            _SilentError: Nothing.
        """
        if self._way is not None:
            return self._by_program(self._way) if self._way else self._by_kernel()
        try:
            said = self._by_kernel()
        except _SilentError as silence:
            if silence.reason not in (_KERNEL_DENIES, _NO_KERNEL_DEVICE):
                raise
            blocked = silence
        else:
            self._way = _KERNEL
            return said
        for command in _PROGRAMS:
            try:
                said = self._by_program(command)
            except _SilentError as silence:
                if blocked.reason == _NO_KERNEL_DEVICE and silence.reason != NOT_FOUND:
                    blocked = silence
            else:
                self._way = command
                return said
        raise blocked

    def _by_kernel(self) -> _Statistics:
        from greenai.host.ipmi import IpmiDevice

        try:
            if self._device is None:
                self._device = IpmiDevice(self._path)
            answer = self._device.request(_NETFN_GROUP, _GET_POWER_READING, _REQUEST, _TIMEOUT_S)
        except OSError as error:
            if self._device is not None:
                self._device.close()  # opened anew next time: a driver that went away may have come back
                self._device = None
            raise _SilentError(_KERNEL_REASONS.get(error.errno or 0, "ipmi_failed")) from None
        return _decoded(answer)

    def _by_program(self, command: Sequence[str]) -> _Statistics:
        result = self._host.run_command(command, _TIMEOUT_S)
        if result.reason is not None:
            raise _SilentError(NOT_FOUND if result.reason == NOT_FOUND else "ipmi_program_failed")
        return _parsed(result.output)


def _decoded(answer: bytes) -> _Statistics:
    if answer and answer[0] != 0:
        raise _SilentError(f"ipmi_code_{answer[0]:02x}")
    if len(answer) < 2 + _STATISTICS.size or answer[1] != _DCMI:
        raise _SilentError("ipmi_garbage")
    now_w, minimum_w, maximum_w, average_w, _, _, state = _STATISTICS.unpack_from(answer, 2)
    return _Statistics(now_w, (minimum_w, maximum_w, average_w), bool(state & _MEASURING))


def _parsed(output: str) -> _Statistics:
    now = _NOW.search(output)
    if now is None:
        raise _SilentError("ipmi_garbage")
    state = _STATE.search(output)
    measuring = state is None or state[1].strip().casefold() in ("active", "activated")
    return _Statistics(int(now[1]), tuple(int(figure) for figure in _OTHERS.findall(output)), measuring)


def _unavailable(reason: str) -> Unavailable:
    if reason in _NO_SUCH_COMMAND:
        return Unavailable(_NO_DCMI, expected=True)
    if reason == _KERNEL_DENIES:
        return Unavailable(_DENIED)
    remedy = _SWITCH_ON if reason in ("ipmi_inactive", "ipmi_zero") else _CHECK
    return Unavailable(Incident(reason, _NO_ANSWER.format(reason=reason), remedy, "ipmi:node"))

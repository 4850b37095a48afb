"""The documents of a management controller (Redfish, DMTF DSP0266, schemas DSP2046): where a node's power stands.

Layout, as Dell, HPE, Lenovo, Supermicro, Fujitsu, NVIDIA and OpenBMC fill it in::

    /redfish/v1/Systems             {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}, ...]}
    /redfish/v1/Systems/1           {"HostName": "n1", "Links": {"Chassis": [{"@odata.id": ".../Chassis/1"}]}}
    /redfish/v1/Chassis/1           {"ChassisType": "RackMount", "Power": {"@odata.id": ...}, ...}
    .../EnvironmentMetrics          {"PowerWatts": {"Reading": 412.5}, "EnergykWh": {"Reading": 1234.5}}
    .../Power                       {"PowerControl": [{"MemberId": "0", "Name": "Server Power Control",
                                     "PowerConsumedWatts": 397}, {"Name": "CPU Sub-system Power", ...}]}
    .../Sensors/TotalPower          {"ReadingType": "Power", "Reading": 412}

Which system: the only one beside the HGX baseboards, whose GPUs are inside the node; of several (an enclosure of
many nodes) the one that has our host name, else none. Which chassis: the first of those the system names, else the
only one there is, that is a whole server by its type and holds no second system. Which figure: EnvironmentMetrics,
else the first member of PowerControl that is no part of the node by its name, or Fujitsu's total, else a sensor of
the total by Dell's or OpenBMC's name. PowerSubsystem tells capacities, no consumption.

``EnergykWh`` is not used: the schema states no step, and 0.1 kWh, as seen, is what a node draws in ten minutes.

The address may contain ``{host}``, our host name: one setting for all nodes of a cluster must not let every node
read the same controller.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenai.host.machine import Host

MAX_NODE_POWER_W = 20_000  # a DGX B200 has 14.3 kW; nothing that fits under one controller needs more
_TIMEOUT_S = 5.0
_LONGEST_SEARCH_NS = 10 * NS_PER_S
_MOST_LINKS = 64
_NOT_THERE = ("http_400", "http_404", "http_405", "http_500", "http_501", "http_503", "no_json", "no_document")
_NO_FIGURE = ("no_reading", "zero", "implausible")

_PATH = re.compile(r"/redfish/[\w./~#%:@()+-]*")
_BASEBOARD = re.compile(r"HGX_", re.IGNORECASE)
_WHOLE_SERVERS = ("RackMount", "StandAlone", "Blade", "Sled", "Drawer")
_VAGUE_TYPES = ("Other", "")
_PARTS = re.compile(
    r"cpu|processor|memory|dimm|accel|gpu|sub-?system|fan|storage|drive|pcie|riser|psu|supply", re.IGNORECASE
)
_TOTAL_SENSORS = re.compile(r"(?:power_)?total_?power|SystemBoardPwrConsumption", re.IGNORECASE)
_FUJITSU = ("Oem", "ts_fujitsu", "ChassisPowerConsumption", "CurrentPowerConsumptionW")


class RedfishError(Exception):
    """The controller gives no power; carries a short machine-readable reason, never an address or a password."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NodePower(NamedTuple):
    """Where the node's power stands: a document and the way to the figure in it.

    Attributes:
        path: Of the document.
        keys: Names and, in PowerControl, the number of the member.
        chassis: Whose power it is.
        name: What PowerControl calls the member; a member of another name is another figure.
    """

    path: str
    keys: tuple[str | int, ...]
    chassis: str
    name: str | None = None


class RedfishService:
    """The controller that the settings name.

    Attributes:
        origin: Its scheme, name and port; empty if the address is none or holds credentials.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._url = (host.knowledge.redfish_url or "").replace("{host}", host.name.partition(".")[0])
        self.origin = _origin(self._url)
        self._search_ends_ns = 0

    def power_w(self, place: NodePower) -> float:
        """Return the node's power; one request.

        Raises:
            RedfishError: There is none.
        """
        return _power_w(self._get(place.path), place)

    def find(self) -> NodePower:
        """Search the documents for the node's power; some ten requests, begun within ten seconds.

        Raises:
            RedfishError: It is not there.
        """
        self._search_ends_ns = self._host.clock.mono_ns() + _LONGEST_SEARCH_NS
        reason = "no_power"
        for path, chassis in self._servers():
            for place in self._places(path, chassis):
                try:
                    _power_w(self._look(place.path), place)
                except RedfishError as error:
                    if error.reason not in _NO_FIGURE:
                        raise
                    if error.reason != "no_reading":
                        reason = error.reason
                else:
                    return place
        raise RedfishError(reason)

    def _get(self, path: str) -> dict[str, Any]:
        """Return a document.

        Raises:
            RedfishError: There is none.
        """
        know = self._host.knowledge
        if not self.origin:
            raise RedfishError("credentials_in_url" if "@" in self._url else "no_http_url")
        answer = self._host.fetch_json(
            self.origin + path, know.redfish_user, know.redfish_password, _TIMEOUT_S, know.redfish_verify_tls
        )
        if answer.reason is not None:
            raise RedfishError(answer.reason)
        if not isinstance(answer.data, dict):
            raise RedfishError("no_document")
        return answer.data

    def _look(self, path: str) -> dict[str, Any]:
        """Return a document, empty if the controller does not have it.

        Raises:
            RedfishError: The controller does not answer or does not let us in, or the search takes too long.
        """
        if self._host.clock.mono_ns() > self._search_ends_ns:
            raise RedfishError("timeout")
        try:
            return self._get(path)
        except RedfishError as error:
            if error.reason in _NOT_THERE:
                return {}
            raise

    def _servers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the chassis that may be this node, the likeliest first."""
        named = _links(self._system(), "Links", "Chassis")
        for path in named:
            chassis = self._look(path)
            if _is_server(chassis, named=True):
                yield path, chassis
        others = [path for path in _links(self._look("/redfish/v1/Chassis"), "Members") if path not in named]
        servers = [(path, chassis) for path in others if _is_server(chassis := self._look(path), named=False)]
        if len(servers) == 1:
            yield servers[0]

    def _system(self) -> dict[str, Any]:
        paths = _links(self._look("/redfish/v1/Systems"), "Members")
        if len(paths) == 1:
            return self._look(paths[0])
        systems = [self._look(path) for path in paths]
        own = self._host.name.casefold().partition(".")[0]
        ours = [one for one in systems if str(one.get("HostName")).casefold().partition(".")[0] == own]
        if len(ours) == 1:
            return ours[0]
        if systems:
            raise RedfishError("several_systems")
        return {}

    def _places(self, path: str, chassis: dict[str, Any]) -> Iterator[NodePower]:
        """Yield where the power of a chassis may stand, the likeliest first."""
        name = _last(path)
        for document in _links([chassis.get("EnvironmentMetrics")]):
            yield NodePower(document, ("PowerWatts", "Reading"), name)
        for document in _links([chassis.get("Power")]):
            controls = self._look(document).get("PowerControl")
            for number, control in enumerate(controls if isinstance(controls, list) else ()):
                if isinstance(control, dict) and not _PARTS.search(f"{control.get('Name')}"):
                    keys = ("PowerControl", number, "PowerConsumedWatts")
                    yield NodePower(document, keys, name, control.get("Name"))
                    break
            yield NodePower(document, _FUJITSU, name)
        for collection in _links([chassis.get("Sensors")]):
            for sensor in _links(self._look(collection), "Members"):
                if _TOTAL_SENSORS.fullmatch(_last(sensor)):
                    yield NodePower(sensor, ("Reading",), name)


def _origin(url: str) -> str:
    """Return scheme, host and port of an address; empty if it is none or holds credentials."""
    match = re.match(r"https?://[^/?#\s@]+(?=[/?#]|$)", url if "://" in url else f"https://{url}")
    return match[0] if match else ""


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _links(document: Any, *keys: str) -> list[str]:
    """Return the paths that a list of links in a document names; never another machine's, never a baseboard's."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    links = document if isinstance(document, list) else []
    paths = [link["@odata.id"] for link in links if isinstance(link, dict) and "@odata.id" in link]
    return [
        path
        for path in paths[:_MOST_LINKS]
        if isinstance(path, str) and _PATH.fullmatch(path) and not _BASEBOARD.match(_last(path))
    ]


def _is_server(chassis: dict[str, Any], *, named: bool) -> bool:
    """Say whether a chassis is one whole server.

    Args:
        chassis: Its document.
        named: True if the node's system names it as its own: then a vague type is enough.
    """
    kind = str(chassis.get("ChassisType") or "")
    systems = _links(chassis, "Links", "ComputerSystems")
    if not chassis or len(systems) > 1:
        return False
    return kind in _WHOLE_SERVERS or (
        named and (kind in _VAGUE_TYPES or (kind == "Enclosure" and len(systems) == 1))
    )


def _power_w(document: Any, place: NodePower) -> float:
    """Return the power that a document gives.

    Raises:
        RedfishError: None.
    """
    value = document
    for key in place.keys:
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and key < len(value) else None
            if isinstance(value, dict) and value.get("Name") != place.name:
                raise RedfishError("no_reading")
        else:
            value = value.get(key) if isinstance(value, dict) else None
    power_w = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            power_w = float(value)
    if not math.isfinite(power_w):
        raise RedfishError("no_reading")
    if power_w <= 0:
        raise RedfishError("zero")
    if power_w > MAX_NODE_POWER_W:
        raise RedfishError("implausible")
    return power_w

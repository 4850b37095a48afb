"""A whole server as its management controller says over the network: Redfish.

Used where the settings name a controller (``redfish_url``); else nothing is sent. ``greenai.host.redfish`` tells
which documents are read and which of their figures is the node's. It is found once; a reading is one document.

The figure is in watts, most often whole ones, and renewed every 1 to 10 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_W
from greenai.host.redfish import MAX_NODE_POWER_W, NodePower, RedfishError, RedfishService

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host

METHOD = "redfish"
_UPDATE_S = 5.0

# ~95 % half-widths: whole watts, 1-10 s between renewals, the supplies' own meters (recalled). A window begins and
# ends up to 10 s late.
_UNCERTAINTY = 0.10
_UNCERTAINTY_SHORT = ((10.0, 0.50), (60.0, 0.20))

_ABSENT = Incident(
    "redfish_not_set",
    Text(
        de="Kein Management-Controller eingetragen (redfish_url).",
        en="No management controller is set (redfish_url).",
    ),
    Text(
        de="greenai config set redfish_url https://ADRESSE-DES-CONTROLLERS",
        en="greenai config set redfish_url https://ADDRESS-OF-THE-CONTROLLER",
    ),
)
_FAILED = Text(
    de="Der Management-Controller {origin} gibt keine Leistung des Knotens an: {reason}.",
    en="The management controller {origin} gives no power of the node: {reason}.",
)
_SET_ADDRESS = Text(
    de="greenai config set redfish_url https://ADRESSE-DES-CONTROLLERS (Benutzer und Kennwort gehören in "
    "redfish_user und redfish_password)",
    en="greenai config set redfish_url https://ADDRESS-OF-THE-CONTROLLER (user and password belong into "
    "redfish_user and redfish_password)",
)
_LOG_IN = Text(
    de="greenai config set redfish_user BENUTZER && greenai config set redfish_password KENNWORT "
    "(die Rolle ReadOnly genügt)",
    en="greenai config set redfish_user USER && greenai config set redfish_password PASSWORD "
    "(the role ReadOnly is enough)",
)
_TRUST = Text(
    de="export SSL_CERT_FILE=/pfad/zum/zertifikat.pem; oder, nur in einem abgeschotteten Netz: "
    "greenai config set redfish_verify_tls false",
    en="export SSL_CERT_FILE=/path/to/certificate.pem; or, in a closed network only: "
    "greenai config set redfish_verify_tls false",
)
_OWN_CONTROLLER = Text(
    de="Er kennt mehrere Systeme, aber nicht genau eines namens {name}. Den Controller dieses Knotens eintragen: "
    "greenai config set redfish_url https://ADRESSE-DES-CONTROLLERS",
    en="It knows several systems, but not exactly one named {name}. Set the controller of this node: "
    "greenai config set redfish_url https://ADDRESS-OF-THE-CONTROLLER",
)
_LOOK = Text(de="Prüfen mit: curl -k {origin}/redfish/v1/", en="Check with: curl -k {origin}/redfish/v1/")
_SUPPLY_LOSSES = Text(
    de="Ob die Verluste der Netzteile enthalten sind, hängt vom Hersteller ab.",
    en="Whether the losses of the power supplies are contained depends on the maker.",
)
_REMEDIES = {
    "no_http_url": _SET_ADDRESS,
    "credentials_in_url": _SET_ADDRESS,
    "plain_http": _SET_ADDRESS,
    "http_401": _LOG_IN,
    "http_403": _LOG_IN,
    "tls": _TRUST,
    "several_systems": _OWN_CONTROLLER,
}


class RedfishCollector:
    """Power of the whole node, by its management controller over the network."""

    name = "redfish"
    slow = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._service = RedfishService(host)
        self._place: NodePower | None = None
        self._channels: tuple[Channel, ...] = ()

    def probe(self) -> Probe:
        """Find the node's power among the controller's documents."""
        if not self._host.knowledge.redfish_url:
            return Unavailable(_ABSENT, expected=True)
        try:
            place = self._place = self._service.find()
        except RedfishError as error:
            return Unavailable(self._incident(error.reason))
        channel = Channel(
            id=f"{self.name}:node",
            collector=self.name,
            component=Component.NODE,
            kind=Kind.POWER,
            quality=Quality.MEASURED,
            device=f"node ({place.chassis})",
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            uncertainty_short=_UNCERTAINTY_SHORT,
            max_power_uw=MAX_NODE_POWER_W * UW_PER_W,
            update_s=_UPDATE_S,
            note=_SUPPLY_LOSSES,
        )
        return Available((channel,), sources={channel.id: f"{self._service.origin}{place.path}"})

    def open(self, channels: Sequence[Channel]) -> None:
        """Take down what to read."""
        self._channels = tuple(channels)

    def read(self) -> list[Reading]:
        """Get the one document."""
        if not self._channels:
            return []
        t_ns = self._host.clock.mono_ns()
        try:
            if self._place is None:
                self._place = self._service.find()
            power_uw = round(self._service.power_w(self._place) * UW_PER_W)
        except RedfishError as error:
            return [Gap(channel.id, t_ns, f"redfish_{error.reason}") for channel in self._channels]
        return [PowerReading(channel.id, t_ns, power_uw) for channel in self._channels]

    def close(self) -> None:
        """Forget what was found."""
        self._place, self._channels = None, ()

    def _incident(self, reason: str) -> Incident:
        words = {"origin": self._service.origin or "(redfish_url)", "name": self._host.name, "reason": reason}
        remedy = _REMEDIES.get(reason, _LOOK).format(**words)
        return Incident(f"redfish_{reason}", _FAILED.format(**words), remedy, f"{self.name}:node")

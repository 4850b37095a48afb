"""Redfish: the node's own power among many, nothing of its parts, and not a word of the password."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve
from greenai.core.reading import Gap, PowerReading
from greenai.host.web import JsonAnswer, fetch_json
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.redfish import (
    MACHINES,
    ORIGIN,
    ROOT,
    control,
    cray,
    dell,
    dell_17g,
    enclosure,
    fujitsu,
    hgx,
    hpe,
    lenovo,
    link,
    links,
    openbmc,
)
from greenai_collectors.redfish import RedfishCollector

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.reading import Reading

W = 1_000_000
PASSWORD = "s3cr3t"


def probed(machine: FakeMachine) -> Available:
    found = RedfishCollector(machine.host).probe()
    assert isinstance(found, Available), found
    assert PASSWORD not in repr(found)
    return found


def refused(machine: FakeMachine) -> Unavailable:
    found = RedfishCollector(machine.host).probe()
    assert isinstance(found, Unavailable), found
    assert PASSWORD not in repr(found)
    assert "operator" not in repr(found)
    return found


def opened(machine: FakeMachine) -> RedfishCollector:
    collector = RedfishCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available), found
    collector.open(found.channels)
    return collector


def said(reading: Reading) -> int | str:
    assert isinstance(reading, (PowerReading, Gap))
    return reading.power_uw if isinstance(reading, PowerReading) else reading.reason


class Line:
    """Takes the place of the network: counts the questions, and may answer otherwise."""

    def __init__(self, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.reason: str | None = None
        monkeypatch.setattr(machine, "_fetch_json", self._fetch)
        self.web = machine.web

    def _fetch(
        self, url: str, user: str | None, password: str | None, timeout_s: float, verify: bool
    ) -> JsonAnswer:
        self.asked.append(url)
        assert (user, password, verify) == ("operator", PASSWORD, True)
        assert timeout_s == 5.0
        if self.reason is not None:
            return JsonAnswer(None, self.reason)
        return JsonAnswer(self.web[url]) if url in self.web else JsonAnswer(None, "http_404")


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in MACHINES.items()])
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    (channel,) = check_collector(RedfishCollector, build(tmp_path))
    assert (channel.component, channel.kind, channel.quality) == (Component.NODE, Kind.POWER, Quality.MEASURED)
    assert RedfishCollector.slow
    assert {name for _, name in counted({channel: 1.0})} == {"redfish:node"}


@pytest.mark.parametrize(
    ("build", "watts", "document"),
    [
        (dell, 612, "Chassis/System.Embedded.1/EnvironmentMetrics"),
        (dell_17g, 540, "Chassis/System.Embedded.1/Sensors/SystemBoardPwrConsumption"),
        (hpe, 590, "Chassis/1/Power/"),
        (lenovo, 397, "Chassis/1/Power"),
        (hgx, 6349.26, "Chassis/Chassis_0/EnvironmentMetrics"),
        (fujitsu, 150, "Chassis/0/Power"),
        (openbmc, 232, "Chassis/chassis/Power"),
        (cray, 873, "Chassis/Node0/Power"),
        (enclosure, 502, "Chassis/Sled2/Power"),
    ],
)
def test_the_power_of_the_node(
    build: Callable[[Path], FakeMachine], watts: float, document: str, tmp_path: Path
) -> None:
    machine = build(tmp_path)
    collector = opened(machine)
    (reading,) = collector.read()
    collector.close()
    assert said(reading) == watts * W
    assert probed(machine).sources == {"redfish:node": f"{ROOT}/{document}"}


def test_the_energy_by_hand(tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    (channel,) = probed(machine).channels
    collector = opened(machine)
    start_ns = machine.clock.mono_ns()
    readings = collector.read()
    for watts in (600, 400):
        machine.clock.advance(30)
        machine.web[f"{ROOT}/Chassis/1/Power/"] = {"PowerControl": [control(watts)]}
        readings += collector.read()
    collector.close()
    curve = EnergyCurve(integrate(channel, readings).intervals)
    assert curve.between(start_ns, machine.clock.mono_ns()).energy_j == 595 * 30 + 500 * 30
    assert channel.uncertainty_at(3600) == (0.10, 0.10)
    assert channel.note is not None


def test_nothing_is_sent_without_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = FakeMachine(tmp_path)
    line = Line(machine, monkeypatch)
    found = RedfishCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (True, "redfish_not_set")
    assert line.asked == []


def test_a_reading_is_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = lenovo(tmp_path)
    line = Line(machine, monkeypatch)
    collector = opened(machine)
    line.asked.clear()
    for _ in range(3):
        collector.read()
    collector.close()
    assert line.asked == [f"{ROOT}/Chassis/1/Power"] * 3
    assert collector.read() == []


def test_opening_without_a_probe_finds_it_as_well(tmp_path: Path) -> None:
    machine = dell(tmp_path)
    collector = RedfishCollector(machine.host)
    collector.open(probed(machine).channels)
    assert [said(reading) for reading in collector.read()] == [612 * W]
    collector.close()


def test_parts_and_baseboards_are_never_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = hgx(tmp_path)
    line = Line(machine, monkeypatch)
    probed(machine)
    assert not [url for url in line.asked if "HGX" in url]


def test_a_baseboard_alone_is_no_node(tmp_path: Path) -> None:
    machine = hgx(tmp_path)
    del machine.web[f"{ROOT}/Chassis/Chassis_0"]
    assert refused(machine).reason.code == "redfish_no_power"


def test_the_enclosure_is_never_taken_for_the_node(tmp_path: Path) -> None:
    machine = enclosure(tmp_path)
    del machine.web[f"{ROOT}/Chassis/Sled2/Power"]
    assert refused(machine).reason.code == "redfish_no_power"


@pytest.mark.parametrize("names", [("a", "b", "c", "d"), ("fake", "b", "FAKE.other", "d")])
def test_an_enclosure_without_our_name_is_not_guessed(names: tuple[str, ...], tmp_path: Path) -> None:
    machine = enclosure(tmp_path)
    for number, name in enumerate(names):
        machine.web[f"{ROOT}/Systems/{number}"]["HostName"] = name
    found = refused(machine)
    assert (found.expected, found.reason.code) == (False, "redfish_several_systems")
    assert found.reason.remedy is not None
    assert "fake" in found.reason.remedy.de


def test_an_enclosure_of_one_system_that_names_it_is_the_node(tmp_path: Path) -> None:
    machine = lenovo(tmp_path)
    chassis = machine.web[f"{ROOT}/Chassis/1"]
    chassis |= {"ChassisType": "Enclosure", "Links": {"ComputerSystems": links(["Systems/1"])}}
    assert len(probed(machine).channels) == 1
    del chassis["Links"]
    assert refused(machine).reason.code == "redfish_no_power"


def test_two_servers_that_no_system_names_are_not_guessed(tmp_path: Path) -> None:
    machine = openbmc(tmp_path)
    machine.web[f"{ROOT}/Chassis"]["Members"] += links(["Chassis/other"])
    machine.web[f"{ROOT}/Chassis/other"] = dict(machine.web[f"{ROOT}/Chassis/chassis"])
    assert refused(machine).reason.code == "redfish_no_power"


def test_energy_in_kwh_is_not_mistaken_for_a_power(tmp_path: Path) -> None:
    machine = dell(tmp_path)
    machine.web[f"{ROOT}/Chassis/System.Embedded.1/EnvironmentMetrics"]["PowerWatts"] = None
    assert probed(machine).sources["redfish:node"].endswith("/Power")
    del machine.web[f"{ROOT}/Chassis/System.Embedded.1/Power"]
    assert refused(machine).reason.code == "redfish_no_power"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no_reading"),
        (0, "zero"),
        (0.0, "zero"),
        (-5, "zero"),
        ("N/A", "no_reading"),
        (True, "no_reading"),
        ([], "no_reading"),
        (float("nan"), "no_reading"),
        (float("inf"), "no_reading"),
        (10**400, "no_reading"),
        (65535, "implausible"),
        (20_001, "implausible"),
    ],
)
def test_figures_that_are_no_power(value: object, reason: str, tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    collector = opened(machine)
    power = machine.web[f"{ROOT}/Chassis/1/Power/"]
    power["PowerControl"][0]["PowerConsumedWatts"] = value
    assert [said(reading) for reading in collector.read()] == [f"redfish_{reason}"]
    assert refused(machine).reason.code == f"redfish_{reason.replace('no_reading', 'no_power')}"
    power["PowerControl"][0]["PowerConsumedWatts"] = "69"  # as some write it
    assert [said(reading) for reading in collector.read()] == [69 * W]
    collector.close()


@pytest.mark.parametrize(
    "document",
    [{}, {"PowerControl": None}, {"PowerControl": []}, {"PowerControl": {}}, {"PowerControl": [7]}, [], "x", None],
)
def test_a_document_of_another_shape_is_a_gap(document: object, tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    collector = opened(machine)
    machine.web[f"{ROOT}/Chassis/1/Power/"] = document
    (reading,) = collector.read()
    assert isinstance(reading, Gap)
    collector.close()


def test_members_that_change_places_are_a_gap(tmp_path: Path) -> None:
    machine = lenovo(tmp_path)
    collector = opened(machine)
    machine.web[f"{ROOT}/Chassis/1/Power"]["PowerControl"].reverse()
    assert [said(reading) for reading in collector.read()] == [397 * W]
    machine.web[f"{ROOT}/Chassis/1/Power"]["PowerControl"].pop(0)
    assert [said(reading) for reading in collector.read()] == ["redfish_no_reading"]
    collector.close()


@pytest.mark.parametrize("reason", ["timeout", "unreachable", "http_401", "http_503", "tls", "too_large"])
def test_a_controller_that_fails_is_a_gap(reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = dell(tmp_path)
    line = Line(machine, monkeypatch)
    collector = opened(machine)
    line.reason = reason
    assert [said(reading) for reading in collector.read()] == [f"redfish_{reason}"]
    line.reason = None
    assert [said(reading) for reading in collector.read()] == [612 * W]
    collector.close()


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("http_401", "greenai config set redfish_user "),
        ("http_403", "greenai config set redfish_password "),
        ("tls", "greenai config set redfish_verify_tls false"),
        ("plain_http", "greenai config set redfish_url https://"),
        ("timeout", f"curl -k {ORIGIN}/redfish/v1/"),
        ("unreachable", f"curl -k {ORIGIN}/redfish/v1/"),
        ("no_tls", f"curl -k {ORIGIN}/redfish/v1/"),
    ],
)
def test_what_keeps_us_out_names_the_remedy(
    reason: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = dell(tmp_path)
    line = Line(machine, monkeypatch)
    line.reason = reason
    found = refused(machine)
    assert (found.expected, found.reason.code, found.reason.channel_id) == (
        False,
        f"redfish_{reason}",
        "redfish:node",
    )
    assert len(line.asked) == 1
    assert found.reason.remedy is not None
    for language in (found.reason.remedy.de, found.reason.remedy.en):
        assert remedy in language
    assert reason in found.reason.message.de
    assert found.reason.message.de != found.reason.message.en


def test_a_controller_without_power_says_so(tmp_path: Path) -> None:
    machine = dell(tmp_path)
    machine.web = {f"{ROOT}/Systems": {"Members": []}, f"{ROOT}/Chassis": {"Members": []}}
    assert refused(machine).reason.code == "redfish_no_power"
    machine.web = {}
    assert refused(machine).reason.code == "redfish_no_power"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (f"https://operator:{PASSWORD}@10.0.0.5", "redfish_credentials_in_url"),
        (f"operator:{PASSWORD}@10.0.0.5", "redfish_credentials_in_url"),
        (f"https://x/y@{PASSWORD}", "redfish_no_power"),
        ("ftp://10.0.0.5", "redfish_no_http_url"),
        ("https://", "redfish_no_http_url"),
    ],
)
def test_addresses_that_are_none(url: str, code: str, tmp_path: Path) -> None:
    machine = dell(tmp_path)
    machine.knowledge = replace(machine.knowledge, redfish_url=url)
    found = refused(machine)
    assert (found.expected, found.reason.code) == (False, code)


@pytest.mark.parametrize("url", [f"{ORIGIN}/", f"{ORIGIN}/redfish/v1", "10.0.0.5", f"{ORIGIN}?x=1"])
def test_addresses_as_people_write_them(url: str, tmp_path: Path) -> None:
    machine = dell(tmp_path)
    machine.knowledge = replace(machine.knowledge, redfish_url=url)
    assert len(probed(machine).channels) == 1


def test_one_setting_for_all_nodes_of_a_cluster(tmp_path: Path) -> None:
    machine = hpe(tmp_path)
    machine.web = {url.replace("10.0.0.5", "fake-bmc.example.org"): text for url, text in machine.web.items()}
    machine.knowledge = replace(machine.knowledge, redfish_url="https://{host}-bmc.example.org")
    assert probed(machine).sources == {"redfish:node": "https://fake-bmc.example.org/redfish/v1/Chassis/1/Power/"}


@pytest.mark.parametrize(
    "path",
    [
        "@evil.example/x",
        ".evil.example/",
        "//evil.example/",
        "https://evil.example/redfish/",
        "/redfish/ x",
        "",
        7,
        None,
    ],
)
def test_a_link_never_leads_to_another_machine(
    path: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = dell(tmp_path)
    chassis = machine.web[f"{ROOT}/Chassis/System.Embedded.1"]
    for name in ("EnvironmentMetrics", "Power", "Sensors"):
        chassis[name] = {"@odata.id": path}
    machine.web[f"{ROOT}/Systems"]["Members"].append({"@odata.id": path})
    line = Line(machine, monkeypatch)
    refused(machine)
    assert all(url.startswith(f"{ORIGIN}/redfish/") for url in line.asked)


def test_a_slow_controller_does_not_hold_up_the_search_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = dell(tmp_path)
    machine.web[f"{ROOT}/Chassis"]["Members"] = links([f"Chassis/Drive{n}" for n in range(500)])
    machine.web[f"{ROOT}/Systems"] = {"Members": []}
    line = Line(machine, monkeypatch)
    fetch = machine._fetch_json

    def slow(*question: Any) -> JsonAnswer:
        machine.clock.advance(4)
        return fetch(*question)

    monkeypatch.setattr(machine, "_fetch_json", slow)
    assert refused(machine).reason.code == "redfish_timeout"
    assert len(line.asked) == 3


def test_through_a_real_server_and_a_real_request(tmp_path: Path) -> None:
    documents = {url.removeprefix(ORIGIN): document for url, document in lenovo(tmp_path).web.items()}
    asked: list[tuple[str, str | None]] = []

    class Controller(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            body = json.dumps(documents.get(self.path)).encode()
            self.send_response(200 if self.path in documents else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Controller)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        machine = lenovo(tmp_path)
        url = f"http://127.0.0.1:{server.server_port}"
        machine.knowledge = replace(machine.knowledge, redfish_url=url)
        host = replace(machine.host, fetch_json=fetch_json)
        collector = RedfishCollector(host)
        found = collector.probe()
        assert isinstance(found, Available)
        collector.open(found.channels)
        assert [said(reading) for reading in collector.read()] == [397 * W]
        collector.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert {authorization for _, authorization in asked} == {"Basic b3BlcmF0b3I6czNjcjN0"}
    assert found.sources == {"redfish:node": f"{url}/redfish/v1/Chassis/1/Power"}


def test_links_are_built_as_controllers_write_them() -> None:
    assert link("Chassis/1") == {"@odata.id": "/redfish/v1/Chassis/1"}

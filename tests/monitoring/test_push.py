"""Sending to a collector by OpenTelemetry's protocol: one that listens, and each way in which it may fail."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from greenai.cli.main import run
from greenai.core.errors import ConfigError
from greenai.monitoring import push
from greenai.monitoring.push import HEADERS_VARIABLE, Pusher, endpoint, read_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.monitoring import Monitor

SECRET = "Bearer s3cr3t"


class Collector(ThreadingHTTPServer):
    """Answers with what it is told to, then with 200; keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[Any] = []
        self.received: list[tuple[str, dict[str, str], Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def wait_for(self, count: int) -> None:
        last_s = time.monotonic() + 20
        while len(self.received) < count:
            assert time.monotonic() < last_s, f"{len(self.received)} of {count}"
            time.sleep(0.01)


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.server.faults.pop(0) if self.server.faults else 200
        self.server.received.append((self.path, dict(self.headers), json.loads(body)))
        if fault == "hang up":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "garbage":
            self.wfile.write(b"\x00\xff" * 50 + b"\r\n\r\n")
        elif fault == "silent":
            time.sleep(3)
        elif isinstance(fault, bytes):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(fault)
        else:
            self.send_response(fault)
            if fault == 429:
                self.send_header("Retry-After", "0")
            if fault in (301, 307):
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector on this machine."""
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pushing(watching: Monitor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str | None]]]:
    """Sends quickly; gives what is told of it."""
    monkeypatch.setattr(push, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(push, "_TIMEOUT_S", 1.0)
    opened: list[Pusher] = []

    def begin(url: str, every_s: float = 0.3, **headers: str) -> list[str | None]:
        told: list[str | None] = []
        opened.append(Pusher(watching, endpoint(url), headers, every_s, told.append))
        return told

    yield begin
    for each in opened:
        each.close()
        assert not each._thread.is_alive()


def test_power_and_energy_arrive(
    journals: Any, clock: Callable[[Any], None], collector: Collector, pushing: Callable[..., list[str | None]]
) -> None:
    _, machine = journals.begin("aaaa0001", seconds=100)
    clock(machine)
    told = pushing(collector.url, authorization=SECRET)
    collector.wait_for(2)
    path, headers, body = collector.received[0]
    assert path == "/v1/metrics"
    assert (headers["Content-Type"], headers["authorization"]) == ("application/json", SECRET)
    by_host = {
        next((a["value"]["stringValue"] for a in each["resource"]["attributes"] if a["key"] == "host.name"), ""): {
            metric["name"]: metric for metric in each["scopeMetrics"][0]["metrics"]
        }
        for each in body["resourceMetrics"]
    }
    energy = by_host["fake"]["hw.energy"]
    assert energy["unit"] == "J"
    assert sum(point["asDouble"] for point in energy["sum"]["dataPoints"]) == pytest.approx(10_500, rel=1e-3)
    watts = [point["asDouble"] for point in by_host["fake"]["hw.power"]["gauge"]["dataPoints"]]
    assert sorted(watts) == pytest.approx([5, 100])
    assert by_host[""]["greenai.push.failures"]["sum"]["dataPoints"][0]["asDouble"] == 0
    assert told == []


@pytest.mark.parametrize("fault", [429, 503, 504, "hang up", "garbage"])
def test_what_passes_is_tried_again_at_once(
    fault: Any, collector: Collector, pushing: Callable[..., list[str | None]]
) -> None:
    collector.faults = [fault]
    told = pushing(collector.url, every_s=5.0)
    collector.wait_for(2)
    first, second = (body for _, _, body in collector.received[:2])
    assert first == second
    assert told == []


@pytest.mark.parametrize(
    ("fault", "reason"), [(400, "http_400"), (401, "http_401"), (500, "http_500"), (307, "http_307")]
)
def test_what_does_not_pass_waits_for_the_next_time_and_is_told_once(
    fault: int, reason: str, collector: Collector, pushing: Callable[..., list[str | None]]
) -> None:
    collector.faults = [fault, fault]
    told = pushing(collector.url)
    collector.wait_for(4)
    assert told == [reason, None]
    (ours,) = (
        metric
        for each in collector.received[3][2]["resourceMetrics"]
        for metric in each["scopeMetrics"][0]["metrics"]
        if metric["name"] == "greenai.push.failures"
    )
    assert ours["sum"]["dataPoints"][0]["asDouble"] == 2


@pytest.mark.parametrize(
    ("answer", "told_first"),
    [
        (b'{"partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "x"}}', ["points_rejected", None]),
        (b'{"partialSuccess": {}}', []),
        (b"{}", []),
        (b"\xff", []),
        (b"[" * 100_000, []),
    ],
)
def test_a_collector_that_leaves_points_out(
    answer: bytes, told_first: list[str | None], collector: Collector, pushing: Callable[..., list[str | None]]
) -> None:
    collector.faults = [answer]
    told = pushing(collector.url)
    collector.wait_for(3)
    assert told == told_first


def test_attempts_are_bounded(collector: Collector, pushing: Callable[..., list[str | None]]) -> None:
    collector.faults = [503] * 3
    told = pushing(collector.url, every_s=1.0)
    collector.wait_for(4)
    assert told in (["http_503"], ["http_503", None])
    stamps = [json.dumps(body) for _, _, body in collector.received]
    assert stamps[0] == stamps[1] == stamps[2] != stamps[3]


def test_one_that_says_nothing_or_is_not_there_holds_nobody(
    collector: Collector, pushing: Callable[..., list[str | None]], watching: Monitor
) -> None:
    collector.faults = ["silent"]
    told = pushing(collector.url, every_s=0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = pushing(f"http://127.0.0.1:{free.getsockname()[1]}")
        last_s = time.monotonic() + 20
        while not (told and nobody) and time.monotonic() < last_s:
            began_s = time.monotonic()
            watching.look()
            assert time.monotonic() - began_s < 1
            time.sleep(0.01)
    assert told[0] == "timeout"
    assert nobody == ["unreachable"]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://h:4318", "http://h:4318/v1/metrics"),
        ("https://h/", "https://h/v1/metrics"),
        ("http://h:9090/api/v1/otlp/v1/metrics?x=1#y", "http://h:9090/api/v1/otlp/v1/metrics?x=1"),
    ],
)
def test_where_to_send(given: str, used: str) -> None:
    assert endpoint(given) == used


@pytest.mark.parametrize(
    "wrong", ["", "h:4318", "ftp://h", "http://", "http://u:s3cr3t@h", "http://h:99999", "http://[", "http://h/\n"]
)
def test_no_address(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError):
        endpoint(wrong)
    assert run(["metrics", "--otlp", wrong]) == 2
    said = capsys.readouterr().err
    assert "greenai metrics --otlp http" in said
    assert "s3cr3t" not in said


def test_headers() -> None:
    assert read_headers("", "http://h") == {}
    found = read_headers("authorization=Bearer%20s3cr3t, x-scope = a=b", "https://h")
    assert found == {"authorization": SECRET, "x-scope": "a=b"}
    assert read_headers("a=b", "http://127.0.0.1:4318/x") == {"a": "b"}


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("s3cr3t", "https://h"),
        ("a b=s3cr3t", "https://h"),
        ("a=s3cr3t%0d%0aHost:x", "https://h"),
        ("=s3cr3t", "https://h"),
        ("a=s3cr3t%00", "https://h"),
        ("a=s3cr3tü", "https://h"),
        ("a=s3cr3t", "http://h"),
    ],
)
def test_headers_that_cannot_be_sent_are_not_repeated(
    said: str, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(HEADERS_VARIABLE, said)
    assert run(["metrics", "--otlp", url]) == 2
    shown = capsys.readouterr()
    assert HEADERS_VARIABLE in shown.err
    assert "s3cr3t" not in shown.err + shown.out

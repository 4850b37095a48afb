"""The page that Prometheus reads: formats, strangers, and a database that is gone."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from greenai.cli.main import run
from greenai.core.errors import ConfigError, StoreError
from greenai.core.text import Text
from greenai.monitoring.server import MetricsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.monitoring import Monitor


@pytest.fixture
def server(watching: Monitor) -> Iterator[MetricsServer]:
    """A server on a free port."""
    opened = MetricsServer(watching, "127.0.0.1", 0)
    thread = threading.Thread(target=opened.serve)
    thread.start()
    yield opened
    opened.close()
    thread.join(10)
    assert not thread.is_alive()


def ask(
    server: MetricsServer, path: str = "/metrics", method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_both_formats(server: MetricsServer, journals: Any, clock: Callable[[Any], None]) -> None:
    _, machine = journals.begin("aaaa0001", seconds=10, name='größe "1"\n')
    clock(machine)
    answer, text = ask(server)
    assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert 'name="größe \\"1\\"' in text
    assert 'hw_power_watts{run="aaaa0001",host_name="fake",hw_id="rapl:package-0"' in text
    assert "# EOF" not in text
    answer, text = ask(server, Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert answer.getheader("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("# EOF\n")
    answer, text = ask(server, method="HEAD")
    assert (answer.status, text) == (200, "")


def test_strangers(server: MetricsServer) -> None:
    assert ask(server, "/")[0].status == 404
    assert ask(server, "/metrics/../etc/passwd")[0].status == 404
    assert ask(server, method="POST")[0].status == 501
    answer, text = ask(server, Host="evil.example")
    assert (answer.status, text) == (421, "unknown host name\n")
    assert ask(server, Host="localhost:1")[0].status == 200
    assert ask(server, Host="[")[0].status == 421


def test_clients_that_say_nothing_do_not_keep_others_waiting(server: MetricsServer) -> None:
    place = urlsplit(server.url)
    assert place.hostname is not None
    silent = [socket.create_connection((place.hostname, place.port or 0)) for _ in range(10)]
    silent[0].sendall(b"\x00\xff" * 100 + b"\r\n\r\n")
    silent[1].sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    silent[1].close()
    assert ask(server)[0].status == 200
    for each in silent:
        each.close()


def test_a_database_that_is_gone_is_no_zero(
    server: MetricsServer, watching: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StoreError(Text(de="weg", en="gone"))

    monkeypatch.setattr(watching, "look", refuse)
    answer, text = ask(server)
    assert (answer.status, text) == (503, "gone\n")
    monkeypatch.setattr(watching, "look", lambda: os.environ["NONE"])
    answer, text = ask(server)
    assert (answer.status, text) == (500, "KeyError\n")


def test_a_port_that_is_taken_and_an_address_that_is_none(
    server: MetricsServer, watching: Monitor, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = urlsplit(server.url).netloc
    with pytest.raises(ConfigError, match="Cannot listen"):
        MetricsServer(watching, "127.0.0.1", urlsplit(server.url).port or 0)
    assert run(["metrics", "--listen", taken]) == 2
    assert taken in capsys.readouterr().err
    for wrong in ("9464", "127.0.0.1:70000", "127.0.0.1:x", ""):
        assert run(["metrics", "--listen", wrong]) == 2
        assert "greenai metrics --listen" in capsys.readouterr().err

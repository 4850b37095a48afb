"""Asking a controller: against real servers of our own, http and https, friendly and hostile."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from greenai.host import web
from greenai.host.web import JsonAnswer, fetch_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USER, PASSWORD = "operator", "s3cr3t:Käse"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

Answer = tuple[int, dict[str, str], bytes]


class Server:
    """A real server on this machine; remembers what it was asked."""

    def __init__(self, answer: Callable[[str], Answer], certificate: Path | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append((self.path, dict(self.headers.items())))
                status, headers, body = answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *args: object) -> None:
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.scheme = "http" if certificate is None else "https"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}"


@contextmanager
def serving(answer: Callable[[str], Answer], certificate: Path | None = None) -> Iterator[Server]:
    server = Server(answer, certificate)
    server.thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.thread.join()
        server.server.server_close()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener whose connections are handled by ``talk``; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    talk(connection)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def says(document: object) -> Callable[[str], Answer]:
    return lambda _path: (200, {}, json.dumps(document).encode())


def ask(url: str, *, timeout_s: float = 5.0, verify_tls: bool = True, credentials: bool = True) -> JsonAnswer:
    user, password = (USER, PASSWORD) if credentials else (None, None)
    answer = fetch_json(url, user, password, timeout_s, verify_tls)
    assert "s3cr3t" not in repr(answer)
    return answer


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, as controllers come with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bmc")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = tmp_path_factory.mktemp("tls") / "bmc.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return file


def test_a_document_and_how_it_was_asked_for() -> None:
    with serving(says({"PowerWatts": {"Reading": 412}})) as server:
        assert ask(f"{server.url}/redfish/v1/Chassis?x=1") == JsonAnswer({"PowerWatts": {"Reading": 412}})
    ((path, headers),) = server.requests
    assert path == "/redfish/v1/Chassis?x=1"
    assert headers["Authorization"] == AUTHORIZATION
    assert headers["Accept"] == "application/json"
    assert headers["Host"] == server.url.removeprefix("http://")


def test_a_tunnel_to_this_machine_may_be_plain() -> None:
    with serving(says(1)) as server:
        assert ask(server.url.replace("127.0.0.1", "localhost")) == JsonAnswer(1)
    assert server.requests[0][1]["Authorization"] == AUTHORIZATION


def test_no_user_no_credentials() -> None:
    with serving(says([])) as server:
        assert ask(server.url, credentials=False) == JsonAnswer([])
    assert "Authorization" not in server.requests[0][1]
    assert server.requests[0][0] == "/"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503, 204, 304])
def test_a_refusal_is_named(status: int) -> None:
    with serving(lambda _path: (status, {}, b"")) as server:
        assert ask(server.url) == JsonAnswer(None, f"http_{status}")


def test_a_self_signed_certificate_is_refused(certificate: Path) -> None:
    with serving(says(1), certificate) as server:
        assert ask(server.url) == JsonAnswer(None, "tls")
    assert server.requests == []


def test_a_self_signed_certificate_is_accepted_when_told_so(certificate: Path) -> None:
    with serving(says(1), certificate) as server:
        assert ask(server.url, verify_tls=False) == JsonAnswer(1)
        assert ask(server.url) == JsonAnswer(None, "tls")
    assert server.requests[0][1]["Authorization"] == AUTHORIZATION


def test_a_certificate_of_another_name_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    web._tls.cache_clear()
    try:
        with serving(says(1), certificate) as server:
            assert ask(server.url) == JsonAnswer(1)
            assert ask(server.url.replace("127.0.0.1", "localhost")) == JsonAnswer(None, "tls")
    finally:
        web._tls.cache_clear()


def test_https_where_only_http_is_spoken() -> None:
    with serving(says(1)) as server:
        assert ask(server.url.replace("http:", "https:")) == JsonAnswer(None, "no_tls")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ask(f"http://127.0.0.1:{port}/") == JsonAnswer(None, "unreachable")
    assert ask("http://no-such-host.invalid/", credentials=False) == JsonAnswer(None, "unreachable")


def waited(url: str, **how: bool) -> tuple[str | None, float]:
    start_s = time.monotonic()
    answer = ask(url, timeout_s=0.4, **how)
    return answer.reason, time.monotonic() - start_s


def drip(text: bytes, forever: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(text)
        for _ in range(100):
            connection.sendall(forever)
            time.sleep(0.05)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(lambda connection: time.sleep(1.2), id="silence"),
        pytest.param(drip(b"", b"H"), id="status line"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"), id="header"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n\r\n", b"1"), id="body without length"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"1"), id="body with length"),
    ],
)
def test_a_controller_that_dawdles_is_left_in_time(talk: Callable[[socket.socket], None]) -> None:
    with raw_server(talk) as port:
        reason, seconds = waited(f"http://127.0.0.1:{port}/")
        assert reason == "timeout"
        assert 0.3 < seconds < 1.2


def test_a_handshake_that_dawdles_is_left_in_time() -> None:
    # The head of a TLS record of 16 kB that never gets complete.
    with raw_server(drip(b"\x16\x03\x03\x40\x00", b"\x02")) as port:
        reason, seconds = waited(f"https://127.0.0.1:{port}/")
        assert reason == "timeout"
        assert seconds < 1.2


def test_no_time_at_all() -> None:
    with serving(says(1)) as server:
        assert fetch_json(server.url, None, None, 0.0, True) == JsonAnswer(None, "timeout")
    assert server.requests == []


def test_a_huge_answer_is_not_taken_in() -> None:
    with serving(lambda _path: (200, {}, b"[" + b"0," * 2_500_000 + b"0]")) as server:
        assert ask(server.url) == JsonAnswer(None, "too_large")


def test_an_endless_answer_is_not_taken_in() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

    with raw_server(talk) as port:
        assert ask(f"http://127.0.0.1:{port}/") == JsonAnswer(None, "too_large")


@pytest.mark.parametrize(
    "body", [b"", b"<html>login</html>", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 10_000, b"\x00"]
)
def test_what_is_no_json(body: bytes) -> None:
    with serving(lambda _path: (200, {}, body)) as server:
        assert ask(server.url) == JsonAnswer(None, "no_json")


@pytest.mark.parametrize(
    "talk",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz",
    ],
)
def test_what_is_no_http(talk: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(talk)

    with raw_server(answer) as port:
        assert ask(f"http://127.0.0.1:{port}/").reason in ("unreachable", "no_http_url")


def test_a_truncated_answer_is_no_figure() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"Reading": 1')

    with raw_server(answer) as port:
        assert ask(f"http://127.0.0.1:{port}/").data is None


def test_a_redirect_on_the_same_controller_is_followed_with_credentials() -> None:
    def answer(path: str) -> Answer:
        return (308, {"Location": "/redfish/v1/"}, b"") if path == "/redfish/v1" else (200, {}, b'"root"')

    with serving(answer) as server:
        assert ask(f"{server.url}/redfish/v1") == JsonAnswer("root")
    assert [path for path, _ in server.requests] == ["/redfish/v1", "/redfish/v1/"]
    assert {headers["Authorization"] for _, headers in server.requests} == {AUTHORIZATION}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_never_follow_a_redirect_to_another_host(status: int) -> None:
    with (
        serving(says("stolen")) as thief,
        serving(lambda _path: (status, {"Location": f"{thief.url}/"}, b"")) as server,
    ):
        assert ask(server.url) == JsonAnswer(None, "redirect")
    assert len(server.requests) == 1
    assert thief.requests == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:x@127.0.0.1/"])
def test_a_redirect_elsewhere_is_not_followed(location: str) -> None:
    with serving(lambda _path: (302, {"Location": location}, b"")) as server:
        assert ask(server.url).data is None
    assert len(server.requests) == 1


def test_a_redirect_from_https_to_http_is_not_followed(certificate: Path) -> None:
    with (
        serving(says("in the clear")) as clear,
        serving(lambda _path: (302, {"Location": clear.url}, b""), certificate) as server,
    ):
        assert ask(server.url, verify_tls=False) == JsonAnswer(None, "redirect")
    assert clear.requests == []


def test_a_circle_of_redirects_ends() -> None:
    with serving(lambda _path: (302, {"Location": "/again"}, b"")) as server:
        assert ask(server.url) == JsonAnswer(None, "redirect")
    assert len(server.requests) == 4


def test_a_redirect_to_nowhere_is_a_refusal() -> None:
    with serving(lambda _path: (302, {}, b"")) as server:
        assert ask(server.url) == JsonAnswer(None, "http_302")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no_http_url"),
        ("10.0.0.5", "no_http_url"),
        ("ftp://10.0.0.5/", "no_http_url"),
        ("file:///etc/passwd", "no_http_url"),
        ("https://", "no_http_url"),
        ("https://10.0.0.5:99999/", "no_http_url"),
        ("https://[::1/", "no_http_url"),
        ("https://bmc:s3cr3t@10.0.0.5/", "credentials_in_url"),
        ("https://10.0.0.5@evil.example/", "credentials_in_url"),
        ("http://10.0.0.5/redfish/v1/", "plain_http"),
        ("http://bmc.example/redfish/v1/", "plain_http"),
    ],
)
def test_addresses_that_are_not_asked(url: str, reason: str) -> None:
    assert ask(url) == JsonAnswer(None, reason)


@pytest.mark.parametrize("path", ["/a b", "/\r\nX-Evil: 1", "/ä"])
def test_a_path_cannot_smuggle_anything(path: str) -> None:
    with serving(says(1)) as server:
        ask(server.url + path)
    assert all("X-Evil" not in headers for _, headers in server.requests)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says("proxy")) as proxy, serving(says("controller")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert ask(server.url) == JsonAnswer("controller")
    assert proxy.requests == []


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert fetch_json(url, None, None, 1.0, True) == JsonAnswer(None, "unreachable")


def test_nothing_is_left_behind(certificate: Path) -> None:
    before = threading.active_count()
    with serving(says(1), certificate) as server:
        for _ in range(20):
            ask(server.url, verify_tls=False)
            ask(server.url)
    assert threading.active_count() == before


def test_importing_it_costs_nothing() -> None:
    code = "import sys; import greenai.host; print([m for m in ('ssl', 'http.client', 'urllib.request') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

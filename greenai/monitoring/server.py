"""``/metrics`` over HTTP: read-only, one page, nothing of the request is believed."""

from __future__ import annotations

import ipaddress
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.exposition import OPEN_METRICS, TEXT, open_metrics_text, prometheus_text, wants_open_metrics
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.monitoring.monitor import Monitor

PATH = "/metrics"

_MOST_AT_ONCE = 16
_BEAT_S = 0.1  # how often it looks whether it is to end
_PATIENCE_S = 10.0  # with a client that does not speak or listen
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_CANNOT_LISTEN = Text(
    de="An {address} kann nicht gelauscht werden ({reason}).", en="Cannot listen at {address} ({reason})."
)
_OTHER_PORT = Text(
    de="Anderen Port wählen: greenai metrics --listen 127.0.0.1:0 nimmt einen freien",
    en="Choose another port: greenai metrics --listen 127.0.0.1:0 takes a free one",
)


class MetricsServer:
    """Answers Prometheus."""

    def __init__(self, monitor: Monitor, host: str, port: int) -> None:
        """Begin to listen.

        Args:
            monitor: Whom to ask.
            host: Address; anything but a loopback address is open to the network.
            port: TCP port; 0 takes any free one.

        Raises:
            ConfigError: The address or port cannot be used.
        """
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._server = _Server(family, (str(address[0]), int(address[1])), monitor)
        except OSError as error:
            shown, reason = f"{host}:{port}", error.strerror or error
            raise ConfigError(_CANNOT_LISTEN.format(address=shown, reason=reason), _OTHER_PORT) from error
        self._serving = False
        if ipaddress.ip_address(str(self._server.server_address[0])).is_loopback:
            self._server.names = _LOOPBACK_NAMES | {host.lower()}

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = str(self._server.server_address[0]), self._server.server_address[1]
        return f"http://[{host}]:{port}{PATH}" if ":" in host else f"http://{host}:{port}{PATH}"

    def serve(self) -> None:
        """Answer until ``close``, or KeyboardInterrupt."""
        self._serving = True
        self._server.serve_forever(_BEAT_S)

    def close(self) -> None:
        """Stop listening; ``serve``, in another thread, returns."""
        if self._serving:
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int], monitor: Monitor) -> None:
        self.address_family = family
        self.monitor = monitor
        self.names: frozenset[str] | None = None  # answered to; on a network, which lead here is not ours to know
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, as the base class would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own; whoever comes when all are busy is sent away."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_S
    server_version = "greenai"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the figures."""
        # Otherwise a web page elsewhere could point its own name at 127.0.0.1 and read them (DNS rebinding).
        if self.server.names is not None and _name(self.headers.get("Host", "")) not in self.server.names:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, TEXT, "unknown host name\n")
        elif urlsplit(self.path).path != PATH:
            self._answer(HTTPStatus.NOT_FOUND, TEXT, f"the figures are at {PATH}\n")
        else:
            self._figures()

    do_HEAD = do_GET  # noqa: N815  # the base class's name for it

    def _figures(self) -> None:
        try:
            families = self.server.monitor.look()
        except GreenAIError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{error}\n")
            return
        except Exception as error:  # noqa: BLE001  # a scraper shows its user what it is told
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, f"{type(error).__name__}\n")
            return
        if wants_open_metrics(self.headers.get("Accept", "")):
            self._answer(HTTPStatus.OK, OPEN_METRICS, open_metrics_text(families))
        else:
            self._answer(HTTPStatus.OK, TEXT, prometheus_text(families))

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name for it
        """Say nothing: a look every few seconds is no news."""


def _name(host: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""

"""Serve the dashboard with waitress until Ctrl-C."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from waitress import create_server, wasyncore

from greenai.core.errors import ConfigError
from greenai_dashboard import texts
from greenai_dashboard.app import create_app
from greenai_dashboard.web import ALLOWED_HOSTS, LOOPBACK_HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.text import Language
    from greenai_dashboard.data import DashboardData

THREADS = 8
MAX_PORT = 65_535


def serve(
    data: DashboardData,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    language: Language | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard until KeyboardInterrupt.

    Args:
        data: What to show.
        host: Address to listen on. Anything but a loopback address opens the dashboard to the network.
        port: TCP port; 0 takes any free one.
        language: For visitors who have not chosen one; None asks their browser.
        on_ready: Called with the URL once requests are answered.

    Raises:
        ConfigError: The address or port cannot be used.
    """
    listener = _bind(host, port)
    with listener:
        app = create_app(data, language=language)
        app.server.config[ALLOWED_HOSTS] = _allowed_hosts(host, listener)
        # Dash registers its scripts during the first request; parallel first requests would race.
        with app.server.test_client() as client:
            client.get("/", base_url="http://localhost" if _is_loopback(listener) else f"http://{_in_url(host)}")
        connections: dict[int, Any] = {}
        server = create_server(app.server, map=connections, sockets=[listener], threads=THREADS, ident=None)
        if on_ready is not None:
            on_ready(_url(host, listener))
        try:
            server.run()
        finally:
            wasyncore.close_all(connections)  # the listener and whoever is still connected


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= MAX_PORT:  # the resolver would silently cut off the upper bits
        reason = f"0-{MAX_PORT}"
        raise ConfigError(texts.CANNOT_BIND.format(host=host, port=port, reason=reason), texts.CANNOT_BIND_REMEDY)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(texts.PORT_IN_USE.format(host=host, port=port), texts.PORT_IN_USE_REMEDY) from error
        reason = error.strerror or str(error)
        raise ConfigError(
            texts.CANNOT_BIND.format(host=host, port=port, reason=reason), texts.CANNOT_BIND_REMEDY
        ) from error


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _allowed_hosts(host: str, listener: socket.socket) -> frozenset[str] | None:
    """Return the host names to answer to; on a network, which names lead here is not ours to know."""
    return LOOPBACK_HOSTS | {host.lower()} if _is_loopback(listener) else None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _url(host: str, listener: socket.socket) -> str:
    """Return an address that works in a browser on this machine."""
    bound, port = listener.getsockname()[:2]
    if ipaddress.ip_address(bound).is_unspecified:
        host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    return f"http://{_in_url(host)}:{port}/"

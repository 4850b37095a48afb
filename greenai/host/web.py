"""Asking a management controller by HTTP(S). Never raises, never waits longer than told, never says the password.

Why not ``urllib.request``: its timeout holds for each single read, so a controller that drips one byte at a time
would hold us for hours, and it follows redirects anywhere. Here a watchdog hangs up when the time is over, and a
redirect is followed on the same controller only. Proxies from the environment are meant for the internet, not for
the management network, and are not used.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import socket
    import ssl

_MOST_BYTES = 4_000_000
_MOST_REQUESTS = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class JsonAnswer(NamedTuple):
    """What the controller said.

    Attributes:
        data: The decoded JSON; None if there is none.
        reason: None if all went well; else ``http_401`` and the like, ``timeout``, ``tls`` (the certificate is not
            trusted), ``no_tls`` (no common TLS), ``unreachable``, ``redirect`` (it points to another machine),
            ``too_large``, ``no_json``, ``no_http_url``, ``credentials_in_url`` or ``plain_http`` (a password would
            cross the network in the clear).
    """

    data: Any
    reason: str | None = None


class _Target(NamedTuple):
    scheme: str
    host: str
    port: int
    netloc: str
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


class _FailedError(Exception):
    """Carries the reason of an answer without data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def fetch_json(url: str, user: str | None, password: str | None, timeout_s: float, verify_tls: bool) -> JsonAnswer:
    """Get a JSON document.

    Args:
        url: ``https://...``. Plain ``http`` is accepted where no password is sent, or on this machine (a tunnel).
        user: For basic authentication; None sends none.
        password: For basic authentication.
        timeout_s: All of it ends within this time; only looking up the name of the controller may add to it.
        verify_tls: False accepts a self-signed certificate.
    """
    deadline_s = time.monotonic() + timeout_s
    try:
        return JsonAnswer(_decoded(_fetch(url, user, password, deadline_s, verify_tls)))
    except _FailedError as failure:
        return JsonAnswer(None, failure.reason)


def _fetch(url: str, user: str | None, password: str | None, deadline_s: float, verify_tls: bool) -> bytes:
    from base64 import b64encode
    from http import HTTPStatus
    from urllib.parse import urljoin

    target = _target(url)
    headers = {"Host": target.netloc, "Accept": "application/json", "Connection": "close"}
    if user is not None:
        if target.scheme == "http" and not _is_this_machine(target.host):
            raise _FailedError("plain_http")
        token = b64encode(f"{user}:{password or ''}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {token}"
    for _ in range(_MOST_REQUESTS):
        status, location, body = _ask(target, headers, deadline_s, verify_tls)
        if status in _REDIRECTS and location is not None:
            url = urljoin(url, location)
            redirected = _target(url)
            if redirected.origin != target.origin:
                raise _FailedError("redirect")
            target = redirected
        elif status == HTTPStatus.OK:
            return body
        else:
            raise _FailedError(f"http_{status}")
    raise _FailedError("redirect")


def _target(url: str) -> _Target:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _FailedError("no_http_url") from None
    if parts.scheme not in ("https", "http") or not host:
        raise _FailedError("no_http_url")
    if parts.username is not None or parts.password is not None:
        raise _FailedError("credentials_in_url")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.netloc, path)


def _is_this_machine(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ask(
    target: _Target, headers: dict[str, str], deadline_s: float, verify_tls: bool
) -> tuple[int, str | None, bytes]:
    """Send one request; return status, location and body."""
    import socket
    import ssl
    import threading
    from contextlib import closing
    from http.client import HTTPConnection, HTTPException

    try:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        with (
            closing(socket.create_connection((target.host, target.port), timeout=left_s)) as plain,
            # A duplicate, because TLS takes the original over. Shutting it down ends whatever waits on either.
            closing(plain.dup()) as line,
        ):
            watchdog = threading.Timer(max(deadline_s - time.monotonic(), 0.0), _hang_up, [line])
            watchdog.daemon = True
            watchdog.start()
            try:
                stream: socket.socket = plain
                if target.scheme == "https":
                    stream = _tls(verify_tls).wrap_socket(plain, server_hostname=target.host)
                connection = HTTPConnection(target.host, target.port)
                connection.sock = stream
                with closing(connection):
                    connection.request("GET", target.path, headers=headers)
                    with connection.getresponse() as answer:
                        body = answer.read(_MOST_BYTES + 1)
                        location = answer.getheader("Location")
            finally:
                watchdog.cancel()
                watchdog.join()  # it must not touch the number of a closed socket
    except (OSError, HTTPException, ValueError, RuntimeError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= deadline_s:
            raise _FailedError("timeout") from None
        if isinstance(error, ssl.SSLError):
            raise _FailedError("tls" if isinstance(error, ssl.SSLCertVerificationError) else "no_tls") from None
        raise _FailedError("no_http_url" if isinstance(error, ValueError) else "unreachable") from None
    if time.monotonic() >= deadline_s:
        raise _FailedError("timeout")  # the end of the body may be the watchdog's doing
    if len(body) > _MOST_BYTES:
        raise _FailedError("too_large")
    return answer.status, location, body


def _hang_up(line: socket.socket) -> None:
    from contextlib import suppress

    with suppress(OSError):
        line.shutdown(2)  # SHUT_RDWR


@cache
def _tls(verify: bool) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _decoded(body: bytes) -> Any:
    import json

    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _FailedError("no_json") from None

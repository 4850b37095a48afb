"""Asking a management controller, or telling a collector of metrics, by HTTP(S).

Never raises, never waits longer than told, never says the password.

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
    from collections.abc import Mapping

_MOST_BYTES = 4_000_000
_MOST_REQUESTS = 4
_ACCEPTED = 2  # hundreds
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


class PostAnswer(NamedTuple):
    """How a message was received.

    Attributes:
        reason: None if it was accepted; else as in ``JsonAnswer``.
        retry_after_s: How long the other side asks to wait, seconds; None if it does not say.
        body: What it said beside.
    """

    reason: str | None = None
    retry_after_s: float | None = None
    body: bytes = b""


class _Answer(NamedTuple):
    status: int
    location: str | None
    retry_after: str | None
    body: bytes


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


def post_json(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> PostAnswer:
    """Send a JSON document. A redirect is not followed.

    Args:
        url: ``https://...``. Plain ``http`` is accepted where no headers are given, or on this machine.
        body: The document.
        headers: Beside the usual ones; they may hold a secret.
        timeout_s: All of it ends within this time; only looking up the name of the other side may add to it.
    """
    deadline_s = time.monotonic() + timeout_s
    try:
        target = _target(url)
        if headers and not _is_private(target):
            return PostAnswer("plain_http")
        usual = {"Host": target.netloc, "Content-Type": "application/json", "Connection": "close"}
        answer = _ask(target, {**headers, **usual}, deadline_s, verify_tls=True, body=body)
    except _FailedError as failure:
        return PostAnswer(failure.reason)
    if answer.status // 100 == _ACCEPTED:
        return PostAnswer(body=answer.body)
    return PostAnswer(f"http_{answer.status}", _seconds(answer.retry_after))


def _seconds(said: str | None) -> float | None:
    return float(said) if said is not None and said.isascii() and said.isdigit() else None


def _fetch(url: str, user: str | None, password: str | None, deadline_s: float, verify_tls: bool) -> bytes:
    from base64 import b64encode
    from http import HTTPStatus
    from urllib.parse import urljoin

    target = _target(url)
    headers = {"Host": target.netloc, "Accept": "application/json", "Connection": "close"}
    if user is not None:
        if not _is_private(target):
            raise _FailedError("plain_http")
        token = b64encode(f"{user}:{password or ''}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {token}"
    for _ in range(_MOST_REQUESTS):
        answer = _ask(target, headers, deadline_s, verify_tls)
        if answer.status in _REDIRECTS and answer.location is not None:
            url = urljoin(url, answer.location)
            redirected = _target(url)
            if redirected.origin != target.origin:
                raise _FailedError("redirect")
            target = redirected
        elif answer.status == HTTPStatus.OK:
            return answer.body
        else:
            raise _FailedError(f"http_{answer.status}")
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


def _is_private(target: _Target) -> bool:
    """Say whether nobody on the way could read a password."""
    return target.scheme == "https" or _is_this_machine(target.host)


def _is_this_machine(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ask(
    target: _Target, headers: dict[str, str], deadline_s: float, verify_tls: bool, body: bytes | None = None
) -> _Answer:
    """Send one request: a question, or with a body a message."""
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
                    connection.request("GET" if body is None else "POST", target.path, body, headers)
                    with connection.getresponse() as answer:
                        content = answer.read(_MOST_BYTES + 1)
                        location, retry_after = answer.getheader("Location"), answer.getheader("Retry-After")
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
    if len(content) > _MOST_BYTES:
        raise _FailedError("too_large")
    return _Answer(answer.status, location, retry_after, content)


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

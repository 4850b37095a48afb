"""The one door to the services: a GET that ends in time, within a size, on one host, and waits as it is told to.

* HTTPS only; plain HTTP on this machine alone (a tunnel, a test).
* A redirect is followed on the same host only: a token in a header must not travel elsewhere.
* ``https_proxy`` and ``no_proxy`` of the environment hold, since many institutes have no other way out; through
  such a proxy the connection is encrypted from end to end.
* 429 and 503 are asked again after ``Retry-After`` or a growing pause, other faults of the server after a
  pause; never more than ``_MOST_TRIES`` times, never waiting longer than ``_LONGEST_WAIT_S`` at once.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from http.client import HTTPException
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener, getproxies

from greenai.carbon.intensity.errors import FetchError
from greenai.carbon.intensity.printable import printable
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS
from greenai.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from email.message import Message
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO

_MOST_BYTES = 32_000_000  # a year of quarter hours with twenty series is 10 MB
_AT_ONCE = 65_536
_SLACK_S = 0.5  # the connection itself says more than we could, if it ends by then
_MOST_TRIES = 4
_TRIES_WITHOUT_ANSWER = 2  # whoever is offline shall learn it soon
_FIRST_WAIT_S = 2.0
# energy-charts.info allows two requests a minute after a burst of four.
_FIRST_WAIT_WHEN_BUSY_S = 20.0
_LONGEST_WAIT_S = 120.0
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

_NO_ANSWER = Text(
    de="{url} hat nicht geantwortet: {reason}.",
    en="{url} did not answer: {reason}.",
)
_REFUSED = Text(de="{url} antwortete mit Fehler {status}{words}.", en="{url} answered with error {status}{words}.")
_TOO_LONG = Text(
    de="{url} schickte mehr als {most} MB; abgebrochen.", en="{url} sent more than {most} MB; stopped."
)
_CUT = Text(
    de="Die Antwort von {url} endete mitten darin.",
    en="The answer of {url} ended halfway.",
)
_TOO_SLOW = Text(
    de="{url} war nach {seconds} s nicht fertig.",
    en="{url} was not done after {seconds} s.",
)
_ELSEWHERE = Text(
    de="{url} verweist auf einen anderen Rechner ({target}); dem wird nicht gefolgt.",
    en="{url} points to another host ({target}); that is not followed.",
)
_PLAIN = Text(
    de="{url} ist unverschlüsselt; nur https ist erlaubt.", en="{url} is not encrypted; only https is allowed."
)
_NO_ADDRESS = Text(
    de="{url} ist keine Adresse oder verweist auf eine, die keine ist: {reason}.",
    en="{url} is no address, or points to one that is none: {reason}.",
)
_COME_BACK = Text(
    de="Der Dienst bittet um {seconds} s Geduld; danach noch einmal versuchen.",
    en="The service asks for {seconds} s of patience; try again after that.",
)
_CHECK_NETWORK = Text(
    de="Verbindung prüfen (hinter einem Proxy: export https_proxy=...) oder eigene Werte nehmen: "
    "greenai factors fetch --source csv --file DATEI",
    en="Check the connection (behind a proxy: export https_proxy=...) or take values of your own: "
    "greenai factors fetch --source csv --file FILE",
)
_LATER = Text(de="Später noch einmal versuchen.", en="Try again later.")


class Answer(NamedTuple):
    """What a service sent.

    Attributes:
        url: What was asked.
        body: The bytes.
        retrieved_ms: When, milliseconds since the epoch.
    """

    url: str
    body: bytes
    retrieved_ms: int


def checksum(answers: Iterable[Answer]) -> str:
    """Return the SHA-256 of answers, one after the other."""
    digest = sha256()
    for answer in answers:
        digest.update(answer.body)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Download:
    """Gets documents.

    Attributes:
        timeout_s: How long one request may take in all, seconds.
        sleep: Waits some seconds.
        wall_ns: The wall clock.
    """

    timeout_s: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    wall_ns: Callable[[], int] = time.time_ns

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Get a document, patiently.

        Args:
            url: Without secrets: it is stored and shown.
            headers: To be sent along, e.g. a token.

        Raises:
            FetchError: It could not be had.
        """
        _check(url)
        for number in range(_MOST_TRIES):
            try:
                return Answer(url, self._once(url, headers or {}), self.wall_ns() // NS_PER_MS)
            except _AgainError as again:
                wait_s = again.pause_s * 2**number if again.wait_s is None else again.wait_s
                if number + 1 >= again.most_tries or wait_s > _LONGEST_WAIT_S:
                    raise again.final() from None
                self.sleep(wait_s)
        raise AssertionError  # the last try returns or raises

    def _once(self, url: str, headers: Mapping[str, str]) -> bytes:
        """Ask once, in a thread of its own: looking up a name and reading headers know no end by themselves."""
        done: SimpleQueue[bytes | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                done.put(self._ask(url, headers))
            except Exception as error:  # noqa: BLE001  # raised again below
                done.put(error)

        threading.Thread(target=ask, daemon=True, name="greenai-download").start()
        try:
            found = done.get(timeout=self.timeout_s + _SLACK_S)
        except Empty:
            raise _too_slow(url, self.timeout_s) from None
        if isinstance(found, Exception):
            raise found
        return found

    def _ask(self, url: str, headers: Mapping[str, str]) -> bytes:
        deadline_s = time.monotonic() + self.timeout_s
        request = Request(url, headers={"User-Agent": f"greenai/{__version__}", **headers})  # noqa: S310  # _check
        proxies = {scheme: proxy for scheme, proxy in getproxies().items() if scheme == "https"}
        opener = build_opener(ProxyHandler(proxies), _SameHost(url))
        try:
            with opener.open(request, timeout=self.timeout_s) as answer:
                return _body(url, answer, deadline_s, self.timeout_s)
        except HTTPError as error:
            with error:
                raise _refusal(url, error) from None
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, TimeoutError):
                raise _too_slow(url, self.timeout_s) from None
            message = _NO_ANSWER.format(url=url, reason=printable(str(reason)))
            raise _AgainError(message, _CHECK_NETWORK, most_tries=_TRIES_WITHOUT_ANSWER) from None


class _AgainError(Exception):
    """It may succeed if it is tried again.

    Attributes:
        wait_s: How long the service wants us to wait; None if it did not say.
        pause_s: How long to wait then, the first time.
        most_tries: How often to try in all.
    """

    def __init__(
        self,
        message: Text,
        remedy: Text,
        status: int | None = None,
        *,
        wait_s: float | None = None,
        pause_s: float = _FIRST_WAIT_S,
        most_tries: int = _MOST_TRIES,
    ) -> None:
        super().__init__(message)
        self._message, self._remedy, self._status = message, remedy, status
        self.wait_s, self.pause_s, self.most_tries = wait_s, pause_s, most_tries

    def final(self) -> FetchError:
        """Return the error it is when there is no more patience."""
        told = self.wait_s is not None
        remedy = _COME_BACK.format(seconds=f"{self.wait_s:.0f}") if told else self._remedy
        return FetchError(self._message, remedy, self._status)


def _too_slow(url: str, timeout_s: float) -> _AgainError:
    message = _TOO_SLOW.format(url=url, seconds=f"{timeout_s:g}")
    return _AgainError(message, _CHECK_NETWORK, most_tries=_TRIES_WITHOUT_ANSWER)


def _no_address(url: str, error: ValueError) -> FetchError:
    return FetchError(_NO_ADDRESS.format(url=printable(url), reason=printable(str(error))), _LATER)


class _SameHost(HTTPRedirectHandler):
    """Follows redirects to where we already are, and nowhere else."""

    def __init__(self, url: str) -> None:
        self._origin = _origin(url)

    def http_error_302(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> HTTPResponse | None:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError as error:
            fp.close()
            raise _no_address(req.full_url, error) from None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if _origin(newurl) != self._origin:
            fp.close()
            raise FetchError(
                _ELSEWHERE.format(url=req.full_url, target=printable(str(urlsplit(newurl).hostname))),
                _LATER,
                status=code,
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _check(url: str) -> None:
    try:
        scheme, host, _ = _origin(url)
    except ValueError as error:
        raise _no_address(url, error) from None
    if scheme != "https" and not (scheme == "http" and _is_this_machine(host)):
        raise FetchError(_PLAIN.format(url=url))


def _is_this_machine(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _body(url: str, answer: HTTPResponse, deadline_s: float, timeout_s: float) -> bytes:
    """Read the answer piece by piece: urllib's own timeout holds for each single read only."""
    pieces: list[bytes] = []
    length = 0
    while piece := answer.read1(_AT_ONCE):
        length += len(piece)
        if length > _MOST_BYTES:
            raise FetchError(_TOO_LONG.format(url=url, most=_MOST_BYTES // 1_000_000), _LATER)
        if time.monotonic() > deadline_s:
            raise _too_slow(url, timeout_s)
        pieces.append(piece)
    promised = answer.getheader("Content-Length")
    if promised is not None and promised.isdigit() and length < int(promised):
        raise _AgainError(_CUT.format(url=url), _LATER)
    return b"".join(pieces)


def _refusal(url: str, error: HTTPError) -> Exception:
    words = f" ({printable(error.reason)})" if error.reason else ""
    message = _REFUSED.format(url=url, status=error.code, words=words)
    if error.code in _BUSY:
        wait_s = _retry_after_s(error.headers)
        return _AgainError(message, _LATER, error.code, wait_s=wait_s, pause_s=_FIRST_WAIT_WHEN_BUSY_S)
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _AgainError(message, _LATER, error.code)
    return FetchError(message, _LATER, error.code)


def _retry_after_s(headers: Message) -> float | None:
    """Return what ``Retry-After`` says, as seconds or as a date (RFC 9110, 10.2.3); None if it says nothing."""
    from email.utils import parsedate_to_datetime

    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return None

"""Sending figures to a collector by OpenTelemetry's protocol (OTLP/HTTP, JSON).

A message that cannot be delivered is dropped: energies are sums since a run's begin, so the next one says it all.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from greenai.core.errors import ConfigError
from greenai.core.exposition import Family, Point, SeriesKind
from greenai.core.otlp import metrics_request
from greenai.core.text import Text
from greenai.host.web import post_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.monitoring.monitor import Monitor

HEADERS_VARIABLE = "OTEL_EXPORTER_OTLP_HEADERS"
"""Environment variable of OpenTelemetry's own exporters: ``name=value,name=value``, percent-encoded."""

_PATH = "/v1/metrics"
_ATTEMPTS = 3
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_TIMEOUT_S = 10.0
# What may be well the next moment; the protocol names these codes.
_PASSING = frozenset({"http_429", "http_502", "http_503", "http_504", "timeout", "unreachable"})

_NO_URL = Text(
    de="Die Adresse des OpenTelemetry-Collectors ist keine http(s)-Adresse ohne Benutzer und Passwort.",
    en="The address of the OpenTelemetry collector is no http(s) URL without user and password.",
)
_SAY_URL = Text(
    de="Zum Beispiel: greenai metrics --otlp http://127.0.0.1:4318; Geheimnisse in " + HEADERS_VARIABLE,
    en="For example: greenai metrics --otlp http://127.0.0.1:4318; secrets in " + HEADERS_VARIABLE,
)
_BAD_HEADERS = Text(
    de="{variable} ist keine Liste der Form name=wert,name=wert (sein Inhalt wird nicht gezeigt).",
    en="{variable} is no list of the form name=value,name=value (its content is not shown).",
)
_SAY_HEADERS = Text(
    de="Zum Beispiel: export {variable}='authorization=Bearer%20TOKEN'",
    en="For example: export {variable}='authorization=Bearer%20TOKEN'",
)
_PLAIN = Text(
    de="{variable} ginge unverschlüsselt durchs Netz.", en="{variable} would cross the network in the clear."
)
_USE_TLS = Text(
    de="Eine https-Adresse nehmen: greenai metrics --otlp https://…",
    en="Take an https URL: greenai metrics --otlp https://...",
)


def endpoint(url: str) -> str:
    """Return where to send metrics: a bare address gets the usual path, as OpenTelemetry's exporters do.

    Raises:
        ConfigError: It is no address to send to.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or "@" in parts.netloc or not url.isprintable():
        raise ConfigError(_NO_URL, _SAY_URL)
    path = _PATH if parts.path in ("", "/") else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def read_headers(said: str, url: str) -> dict[str, str]:
    """Return the headers to send along.

    Args:
        said: The content of ``HEADERS_VARIABLE``.
        url: Where they go.

    Raises:
        ConfigError: They are none, or another machine's and not encrypted. The message does not repeat them.
    """
    found: dict[str, str] = {}
    for entry in filter(None, (entry.strip() for entry in said.split(","))):
        name, equals, value = entry.partition("=")
        name, value = unquote(name.strip()), unquote(value.strip())
        if not equals or not name.replace("-", "").replace("_", "").isalnum() or not (name + value).isascii():
            raise ConfigError(
                _BAD_HEADERS.format(variable=HEADERS_VARIABLE), _SAY_HEADERS.format(variable=HEADERS_VARIABLE)
            )
        if not value.isprintable():
            raise ConfigError(
                _BAD_HEADERS.format(variable=HEADERS_VARIABLE), _SAY_HEADERS.format(variable=HEADERS_VARIABLE)
            )
        found[name] = value
    parts = urlsplit(url)
    if found and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigError(_PLAIN.format(variable=HEADERS_VARIABLE), _USE_TLS)
    return found


class Pusher:
    """Sends what a monitor sees, every so often, in a thread of its own."""

    def __init__(
        self,
        monitor: Monitor,
        url: str,
        headers: dict[str, str],
        every_s: float,
        on_change: Callable[[str | None], None],
    ) -> None:
        """Begin to send.

        Args:
            monitor: Whom to ask.
            url: See ``endpoint``.
            headers: See ``read_headers``.
            every_s: How often, seconds.
            on_change: Told when it begins to fail, with the reason, and with None when all is well again.
        """
        self._monitor = monitor
        self._url = url
        self._headers = headers
        self._every_s = every_s
        self._on_change = on_change
        self._failed = 0
        self._reason: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="greenai-otlp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; a message on its way is waited for, within bounds."""
        self._over.set()
        self._thread.join(_TIMEOUT_S + 1)

    def _run(self) -> None:
        while not self._over.is_set():
            began_s = time.monotonic()
            reason = self._send(began_s + self._every_s)
            self._failed += reason is not None
            if reason != self._reason:
                self._reason = reason
                self._on_change(reason)
            self._over.wait(max(began_s + self._every_s - time.monotonic(), 0.0))

    def _send(self, next_s: float) -> str | None:
        """Send once, again a few times if it may help, but not beyond the next time; return why it failed."""
        try:
            families = (*self._monitor.look(), self._failures())
        except Exception as error:  # noqa: BLE001  # whatever is wrong now, it goes on next time
            return type(error).__name__
        body = json.dumps(metrics_request(families, time.time_ns()), allow_nan=False).encode()
        pause_s = _FIRST_PAUSE_S
        for attempt in range(_ATTEMPTS):
            answer = post_json(self._url, body, self._headers, _TIMEOUT_S)
            if answer.reason not in _PASSING or attempt + 1 == _ATTEMPTS:
                break
            wait_s = min(max(pause_s, answer.retry_after_s or 0.0), _LONGEST_PAUSE_S)
            if time.monotonic() + wait_s >= next_s or self._over.wait(wait_s):
                break
            pause_s *= 2
        return answer.reason or ("points_rejected" if _has_rejected(answer.body) else None)

    def _failures(self) -> Family:
        about = "Messages to this collector that were not accepted, since the program began."
        return Family("greenai.push.failures", SeriesKind.COUNTER, "", about, (Point(self._failed),))


def _has_rejected(body: bytes) -> bool:
    """Say whether a collector that took a message left points of it out; they are not to be sent again."""
    try:
        return int(json.loads(body)["partialSuccess"]["rejectedDataPoints"]) > 0
    except (ValueError, KeyError, TypeError, RecursionError):
        return False  # it took all, or answers in its own words

"""``greenai metrics``: live power and energy for Prometheus and OpenTelemetry."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

import click

from greenai.cli.base import Command, WholeNumber
from greenai.core.errors import ConfigError
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.cli.app import App

DEFAULT_ADDRESS = "127.0.0.1:9464"  # the port OpenTelemetry's own exporters for Prometheus take
SHORTEST_S, LONGEST_S = 1, 3600

_ABOUT = Text(
    de="Gibt Leistung und Energie laufender Messungen an Prometheus (auf Anfrage) und OpenTelemetry (OTLP/HTTP, "
    "JSON) weiter, bis Strg-C gedrückt wird.",
    en="Hands power and energy of running runs to Prometheus (when asked) and OpenTelemetry (OTLP/HTTP, JSON), "
    "until Ctrl-C is pressed.",
)
_LISTEN = Text(de="Wo /metrics steht; Port 0 nimmt einen freien", en="where /metrics is; port 0 takes a free one")
_OTLP = Text(
    de="Auch dorthin senden; Kopfzeilen aus OTEL_EXPORTER_OTLP_HEADERS",
    en="send there as well; headers from OTEL_EXPORTER_OTLP_HEADERS",
)
_EVERY = Text(de="So oft, in Sekunden", en="how often to send, seconds")
_ADDRESS = Text(de="Für Prometheus: {url}   (beenden mit Strg-C)", en="For Prometheus: {url}   (stop with Ctrl-C)")
_SENDING = Text(de="OpenTelemetry: alle {every} s an {host}", en="OpenTelemetry: every {every} s to {host}")
_REFUSED = Text(
    de="OpenTelemetry: {host} hat nicht angenommen ({reason}); es wird weiter versucht.",
    en="OpenTelemetry: {host} did not accept ({reason}); trying on.",
)
_ACCEPTED = Text(de="OpenTelemetry: {host} nimmt an.", en="OpenTelemetry: {host} accepts.")
_OPEN_TO_ALL = Text(
    de="Achtung: {host} ist für andere Rechner erreichbar, und /metrics kennt keine Anmeldung; es nennt Läufe und "
    "Projekte.",
    en="Careful: other machines can reach {host}, and /metrics has no login; it names runs and projects.",
)
_NO_ADDRESS = Text(
    de="„{said}“ ist keine Adresse mit Port von 0 bis 65535.",
    en='"{said}" is no address with a port from 0 to 65535.',
)
_SAY_ADDRESS = Text(
    de="Zum Beispiel: greenai metrics --listen 127.0.0.1:9464",
    en="For example: greenai metrics --listen 127.0.0.1:9464",
)


def build(app: App) -> click.Command:
    """Return the command."""

    def call(listen: str, otlp: str | None, every: int) -> None:
        serve(app, listen, otlp, every)

    return Command(
        "metrics",
        callback=call,
        help=app.say(_ABOUT),
        params=[
            click.Option(
                ["--listen"],
                default=DEFAULT_ADDRESS,
                show_default=True,
                metavar="HOST:PORT",
                help=app.say(_LISTEN),
            ),
            click.Option(["--otlp"], metavar="URL", help=app.say(_OTLP)),
            click.Option(
                ["--every"],
                type=WholeNumber(SHORTEST_S, LONGEST_S),
                default=15,
                show_default=True,
                help=app.say(_EVERY),
            ),
        ],
    )


def serve(app: App, listen: str, otlp: str | None, every_s: int) -> None:
    """Serve, and send if told to, until Ctrl-C.

    Args:
        app: The running program.
        listen: Address and port.
        otlp: The collector; None sends nothing.
        every_s: How often to send, seconds.

    Raises:
        ConfigError: The address cannot be used, or the collector's is none.
    """
    from urllib.parse import urlsplit

    from greenai.monitoring import Monitor
    from greenai.monitoring.push import HEADERS_VARIABLE, Pusher, endpoint, read_headers
    from greenai.monitoring.server import MetricsServer

    host, port = _address(listen)
    target = None if otlp is None else endpoint(otlp)
    headers = {} if target is None else read_headers(os.environ.get(HEADERS_VARIABLE, ""), target)
    monitor = Monitor(app.analysis())
    server = app.closing(MetricsServer(monitor, host, port))
    if not _is_loopback(host):
        app.tell(_OPEN_TO_ALL, host=host)
    app.tell(_ADDRESS, url=server.url)
    if target is not None:
        collector = urlsplit(target).hostname  # path and query may hold a secret

        def changed(reason: str | None) -> None:
            if reason is None:
                app.tell(_ACCEPTED, host=collector)
            else:
                app.tell(_REFUSED, host=collector, reason=reason)

        app.tell(_SENDING, every=every_s, host=collector)
        app.closing(Pusher(monitor, target, headers, every_s, changed))
    server.serve()


def _address(said: str) -> tuple[str, int]:
    host, colon, port = said.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
        raise ConfigError(_NO_ADDRESS.format(said=said), _SAY_ADDRESS)
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104  # as everywhere, and warned of


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

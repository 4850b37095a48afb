"""Asking a management controller over HTTPS. Never raises, never waits longer than told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """What the controller said.

    Attributes:
        data: The decoded JSON; None if there is none.
        reason: None if all went well; else ``http_401`` and the like, ``timeout``, ``tls`` or ``unreachable``.
    """

    data: Any
    reason: str | None = None


def fetch_json(url: str, user: str | None, password: str | None, timeout_s: float, verify_tls: bool) -> JsonAnswer:
    """Get a JSON document.

    Args:
        url: ``https://...``; plain ``http`` is accepted for controllers behind a local tunnel.
        user: For basic authentication.
        password: For basic authentication.
        timeout_s: Longest wait for connecting and for each read.
        verify_tls: False accepts a self-signed certificate.
    """
    import base64
    import json
    import ssl
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  # checked below
    if request.type not in ("https", "http"):
        return JsonAnswer(None, "no_http_url")
    if user is not None:
        token = base64.b64encode(f"{user}:{password or ''}".encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {token}")
    context = ssl.create_default_context()
    if not verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # A proxy from the environment is meant for the internet, not for the management network.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return JsonAnswer(json.loads(answer.read(4_000_000)))
    except urllib.error.HTTPError as error:
        return JsonAnswer(None, f"http_{error.code}")
    except TimeoutError:
        return JsonAnswer(None, "timeout")
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, ssl.SSLError):
            return JsonAnswer(None, "tls")
        return JsonAnswer(None, "timeout" if isinstance(cause, TimeoutError) else "unreachable")

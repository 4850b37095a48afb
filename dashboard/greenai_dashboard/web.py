"""The Flask side: language of a request, security headers, allowed host names, and the JSON download."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from flask import Flask, Response, redirect, request

from greenai.core.errors import NotFoundError
from greenai.core.text import LANGUAGES
from greenai_dashboard import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from werkzeug.wrappers import Response as BaseResponse

    from greenai.core.text import Language
    from greenai_dashboard.data import DashboardData

COOKIE = "greenai_language"
COOKIE_MAX_AGE_S = 365 * 24 * 3600
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
ALLOWED_HOSTS = "GREENAI_ALLOWED_HOSTS"
"""Key in the Flask configuration: the host names answered to, or None for any."""


def language_of_request(fixed: Language | None) -> Language:
    """Return the language to answer in: the visitor's choice, else ``fixed``, else what the browser prefers."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    if fixed is not None:
        return fixed
    return cast("Language", request.accept_languages.best_match(LANGUAGES, default="en"))


def protect(server: Flask, script_hashes: Callable[[], Sequence[str]]) -> None:
    """Refuse foreign host names and put security headers on every answer.

    Args:
        server: The Flask application.
        script_hashes: Hashes of the inline scripts. Asked for at each answer: some appear with the first request.
    """
    server.config.setdefault(ALLOWED_HOSTS, LOOPBACK_HOSTS)

    @server.before_request
    def refuse_foreign_host() -> Response | None:
        # Otherwise a web page elsewhere could point its own name at 127.0.0.1 and read the data (DNS rebinding).
        allowed = server.config[ALLOWED_HOSTS]
        if allowed is None or _host_name(request.host) in allowed:
            return None
        sentence = texts.FOREIGN_HOST.to(language_of_request(None))
        return Response(sentence, status=421, mimetype="text/plain")

    @server.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "; ".join(
            (
                "default-src 'self'",
                f"script-src 'self' {' '.join(script_hashes())}",
                "style-src 'self' 'unsafe-inline'",  # plotly places its layers with inline styles
                "img-src 'self' data: blob:",
                "font-src 'self' data:",
                "connect-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'self'",
                "object-src 'none'",
                "form-action 'self'",
            )
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def refuse_garbage(server: Flask) -> None:
    """Answer a callback that is none with 400; Dash would raise, and print a traceback."""

    @server.before_request
    def look() -> Response | None:
        if request.method != "POST" or not request.path.endswith("/_dash-update-component"):
            return None
        body = request.get_json(silent=True)
        if isinstance(body, dict) and isinstance(body.get("output"), str) and "outputs" in body:
            return None
        return _json_answer({"error": "not a callback"}, status=400)


def add_routes(server: Flask, data: DashboardData, language: Callable[[], Language]) -> None:
    """Add the language switch and the download of a run record."""

    @server.get("/setlang/<choice>")
    def set_language(choice: str) -> BaseResponse:
        response = redirect(_local_path(request.args.get("next")))
        if choice in LANGUAGES:
            response.set_cookie(COOKIE, choice, max_age=COOKIE_MAX_AGE_S, httponly=True, samesite="Lax")
        return response

    @server.get("/run/<path:reference>/record.json")
    def download_record(reference: str) -> Response:
        try:
            record = data.run(reference)
        except NotFoundError as error:
            return _json_answer({"error": error.message.to(language())}, status=404)
        response = _json_answer(record.to_dict(language()))
        name = re.sub(r"[^A-Za-z0-9._-]", "_", record.id)
        response.headers["Content-Disposition"] = f'attachment; filename="greenai-run-{name}.json"'
        return response


def _json_answer(content: dict[str, Any], status: int = 200) -> Response:
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    return Response(text, status=status, mimetype="application/json")


def _host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _local_path(target: str | None) -> str:
    """Return ``target`` if it is a path on this server, else the start page."""
    if not target or not target.startswith("/"):
        return "/"
    # Browsers read \ as /, drop control characters and take // as another host.
    plain = unquote(target)
    if plain.startswith(("//", "/\\")) or "\\" in plain or any(ord(sign) <= ord(" ") for sign in target):
        return "/"
    return target

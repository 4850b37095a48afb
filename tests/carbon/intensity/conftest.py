"""A server on this machine that speaks the services' formats, and misbehaves as told."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from greenai.carbon.intensity.download import Answer, Download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW_MS = 1_795_000_000_000


@dataclass
class Reply:
    """One answer; ``promise`` is a Content-Length that need not be true, ``hang`` waits until the test is over."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    promise: int | None = None
    hang: bool = False
    drip_s: float = 0.0
    endless_headers: bool = False
    reason: str | None = None


@dataclass
class Service:
    """The server: what it is to answer, and what it was asked."""

    url: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def on(self, path: str, *replies: Reply | dict[str, Any] | bytes) -> None:
        """Answer a path with these, one after the other; the last one stays."""
        self.replies[path] = [
            reply
            if isinstance(reply, Reply)
            else Reply(body=reply if isinstance(reply, bytes) else json.dumps(reply).encode())
            for reply in replies
        ]

    def reply(self, path: str) -> Reply:
        queue = self.replies.get(path)
        if not queue:
            return Reply(404, b'{"detail": "Not Found"}')
        return queue.pop(0) if len(queue) > 1 else queue[0]

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]


def _send(handler: BaseHTTPRequestHandler, reply: Reply, over: threading.Event) -> None:
    if reply.hang:
        over.wait(20)
        return
    while reply.endless_headers and not over.wait(0.05):
        handler.wfile.write(b"X")
    handler.send_response(reply.status, reply.reason)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(reply.body) if reply.promise is None else reply.promise))
    handler.end_headers()
    if not reply.drip_s:
        handler.wfile.write(reply.body)
        return
    for byte in reply.body:
        handler.wfile.write(bytes([byte]))
        if over.wait(reply.drip_s):
            return


@pytest.fixture
def service() -> Iterator[Service]:
    """The server."""
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            state.asked.append((parts.path, parse_qs(parts.query), dict(self.headers.items())))
            reply = state.reply(parts.path)
            with suppress(OSError):
                _send(self, reply, state.over)

        def do_CONNECT(self) -> None:
            state.asked.append((f"CONNECT {self.path}", {}, dict(self.headers.items())))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def reply() -> type[Reply]:
    """Makes an answer of the server."""
    return Reply


@pytest.fixture
def waits() -> list[float]:
    """How long was waited, instead of waiting."""
    return []


@pytest.fixture
def download(waits: list[float]) -> Download:
    """A downloader that does not really wait."""
    return Download(timeout_s=5.0, sleep=waits.append, wall_ns=lambda: NOW_MS * 1_000_000)


@pytest.fixture
def answer() -> Callable[[Any], Answer]:
    """Makes an answer of a document or of bytes."""

    def make(body: Any) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answer("https://service.example/x", raw, NOW_MS)

    return make

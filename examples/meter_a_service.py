"""A chat service: energy per request and per token, idle energy apart. A real one need not end.

Run it, then look: ``greenai runs show chat``. While it runs, ``greenai runs`` shows it too.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import greenai

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 6.0
GOES_ON = 0.9  # how likely an answer has one more token

meter = greenai.InferenceMeter("chat", project="bot", approach="ai", unit="answer")


@meter
def classify(text: str) -> bool:
    """A decorated function: each call is a request."""
    return sum(ord(character) ** 2 for character in text * 500) % 2 == 0


@meter
def stream(words: list[str]) -> Iterator[str]:
    """A stream is one request, from its first word to its last."""
    for word in words:
        time.sleep(0.01)
        yield word


async def answer(question: str) -> str:
    """How many tokens an answer has is known only at its end."""
    async with meter.request() as request:
        tokens = 0
        while random.random() < GOES_ON:
            await asyncio.sleep(0.01)
            tokens += 1
        request.tokens = tokens
        return f"{question} {tokens}"


def embed(texts: list[str]) -> list[int]:
    """Requests that a server collects and executes together share the energy of the batch."""
    with meter.batch(requests=len(texts)):
        return [hash(text * 1000) for text in texts]


async def serve() -> None:
    """Serve in bursts: the pauses between them are idle energy."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < SECONDS:
        await asyncio.gather(*[answer(f"question {number}") for number in range(20)])
        classify("is this spam?")
        list(stream(["green", "computing"]))
        embed(["a", "b", "c"])
        await asyncio.sleep(0.5)


asyncio.run(serve())
meter.close()
requests = meter.result.requests
if requests is not None and requests.busy_j is not None and requests.idle_j is not None:
    print(f"{requests.count} requests: {requests.busy_j:.1f} J busy, {requests.idle_j:.1f} J idle")

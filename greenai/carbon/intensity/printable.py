"""Words that others wrote, fit to be shown: a server, a file or a damaged cache must not steer a terminal."""

from __future__ import annotations

_LONGEST = 500


def printable(text: str, most: int = _LONGEST) -> str:
    """Return a text as one printable line; what cannot be shown becomes a replacement character.

    Args:
        text: What was read.
        most: How many characters of it are kept.
    """
    line = " ".join(text[: 2 * most].split())
    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in line)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"

"""The interface of a sensor family: probe, open, read, close. One file and one entry point make a collector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.reading import Reading
    from greenai.core.text import Text

# The code of the incident that the program samples itself.
SAMPLER_IN_THREAD = "sampler_in_thread"


@dataclass(frozen=True, slots=True)
class Incident:
    """Something a reader of the figures must know: a stable code, the sentence, and what mends it.

    Attributes:
        code: Stable and machine-readable.
        message: What happened.
        remedy: The command that mends it.
        channel_id: The channel it keeps from being read, if it is about one. Should another collector offer a
            channel of this id (the same counter by another door), the incident is void.
    """

    code: str
    message: Text
    remedy: Text | None = None
    channel_id: str = ""


@dataclass(frozen=True, slots=True)
class Available:
    """The sensor answers.

    Attributes:
        channels: What it can read here.
        incidents: What is missing beside that, e.g. a second socket that may not be read.
        sources: By channel id, what is read: a path (``doctor`` says who may read it) or the name of a library
            or program.
    """

    channels: tuple[Channel, ...]
    incidents: tuple[Incident, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The sensor gives nothing here.

    Attributes:
        reason: Why, as a note for the record.
        expected: True if this machine simply has no such hardware. Then ``doctor`` lists it, and no run
            is bothered with it.
    """

    reason: Incident
    expected: bool = False


Probe = Available | Unavailable


class Collector(Protocol):
    """One family of sensors on one host.

    ``probe`` is cheap and has no lasting effect. ``open`` is called once before the first ``read``;
    ``read`` returns one reading for each channel of the probe and never raises for a sensor that fails:
    that is a ``Gap``. ``close`` may be called at any time and more than once.

    Attributes:
        name: Its name, the same as that of its entry point.
        slow: A probe or read may take more than a few milliseconds (a program, the network). It is then read by
            the sampler alone, in a thread of its own, and never at the marks of a window.
        native: May be left out, which means False. It calls a vendor's library, which may hang. It then runs in a
            thread of its own and is awaited for a short time only (``greenai.sampler.guarded``).
        verified_on: The real hardware it was last run on, and when; None if it only ever met fakes. Estimates,
            which need no hardware, name the machines they were tried on.
    """

    name: str
    slow: bool
    verified_on: str | None

    def probe(self) -> Probe:
        """Say what can be read here, or why nothing can."""

    def open(self, channels: Sequence[Channel]) -> None:
        """Make ready to read exactly these channels of the probe."""

    def read(self) -> list[Reading]:
        """Read every opened channel once."""

    def close(self) -> None:
        """Give back what ``open`` took."""

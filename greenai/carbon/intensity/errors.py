"""What can go wrong between here and a service, each with what to do about it."""

from __future__ import annotations

from greenai.carbon.intensity.printable import printable
from greenai.core.errors import GreenAIError
from greenai.core.text import Text

_LONGEST_PROBLEM = 300

_DAMAGED = Text(
    de="Die Antwort von {service} ({url}) ist unbrauchbar: {problem}.",
    en="The answer of {service} ({url}) is of no use: {problem}.",
)
_KEPT_NOTHING = Text(
    de="Nichts davon wurde übernommen. Später noch einmal versuchen; andere Quellen: greenai factors fetch --help",
    en="Nothing of it was kept. Try again later; other sources: greenai factors fetch --help",
)


class FetchError(GreenAIError):
    """A service did not give what was asked for.

    Attributes:
        status: HTTP status of its answer; None where there was none.
    """

    def __init__(self, message: Text, remedy: Text | None = None, status: int | None = None) -> None:
        super().__init__(message, remedy)
        self.status = status


class NoDataError(FetchError):
    """A service knows nothing about that zone or period."""


class AnswerError(GreenAIError):
    """A service answered something that cannot be right."""

    def __init__(self, service: str, url: str, problem: object) -> None:
        said = printable(str(problem), _LONGEST_PROBLEM)
        super().__init__(_DAMAGED.format(service=service, url=url, problem=said), _KEPT_NOTHING)

"""One family of errors. Each says what was wrong and where, and, where there is one, the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenai.core.text import Text


class GreenAIError(Exception):
    """Base of all errors raised by greenai.

    Attributes:
        message: What was wrong, and where.
        remedy: What to do about it, ideally a command to type.
    """

    def __init__(self, message: Text, remedy: Text | None = None) -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else str(self.message)


class ConfigError(GreenAIError):
    """A setting, option or argument is wrong. Raised before any user code starts."""


class CollectorError(GreenAIError):
    """A sensor could not be read."""


class ReadRetryError(CollectorError):
    """This read failed; the next one may succeed."""


class DeviceGoneError(CollectorError):
    """The device will not come back during this run."""


class JournalError(GreenAIError):
    """The journal of a run cannot be written or is not a journal."""


class StoreError(GreenAIError):
    """The database cannot be reached or does not do what was asked."""


class SchemaTooOldError(StoreError):
    """The database was made by an older version; the remedy names the command that upgrades it."""


class NotFoundError(GreenAIError):
    """No run, task or factor goes by that name."""

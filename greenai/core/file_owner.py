"""The user who owns a file: known by his number, and by his name where this machine knows one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from greenai.core.batch_job import claimed_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = "#"  # as sudo(8) writes a user without a name; 4711 may be a login
_LABEL_KEY, _NUMBER_KEY = "owner", "owner_number"


class FileOwner(NamedTuple):
    """A user by the file system.

    Attributes:
        number: His number.
        name: His login name; None where nobody knows it.
    """

    number: int
    name: str | None

    @property
    def label(self) -> str:
        """How he is written: by name, else ``#4711``."""
        return self.name if self.name is not None else f"{_NUMBER}{self.number}"

    @property
    def labels(self) -> tuple[str, str]:
        """How he may have been written, also before anybody knew his name."""
        return self.label, f"{_NUMBER}{self.number}"

    def is_user(self, user: str) -> bool | None:
        """Say whether he is who Slurm calls so; None if nobody can tell.

        Args:
            user: A login name, or a number where Slurm knows no name.
        """
        if user == self.name or user == str(self.number):
            return True
        return None if self.name is None else False

    def facts(self) -> dict[str, str]:
        """Return him as facts of a run's batch job."""
        return {_LABEL_KEY: self.label, _NUMBER_KEY: str(self.number)}

    @classmethod
    def of(cls, facts: Mapping[str, str] | None) -> FileOwner | None:
        """Return who was put among a run's facts; None if nobody was: then the file system was not asked."""
        label = (facts or {}).get(_LABEL_KEY)
        if label is None:
            return None
        number = claimed_number((facts or {}).get(_NUMBER_KEY))
        return cls(number, None if label.startswith(_NUMBER) else label)

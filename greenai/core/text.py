"""The one mechanism for user-facing text: every text is written in German and English, side by side.

A text is a module constant next to the code that uses it, or in the package's ``texts.py`` where there
are many. A missing language is a type error, so it cannot be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or label in every language the product speaks."""

    de: str
    en: str

    @classmethod
    def each(cls, write: Callable[[Language], str]) -> Text:
        """Make a text of what a function writes in each language: figures, lists."""
        return cls(de=write("de"), en=write("en"))

    def to(self, language: Language) -> str:
        """Return the wording in ``language``."""
        return self.de if language == "de" else self.en

    def format(self, **values: object) -> Text:
        """Fill the placeholders; a value that is itself a ``Text`` is put in language by language."""
        return Text(
            de=self.de.format(**{key: _say(value, "de") for key, value in values.items()}),
            en=self.en.format(**{key: _say(value, "en") for key, value in values.items()}),
        )

    def to_json(self) -> dict[str, str]:
        """Return both wordings, as journals and the database keep them."""
        return {"de": self.de, "en": self.en}

    @classmethod
    def from_json(cls, data: dict[str, str]) -> Text:
        """Read what ``to_json`` wrote; an unknown future language is ignored."""
        return cls(de=data.get("de", ""), en=data.get("en", ""))

    def __str__(self) -> str:
        return self.en


def _say(value: object, language: Language) -> object:
    return value.to(language) if isinstance(value, Text) else value

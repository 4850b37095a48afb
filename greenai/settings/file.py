"""Reading a settings file: what lies there may be anything, and who reads it, a site's collector."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.host.files import NotAFileError, open_regular

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 1 << 20  # characters; with every setting there is it has some thousand

_NO_FILE = Text(
    de="{path} ist keine gewöhnliche Datei, also keine mit Einstellungen.",
    en="{path} is no ordinary file, and so none of settings.",
)
_TOO_LONG = Text(
    de="{path} ist größer als {most} MiB, also keine Datei mit Einstellungen.",
    en="{path} is larger than {most} MiB, and so no file of settings.",
)
_LOOK = Text(de="Ansehen: ls -lL {path}", en="Look at it: ls -lL {path}")


def read_settings(path: Path) -> str:
    """Return what a settings file says; ``/dev/null`` says nothing.

    Raises:
        ConfigError: It is a folder, a pipe or a device, or far too long.
        OSError: It cannot be opened; most often there is none.
        UnicodeDecodeError: It is no text.
    """
    try:
        file = open_regular(path)
    except NotAFileError:
        if path.samefile(os.devnull):
            return ""
        raise ConfigError(_NO_FILE.format(path=path), _LOOK.format(path=path)) from None
    with io.TextIOWrapper(file, encoding="utf-8") as text:
        said = text.read(_LONGEST + 1)
    if len(said) > _LONGEST:
        raise ConfigError(_TOO_LONG.format(path=path, most=_LONGEST >> 20), _LOOK.format(path=path))
    return said

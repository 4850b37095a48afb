"""What the user said about a job's run, on its way through the wrapped script: ``--project=churn --tag=a=b``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from greenai.settings.values import run_name, tag_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME = "name"
_TAG = "tag"


class Said(NamedTuple):
    """What was said: the name of the run, and settings."""

    name: str | None
    overrides: dict[str, Any]


def write_options(name: str | None, settings: Mapping[str, Any]) -> list[str]:
    """Return options for ``read_options``; what is None was not said."""
    options = [] if name is None else [f"--{_NAME}={name}"]
    for key, value in settings.items():
        if isinstance(value, dict):
            options += [f"--{_TAG}={tag}={content}" for tag, content in value.items()]
        elif value is not None:
            options.append(f"--{key}={value}")
    return options


def read_options(options: Sequence[str]) -> Said:
    """Read what ``write_options`` wrote. Whether the settings are right, ``load_settings`` says.

    Raises:
        ConfigError: The name or a tag is none.
    """
    pairs = [option.removeprefix("--").partition("=")[::2] for option in options]
    overrides: dict[str, Any] = {key: value for key, value in pairs if key not in (_NAME, _TAG)}
    tags = tag_pairs([value for key, value in pairs if key == _TAG])
    if tags:
        overrides["tags"] = tags
    name = next((value for key, value in pairs if key == _NAME), None)
    return Said(None if name is None else run_name(name), overrides)

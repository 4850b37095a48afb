"""What pyproject.toml and the documents name exists."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from greenai.cli.app import App
from greenai.cli.main import COMMANDS, _root

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = {
    f"{group}: {name}": target
    for group, entries in {"scripts": PROJECT["scripts"], **PROJECT["entry-points"]}.items()
    for name, target in entries.items()
}
# A command in a document: after a prompt, a backtick or the start of a line.
CALL = re.compile(r"(?:^[ \t]*(?:\$ )?|`|-- )greenai +([a-z][a-z-]*)(?: +([a-z][a-z-]*))?", re.MULTILINE)


@pytest.mark.parametrize("name", TARGETS)
def test_every_entry_point_leads_somewhere(name: str) -> None:
    module, _, attribute = TARGETS[name].partition(":")
    assert callable(getattr(import_module(module), attribute))


def _documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _exists(words: list[str]) -> bool:
    app = App("en")
    command: click.Command = _root(app)
    for word in words:
        if not isinstance(command, click.Group):
            return True  # an argument
        found = command.get_command(click.Context(command, obj=app), word)
        if found is None:
            return False
        command = found
    return True


@pytest.mark.parametrize("document", _documents(), ids=lambda path: path.name)
def test_every_command_in_the_documents_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    calls = {tuple(word for word in match.groups() if word) for match in CALL.finditer(text)}
    assert {call for call in calls if not _exists(list(call))} == set()


def test_the_readme_shows_commands() -> None:
    found = {match[1] for match in CALL.finditer((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert found & set(COMMANDS)

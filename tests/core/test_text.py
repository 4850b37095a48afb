"""Every text exists in both languages and says the same."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from greenai.core.collector import Incident
from greenai.core.text import LANGUAGES, Text

PACKAGES = ("greenai", "greenai_collectors", "greenai_dashboard", "greenai_reports")


def module_names() -> list[str]:
    names = []
    for name in PACKAGES:
        package = importlib.import_module(name)
        names.append(name)
        names += [
            found.name
            for found in pkgutil.walk_packages(package.__path__, f"{name}.")
            if not found.name.endswith("__main__") and ".migrations" not in found.name
        ]
    return names


def parts_of(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", item) for key, item in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return [(f"[{number}]", item) for number, item in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return [(f".{field.name}", getattr(value, field.name, None)) for field in fields(value)]
    if isinstance(value, type) and value.__module__.partition(".")[0] in PACKAGES:
        return [(f".{name}", item) for name, item in vars(value).items() if not name.startswith("__")]
    return []


def texts_in(value: Any, place: str, depth: int = 0) -> Iterator[tuple[str, Text]]:
    if isinstance(value, Text):
        yield place, value
    elif depth <= 6:
        for name, item in parts_of(value):
            yield from texts_in(item, f"{place}{name}", depth + 1)


def placeholders(wording: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(wording) if name is not None}


def faults(place: str, text: Text) -> list[str]:
    found = [f"{place}: {language} is empty" for language in LANGUAGES if not text.to(language).strip()]
    if placeholders(text.de) != placeholders(text.en):
        found.append(f"{place}: {placeholders(text.de)} != {placeholders(text.en)}")
    return found


@pytest.mark.parametrize("name", module_names())
def test_the_texts_of_a_module_agree(name: str) -> None:
    module = importlib.import_module(name)
    found = [pair for key, value in vars(module).items() for pair in texts_in(value, f"{name}.{key}")]
    assert [fault for place, text in found for fault in faults(place, text)] == []


def _source_calls() -> Iterator[tuple[str, ast.Call]]:
    for name in PACKAGES:
        for folder in importlib.import_module(name).__path__:
            for path in sorted(Path(folder).rglob("*.py")):
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Text":
                        yield f"{path.name}:{node.lineno}", node


def test_texts_written_inside_functions_agree_too() -> None:
    seen, wrong = 0, []
    for place, call in _source_calls():
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        if len(values) == 2 and all(isinstance(v, ast.Constant) and isinstance(v.value, str) for v in values):
            de, en = (str(v.value) for v in values if isinstance(v, ast.Constant))
            if (de, en) == ("", ""):
                continue  # a deliberate nothing
            seen += 1
            wrong += faults(place, Text(de=de, en=en))
    assert wrong == []
    assert seen > 50


def test_the_search_finds_texts_wherever_they_hide() -> None:
    text = Text(de="a", en="b")
    hidden = {"x": (text, [Incident("code", text, text)]), "y": {"z": text}}
    assert len(list(texts_in(hidden, "here"))) == 4


def test_the_search_notices_faults() -> None:
    assert faults("p", Text(de="{a}", en="{b}"))
    assert faults("p", Text(de=" ", en="x"))
    assert not faults("p", Text(de="{a:.0f} ja", en="yes {a}"))


def test_a_text_speaks_both_languages() -> None:
    outer = Text(de="Grund: {reason}, {n}", en="Reason: {reason}, {n}")
    filled = outer.format(reason=Text(de="kalt {x}", en="cold {x}"), n=3)
    assert (filled.to("de"), filled.to("en"), str(filled)) == (
        "Grund: kalt {x}, 3", "Reason: cold {x}, 3", "Reason: cold {x}, 3",
    )  # fmt: skip
    assert Text.from_json({**filled.to_json(), "fr": "?"}) == filled
    assert Text.from_json({"en": "x"}) == Text(de="", en="x")

"""Help and complaints, in both languages, of every command there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
import pytest

from greenai.cli.app import App
from greenai.cli.main import COMMANDS, _root

if TYPE_CHECKING:
    from collections.abc import Iterator

CLICK_WORDS = re.compile(
    r"Usage|Options?\b|OPTIONS|Commands?\b|COMMAND|\bARGS\b|Show this|Try '|default:|required|Missing|Error|No such|"
    r"Invalid value|is not one of"
)


def _all(
    command: click.Command, app: App, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, obj=app)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _all(found, app, (*path, name))


TREE = dict(_all(_root(App("en")), App("en")))


def test_every_command_is_there() -> None:
    assert {path[0] for path in TREE if path} == set(COMMANDS)


@pytest.mark.parametrize("path", TREE, ids=" ".join)
@pytest.mark.parametrize("language", ["de", "en"])
def test_help(cli: Any, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], language: str) -> None:
    monkeypatch.setenv("GREENAI_LANGUAGE", language)
    answer = cli(*path, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert " ".join(("greenai", *path)) in answer.out
    assert ("Aufruf:" in answer.out) is (language == "de")
    assert ("Usage:" in answer.out) is (language == "en")
    if language == "de":
        assert CLICK_WORDS.findall(answer.out) == []
    for parameter in TREE[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in answer.out


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_option_says_what_it_does_in_both_languages(path: tuple[str, ...]) -> None:
    german = dict(_all(_root(App("de")), App("de")))[path]
    assert german.help
    assert german.help != TREE[path].help
    for one, other in zip(TREE[path].params, german.params, strict=True):
        if isinstance(one, click.Option):
            assert isinstance(other, click.Option)
            assert one.help, one.name
            assert other.help, other.name


@pytest.mark.parametrize(
    ("arguments", "german", "english"),
    [
        (["rusn"], ["„rusn“", "Gemeint ist vielleicht", "runs"], ["rusn", "Did you mean", "runs"]),
        (["runs", "sohw"], ["„sohw“", "show"], ["sohw", "show"]),
        (["runs", "--jso"], ["--jso", "--json"], ["--jso", "--json"]),
        (["run", "--approach", "magic", "--", "true"], ["--approach", "ai | classical"], ["--approach", "ai | classical"]),
        (["report", "--lang", "fr"], ["--lang", "de | en"], ["--lang", "de | en"]),
        (["runs", "show"], ["Es fehlt", "RUN"], ["Missing", "RUN"]),
        (["run"], ["Es fehlt", "BEFEHL"], ["Missing", "COMMAND"]),
        (["baseline", "set", "forest"], ["Es fehlt", "--task"], ["Missing", "--task"]),
        (["config", "set", "zoone", "DE"], ["zoone", "„zone“"], ["zoone", '"zone"']),
        (["config", "set", "pue", "0.5"], ["pue", "eine Zahl von 1 bis 5"], ["pue", "a number from 1 to 5"]),
        (["compare"], ["Was soll verglichen werden"], ["What is to be compared"]),
        (["run", "--zone", "D!", "--", "true"], ["--zone", "ISO 3166"], ["--zone", "ISO 3166"]),
        (["run", "--interval", "0", "--", "true"], ["'--interval' passt nicht", "von 0,01 bis 3600."], ["'--interval' does not fit", "from 0.01 to 3600."]),
        (["run", "--interval", "0,5", "--", "true"], ["'--interval'", "3600, mit Dezimalpunkt geschrieben."], ["'--interval'", "3600, with a decimal point."]),
        (["run", "--interval", "nan", "--", "true"], ["'--interval'"], ["'--interval'"]),
        (["run", "--project", "a\nb", "--", "true"], ["'--project'", "eine druckbare Zeile"], ["'--project'", "one printable line"]),
    ],
)  # fmt: skip
def test_complaints_speak_both_languages_and_end_with_2(
    cli: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], german: list[str], english: list[str]
) -> None:
    for language, words in (("de", german), ("en", english)):
        monkeypatch.setenv("GREENAI_LANGUAGE", language)
        answer = cli(*arguments)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("Fehler: " if language == "de" else "Error: ")
        for word in words:
            assert word in answer.err
        if language == "de":
            assert CLICK_WORDS.findall(answer.err.replace("Option „", "")) == []


NUMBERS = [
    (path, parameter.opts[0])
    for path, command in TREE.items()
    for parameter in command.params
    if isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType))
]


@pytest.mark.parametrize(
    ("path", "option"), NUMBERS, ids=lambda part: part if isinstance(part, str) else " ".join(part)
)
@pytest.mark.parametrize("language", ["de", "en"])
def test_no_number_is_too_large_or_too_odd_for_a_clean_answer(
    cli: Any, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], option: str, language: str
) -> None:
    monkeypatch.setenv("GREENAI_LANGUAGE", language)
    whole = [["9" * 23], [str(2**63)], ["9" * 5000]] if isinstance(_type(path, option), click.IntRange) else []
    for value in (*whole, ["1e400"], ["-1"], ["nan"], ["x"], ["²"], [""]):
        answer = cli(*path, f"{option}={value[0]}", "true")
        assert (answer.code, answer.out) == (2, "")
        first, see = answer.err.splitlines()
        assert re.fullmatch(
            {
                "de": rf"Fehler: '{option}' passt nicht; erwartet wird eine Zahl (ab \d+|von \d+ bis \d+)\.",
                "en": rf"Error: '{option}' does not fit; expected is a number from \d+ (on|to \d+)\.",
            }[language],
            first,
        )
        assert see.endswith(" --help")


def _type(path: tuple[str, ...], option: str) -> Any:
    return next(parameter.type for parameter in TREE[path].params if option in parameter.opts)


def test_every_whole_number_has_bounds() -> None:
    assert len(NUMBERS) >= 8
    for path, option in NUMBERS:
        kind = _type(path, option)
        assert isinstance(kind, (click.IntRange, click.FloatRange))
        assert kind.min is not None
        assert isinstance(kind, click.FloatRange) or (kind.max is not None and kind.max < 2**63)


@pytest.mark.parametrize(
    "arguments", [["runs", "--limit", "0"], ["runs", "show", "a", "b"], ["run", "--units", "x", "--", "true"]]
)
def test_wrong_values_end_with_2_and_no_traceback(cli: Any, arguments: list[str]) -> None:
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "--help" in answer.err


def test_without_a_command_it_shows_what_there_is(cli: Any) -> None:
    answer = cli()
    assert (answer.code, answer.err) == (0, "")
    assert all(f"\n  {name} " in answer.out for name in COMMANDS)


def test_version(cli: Any) -> None:
    from greenai import __version__

    assert cli("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(("value", "german"), [("de_DE.UTF-8", True), ("C.UTF-8", False), ("en_GB.UTF-8", False)])
def test_the_locale_chooses_the_language(
    cli: Any, monkeypatch: pytest.MonkeyPatch, value: str, german: bool
) -> None:
    monkeypatch.setenv("LANG", value)
    assert ("Aufruf" in cli("--help").out) is german


def test_a_broken_configuration_is_told_in_the_wanted_language(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENAI_PUE", "viel")
    monkeypatch.setenv("GREENAI_LANGUAGE", "de")
    answer = cli("runs")
    assert answer.code == 2
    assert "GREENAI_PUE" in answer.err
    assert "erwartet wird" in answer.err

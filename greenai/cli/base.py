"""click in two languages: its headings and its complaints."""

from __future__ import annotations

import re
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from greenai.core.text import Text
from greenai.settings.model import BY_NAME
from greenai.settings.values import WrongValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.cli.app import App

_USAGE = Text(de="Aufruf: ", en="Usage: ")
_OPTIONS = Text(de="Optionen", en="Options")
_COMMANDS = Text(de="Befehle", en="Commands")
# What click writes into usage lines and behind an option's help, and what we write instead.
_IN_USAGE = {
    "[OPTIONS]": Text(de="[OPTIONEN]", en="[OPTIONS]"),
    "COMMAND [ARGS]...": Text(de="BEFEHL ...", en="COMMAND ..."),
    "[COMMAND] [ARGS]...": Text(de="[BEFEHL] ...", en="[COMMAND] ..."),
}
_BEHIND_HELP = {"default: ": Text(de="Vorgabe: ", en="default: "), "required": Text(de="nötig", en="required")}
_RANGE = re.compile(r"\S*[<>]=?x\S*|x[<>]=?\S+")
HELP_OPTION = Text(de="Diese Hilfe zeigen", en="show this help")
WIDEST_HELP = 100

_NO_OPTION = Text(de="Die Option „{name}“ gibt es nicht.", en='There is no option "{name}".')
_NO_COMMAND = Text(de="Den Befehl „{name}“ gibt es nicht.", en='There is no command "{name}".')
_NEAREST = Text(de="Gemeint ist vielleicht: {names}.", en="Did you mean: {names}?")
_MISSING = Text(de="Es fehlt: {name}.", en="Missing: {name}.")
_WRONG = Text(de="{name} passt nicht; erwartet wird {reason}.", en="{name} does not fit; expected is {reason}.")
_ONE_OF = Text(de="eines von: {names}", en="one of: {names}")
_AT_LEAST = Text(de="eine Zahl ab {low}", en="a number from {low} on")
_FROM_TO = Text(de="eine Zahl von {low} bis {high}", en="a number from {low} to {high}")
_A_DAY = Text(de="ein Tag wie 2026-11-21", en="a day such as 2026-11-21")
_A_NUMBER = Text(de="eine Zahl", en="a number")
_NEEDS_VALUE = Text(de="{name} braucht einen Wert.", en="{name} needs a value.")
_TOO_MUCH = Text(de="Überzählig: {words}.", en="Too much: {words}.")
_OTHER = Text(de="Der Aufruf passt nicht: {reason}", en="That call does not fit: {reason}")
_SEE_HELP = Text(de="Hilfe: {path} --help", en="Help: {path} --help")


class UnknownCommandError(click.UsageError):
    """A command that does not exist."""

    def __init__(self, name: str, nearest: list[str], context: click.Context) -> None:
        super().__init__(name, context)
        self.name = name
        self.nearest = nearest


class UnfitError(click.BadParameter):
    """A value that does not fit, from a type that can say what would."""

    def __init__(self, expected: Text, param: click.Parameter | None, context: click.Context | None) -> None:
        super().__init__(expected.en, context, param)
        self.expected = expected


class SettingValue(click.types.StringParamType):
    """A value that a setting takes, read as the setting reads it."""

    def __init__(self, setting: str) -> None:
        self._parse = BY_NAME[setting].parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the setting's value, or complain about the option as it was typed."""
        try:
            return self._parse(value)
        except WrongValueError as error:
            raise UnfitError(error.expected, param, ctx) from None


class WholeNumber(click.IntRange):
    """A whole number within bounds: one without an upper bound fits into no database."""

    name = "n"

    def __init__(self, low: int, high: int) -> None:
        super().__init__(low, high)


class FiniteFloat(click.FloatRange):
    """A number; click's own range lets nan and inf through."""

    name = "n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or complain."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(str(value), param, ctx)
        return number


class _Localised(click.Command):
    """Formats usage and options in the program's language."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        app: App = ctx.obj
        pieces = self.collect_usage_pieces(ctx)
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=app.say(_USAGE))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        app: App = ctx.obj
        pieces = super().collect_usage_pieces(ctx)
        return [app.say(_IN_USAGE[piece]) if piece in _IN_USAGE else piece for piece in pieces]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        app: App = ctx.obj
        options = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        found = [record for option in options if (record := option.get_help_record(ctx))]
        records = [(names, _behind_help(app, words)) for names, words in found]
        if records:
            with formatter.section(app.say(_OPTIONS)):
                formatter.write_dl(records)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        app: App = ctx.obj
        if option is not None:
            option.help = app.say(HELP_OPTION)
        return option


class Command(_Localised):
    """A command."""


class Group(_Localised, click.Group):
    """A group of commands; those given as module names are imported when they are called."""

    def __init__(
        self, *args: object, lazy: Mapping[str, tuple[str, Text]] | None = None, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed through
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names in the order in which they were given."""
        return [*self._lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module if need be."""
        if cmd_name in self._lazy:
            command: click.Command = import_module(self._lazy[cmd_name][0]).build(ctx.obj)
            return command
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; one that does not exist is answered with the nearest names."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            raise UnknownCommandError(args[0], get_close_matches(args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options and commands; a command's line needs no import."""
        app: App = ctx.obj
        super().format_options(ctx, formatter)
        rows = [(name, app.say(text)) for name, (_, text) in self._lazy.items()]
        rows += [(name, command.get_short_help_str(limit=100)) for name, command in self.commands.items()]
        with formatter.section(app.say(_COMMANDS)):
            formatter.write_dl(rows)


def _behind_help(app: App, words: str) -> str:
    """Put what click writes behind an option's help into the program's language; ranges are left out."""
    about, bracket, extra = words.rpartition("  [")
    if not bracket:
        return words
    extras = [part for part in extra.removesuffix("]").split("; ") if not _RANGE.fullmatch(part)]
    for theirs, ours in _BEHIND_HELP.items():
        extras = [part.replace(theirs, app.say(ours)) for part in extras]
    return f"{about}  [{'; '.join(extras)}]" if extras else about


def complaint(app: App, error: click.ClickException) -> str:
    """Put what click found wrong into the program's language."""
    context = getattr(error, "ctx", None)
    lines = [_what(app, error)]
    if context is not None:
        lines.append(app.say(_SEE_HELP, path=context.command_path))
    return "\n".join(lines)


def _what(app: App, error: click.ClickException) -> str:
    if isinstance(error, UnknownCommandError):
        return " ".join([app.say(_NO_COMMAND, name=error.name), *_nearest(app, error.nearest)])
    if isinstance(error, click.NoSuchOption):
        return " ".join([app.say(_NO_OPTION, name=error.option_name), *_nearest(app, error.possibilities or [])])
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return app.say(_MISSING, name=error.param.get_error_hint(error.ctx))
    if isinstance(error, click.BadParameter) and error.param is not None:
        hint = error.param.get_error_hint(error.ctx)
        expected = error.expected if isinstance(error, UnfitError) else _expected(error.param.type)
        return app.say(_WRONG, name=hint, reason=expected or _A_NUMBER)
    if isinstance(error, click.BadOptionUsage):
        return app.say(_NEEDS_VALUE, name=error.option_name)
    extra = re.search(r"unexpected extra arguments? \((.*)\)", error.format_message())
    if extra:
        return app.say(_TOO_MUCH, words=extra.group(1))
    return app.say(_OTHER, reason=error.format_message())


def _expected(kind: Any) -> Text | None:
    """Say what would fit."""
    if isinstance(kind, click.Choice):
        return _ONE_OF.format(names=" | ".join(str(choice) for choice in kind.choices))
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        if kind.max is None:
            return _AT_LEAST.format(low=kind.min)
        return _FROM_TO.format(low=kind.min, high=kind.max)
    if isinstance(kind, click.DateTime):
        return _A_DAY
    if kind.name in ("integer", "float"):
        return _A_NUMBER
    return None


def _nearest(app: App, names: list[str]) -> list[str]:
    return [app.say(_NEAREST, names=", ".join(sorted(names)))] if names else []

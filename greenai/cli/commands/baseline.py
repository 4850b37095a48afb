"""``greenai baseline``: which classical solution a task is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from greenai.cli.app import print_json, print_table
from greenai.cli.base import Command, Group
from greenai.core.errors import NotFoundError
from greenai.core.text import Text
from greenai.core.vocabulary import Approach
from greenai.host import this_host
from greenai.host.facts import user_name

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Die klassische Lösung wählen, mit der eine Aufgabe verglichen wird. Ohne Wahl gilt die beste gefundene.",
    en="Choose the classical solution a task is compared with. Without a choice it is the best one found.",
)
_SET = Text(de="Eine Lösung (Name ihrer Läufe) wählen.", en="Choose a solution (the name of its runs).")
_UNSET = Text(de="Die Wahl zurücknehmen.", en="Take the choice back.")
_LIST = Text(de="Alle gewählten zeigen.", en="Show all that were chosen.")
_TASK = Text(de="Aufgabe", en="task")
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_UNKNOWN = Text(
    de="Aufgabe {task} hat keine klassische Lösung „{name}“; vorhanden sind: {names}.",
    en='Task {task} has no classical solution "{name}"; there are: {names}.',
)
_CHOSEN = Text(de="Aufgabe {task} wird mit „{name}“ verglichen.", en='Task {task} is compared with "{name}".')
_BACK = Text(
    de="Aufgabe {task} wird mit der besten klassischen Lösung verglichen.",
    en="Task {task} is compared with the best classical solution.",
)
_HEADINGS = (Text(de="Aufgabe", en="Task"), Text(de="Verglichen mit", en="Compared with"))


def build(app: App) -> click.Command:
    """Return the command group."""
    group = Group("baseline", help=app.say(_ABOUT))
    task = click.Option(["--task"], required=True, help=app.say(_TASK))

    def choose(name: str, task: str) -> None:
        analysis = app.analysis()
        found = analysis.task(task).candidates
        names = sorted({c.name for c in found if c.approach is Approach.CLASSICAL})
        if name not in names:
            raise NotFoundError(_UNKNOWN.format(task=task, name=name, names=", ".join(names)))
        analysis.store.set_baseline(task, name, user_name(this_host()))
        app.tell(_CHOSEN, task=task, name=name)

    def take_back(task: str) -> None:
        app.analysis().store.set_baseline(task, None)
        app.tell(_BACK, task=task)

    def show(as_json: bool) -> None:
        chosen = app.analysis().store.baselines()
        if as_json:
            print_json(chosen)
        elif chosen:
            print_table([app.say(heading) for heading in _HEADINGS], [list(pair) for pair in chosen.items()])

    name = click.Argument(["name"], metavar="NAME")
    as_json = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))
    group.add_command(Command("set", help=app.say(_SET), params=[name, task], callback=choose))
    group.add_command(Command("unset", help=app.say(_UNSET), params=[task], callback=take_back))
    group.add_command(Command("list", help=app.say(_LIST), params=[as_json], callback=show))
    return group

"""``greenai compare``: AI against the classical solution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from greenai.cli.app import plain, print_json, print_table
from greenai.cli.base import Command, FiniteFloat
from greenai.cli.format import with_interval
from greenai.compare import candidates, compare
from greenai.core import labels, quantity
from greenai.core.comparison import Margins
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.core.vocabulary import Approach

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.core.comparison import Candidate, Comparison
    from greenai.core.views import TaskView

_ABOUT = Text(
    de="Vergleicht die KI mit der klassischen Lösung: alle Läufe einer Aufgabe (--task) oder zwei einzelne Läufe.",
    en="Compares AI with the classical solution: all runs of a task (--task), or two single runs.",
)
_TASK = Text(de="Aufgabe, deren Läufe verglichen werden", en="task whose runs are compared")
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_MARGIN = Text(
    de="Als gleichwertig gilt ein Qualitätsverlust bis zu so vielen Punkten",
    en="a loss of quality up to this many points counts as equal",
)
_GAIN = Text(de="Lohnend ist ein Gewinn ab so vielen Punkten", en="a gain is worth having from this many points")

_WHICH = Text(
    de="Was soll verglichen werden?",
    en="What is to be compared?",
)
_HOW = Text(
    de="greenai compare --task AUFGABE   oder   greenai compare LAUF LAUF",
    en="greenai compare --task TASK   or   greenai compare RUN RUN",
)
_NEED_BOTH = Text(
    de="Ein Vergleich braucht einen Lauf mit --approach ai und einen mit --approach classical; hier: {found}.",
    en="A comparison needs a run with --approach ai and one with --approach classical; here: {found}.",
)
_ONE_SIDE = Text(
    de="Aufgabe {task}: Es fehlt die Seite „{side}“. Läufe ergänzen mit: "
    "greenai run --task {task} --approach {approach} -- …",
    en='Task {task}: the side "{side}" is missing. Add runs with: '
    "greenai run --task {task} --approach {approach} -- ...",
)
_HEADINGS = (
    Text(de="Lösung", en="Solution"),
    Text(de="Ansatz", en="Approach"),
    Text(de="Phase", en="Phase"),
    Text(de="Läufe", en="Runs"),
    Text(de="Energie", en="Energy"),
    Text(de="je", en="per"),
    Text(de="Qualität", en="Quality"),
    Text(de="Güte", en="Energy is"),
)
_RUN = Text(de="Lauf", en="run")
_PAIR = Text(
    de="{ai} (KI) gegen {classical} (klassisch), {phase}", en="{ai} (AI) against {classical} (classical), {phase}"
)
_RATIO = Text(de="Energieverhältnis KI / klassisch: {ratio}", en="energy ratio AI / classical: {ratio}")
_GAIN_LINE = Text(de="Qualitätsgewinn der KI: {gain} ({metric})", en="quality gain of the AI: {gain} ({metric})")
_MARGINS_LINE = Text(
    de="gleichwertig bis {equal}, lohnend ab {gain} Punkten",
    en="equal within {equal}, worth having from {gain} points",
)
_MARGINAL = Text(
    de="Mehrverbrauch je gewonnenem Punkt: {marginal} kWh",
    en="extra energy per point gained: {marginal} kWh",
)


def build(app: App) -> click.Command:
    """Return the command."""

    def call(
        runs: tuple[str, ...], task: str | None, as_json: bool, margin: float | None, gain: float | None
    ) -> None:
        margins = _margins(margin, gain)
        if task is not None and not runs:
            view = app.analysis().task(task, margins)
            if as_json:
                print_json(_view_json(view))
            else:
                show_task(app, view)
        elif len(runs) == 2 and task is None:  # noqa: PLR2004
            comparison = _two_runs(app, runs, margins)
            if as_json:
                print_json(comparison.to_dict())
            else:
                _table(app, (comparison.ai, comparison.classical))
                _show(app, comparison)
        else:
            raise ConfigError(_WHICH, _HOW)

    return Command(
        "compare",
        callback=call,
        help=app.say(_ABOUT),
        params=[
            click.Option(["--task"], help=app.say(_TASK)),
            click.Option(["--margin"], type=FiniteFloat(min=0), help=app.say(_MARGIN)),
            click.Option(["--gain"], type=FiniteFloat(min=0), help=app.say(_GAIN)),
            click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON)),
            click.Argument(["runs"], nargs=-1, metavar="[RUN RUN]"),
        ],
    )


def _margins(equal: float | None, gain: float | None) -> Margins | None:
    if equal is None and gain is None:
        return None
    equal = equal if equal is not None else 0.0
    return Margins(equal, max(gain if gain is not None else equal, equal), chosen=True)


def _two_runs(app: App, runs: tuple[str, ...], margins: Margins | None) -> Comparison:
    analysis = app.analysis()
    records = [analysis.run(reference) for reference in runs]
    found = {candidate.approach: candidate for candidate in candidates(records)}
    if len(found) != 2:  # noqa: PLR2004
        raise ConfigError(_NEED_BOTH.format(found=", ".join(str(r.approach or "–") for r in records)))
    task = records[0].task or records[1].task or ""
    return compare(task, found[Approach.AI], found[Approach.CLASSICAL], margins)


def _view_json(view: TaskView) -> dict[str, object]:
    return {
        "task": view.task,
        "baseline": view.baseline,
        "baseline_chosen": view.baseline_chosen,
        "comparisons": [comparison.to_dict() for comparison in view.comparisons],
    }


def show_task(app: App, view: TaskView) -> None:
    """Write the candidates of a task and its comparisons to stdout."""
    _table(app, view.candidates)
    for comparison in view.comparisons:
        _show(app, comparison)
    if not view.comparisons:
        for approach in Approach:
            if all(candidate.approach is not approach for candidate in view.candidates):
                side = labels.APPROACH[approach]
                app.tell(_ONE_SIDE, task=view.task, side=side, approach=approach.value)


def _table(app: App, shown: tuple[Candidate, ...]) -> None:
    language = app.language
    rows = [
        [
            candidate.name,
            app.say(labels.APPROACH[candidate.approach]),
            app.say(labels.word(labels.PHASE, candidate.phase)),
            str(len(candidate.observations)),
            quantity.energy(candidate.mean_energy_j, language),
            candidate.unit or app.say(_RUN),
            quantity.number(candidate.mean_quality, language, 4),
            app.say(labels.word(labels.QUALITY, candidate.quality)),
        ]
        for candidate in shown
    ]
    print_table([app.say(heading) for heading in _HEADINGS], rows, right=(3, 4, 6))


def _show(app: App, comparison: Comparison) -> None:
    language = app.language
    phase = labels.word(labels.PHASE, comparison.ai.phase)
    print()
    print(plain(app.say(_PAIR, ai=comparison.ai.name, classical=comparison.classical.name, phase=phase)))
    print(f"  {comparison.verdict.value}: {app.say(comparison.sentence)}")
    if comparison.ratio is not None:
        print(f"  {app.say(_RATIO, ratio=with_interval(comparison.ratio, language))}")
        gain = with_interval(comparison.gain, language)
        print(f"  {app.say(_GAIN_LINE, gain=gain, metric=comparison.ai.metric)}")
    if comparison.marginal_kwh_per_point is not None:
        marginal = with_interval(comparison.marginal_kwh_per_point, language)
        print(f"  {app.say(_MARGINAL, marginal=marginal)}")
    if comparison.margins is not None:
        equal = quantity.number(comparison.margins.equal, language, 2)
        gain = quantity.number(comparison.margins.gain, language, 2)
        print(f"  {app.say(_MARGINS_LINE, equal=equal, gain=gain)}")
    for note in comparison.notes:
        print(f"  - {app.say(note)}")

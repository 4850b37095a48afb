"""The verdict: ratio with interval, quality gain with interval, and the eight answers in their order."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log
from typing import TYPE_CHECKING

from greenai.compare.candidates import margins_for
from greenai.core.channel import Quality
from greenai.core.comparison import Comparison, VerdictKey
from greenai.core.statistics import Interval, Sample, welch_difference, welch_log_ratio
from greenai.core.text import Text
from greenai.core.units import kwh

if TYPE_CHECKING:
    from greenai.core.comparison import Candidate, Margins

MIN_REPEATS = 3  # below this there is no interval, values only
GOOD_REPEATS = 5
_MOST_REPEATS = 1000

_NO_RUNS = Text(
    de="„{name}“ hat keinen abgeschlossenen Lauf mit bekannter Energie",
    en='"{name}" has no completed run with a known energy',
)
_NO_METRIC = Text(
    de="„{name}“ hat keine Qualitätszahl (run.log_metric)",
    en='"{name}" has no quality figure (run.log_metric)',
)
_METRICS_DIFFER = Text(
    de="verschiedene Qualitätszahlen: „{ai}“ und „{classical}“",
    en='different quality figures: "{ai}" and "{classical}"',
)
_DIRECTION_DIFFERS = Text(
    de="bei „{metric}“ gilt einmal mehr und einmal weniger als besser (higher_is_better)",
    en='for "{metric}" more counts as better on one side and less on the other (higher_is_better)',
)
_UNITS_DIFFER = Text(
    de="verschiedene Bezugsgrößen: „{ai}“ und „{classical}“",
    en='different functional units: "{ai}" and "{classical}"',
)
_PHASES_DIFFER = Text(
    de="verschiedene Phasen: „{ai}“ und „{classical}“",
    en='different phases: "{ai}" and "{classical}"',
)
_BOUNDARY_DIFFERS = Text(
    de="verschiedene Systemgrenzen: gezählt wurden {ai} und {classical}",
    en="different system boundaries: {ai} and {classical} were counted",
)
_NO_PHASE = Text(de="ohne Phase", en="no phase")
_ZERO_ENERGY = Text(de="„{name}“ hat eine gemessene Energie von 0 J", en='"{name}" has a measured energy of 0 J')
_PER_RUN = Text(de="Lauf", en="run")

_FEW_REPEATS = Text(
    de="Wiederholungen je Seite: {n}; empfohlen sind mindestens 5.",
    en="Repeats per side: {n}; at least 5 are recommended.",
)
_DEFAULT_MARGINS = Text(
    de="Niemand hat vor den Läufen Schwellen gesetzt; es gelten Vorgaben des Programms "
    "(gleichwertig 1 %, lohnend 2 % der klassischen Qualität).",
    en="Nobody set margins before the runs; the program's defaults apply "
    "(equal within 1 %, worth having from 2 % of the classical quality).",
)
_ESTIMATED = Text(
    de="Die Energien sind ganz oder teilweise geschätzt. Beide Seiten tragen denselben Fehler; "
    "er kürzt sich im Verhältnis weitgehend heraus, nicht in den Jouleangaben.",
    en="The energies are estimated, wholly or in part. Both sides carry the same error; "
    "it largely cancels in the ratio, not in the joules.",
)
_OTHER_HARDWARE = Text(
    de="Die Läufe liefen auf verschiedener Hardware oder mit verschiedenen Messverfahren; "
    "deren Unsicherheit ist im Intervall enthalten.",
    en="The runs used different hardware or measuring methods; that uncertainty is in the interval.",
)
_EXCLUDED = Text(
    de="Nicht mitgezählte Läufe von „{name}“ (nicht abgeschlossen oder Energie unbekannt): {n}.",
    en='Runs of "{name}" left out (not completed, or energy unknown): {n}.',
)


def compare(task: str, ai: Candidate, classical: Candidate, margins: Margins | None = None) -> Comparison:
    """Compare an AI candidate with a classical one.

    Args:
        task: Name of the task.
        ai: The AI solution's runs.
        classical: The classical solution's runs.
        margins: δ and g in points of the metric, 0 <= δ <= g; None takes the defaults, and says so.
    """
    base = Comparison(task, ai, classical, VerdictKey.NOT_COMPARABLE)
    reason = _mismatch(ai, classical)
    if reason:
        return replace(base, reason=reason)
    margins = margins or margins_for(classical)
    sign = 1.0 if ai.higher_is_better else -1.0
    energy_ai = Sample.of([o.energy_j for o in ai.observations])
    energy_classical = Sample.of([o.energy_j for o in classical.observations])
    # The same meter on the same machine has the same gain error on both sides: it cancels in the ratio.
    same_meter = ai.hardware == classical.hardware and ai.methods == classical.methods
    extra = 0.0 if same_meter else (ai.uncertainty_rel / 2) ** 2 + (classical.uncertainty_rel / 2) ** 2
    ratio = welch_log_ratio(energy_ai, energy_classical, extra)
    gain = welch_difference(
        Sample.of([sign * (o.quality or 0.0) for o in ai.observations]),
        Sample.of([sign * (o.quality or 0.0) for o in classical.observations]),
    )
    repeats = min(energy_ai.count, energy_classical.count)
    if repeats < MIN_REPEATS:
        ratio, gain = replace(ratio, low=None, high=None), replace(gain, low=None, high=None)
    verdict = _decide(ratio, gain, margins)
    return replace(
        base,
        verdict=verdict,
        ratio=ratio,
        gain=gain,
        margins=margins,
        marginal_kwh_per_point=_marginal(energy_ai, energy_classical, gain),
        more_repeats=_more_repeats(ratio, gain, margins, repeats) if verdict is VerdictKey.OPEN else None,
        notes=_notes(ai, classical, margins, repeats, same_meter=same_meter),
    )


def _mismatch(ai: Candidate, classical: Candidate) -> Text | None:
    """Return the first matching rule that is broken, or None."""
    for candidate in (ai, classical):
        if not candidate.observations:
            return _NO_RUNS.format(name=candidate.name)
        if not candidate.mean_energy_j:
            return _ZERO_ENERGY.format(name=candidate.name)
        if candidate.mean_quality is None:
            return _NO_METRIC.format(name=candidate.name)
    if ai.metric == classical.metric and ai.higher_is_better != classical.higher_is_better:
        return _DIRECTION_DIFFERS.format(metric=ai.metric)
    if ai.metric != classical.metric:
        return _METRICS_DIFFER.format(ai=ai.metric, classical=classical.metric)
    if ai.unit != classical.unit:
        return _UNITS_DIFFER.format(ai=ai.unit or _PER_RUN, classical=classical.unit or _PER_RUN)
    if ai.phase != classical.phase:
        return _PHASES_DIFFER.format(ai=ai.phase or _NO_PHASE, classical=classical.phase or _NO_PHASE)
    if ai.components != classical.components:
        return _BOUNDARY_DIFFERS.format(
            ai=" + ".join(sorted(ai.components)), classical=" + ".join(sorted(classical.components))
        )
    return None


def _decide(ratio: Interval, gain: Interval, margins: Margins) -> VerdictKey:
    if ratio.low is None or ratio.high is None or gain.low is None or gain.high is None:
        return VerdictKey.OPEN
    if ratio.low > 1 and gain.high <= margins.equal:
        return VerdictKey.CLASSICAL_BETTER
    if ratio.high < 1 and gain.low >= -margins.equal:
        return VerdictKey.AI_BETTER
    if gain.low >= margins.gain and ratio.low > 1:
        return VerdictKey.AI_GAIN_REQUIRED_MET
    if gain.high < margins.gain and ratio.low > 1:
        return VerdictKey.AI_GAIN_TOO_SMALL
    if gain.low >= margins.gain and ratio.low <= 1 <= ratio.high:
        return VerdictKey.AI_GAIN_SAME_ENERGY
    if ratio.high < 1 and gain.high < -margins.equal:
        return VerdictKey.AI_SAVES_BUT_WORSE
    return VerdictKey.OPEN


def _marginal(energy_ai: Sample, energy_classical: Sample, gain: Interval) -> Interval | None:
    """Return extra kWh per point gained; meaningful only where the AI is surely better and needs more."""
    extra = welch_difference(energy_ai, energy_classical)
    if extra.low is None or extra.high is None or gain.low is None or gain.high is None:
        return None
    if extra.value <= 0 or gain.low <= 0:
        return None
    return Interval(kwh(extra.value) / gain.value, kwh(extra.low) / gain.high, kwh(extra.high) / gain.low)


def _more_repeats(ratio: Interval, gain: Interval, margins: Margins, repeats: int) -> int | None:
    """Estimate how many more runs of each side would decide: half-widths shrink with the root of n."""
    if ratio.low is None or ratio.high is None or gain.low is None or gain.high is None:
        return max(GOOD_REPEATS - repeats, 1)
    needed = repeats
    if ratio.low <= 1 <= ratio.high and ratio.value != 1:
        needed = max(needed, _repeats_for(log(ratio.high) - log(ratio.low), log(ratio.value), repeats))
    thresholds = [-margins.equal, margins.equal, margins.gain]
    inside = [threshold for threshold in thresholds if gain.low <= threshold <= gain.high]
    if inside:
        distance = min(abs(gain.value - threshold) for threshold in inside)
        needed = max(needed, _repeats_for(gain.high - gain.low, distance, repeats))
    more = needed - repeats
    return more if 0 < more <= _MOST_REPEATS else None


def _repeats_for(width: float, distance: float, repeats: int) -> int:
    if distance < width * 1e-6:
        return _MOST_REPEATS + repeats + 1
    return min(ceil(repeats * (width / 2 / distance) ** 2), _MOST_REPEATS + repeats + 1)


def _notes(
    ai: Candidate, classical: Candidate, margins: Margins, repeats: int, *, same_meter: bool
) -> tuple[Text, ...]:
    notes = []
    if repeats < GOOD_REPEATS:
        notes.append(_FEW_REPEATS.format(n=repeats))
    if not margins.chosen:
        notes.append(_DEFAULT_MARGINS)
    if Quality.ESTIMATED in (ai.quality, classical.quality):
        notes.append(_ESTIMATED)
    if not same_meter:
        notes.append(_OTHER_HARDWARE)
    notes += [_EXCLUDED.format(n=c.excluded, name=c.name) for c in (ai, classical) if c.excluded]
    return tuple(notes)

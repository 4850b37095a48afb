"""What a comparison of an AI solution with a classical one says: types and wording.

The wording states what was measured; it never calls anything green.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from greenai.core.quantity import number
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.core.channel import Quality
    from greenai.core.statistics import Interval
    from greenai.core.vocabulary import Approach


class VerdictKey(StrEnum):
    """The eight possible answers, in the order in which they are tried."""

    NOT_COMPARABLE = "not_comparable"
    CLASSICAL_BETTER = "classical_better"
    AI_BETTER = "ai_better"
    AI_GAIN_REQUIRED_MET = "ai_gain_required_met"
    AI_GAIN_TOO_SMALL = "ai_gain_too_small"
    AI_GAIN_SAME_ENERGY = "ai_gain_same_energy"
    AI_SAVES_BUT_WORSE = "ai_saves_but_worse"
    OPEN = "open"


_WORDING = {
    VerdictKey.CLASSICAL_BETTER: Text(
        de="Die klassische Lösung braucht weniger Energie und ist auf diesen Daten nicht schlechter.",
        en="The classical solution needs less energy and is no worse on these data.",
    ),
    VerdictKey.AI_BETTER: Text(
        de="Die KI-Lösung braucht weniger Energie und ist nicht schlechter.",
        en="The AI solution needs less energy and is no worse.",
    ),
    VerdictKey.AI_GAIN_REQUIRED_MET: Text(
        de="Die KI ist um mindestens {g} besser, braucht dafür das {r}-Fache an Energie. "
        "Ob es das wert ist, entscheiden Sie.",
        en="The AI is better by at least {g} and needs {r} times the energy. "
        "Whether that is worth it is your decision.",
    ),
    VerdictKey.AI_GAIN_TOO_SMALL: Text(
        de="Der Qualitätsgewinn liegt unter Ihrer Mindestverbesserung.",
        en="The gain is below your required minimum.",
    ),
    VerdictKey.AI_GAIN_SAME_ENERGY: Text(
        de="Die KI ist um mindestens {g} besser; beim Energiebedarf ist kein Unterschied nachweisbar.",
        en="The AI is better by at least {g}; no difference in energy is demonstrable.",
    ),
    VerdictKey.AI_SAVES_BUT_WORSE: Text(
        de="Die KI braucht weniger Energie, ist aber schlechter.",
        en="The AI needs less energy but is worse.",
    ),
    VerdictKey.OPEN: Text(
        de="Mit diesen Läufen nicht entscheidbar; es fehlen etwa {n} Wiederholungen.",
        en="Not decidable with these runs; about {n} more repeats needed.",
    ),
    VerdictKey.NOT_COMPARABLE: Text(de="Nicht vergleichbar: {reason}.", en="Not comparable: {reason}."),
}
_OPEN_WITHOUT_NUMBER = Text(
    de="Mit diesen Läufen nicht entscheidbar.",
    en="Not decidable with these runs.",
)


@dataclass(frozen=True, slots=True)
class Margins:
    """What counts as equal and what counts as worth having, in points of the quality metric.

    Attributes:
        equal: δ, the loss of quality that is accepted.
        gain: g, the gain that is required; not below ``equal``.
        chosen: False if these are the program's defaults and nobody has set them.
    """

    equal: float
    gain: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """One run as the comparison sees it; energy per functional unit in joules."""

    run_id: str
    energy_j: float
    quality: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Repeated runs of one solution to a task.

    Attributes:
        name: The runs' common name.
        approach: AI or classical.
        observations: One per run with a known energy.
        metric: Name of the quality metric, None if none was logged.
        higher_is_better: Direction of the metric.
        unit: Functional unit the energy is per; None means per run.
        phase: The runs' common phase.
        methods: Methods of the counted channels.
        components: Components counted.
        hardware: What the runs ran on, one entry per distinct machine.
        quality: The weakest quality of the energies.
        uncertainty_rel: The larger relative half-width of the energies.
        excluded: Runs left out (failed, killed, or without a known energy).
    """

    name: str
    approach: Approach
    observations: tuple[Observation, ...]
    metric: str | None
    higher_is_better: bool
    unit: str | None
    phase: str | None
    methods: frozenset[str]
    components: frozenset[str]
    hardware: frozenset[str]
    quality: Quality | None
    uncertainty_rel: float
    excluded: int = 0

    @property
    def mean_energy_j(self) -> float | None:
        """Mean energy per functional unit, joules."""
        if not self.observations:
            return None
        return sum(o.energy_j for o in self.observations) / len(self.observations)

    @property
    def mean_quality(self) -> float | None:
        """Mean of the quality metric, None if a run has none."""
        values = [o.quality for o in self.observations if o.quality is not None]
        if not values or len(values) < len(self.observations):
            return None
        return sum(values) / len(values)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An AI candidate against a classical one.

    Attributes:
        task: The task both solve.
        ai: The AI candidate.
        classical: The classical candidate.
        verdict: The answer.
        ratio: Energy of the AI over energy of the classical solution; None if not comparable.
        gain: Quality of the AI minus quality of the classical solution, turned so that more is better.
        marginal_kwh_per_point: Extra energy per point of quality gained, where that is meaningful.
        margins: What was taken as equal and as worth having.
        more_repeats: About how many more runs of each are missing, None if not open or not known.
        reason: Why the two cannot be compared.
        notes: Caveats to print beside the verdict.
    """

    task: str
    ai: Candidate
    classical: Candidate
    verdict: VerdictKey
    ratio: Interval | None = None
    gain: Interval | None = None
    marginal_kwh_per_point: Interval | None = None
    margins: Margins | None = None
    more_repeats: int | None = None
    reason: Text | None = None
    notes: tuple[Text, ...] = ()

    @property
    def sentence(self) -> Text:
        """The verdict in words."""
        wording = _WORDING[self.verdict]
        if self.verdict is VerdictKey.OPEN and self.more_repeats is None:
            wording = _OPEN_WITHOUT_NUMBER
        gain = self.margins.gain if self.margins else None
        ratio = self.ratio.value if self.ratio else None
        return wording.format(
            g=_both(gain), r=_both(ratio), n=self.more_repeats, reason=self.reason or Text(de="", en="")
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON data (English sentences)."""
        return {
            "task": self.task,
            "verdict": self.verdict.value,
            "sentence": self.sentence.to_json(),
            "ratio": _interval(self.ratio),
            "quality_gain": _interval(self.gain),
            "marginal_kwh_per_point": _interval(self.marginal_kwh_per_point),
            "margins": (
                {"equal": self.margins.equal, "gain": self.margins.gain, "chosen": self.margins.chosen}
                if self.margins
                else None
            ),
            "more_repeats": self.more_repeats,
            "reason": self.reason.to_json() if self.reason else None,
            "notes": [note.to_json() for note in self.notes],
            "candidates": [_candidate(self.ai), _candidate(self.classical)],
        }


def _both(value: float | None) -> Text:
    return Text(de=number(value, "de"), en=number(value, "en"))


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None:
        return None
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "approach": candidate.approach.value,
        "phase": candidate.phase,
        "runs": [observation.run_id for observation in candidate.observations],
        "excluded": candidate.excluded,
        "unit": candidate.unit,
        "energy_per_unit_j": candidate.mean_energy_j,
        "metric": candidate.metric,
        "higher_is_better": candidate.higher_is_better,
        "mean_quality": candidate.mean_quality,
        "quality_of_energy": candidate.quality.value if candidate.quality else None,
        "methods": sorted(candidate.methods),
    }

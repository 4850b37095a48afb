"""AI or a classical solution? Five runs of each, taking turns, and the answer.

Run it, then ask: ``greenai compare --task breast-cancer`` (needs scikit-learn).
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import greenai

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_RUN_S = 1.0  # a fit of a millisecond cannot be measured: repeat it and count


def compare(models: dict[tuple[str, str], Callable[[int], Any]], repeats: int = 5) -> None:
    """Train each model for a measurable time, several times, in turns."""
    data = load_breast_cancer()
    for repeat in range(repeats):
        split = train_test_split(data.data, data.target, random_state=repeat)
        for (name, approach), make in models.items():
            with greenai.track(name, task="breast-cancer", approach=approach, phase="training", unit="fit") as run:
                began_s = time.monotonic()
                while time.monotonic() - began_s < SHORTEST_RUN_S:
                    model = make_pipeline(StandardScaler(), make(repeat)).fit(split[0], split[2])
                    run.add_units(1)
                run.log_metric("accuracy", model.score(split[1], split[3]))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    compare(
        {
            ("logistic-regression", "classical"): lambda _repeat: LogisticRegression(),
            ("neural-network", "ai"): lambda repeat: MLPClassifier((64, 32), max_iter=100, random_state=repeat),
        }
    )

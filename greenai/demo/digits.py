"""Handwritten digits (scikit-learn's own data, 1,797 images): two classical solutions and a neural network.

Each repeat splits the images anew, so the spread of the accuracy is that of the data.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from greenai.core.vocabulary import Approach
from greenai.demo.solutions import Solution

TASK = "digits"
METRIC = "accuracy"
UNIT = "fit"


@cache
def images(repeat: int) -> Any:
    """Return training and test images and labels: 70 % and 30 %, stratified."""
    data = load_digits()
    return train_test_split(
        data.data / 16.0, data.target, test_size=0.3, stratify=data.target, random_state=repeat
    )


def support_vector_machine(_repeat: int = 0) -> Any:
    """Return the classical solution with the best accuracy."""
    return SVC(kernel="rbf", C=10.0, gamma=0.05)


def logistic_regression(_repeat: int = 0) -> Any:
    """Return the simplest classical solution."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))


def neural_network(repeat: int = 0) -> Any:
    """Return the AI solution: two hidden layers, trained with Adam."""
    return MLPClassifier(hidden_layer_sizes=(128, 64), max_iter=60, random_state=repeat, early_stopping=False)


def fit(model: Any, repeat: int) -> Any:
    """Train a model on the training images of a repeat."""
    train_images, _, train_labels, _ = images(repeat)
    with warnings.catch_warnings():
        # The network stops after a fixed number of rounds, on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(train_images, train_labels)


def accuracy(model: Any, repeat: int) -> float:
    """Return the share of test images that a trained model recognises."""
    _, test_images, _, test_labels = images(repeat)
    return float(model.score(test_images, test_labels))


def solutions() -> tuple[Solution, ...]:
    """Return the three solutions."""
    models = (
        ("svm-rbf", Approach.CLASSICAL, support_vector_machine),
        ("logistic-regression", Approach.CLASSICAL, logistic_regression),
        ("neural-network", Approach.AI, neural_network),
    )
    return tuple(
        Solution(name, approach, lambda repeat, make=make: accuracy(fit(make(repeat), repeat), repeat))  # type: ignore[misc]  # a default binds the loop variable
        for name, approach, make in models
    )

"""Makes every test's predictions: scores with known truth, deployments and rates."""

from __future__ import annotations

from typing import Any

import numpy as np

from seacall.learn.baselines import Rows, baseline_scores
from seacall.learn.evaluate import evaluate_predictions
from seacall.learn.evaluation import Evaluation
from seacall.learn.predictions import Predictions

LONG_LABELS = (
    "Atlantic Spotted Dolphin",
    "Bearded Seal",
    "Beluga, White Whale",
    "Bottlenose Dolphin",
    "Bowhead Whale",
    "Clymene Dolphin",
    "Common Dolphin",
    "False Killer Whale",
    "Fin, Finback Whale",
    "Fraser's Dolphin",
    "Grampus, Risso's Dolphin",
    "Humpback Whale",
    "Killer Whale",
    "Long-Finned Pilot Whale",
    "Melon-Headed Whale",
    "Pantropical_Spotted_Dolphin",
    "Rough-Toothed Dolphin",
    "Short-Finned Pacific Pilot Whale",
    "Striped Dolphin",
    "unknown",
)


def one_hot(answers: list[int], n_classes: int) -> np.ndarray:
    """Scores of a classifier that is certain of its answers."""
    return np.eye(n_classes)[answers]


def random_scores(
    rng: np.random.Generator, targets: np.ndarray, n_classes: int, skill: float = 2.0
) -> np.ndarray:
    """Softmax scores that lean towards the truth by ``skill``."""
    logits = rng.normal(size=(len(targets), n_classes))
    logits[np.arange(len(targets)), targets] += skill
    scores = np.exp(logits)
    return scores / scores.sum(axis=1, keepdims=True)


def predictions(**changes: Any) -> Predictions:
    """Six recordings of three classes from three deployments, two mistakes."""
    values: dict[str, Any] = {
        "labels": ("Beluga", "Narwhal", "unknown"),
        "targets": np.array([0, 0, 0, 1, 1, 2]),
        "scores": np.array(
            [
                [0.9, 0.1, 0.0],
                [0.6, 0.3, 0.1],
                [0.3, 0.5, 0.2],
                [0.1, 0.8, 0.1],
                [0.85, 0.15, 0.0],
                [0.0, 0.2, 0.8],
            ]
        ),
        "file_names": ("a.wav", "b.wav", "c.wav", "d.wav", "e.wav", "f.wav"),
        "deployments": ("north", "north", "east", "east", "west", "west"),
        "sample_rates": np.array([48000, 48000, 96000, 96000, 16000, 16000]),
        "split": "test",
    }
    return Predictions(**(values | changes))


def evaluation(
    *,
    predicted: Predictions | None = None,
    train_deployments: tuple[str, ...] | None = ("south",),
    **changes: Any,
) -> Evaluation:
    """Evaluate predictions beside the usual baselines."""
    predicted = predicted or predictions()
    train = Rows([0, 0, 1], ["south", "south", "north"], [48000, 48000, 96000])
    test = Rows(
        predicted.targets.tolist(),
        predicted.deployments,
        predicted.sample_rates.tolist(),
    )
    values: dict[str, Any] = {
        "baselines": baseline_scores(train, test, n_classes=len(predicted.labels)),
        "train_deployments": train_deployments,
        "rng": np.random.default_rng(0),
        "n_resamples": 200,
    }
    return evaluate_predictions(predicted, **(values | changes))


def history(n_epochs: int = 12) -> list[dict[str, Any]]:
    """A training run that learns, then overfits."""
    return [
        {
            "epoch": epoch,
            "train_loss": 3 / epoch,
            "train_accuracy": 1 - 0.9 / epoch,
            "train_f1": 1 - 0.95 / epoch,
            "val_loss": 3 / epoch + 0.05 * epoch,
            "val_accuracy": 0.7 - 0.6 / epoch,
            "val_f1": 0.65 - 0.6 / epoch - 0.01 * max(0, epoch - 7),
            "learning_rate": 1e-3 * min(1, epoch / 3),
            "seconds": 12.5,
        }
        for epoch in range(1, n_epochs + 1)
    ]

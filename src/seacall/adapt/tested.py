"""Measure an adapted model on clips that were kept for that."""

from __future__ import annotations

from typing import Any

import numpy as np

from seacall.adapt.clips import Heard
from seacall.adapt.heads import Layer
from seacall.labels import UNKNOWN
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import Card


def measure_test(card: Card, layer: Layer, tested: Heard) -> dict[str, Any]:
    """Return figures on clips whose copies were not learned from.

    Labels that the model does not have are to be answered ``unknown``.
    """
    scores = calibrated(layer.logits(tested.embeddings), card.calibration)
    best = np.array([card.labels[k] for k in scores.argmax(axis=1)])
    lowest = np.array(card.lowest_scores)[scores.argmax(axis=1)]
    answered = (scores.max(axis=1) >= lowest) & (best != UNKNOWN)
    truth = np.array(
        [label if label in card.labels else UNKNOWN for label in tested.labels]
    )
    right = best == truth
    return {
        "n_clips": len(truth),
        "accuracy": float(right.mean()),
        "answered": float(answered.mean()),
        "answered_right": float(right[answered].mean()) if answered.any() else 0.0,
        "mean_score_of_wrong": float(scores.max(axis=1)[~right].mean())
        if (~right).any()
        else None,
        "recall": {
            str(k): float(right[truth == k].mean()) for k in dict.fromkeys(truth)
        },
    }

"""From logits to scores, as a card's calibration says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax

from seacall.models.checkpoint import Calibration

Float32 = NDArray[np.float32]


def calibrated(logits: NDArray[Any], calibration: Calibration) -> Float32:
    """Turn logits into calibrated scores.

    Parameters
    ----------
    logits
        Shape ``(n, n_classes)``; left as they are.

    Returns
    -------
    scores
        Shape ``(n, n_classes)``, each row sums to 1.
    """
    z = np.asarray(logits, np.float64)
    if calibration.method == "platt":
        odds = log_odds(z) * np.array(calibration.slopes)
        return shared_out(expit(odds + np.array(calibration.offsets)))
    offsets = np.array(calibration.offsets) if calibration.offsets else 0.0
    scores = softmax(z / calibration.temperature + offsets, axis=1)
    return scores.astype(np.float32)


def log_odds(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return each class's log odds against all others, ``(n, n_classes)``.

    With the softmax p_k = exp(z_k) / sum_j exp(z_j)::

        log(p_k / (1 - p_k)) = z_k - log sum_{j != k} exp(z_j)

    Unlike a logit it does not change when the same number is added to all logits, and
    a slope of 1 with an offset of 0 gives the softmax back.
    """
    z = np.asarray(logits, np.float64)
    odds = np.empty_like(z)
    for k in range(z.shape[1]):
        odds[:, k] = z[:, k] - logsumexp(np.delete(z, k, axis=1), axis=1)
    return odds


def shared_out(shares: NDArray[np.float64]) -> Float32:
    """Make probabilities of single classes sum to 1 in each row.

    Where they claim more than 1 together they are divided by their sum; what they leave
    is the last class's, ``unknown``: no class claims it.
    """
    total = shares.sum(axis=1, keepdims=True)
    scores = shares / np.maximum(total, 1.0)
    scores[:, -1] += np.maximum(1.0 - total[:, 0], 0.0)
    return np.asarray(scores, np.float32)

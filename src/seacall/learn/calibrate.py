"""Make scores mean what they say: one temperature, fitted on validation clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

_LOG_RANGE = 3.0
"""Temperatures from 1/20 to 20 are looked at."""


def calibration_temperature(
    logits: NDArray[np.float32], targets: NDArray[np.int64]
) -> float | None:
    """Find the temperature at which the scores fit the truth best.

    Logits are divided by it before the softmax. It changes no answer, only how sure the
    scores are: a distilled student tends to be too unsure, others too sure.

    Parameters
    ----------
    logits
        Of clips from deployments that were not trained on, shape ``(n, n_classes)``.
    targets
        Their classes, shape ``(n,)``.

    Returns
    -------
    temperature
        The minimum of the mean negative log-likelihood; None if there is none between
        1/20 and 20: all answers are right, or no better than chance.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML
    2017, section 4.2.
    """

    def cost(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(targets)), targets].mean())

    found = minimize_scalar(cost, bounds=(-_LOG_RANGE, _LOG_RANGE), method="bounded")
    all_right = bool((logits.argmax(axis=1) == targets).all())
    if all_right or abs(found.x) > 0.99 * _LOG_RANGE:
        return None
    return float(np.exp(found.x))

"""From scores to what they are where other species are likely."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from seacall.prior import SpeciesPrior

Floats = NDArray[np.float64]


def reweighted(scores: NDArray[np.float32], weights: Floats) -> NDArray[np.float32]:
    """Turn scores into what they are where other species are likely.

    With scores p(k | sound) that were learned where class k has the share q(k), and
    weights w(k) proportional to the odds here over q(k), Bayes' rule gives::

        p'(k | sound) = p(k | sound) w(k) / sum_j p(j | sound) w(j)

    Saerens et al. (2002), Adjusting the outputs of a classifier to new a priori
    probabilities, equation 2.4.

    Parameters
    ----------
    scores
        Shape ``(n, n_classes)``, each row sums to 1.
    weights
        Above 0, shape ``(n_classes,)`` or ``(n, n_classes)``.

    Returns
    -------
    scores
        The same shape; each row sums to 1.
    """
    shares = scores * weights
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def with_prior(
    scores: NDArray[np.float32],
    prior: SpeciesPrior | None,
    *,
    labels: Sequence[str],
    times: Sequence[datetime | None],
) -> NDArray[np.float32]:
    """Weigh the scores of clips by when they were heard.

    Parameters
    ----------
    scores
        Shape ``(n, n_classes)``.
    prior
        None: the scores are returned as they are.
    times
        Of each clip, UTC; None: not known.
    """
    if prior is None or not len(scores):
        return scores
    months = [None if time is None else time.month for time in times]
    by_month = {month: prior.weights(labels, month) for month in set(months)}
    return reweighted(scores, np.array([by_month[month] for month in months]))

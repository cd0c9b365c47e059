"""Intervals by resampling whole deployments, from tables of counts.

Recordings of one deployment resemble each other; drawn one by one they would promise
far narrower intervals than a new deployment keeps (Davison and Hinkley 1997, "Bootstrap
methods and their application", section 3.8). Counts add up, so a resample is a weighted
sum of the deployments' tables, and all resamples together are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""From tables of counts ``(..., *table)`` to figures ``(...)``."""


def bootstrap_weights(
    n_groups: int, *, rng: np.random.Generator, n_resamples: int = 1000
) -> FloatArray:
    """Choose at random how often each group is drawn in each resample.

    Drawing ``n_groups`` times with replacement gives multinomial counts.

    Returns
    -------
    weights
        ``(n_resamples, n_groups)``; each row sums to ``n_groups``.
    """
    shares = np.full(n_groups, 1 / n_groups)
    return rng.multinomial(n_groups, shares, n_resamples).astype(np.float64)


def resample(tables: npt.ArrayLike, weights: FloatArray) -> FloatArray:
    """Apply a bootstrap to tables of counts.

    Parameters
    ----------
    tables
        One table for each group ``(n_groups, *table)``.
    weights
        ``(n_resamples, n_groups)`` from `bootstrap_weights`.

    Returns
    -------
    resampled
        ``(n_resamples, *table)``.
    """
    counts = np.asarray(tables, dtype=np.float64)
    flat = counts.reshape(len(counts), -1)
    # Most cells of a confusion matrix are empty in all groups: leave them out.
    used = flat.any(axis=0)
    out = np.zeros((len(weights), flat.shape[1]))
    out[:, used] = weights @ flat[:, used]
    return out.reshape(len(weights), *counts.shape[1:])


def percentile_interval(
    values: npt.ArrayLike, *, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the middle ``level`` of the values, without NaN; None if none is left."""
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return None
    low, high = np.quantile(numbers, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(
    statistic: Statistic,
    groups: npt.ArrayLike | Sequence[npt.ArrayLike],
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return a percentile interval of a figure, by resampling whole deployments.

    Parameters
    ----------
    statistic
        From tables of counts ``(..., *table)`` to figures ``(...)``, as
        `seacall.learn.metrics.macro_f1`.
    groups
        One table of counts for each deployment ``(n_groups, *table)``.

    Returns
    -------
    interval
        Low and high; None with fewer than two groups, which tell nothing about how
        deployments differ.

    Examples
    --------
    >>> from seacall.learn.metrics import accuracy
    >>> tables = [[[8, 2], [0, 0]], [[0, 0], [1, 9]]]
    >>> bootstrap_interval(accuracy, tables, rng=np.random.default_rng(0))
    (0.8, 0.9)
    """
    tables = np.asarray(groups, dtype=np.float64)
    if len(tables) < 2:
        return None
    weights = bootstrap_weights(len(tables), rng=rng, n_resamples=n_resamples)
    return percentile_interval(statistic(resample(tables, weights)), level=level)

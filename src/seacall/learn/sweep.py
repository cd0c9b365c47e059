"""Hits and false alarms at every threshold, and the figures that follow from them.

Counts are kept by recording. They add up, so a resample of recordings is a weighted sum
(`seacall.learn.bootstrap`), and each figure here takes any number of leading axes
``(..., n_thresholds)``. What cannot be computed is NaN, never 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

RATES_PER_HOUR = (0.1, 1.0, 10.0)
"""False alarms per hour at which recall is given."""
MOST_THRESHOLDS = 400
"""Of a curve that is resampled; the highest are all kept, further down fewer."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """What comes out at each threshold, in each recording."""

    thresholds: FloatArray
    """Falling, shape ``(n_thresholds,)``; a score that equals one counts."""
    hits: FloatArray
    """Annotations that are answered, shape ``(n_recordings, n_thresholds)``."""
    false_alarms: FloatArray
    """Detections that answer none, same shape."""
    n_positives: FloatArray
    """Annotations, shape ``(n_recordings,)``."""
    free_h: FloatArray
    """Time without an annotation of the class, hours, shape ``(n_recordings,)``."""

    def pooled(self) -> Sweep:
        """Return the same of all recordings together, as one."""
        return Sweep(
            self.thresholds,
            self.hits.sum(axis=0, keepdims=True),
            self.false_alarms.sum(axis=0, keepdims=True),
            self.n_positives.sum(keepdims=True),
            self.free_h.sum(keepdims=True),
        )

    def weighted(self, weights: FloatArray) -> Sweep:
        """Return one row for each resample ``(n_resamples, n_recordings)``."""
        return Sweep(
            self.thresholds,
            weights @ self.hits,
            weights @ self.false_alarms,
            weights @ self.n_positives,
            weights @ self.free_h,
        )

    @property
    def recall(self) -> FloatArray:
        """Share of the annotations that are answered, ``(..., n_thresholds)``."""
        return _ratio(self.hits, self.n_positives[..., None])

    @property
    def precision(self) -> FloatArray:
        """Share of the detections that answer one; NaN: there is none."""
        return _ratio(self.hits, self.hits + self.false_alarms)

    @property
    def rate(self) -> FloatArray:
        """False alarms per hour without an annotation; NaN: there is no such time."""
        return _ratio(self.false_alarms, self.free_h[..., None])

    def recall_at(self, rate_per_hour: float) -> FloatArray:
        """Return the highest recall at no more than so many false alarms per hour.

        Only thresholds that were tried count; between them nothing is assumed. Where
        even the highest score is a false alarm too many it is 0: answer nothing.
        """
        enough = self.rate <= rate_per_hour * (1 + 1e-12)
        best = np.where(enough, self.recall, 0.0).max(axis=-1, initial=0.0)
        known = (self.n_positives > 0) & (self.free_h > 0)
        return np.where(known, best, np.nan)

    def threshold_at(self, rate_per_hour: float) -> float | None:
        """Return the lowest threshold with the recall of `recall_at`; one row only.

        None: no threshold keeps the rate, or nothing was detected.
        """
        (recall,), (rate,) = self.recall, self.rate
        enough = rate <= rate_per_hour * (1 + 1e-12)
        if not enough.any() or not self.recall_at(rate_per_hour)[0] > 0:
            return None
        best = enough & (recall >= self.recall_at(rate_per_hour)[0])
        return float(self.thresholds[np.flatnonzero(best)[-1]])

    def average_precision(self) -> FloatArray:
        r"""Return the mean precision over recall, by steps.

        .. math:: AP = \sum_k (R_k - R_{k-1}) P_k

        as scikit-learn has it. Where merging makes recall fall as the threshold does,
        only a new highest recall counts as a step.
        """
        recall = np.maximum.accumulate(np.nan_to_num(self.recall), axis=-1)
        steps = np.diff(recall, axis=-1, prepend=0.0)
        found = (steps * np.nan_to_num(self.precision)).sum(axis=-1)
        return np.where(self.n_positives > 0, found, np.nan)


def sweep_of(
    scores: FloatArray,
    hits: BoolArray,
    recordings: IntArray,
    *,
    n_positives: Sequence[float],
    free_h: Sequence[float],
    most: int | None = None,
) -> Sweep:
    """Count from scored detections each of which is a hit or a false alarm.

    Parameters
    ----------
    scores, hits, recordings
        Of each detection its score, whether it is a hit, and the number of its
        recording; shape ``(n,)``.
    n_positives, free_h
        Of each recording.
    most
        Thresholds; None: one for each score that occurs, so the curve is exact.

    Examples
    --------
    >>> found = sweep_of(
    ...     np.array([0.9, 0.8, 0.4]),
    ...     np.array([True, False, True]),
    ...     np.zeros(3, int),
    ...     n_positives=[4],
    ...     free_h=[2.0],
    ... )
    >>> found.recall.tolist(), found.rate.tolist()
    ([[0.25, 0.25, 0.5]], [[0.0, 0.5, 0.5]])
    """
    thresholds = thinned(np.unique(scores)[::-1], most)
    n, t = len(n_positives), len(thresholds)
    # The first threshold that a score reaches; below the last one it counts nowhere.
    place = np.searchsorted(-thresholds, -scores, side="left")
    used = place < t
    cell = recordings[used] * t + place[used]

    def counted(mask: BoolArray) -> FloatArray:
        counts = np.bincount(cell[mask[used]], minlength=n * t).reshape(n, t)
        summed: FloatArray = np.cumsum(counts, axis=1, dtype=np.float64)
        return summed

    return Sweep(
        thresholds,
        counted(hits),
        counted(~hits),
        np.asarray(n_positives, dtype=np.float64),
        np.asarray(free_h, dtype=np.float64),
    )


def thinned(falling: FloatArray, most: int | None) -> FloatArray:
    """Choose some of many thresholds: all of the highest, fewer further down, the last.

    Low false alarm rates are decided among the highest scores.
    """
    n = len(falling)
    if most is None or n <= most:
        return falling
    # Ranks 0, 1, 2, ... and then by equal ratios: as many as there is room for.
    ranks = np.unique(np.geomspace(1, n, most).round().astype(np.int64))
    missing = np.setdiff1d(np.arange(1, n + 1), ranks)[: most - len(ranks)]
    chosen: FloatArray = falling[np.sort(np.concatenate([ranks, missing])) - 1]
    return chosen


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    part, whole = np.broadcast_arrays(part, whole)
    out = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out

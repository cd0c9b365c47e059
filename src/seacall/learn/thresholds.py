"""Choose from which score on each species is answered, for a precision aimed at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from seacall.learn.held_out import FloatArray, IntArray
from seacall.models.checkpoint import NEVER

FEW_ANSWERS = 10
"""Fewer clips than this that a class is best in cannot carry a threshold of its own."""
CONFIDENCE = 0.8
"""How sure it is to be that the precision is reached, one-sided."""


@dataclass(frozen=True)
class Thresholds:
    """Lowest scores that are answered."""

    common: float
    """Of classes without one of their own."""
    by_label: dict[str, float]
    """Of each species; 1: it is never answered."""
    remarks: tuple[str, ...]
    """What a user has to know of them, a sentence each."""


def thresholds_for_precision(
    scores: FloatArray,
    targets: IntArray,
    *,
    labels: tuple[str, ...],
    precision: float,
    confidence: float = CONFIDENCE,
    n_seeds: int = 1,
) -> Thresholds:
    """Find for each species the smallest threshold that reaches a precision.

    Parameters
    ----------
    scores
        Calibrated, of clips whose deployment neither network nor calibration has
        heard, shape ``(n, n_classes)``.
    targets
        Shape ``(n,)``.
    labels
        Classes; the last is ``unknown`` and needs no threshold.
    precision
        Share of a species' answers that are to be right.
    confidence
        How sure that is to be (Wilson's bound); 0.5 takes the share as it was found.
    n_seeds
        How often each clip is there.
    """
    best, top = scores.argmax(axis=1), scores.max(axis=1)
    right = best == targets
    answered = best < len(labels) - 1

    def lowest(mask: NDArray[np.bool_]) -> float | None:
        return lowest_threshold(
            top[mask],
            right[mask],
            precision=precision,
            confidence=confidence,
            n_seeds=n_seeds,
        )

    pooled = lowest(answered)
    common = NEVER if pooled is None else pooled
    by_label, few, never = {}, [], []
    for k, label in enumerate(labels[:-1]):
        mine = best == k
        if mine.sum() / n_seeds < FEW_ANSWERS:
            by_label[label] = common
            few.append(label)
            continue
        own = lowest(mine)
        by_label[label] = NEVER if own is None else own
        if own is None:
            never.append(label)
    return Thresholds(
        common=common,
        by_label=by_label,
        remarks=_remarks(few, never, pooled=pooled, precision=precision),
    )


def lowest_threshold(
    scores: FloatArray,
    right: NDArray[np.bool_],
    *,
    precision: float,
    confidence: float = CONFIDENCE,
    n_seeds: int = 1,
) -> float | None:
    """Find the smallest threshold whose answers reach a precision.

    Parameters
    ----------
    scores
        Of the answered class, shape ``(n,)``.
    right
        Whether the answer is right, shape ``(n,)``.

    Returns
    -------
    threshold
        One of the scores; None if none reaches the precision.

    Examples
    --------
    >>> import numpy as np
    >>> found = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
    >>> lowest_threshold(*found, precision=0.75, confidence=0.5)
    0.6
    """
    if not len(scores):
        return None
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    n = np.arange(1, len(scores) + 1) / n_seeds
    hits = np.cumsum(right[order]) / n_seeds
    # A threshold takes all clips of equal score or none of them.
    ends = np.r_[falling[1:] < falling[:-1], True]
    bound = wilson_bound(hits, n, confidence=confidence)
    reached = np.flatnonzero(ends & (bound >= precision))
    return float(falling[reached[-1]]) if len(reached) else None


def wilson_bound(
    hits: FloatArray, n: FloatArray, *, confidence: float = CONFIDENCE
) -> FloatArray:
    """Return the lower end of Wilson's interval of ``hits / n``, one-sided.

    With p = hits / n and z the normal quantile of the confidence (Wilson 1927, J. Am.
    Stat. Assoc. 22, 209-212)::

        (p + z^2 / 2n - z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Confidence 0.5 gives p itself.
    """
    z = float(norm.ppf(confidence))
    p = hits / n
    spread = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.asarray((p + z**2 / (2 * n) - spread) / (1 + z**2 / n))


def _remarks(
    few: list[str], never: list[str], *, pooled: float | None, precision: float
) -> tuple[str, ...]:
    found = []
    if pooled is None and few:
        found.append(
            f"No threshold reaches a precision of {precision:g} over all species "
            "together: those without one of their own are never answered."
        )
    if never:
        found.append(
            f"Never answered, since no threshold reaches a precision of {precision:g}: "
            f"{', '.join(never)}."
        )
    if few:
        found.append(
            f"Fewer than {FEW_ANSWERS} clips were taken for them, so they have the "
            f"threshold of all species together: {', '.join(few)}."
        )
    return tuple(found)

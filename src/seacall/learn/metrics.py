"""Figures of merit, computed from counts so that they can be resampled quickly.

Every figure is a function of a *table of counts*: a confusion matrix
(rows: true class, columns: answered class), or the bins of a reliability diagram.
Counts add up: the table of a set of recordings is the sum of the tables of its
deployments. A bootstrap over deployments is therefore one matrix product, and each
function here takes any number of leading axes ``(..., n_classes, n_classes)``.

What cannot be computed (a precision where nothing was answered) is NaN, never 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seacall.models.decide import answers_at as answers_at

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_BINS = 15
"""Bins of the calibration error, as in Guo et al. (2017)."""


def confusion_matrix(
    targets: npt.ArrayLike,
    answers: npt.ArrayLike,
    *,
    n_classes: int,
    groups: npt.ArrayLike | None = None,
    abstentions: bool = False,
) -> IntArray:
    """Count how often each true class (row) was answered by each class (column).

    Parameters
    ----------
    targets
        True classes ``(n,)``, 0 to ``n_classes - 1``.
    answers
        Answered classes ``(n,)``, 0 to ``n_classes - 1``.
    groups
        Number ``(n,)`` of each recording's deployment, from 0. With it there is one
        matrix for each deployment.
    abstentions
        If true there is one column more, for the answer ``n_classes``: none.

    Returns
    -------
    confusion
        ``(n_classes, n_classes)``, or ``(n_groups, n_classes, n_classes)`` with
        groups; with abstentions the last axis is one longer.

    Raises
    ------
    ValueError
        If a class lies outside its range or the lengths differ.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], n_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    n_answers = n_classes + abstentions
    true = _class_numbers(targets, "targets", n_classes)
    given = _class_numbers(answers, "answers", n_answers)
    group = np.zeros(len(true), dtype=np.int64) if groups is None else groups
    group = _class_numbers(group, "groups", None)
    if not len(true) == len(given) == len(group):
        raise ValueError(
            f"targets, answers and groups must be equally long, got {len(true)}, "
            f"{len(given)} and {len(group)}"
        )
    n_groups = 1 if groups is None else int(group.max(initial=-1)) + 1
    cell = (group * n_classes + true) * n_answers + given
    counts = np.bincount(cell, minlength=n_groups * n_classes * n_answers)
    shape = (n_classes, n_answers)
    return counts.reshape(shape if groups is None else (n_groups, *shape))


def _class_numbers(values: npt.ArrayLike, name: str, stop: int | None) -> IntArray:
    numbers = np.asarray(values, dtype=np.int64)
    if numbers.ndim != 1:
        raise ValueError(f"{name} must have one axis, got shape {numbers.shape}")
    low, high = numbers.min(initial=0), numbers.max(initial=0)
    if low < 0 or (stop is not None and high >= max(stop, 1)):
        end = "" if stop is None else f" to {stop - 1}"
        raise ValueError(f"{name} must be 0{end}, got {low} to {high}")
    return numbers


def unknown_for_abstentions(table: npt.ArrayLike) -> FloatArray:
    """Count each abstention as the answer "unknown", the last class.

    From ``(..., n_classes, n_classes + 1)`` to ``(..., n_classes, n_classes)``.
    """
    counts = np.asarray(table, dtype=np.float64)
    folded = counts[..., :-1].copy()
    folded[..., -1] += counts[..., -1]
    return folded


def accuracy(confusion: npt.ArrayLike) -> FloatArray:
    """Return the share of recordings that are answered right: ``trace / sum``."""
    counts = np.asarray(confusion, dtype=np.float64)
    return _ratio(_hits(counts).sum(axis=-1), counts.sum(axis=(-2, -1)))


def share_answered(table: npt.ArrayLike) -> FloatArray:
    """Return the share that is answered, from a table with abstentions."""
    counts = np.asarray(table, dtype=np.float64)
    return _ratio(counts[..., :-1].sum(axis=(-2, -1)), counts.sum(axis=(-2, -1)))


def accuracy_of_answered(table: npt.ArrayLike) -> FloatArray:
    """Return the accuracy among those answered, from a table with abstentions."""
    return accuracy(np.asarray(table)[..., :-1])


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Figures of each class, each ``(..., n_classes)``."""

    precision: FloatArray
    """Of what was answered as this class, the share that is; NaN: never answered."""
    recall: FloatArray
    """Of what is this class, the share answered as it; NaN: it does not occur."""
    f1: FloatArray
    """Harmonic mean of both; 0 if never right; NaN: neither occurs nor answered."""
    support: FloatArray
    """Recordings that are this class."""


def class_scores(confusion: npt.ArrayLike) -> ClassScores:
    """Return precision, recall and F1 of each class.

    With hits h, truths t and answers a: precision = h / a, recall = h / t, and
    F1 = 2 p r / (p + r) = 2 h / (t + a), which needs no special case for h = 0.

    Examples
    --------
    >>> class_scores([[3, 1], [0, 4]]).precision
    array([1. , 0.8])
    """
    counts = np.asarray(confusion, dtype=np.float64)
    hits, support, answered = _hits(counts), counts.sum(axis=-1), counts.sum(axis=-2)
    return ClassScores(
        precision=_ratio(hits, answered),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + answered),
        support=support,
    )


def balanced_accuracy(confusion: npt.ArrayLike) -> FloatArray:
    """Return the mean recall over the classes that occur in the truth."""
    scores = class_scores(confusion)
    return _mean_over_present(scores.recall, scores.support)


def macro_f1(confusion: npt.ArrayLike) -> FloatArray:
    """Return the mean F1 over the classes that occur in the truth.

    A class that is only answered lowers the others' recall, and so their F1, but has
    none of its own. scikit-learn gives this with ``labels=np.unique(targets)``; its
    default also averages over classes that are only answered.
    """
    scores = class_scores(confusion)
    return _mean_over_present(scores.f1, scores.support)


def weighted_f1(confusion: npt.ArrayLike) -> FloatArray:
    """Return the mean F1 over classes, weighted by how often they occur."""
    scores = class_scores(confusion)
    total = (np.nan_to_num(scores.f1) * scores.support).sum(axis=-1)
    return _ratio(total, scores.support.sum(axis=-1))


def _hits(counts: FloatArray) -> FloatArray:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    part, whole = np.broadcast_arrays(part, whole)
    out = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean_over_present(values: FloatArray, support: FloatArray) -> FloatArray:
    present = support > 0
    total = np.where(present, values, 0.0).sum(axis=-1)
    return _ratio(total, present.sum(axis=-1).astype(np.float64))


def reliability_bins(
    targets: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    n_bins: int = N_BINS,
) -> FloatArray:
    """Sort recordings by their best score into equal bins (0, 1/n], (1/n, 2/n], ...

    Returns
    -------
    bins
        ``(3, n_bins)``, or ``(n_groups, 3, n_bins)`` with groups: recordings in each
        bin, the sum of their best scores, and how many of them were right.
    """
    true, table = np.asarray(targets), np.asarray(scores, dtype=np.float64)
    best, top = table.argmax(axis=1), table.max(axis=1, initial=0)
    edges = np.linspace(0, 1, n_bins + 1)
    group = np.zeros(len(true), np.int64) if groups is None else np.asarray(groups)
    n_groups = int(group.max(initial=0)) + 1
    cell = group * n_bins + np.searchsorted(edges[1:-1], top, side="left")
    sums = [
        np.bincount(cell, weights=weight, minlength=n_groups * n_bins)
        for weight in (np.ones(len(true)), top, (best == true).astype(np.float64))
    ]
    bins: FloatArray = (
        np.stack(sums).astype(np.float64).reshape(3, n_groups, n_bins).swapaxes(0, 1)
    )
    return bins[0] if groups is None else bins


def calibration_error(bins: npt.ArrayLike) -> FloatArray:
    """Return the expected calibration error of ``(..., 3, n_bins)``.

    The gap between mean score and accuracy in each bin, weighted by its recordings:
    Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks",
    eq. 3. A bin of n recordings with score sum s and c right ones adds
    n / N |s / n - c / n| = |s - c| / N.
    """
    counts = np.asarray(bins, dtype=np.float64)
    n, score_sum, right = counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]
    return _ratio(np.abs(score_sum - right).sum(axis=-1), n.sum(axis=-1))

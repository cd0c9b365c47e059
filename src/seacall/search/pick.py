"""Choose which clips a person should label next: telling, and unlike one another.

Pure mathematics on vectors of length 1; `seacall.search.batch` knows of runs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

Float64 = NDArray[np.float64]
Float = NDArray[np.floating]
Ints = NDArray[np.int64]

SHARPNESS = 20.0
"""From cosines to scores: a difference of 0.05 is a factor of e."""
CANDIDATES = 10
"""Uncertain clips that are looked at for each one that is chosen."""
_MOST_CLUSTERS = 200


@dataclass(frozen=True)
class Labelled:
    """Clips that somebody has labelled."""

    vectors: Float
    """Of length 1, ``(m, length)``."""
    targets: Ints
    """Class numbers, shape ``(m,)``."""


def class_means(labelled: Labelled) -> tuple[Float64, Ints]:
    """Return the direction of each class that has a label, and its number."""
    classes = np.unique(labelled.targets)
    x = np.asarray(labelled.vectors, np.float64)
    means = np.stack([x[labelled.targets == c].mean(axis=0) for c in classes])
    length = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.maximum(length, 1e-12), classes


def scores_by_means(vectors: Float, labelled: Labelled) -> tuple[Float64, Ints]:
    """Score clips by how near they are to each labelled class's mean direction.

    Returns
    -------
    scores, classes
        Shape ``(n, n_found)``, each row sums to 1; the class of each column.
    """
    means, classes = class_means(labelled)
    logits = SHARPNESS * (np.asarray(vectors, np.float64) @ means.T)
    logits -= logits.max(axis=1, keepdims=True)
    scores = np.exp(logits)
    return scores / scores.sum(axis=1, keepdims=True), classes


def margins(scores: Float) -> Float64:
    """Return the best score less the second best, ``(n,)``: small is uncertain."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores))
    ordered = np.partition(np.asarray(scores, np.float64), -2, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2], np.float64)


def typical(vectors: Float, n: int, *, known: Float, rng: np.random.Generator) -> Ints:
    """Choose the most typical clip of each of the largest groups without a label.

    Parameters
    ----------
    vectors
        To choose from, ``(n_clips, length)``.
    known
        Those that have a label, ``(m, length)``.

    References
    ----------
    Hacohen, Dekel and Weinshall (2022), Active Learning on a Budget: Opposite
    Strategies Suit High and Low Budgets, arXiv:2202.02794.
    """
    x = np.asarray(vectors, np.float64)
    everything = np.concatenate(
        [x, np.asarray(known, np.float64).reshape(-1, x.shape[1])]
    )
    n_groups = min(n + len(known), len(x), _MOST_CLUSTERS)
    centres, group = _groups(everything, n_groups, rng)
    free, taken = group[: len(x)], group[len(x) :]
    n_known = np.bincount(taken, minlength=len(centres))
    n_free = np.bincount(free, minlength=len(centres))
    # Groups with the fewest labels first, of these the largest.
    order = np.lexsort((-n_free, n_known))
    order = order[n_free[order] > 0]
    chosen: list[int] = []
    while len(chosen) < min(n, len(x)):
        for number in order:
            members = np.setdiff1d(np.flatnonzero(free == number), chosen)
            if len(members) and len(chosen) < n:
                near = x[members] @ centres[number]
                chosen.append(int(members[near.argmax()]))
    return np.array(chosen, np.int64)


def uncertain_and_diverse(
    vectors: Float,
    scores: Float,
    n: int,
    *,
    rng: np.random.Generator,
) -> Ints:
    """Choose from each class's most uncertain clips, one of each kind.

    Parameters
    ----------
    vectors
        To choose from, ``(n_clips, length)``.
    scores
        Of each class, ``(n_clips, n_classes)``.

    References
    ----------
    Zhdanov (2019), Diverse mini-batch Active Learning, arXiv:1901.05954.
    """
    margin = margins(scores)
    guess = np.asarray(scores).argmax(axis=1)
    among = _by_class(margin, guess, CANDIDATES * n)
    x = np.asarray(vectors, np.float64)[among]
    centres, group = _groups(x, min(n, len(x)), rng)
    chosen: list[int] = []
    for number, centre in enumerate(centres):
        members = np.flatnonzero(group == number)
        if len(members):
            near = x[members] @ centre
            chosen.append(int(among[members[near.argmax()]]))
    rest = [k for k in among if k not in set(chosen)]
    return np.array([*chosen, *rest][:n], np.int64)


def _by_class(margin: Float64, guess: Ints, n: int) -> Ints:
    """Return the ``n`` most uncertain, as many of each guessed class as there are."""
    order = np.argsort(margin, kind="stable")
    turn = np.zeros(len(order), np.int64)
    for number in np.unique(guess):
        mine = guess[order] == number
        turn[mine] = np.arange(mine.sum())
    return order[np.lexsort((margin[order], turn))][:n]


def _groups(x: Float64, n: int, rng: np.random.Generator) -> tuple[Float64, Ints]:
    """Divide vectors into groups by k-means; returns centres and each one's group.

    There are no more groups than different vectors.
    """
    n = min(n, len(np.unique(x.round(6), axis=0)))
    if n < 2:
        return x.mean(axis=0, keepdims=True), np.zeros(len(x), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        centres, group = kmeans2(x, n, minit="++", seed=rng, iter=20)
    return np.asarray(centres, np.float64), np.asarray(group, np.int64)


def n_typical(n: int, labelled: Labelled | None) -> int:
    """Return how many of a batch are typical clips: all of the first, then half.

    As long as nothing has a label, clips that a model is not sure of tell less than
    clips that stand for many: measured by ``runs/active_loop.py``.
    """
    return n if labelled is None or not len(labelled.targets) else -(-n // 2)


def choose(
    vectors: Float,
    n: int,
    *,
    scores: Float,
    labelled: Labelled | None = None,
    rng: np.random.Generator,
) -> Ints:
    """Choose what to label next: typical of what has no label, and uncertain.

    Parameters
    ----------
    vectors
        To choose from, of length 1, ``(n_clips, length)``.
    scores
        Of the model at hand, ``(n_clips, n_classes)``; they say what is uncertain as
        long as one class alone has labels.
    labelled
        What has labels already; None: nothing.

    Returns
    -------
    rows
        At most ``n``, the `n_typical` typical ones first.
    """
    n = min(n, len(vectors))
    none = np.empty((0, vectors.shape[1]))
    known = none if labelled is None else labelled.vectors
    if labelled is not None and len(np.unique(labelled.targets)) > 1:
        scores, _ = scores_by_means(vectors, labelled)
    first = typical(vectors, n_typical(n, labelled), known=known, rng=rng)
    rest = np.setdiff1d(np.arange(len(vectors)), first)
    n_left = n - len(first)
    if not n_left:
        return first
    second = uncertain_and_diverse(vectors[rest], scores[rest], n_left, rng=rng)
    return np.append(first, rest[second])

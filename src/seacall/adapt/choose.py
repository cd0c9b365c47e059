"""Choose a head by what it says of deployments that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.adapt.heads import HEADS, Layer, Lesson
from seacall.adapt.settle import Settled, settle

Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Chosen:
    """A head with its slope and offsets, and how it was found."""

    head: str
    layer: Layer
    """On all clips, slope and offsets folded in."""
    held_out: Float64
    """Logits of trained classes for each clip of the lesson, ``(n, n_trained)``, by
    layers fitted without its fold."""
    settled: Settled
    losses: dict[str, float]
    """Of each head that was tried: mean cross-entropy of what was held out, nats."""
    n_folds: int
    """0: nothing could be held out."""
    fixed: Float64 | None = None
    """Logits of the fixed classes, held out likewise, ``(n, n_fixed)``, where they were
    trained too; None: they are what they were."""


def fold_numbers(
    groups: Sequence[str], targets: IntArray, *, n_most: int = MOST_FOLDS
) -> IntArray:
    """Deal groups out to folds, such that each class is spread over as many as it can.

    Large groups first, each to the fold that has the fewest clips of its classes.

    Returns
    -------
    folds
        Of each clip, from 0, shape ``(n,)``; all 0 where there is one group.
    """
    names, numbers = np.unique(np.asarray(groups), return_inverse=True)
    n_folds = min(n_most, len(names))
    classes = np.unique(targets)
    counts = np.array(
        [
            [np.sum((numbers == g) & (targets == c)) for c in classes]
            for g in range(len(names))
        ]
    )
    filled = np.zeros((max(n_folds, 1), len(classes)))
    fold_of = np.zeros(len(names), np.int64)
    for g in np.argsort(-counts.sum(axis=1), kind="stable"):
        cost = (filled * (counts[g] > 0)).sum(axis=1) + 1e-3 * filled.sum(axis=1)
        fold_of[g] = int(cost.argmin())
        filled[fold_of[g]] += counts[g]
    return fold_of[numbers]


def choose(
    lesson: Lesson, groups: Sequence[str], *, heads: Sequence[str] = tuple(HEADS)
) -> Chosen:
    """Fit each head without each fold, and keep the one that says most of it.

    Parameters
    ----------
    lesson
        All clips: of new classes, of old ones, of the background.
    groups
        What must stay together, of each clip.
    heads
        Names of those to try; the first is taken where a trained class has one group,
        since then nothing can be held out.
    """
    folds = fold_numbers(torn_apart(lesson, groups), lesson.targets)
    if not can_hold_out(lesson, folds):
        return _without_folds(lesson, heads[0])
    tried = {name: _held_out(lesson, folds, name) for name in heads}
    settled = {name: settle(lesson, scores) for name, scores in tried.items()}
    losses = {name: one.losses for name, one in settled.items()}
    best = plainest(losses, lesson.weights, groups)
    found = settled[best]
    return Chosen(
        head=best,
        layer=HEADS[best](lesson).scaled(found.slope, found.offsets),
        held_out=found.slope * tried[best] + found.offsets,
        settled=found,
        losses={k: _mean(v, lesson.weights) for k, v in losses.items()},
        n_folds=int(folds.max()) + 1,
    )


def plainest(
    losses: dict[str, Float64], weights: Float64, groups: Sequence[str]
) -> str:
    """Return the first head that none beats by more than chance among groups would.

    Another one has to be better by a standard error of the difference, over groups:
    few deployments hardly tell heads apart, and the plainest fails least.

    Parameters
    ----------
    losses
        Of each clip, shape ``(n,)``, by head, the plainest first.
    weights
        Of the clips, shape ``(n,)``.
    groups
        Of the clips.
    """
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    names = list(losses)
    best = names[0]
    for name in names[1:]:
        gain = weights * (losses[best] - losses[name]) / weights.sum()
        of_groups = np.bincount(numbers, weights=gain)
        n = len(of_groups)
        error = np.sqrt(n * of_groups.var(ddof=1)) if n > 1 else np.inf
        if gain.sum() > error:
            best = name
    return best


def _mean(values: Float64, weights: Float64) -> float:
    return float(weights @ values / weights.sum())


def torn_apart(lesson: Lesson, groups: Sequence[str]) -> list[str]:
    """Return groups in which trained classes of one group alone are torn into clips.

    Better than to hold out nothing of them, and too good: whoever asks is told.
    """
    names = list(groups)
    for own in lesson.is_trained.T:
        rows = np.flatnonzero(own).tolist()
        if len({groups[k] for k in rows}) == 1:
            for k in rows:
                names[k] = f"{groups[k]}, clip {k}"
    return names


def can_hold_out(lesson: Lesson, folds: IntArray) -> bool:
    """Tell whether some trained class has clips in two folds or more."""
    return any(len(np.unique(folds[own])) > 1 for own in lesson.is_trained.T)


def _held_out(lesson: Lesson, folds: IntArray, name: str) -> Float64:
    """Return scores by layers without the clip's fold.

    A class that has but one clip would be unknown to them: that clip is scored by the
    layer on all clips.
    """
    scores = np.empty((len(folds), lesson.n_trained))
    for fold in np.unique(folds):
        inside = folds == fold
        scores[inside] = HEADS[name](lesson.some(~inside)).logits(
            lesson.embeddings[inside]
        )
    single = [own for own in lesson.is_trained.T if own.sum() == 1]
    if single:
        rows = np.any(single, axis=0)
        scores[rows] = HEADS[name](lesson).logits(lesson.embeddings[rows])
    return scores


def _without_folds(lesson: Lesson, name: str) -> Chosen:
    """Fit the plainest head; its own clips flatter it, and the report says so."""
    layer = HEADS[name](lesson)
    scores = layer.logits(lesson.embeddings)
    found = settle(lesson, scores)
    return Chosen(
        head=name,
        layer=layer.scaled(found.slope, found.offsets),
        held_out=found.slope * scores + found.offsets,
        settled=found,
        losses={name: _mean(found.losses, lesson.weights)},
        n_folds=0,
    )

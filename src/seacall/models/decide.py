"""From scores to answers: the best class if its score is high enough, else none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seacall.errors import SettingsError
from seacall.models.checkpoint import NEVER, Card

IntArray = npt.NDArray[np.int64]


def answers_at(scores: npt.ArrayLike, threshold: npt.ArrayLike) -> IntArray:
    """Answer with the best class, or not at all where its score is too low.

    Parameters
    ----------
    scores
        ``(n, n_classes)``, 0 to 1.
    threshold
        Lowest score that is answered; one number, or one for each class. A class with
        threshold 1 is never answered, even by a score that was rounded to 1.

    Returns
    -------
    answers
        ``(n,)``; ``n_classes`` stands for no answer. Of equal scores the first counts.

    Examples
    --------
    >>> answers_at([[0.9, 0.1], [0.4, 0.6]], 0.7)
    array([0, 2])
    """
    table = np.asarray(scores)
    n_classes = table.shape[1]
    best = table.argmax(axis=1)
    # In the scores' own precision: a float32 score of 0.7 is not below 0.7.
    lowest = np.broadcast_to(np.asarray(threshold, dtype=table.dtype), (n_classes,))
    enough = (table.max(axis=1, initial=0) >= lowest[best]) & (lowest[best] < NEVER)
    answers: IntArray = np.where(enough, best, n_classes).astype(np.int64)
    return answers


def with_thresholds(card: Card, wanted: Sequence[str]) -> Card:
    """Return a card with thresholds that a user asks for.

    Parameters
    ----------
    wanted
        ``"0.5"`` sets that of all classes, ``"Orca=0.8"`` that of one; the order does
        not matter.

    Raises
    ------
    SettingsError
        If a number is not 0 to 1, or a class does not exist.
    """
    pairs = [text.rpartition("=")[::2] for text in wanted]
    plain = [number for label, number in pairs if not label]
    threshold = _share(plain[-1]) if plain else card.threshold
    thresholds = {} if plain else dict(card.thresholds)
    for label, number in pairs:
        if label and label not in card.labels:
            raise SettingsError(
                f"threshold {label}={number}: the model has no class {label!r}; "
                f"choose one of: {', '.join(card.labels)}"
            )
        if label:
            thresholds[label] = _share(number)
    return card.model_copy(update={"threshold": threshold, "thresholds": thresholds})


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise SettingsError(
            f"threshold {text}: need a number from 0 to 1; write 0.7, or LABEL=0.7"
        )
    return value

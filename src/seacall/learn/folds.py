"""Say which clips are held out together, and which of them are scored.

A species from a single deployment cannot be scored on a deployment that was never
heard. It is trained on all the same: a model that is used does not know beforehand
which species it will meet, and each further class is one more way to be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from seacall.data.split import grouped_folds, random_folds
from seacall.errors import AnnotationError
from seacall.labels import UNKNOWN

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Protocol = Literal["deployments", "folds", "random"]

ALWAYS_TRAINED = -1
"""Fold of clips that are held out never."""
PROTOCOLS: dict[str, str] = {
    "deployments": "each deployment held out in turn",
    "folds": "folds of whole deployments",
    "random": "random folds, leaky",
}
"""How clips are held out, in words."""


@dataclass(frozen=True, eq=False)
class Folds:
    """Which clips are held out together, one entry for each clip."""

    fold: IntArray
    """From 0; `ALWAYS_TRAINED`: never held out."""
    scored: BoolArray
    """Whether the clip's species has two deployments or more."""

    @property
    def n_folds(self) -> int:
        """Trainings that it takes."""
        return int(self.fold.max()) + 1

    def untrained(self, targets: IntArray) -> tuple[int, ...]:
        """Return scored classes that some fold holds out altogether."""
        found = set()
        for k in range(self.n_folds):
            trained = set(targets[self.fold != k].tolist())
            found |= set(targets[self.scored & (self.fold == k)].tolist()) - trained
        return tuple(sorted(found))


def scored_clips(labels: Sequence[str], deployments: Sequence[str]) -> BoolArray:
    """Tell which clips are of a species with two deployments or more.

    ``unknown`` is no species: how well it is told apart is another figure.

    Examples
    --------
    >>> scored_clips(["orca", "orca", "beluga", "beluga"], ["a", "b", "a", "a"])
    array([ True,  True, False, False])
    """
    of: dict[str, set[str]] = {}
    for label, deployment in zip(labels, deployments, strict=True):
        of.setdefault(label, set()).add(deployment)
    return np.array(
        [len(of[label]) > 1 and label != UNKNOWN for label in labels], dtype=np.bool_
    )


def make_folds(
    labels: Sequence[str],
    deployments: Sequence[str],
    *,
    protocol: Protocol,
    n_folds: int,
    rng: np.random.Generator,
) -> Folds:
    """Divide clips into folds.

    Deployments without a scored species stay in training, whatever the protocol, so
    that the protocols differ in nothing but what is held out together. Clips of
    ``unknown`` are held out, so that there are fair answers to them, and not scored.

    Parameters
    ----------
    labels, deployments
        Of each clip; every clip has a deployment.
    protocol
        ``deployments``: each is a fold of its own; ``folds``: whole deployments;
        ``random``: single clips, which leaks.
    n_folds
        For ``folds`` and ``random``.

    Raises
    ------
    AnnotationError
        If no species can be scored, or there are fewer deployments than folds.
    """
    scored = scored_clips(labels, deployments)
    if not scored.any():
        raise AnnotationError(
            "no species has two deployments, so none can be scored on a deployment "
            "that was not trained on; name the deployments of the recordings, or "
            "collect more"
        )
    names = np.asarray(deployments, dtype=str)
    asked = scored | (np.asarray(labels, dtype=str) == UNKNOWN)
    held = np.isin(names, np.unique(names[asked]))
    some_labels = [label for label, h in zip(labels, held, strict=True) if h]
    if protocol == "deployments":
        own = np.unique(names[held], return_inverse=True)[1]
    elif protocol == "folds":
        own = np.array(grouped_folds(some_labels, list(names[held]), n_folds, rng))
    else:
        own = np.array(random_folds(some_labels, n_folds, rng))
    fold = np.full(len(names), ALWAYS_TRAINED, np.int64)
    fold[held] = own
    return Folds(fold=fold, scored=scored)

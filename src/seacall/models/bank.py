"""Keep where a model's classes lie in its embedding: ``embeddings.npy``.

Each class's mean, and how clips of one class lie apart, pooled over classes: as many
embeddings as one likes can be drawn from it, and no recording can be had back from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.errors import CheckpointError
from seacall.files import written_whole
from seacall.models.checkpoint import BANK_NAME, Card, checked_file

Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

RANK = 16
"""Directions in which clips of one class lie apart that are kept whole; along all
others it is each number's own variance."""


@dataclass(frozen=True, eq=False)
class Bank:
    """Means of classes, and what clips of one class are apart."""

    means: Float64
    """Shape ``(n_classes, n_embedding)``; NaN: nothing is known of the class."""
    factor: Float64
    """Shape ``(rank, n_embedding)``: principal directions times their deviations."""
    rest: Float64
    """Deviation of each number that the factor leaves, shape ``(n_embedding,)``."""

    def drawn(
        self, rng: np.random.Generator, n_per_class: int
    ) -> tuple[Float64, IntArray]:
        """Draw embeddings of each known class.

        Returns
        -------
        embeddings, targets
            Shape ``(n, n_embedding)``, not negative where no mean is, as behind a
            ReLU; class numbers, ``(n,)``.
        """
        known = np.flatnonzero(np.isfinite(self.means).all(axis=1))
        targets = np.repeat(known, n_per_class)
        apart = self.apart(rng, len(targets))
        found = self.means[targets] + apart
        if known.size and self.means[known].min() >= 0:
            found = np.maximum(found, 0.0)
        return found, targets.astype(np.int64)

    def apart(self, rng: np.random.Generator, n: int) -> Float64:
        """Draw how far clips lie from their class's mean, ``(n, n_embedding)``."""
        along = rng.standard_normal((n, len(self.factor))) @ self.factor
        return along + rng.standard_normal((n, len(self.rest))) * self.rest


def bank_of(
    embeddings: NDArray[np.floating], targets: IntArray, *, n_classes: int
) -> Bank:
    """Describe labelled embeddings.

    Parameters
    ----------
    embeddings
        Shape ``(n, n_embedding)``.
    targets
        Class numbers, shape ``(n,)``.
    n_classes
        Classes; those without a clip stay unknown.
    """
    x = np.asarray(embeddings, np.float64)
    means = np.full((n_classes, x.shape[1]), np.nan)
    apart = np.empty_like(x)
    weights = np.zeros(len(x))
    for c in np.unique(targets):
        own = targets == c
        means[c] = x[own].mean(axis=0)
        apart[own] = x[own] - means[c]
        weights[own] = 1.0 / own.sum()  # classes count alike
    apart *= np.sqrt(weights / max(weights.sum(), 1e-12))[:, None]
    _, sizes, axes = np.linalg.svd(apart, full_matrices=False)
    factor = np.zeros((RANK, x.shape[1]))
    n_kept = min(RANK, len(sizes))
    factor[:n_kept] = sizes[:n_kept, None] * axes[:n_kept]
    left = (apart**2).sum(axis=0) - (factor**2).sum(axis=0)
    return Bank(means, factor, np.sqrt(np.maximum(left, 0.0)))


def write_bank(folder: Path, bank: Bank) -> None:
    """Write ``embeddings.npy`` into a model folder: means, factor, rest, in float16.

    The card does not list it before `seacall.models.checkpoint.write_card`.
    """
    rows = np.vstack([bank.means, bank.factor, bank.rest[None]])
    limit = float(np.finfo(np.float16).max)
    with written_whole(folder / BANK_NAME) as part, part.open("wb") as file:
        np.save(file, np.clip(rows, -limit, limit).astype(np.float16))


def read_bank(folder: Path, card: Card, *, length: int) -> Bank | None:
    """Read a model folder's bank; None: it has none.

    Parameters
    ----------
    length
        Of the model's embedding.

    Raises
    ------
    CheckpointError
        If it was changed, or does not fit the model.
    """
    if BANK_NAME not in card.files:
        return None
    path = checked_file(folder, card, BANK_NAME)
    n = len(card.labels)
    try:
        rows = np.load(path, allow_pickle=False)
        fits = rows.dtype == np.float16 and rows.shape == (n + RANK + 1, length)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as an array; copy the model folder again"
        ) from error
    if not fits or not np.isfinite(rows[n:]).all():
        raise CheckpointError(
            f"{path}: does not fit {n} classes and embeddings of {length} numbers; "
            "copy the model folder again"
        )
    rows = rows.astype(np.float64)
    return Bank(rows[:n], rows[n:-1], rows[-1])

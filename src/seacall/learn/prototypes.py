"""Class prototypes: a last layer in closed form, for classes of few recordings.

A clip is as much of a class as its embedding points to where the class lies. Nothing is
searched for, so there is little to overfit: what ridge regression becomes when its
penalty grows without bound, and better on deployments never heard than any smaller
penalty (``docs/lab-log.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.data.loader import equal_shares, group_numbers

Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHARPNESS = 1.5
"""Deviation of the logits over training clips and classes."""
_LEAST_DEVIATION = 1e-3
"""Of a number of the embedding, as a share of the mean one: a number that hardly ever
moved in training must not decide everything when it does."""
_APART = 10.0
"""By how much a class that was not trained lies below the lowest logit of training."""


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """A layer ``logits = embeddings @ weight.T + bias``."""

    weight: Float64
    """Shape ``(n_classes, n_embedding)``."""
    bias: Float64
    """Shape ``(n_classes,)``."""

    def logits(self, embeddings: NDArray[np.floating]) -> Float64:
        """Return logits ``(n, n_classes)`` of embeddings ``(n, n_embedding)``."""
        return embeddings @ self.weight.T + self.bias


def balanced_weights(targets: IntArray, deployments: Sequence[str]) -> Float64:
    """Weigh clips so that classes are equal, and deployments within each class.

    Parameters
    ----------
    targets
        Class numbers, shape ``(n,)``.
    deployments
        Of each clip.

    Returns
    -------
    weights
        Shape ``(n,)``, sum 1: how often ``balance="deployment"`` draws each clip.
    """
    return equal_shares(len(targets), group_numbers("deployment", targets, deployments))


def prototypes(
    embeddings: NDArray[np.floating],
    targets: IntArray,
    *,
    n_classes: int,
    weights: Float64,
    sharpness: float = SHARPNESS,
) -> LinearLayer:
    r"""Compute the layer that compares embeddings with each class's mean.

    .. math::
        z = (x - \mu) / \sigma, \quad
        M_c = \sum_{i \in c} w_i z_i / \sum_{i \in c} w_i, \quad
        logit_c = a \, z \cdot M_c / s

    with mean and deviation of each number over the weighted training clips, and the
    deviation :math:`s` of all products :math:`z \cdot M_c` of training clips.

    Parameters
    ----------
    embeddings
        Shape ``(n, n_embedding)``.
    targets
        Class numbers, shape ``(n,)``.
    n_classes
        Classes; one without a training clip gets a bias below all others' logits.
    weights
        Of the clips, not negative, shape ``(n,)``; see :func:`balanced_weights`.
    sharpness
        Deviation of the logits, :math:`a`.

    Returns
    -------
    layer
        With standardisation and scale folded in.

    Raises
    ------
    ValueError
        If there is no clip with a weight.

    Notes
    -----
    Ridge regression on one column a class, centred, is
    :math:`(Z^T W Z + \lambda I)^{-1} Z^T W Y`. For a large penalty that is
    :math:`Z^T W Y / \lambda`, whose column :math:`c` is :math:`M_c` times the class's
    weight: with equal classes, prototypes but for a factor.

    Examples
    --------
    >>> x, targets = np.array([[1.0], [3.0]]), np.array([0, 1])
    >>> layer = prototypes(x, targets, n_classes=2, weights=np.full(2, 0.5))
    >>> layer.logits(np.array([[3.0], [2.0]])).round(6)
    array([[-1.5,  1.5],
           [ 0. ,  0. ]])
    """
    if not weights.sum() > 0:
        raise ValueError(f"need clips with a weight, got {len(targets)} and none")
    x, w = np.asarray(embeddings, np.float64), weights / weights.sum()
    mean = w @ x
    deviation = np.sqrt(w @ (x - mean) ** 2)
    deviation = np.maximum(deviation, _LEAST_DEVIATION * deviation.mean() or 1.0)
    z = (x - mean) / deviation
    members = (np.arange(n_classes)[:, None] == targets) * w
    per_class = members.sum(axis=1, keepdims=True)
    means = (members @ z) / np.where(per_class > 0, per_class, 1.0)
    heard = per_class[:, 0] > 0
    scores = z @ means[heard].T
    factor = sharpness / (_deviation(scores, w) or 1.0)
    weight = factor * means / deviation
    bias = np.where(heard, -weight @ mean, factor * scores.min() - _APART)
    return LinearLayer(weight=weight, bias=bias)


def joined(layers: Sequence[LinearLayer]) -> LinearLayer:
    """Return the layer whose logits are the mean of several layers' logits.

    Each sees its own stretch of the embedding, one after the other: descriptions of
    different length then count the same.
    """
    n = len(layers)
    return LinearLayer(
        weight=np.concatenate([layer.weight for layer in layers], axis=1) / n,
        bias=np.mean([layer.bias for layer in layers], axis=0),
    )


def prototypes_of_parts(
    embeddings: NDArray[np.floating],
    targets: IntArray,
    *,
    lengths: Sequence[int],
    n_classes: int,
    weights: Float64,
) -> LinearLayer:
    """Compute prototypes of each stretch of an embedding, and average their logits.

    Parameters
    ----------
    lengths
        Of the stretches; their sum is the embedding's.
    """
    parts = np.split(embeddings, np.cumsum(lengths)[:-1], axis=1)
    return joined(
        [
            prototypes(part, targets, n_classes=n_classes, weights=weights)
            for part in parts
        ]
    )


def _deviation(scores: Float64, weights: Float64) -> float:
    """Return the deviation of all scores ``(n, n_classes)`` of weighted clips."""
    mean = float((weights @ scores).mean())
    return float(np.sqrt((weights @ (scores - mean) ** 2).mean()))

"""Give each class an offset with which all are answered equally often by mistake.

A class can look well recognised for no better reason than that it is answered readily:
every recording of it is then right, and its false alarms are spread over the others.
With offsets that even out the false alarms, nothing is left of such a preference, and
adding a constant to one class's logits changes no answer. That a class is seldom
answered right does not count here, only how often others are taken for it: to make all
classes equally frequent instead would punish those that are hard to find.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from seacall.learn.metrics import FloatArray, IntArray
from seacall.learn.prototypes import balanced_weights

_STEP = 0.5
"""Share of the way to evenness, in logits, that one round goes: steps of all classes
act on each other, and a whole one would overshoot."""
_N_ROUNDS = 200
_CLOSE = 0.01
"""Where to stop: largest difference of a class's log rate of false alarms from the
mean's."""
_TINY = 1e-12


def even_offsets(
    logits: FloatArray,
    targets: IntArray,
    deployments: Sequence[str],
    *,
    start: FloatArray | None = None,
) -> FloatArray:
    r"""Find the offsets with which all classes have the same mean score where wrong.

    .. math::
        q_c = \sum_{i: y_i \ne c} w_{ic} \, softmax(l_i + b)_c, \quad
        \sum_i w_{ic} = 1, \quad q_1 = q_2 = \dots

    Parameters
    ----------
    logits
        Of clips that were held out, ``(n, n_classes)``.
    targets
        True classes ``(n,)``; two or more occur. A class that no clip is of has an
        offset too.
    deployments
        Of each clip: classes weigh the same, and so do deployments within a class.
    start
        Where to start from, ``(n_classes,)``; None: from zeros.

    Returns
    -------
    offsets
        ``(n_classes,)``, to be added to logits; their mean is 0.

    Examples
    --------
    Everything sounds like the first of two classes, by as much:

    >>> logits = np.array([[2.0, 0.0], [1.0, 1.0]])
    >>> even_offsets(logits, np.array([0, 1]), ["a", "b"]).round(1)
    array([-0.5,  0.5])
    """
    n_classes = logits.shape[1]
    own = targets[:, None] == np.arange(n_classes)
    weights = np.where(own, 0.0, balanced_weights(targets, deployments)[:, None])
    weights = weights / weights.sum(axis=0)
    offsets = np.zeros(n_classes) if start is None else start
    for _ in range(_N_ROUNDS):
        rates = (weights * softmax(logits + offsets, axis=1)).sum(axis=0)
        apart = np.log(rates / rates.mean() + _TINY)
        offsets = offsets - _STEP * apart
        if np.abs(apart).max() < _CLOSE:
            break
    centred: FloatArray = offsets - offsets.mean()
    return centred


def evened_apart(
    logits: FloatArray, targets: IntArray, deployments: Sequence[str]
) -> FloatArray:
    """Add offsets to logits, each deployment with those of the others.

    Parameters are those of :func:`even_offsets`. A deployment stays as it is where the
    others are of fewer than two classes.

    Returns
    -------
    evened
        ``(n, n_classes)``.
    """
    names = np.asarray(deployments, dtype=str)
    evened = np.asarray(logits, dtype=np.float64).copy()
    if len(np.unique(targets)) < 2:
        return evened
    # Not far from what each deployment will need: saves most of the rounds.
    start = even_offsets(evened, targets, deployments)
    found = evened.copy()
    for name in np.unique(names):
        others = names != name
        if len(np.unique(targets[others])) > 1:
            offsets = even_offsets(
                evened[others],
                targets[others],
                names[others].tolist(),
                start=start,
            )
            found[~others] += offsets
    return found

"""Set how sure a new layer is, from scores of clips that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from seacall.adapt.heads import Lesson

Float64 = NDArray[np.float64]

_SLOPE_PRIOR = 0.1
"""Weight of the slope's squared logarithm, in clips: it decides only where the clips
say nothing about how steep the curve is."""


_OFFSET_PRIOR = 1.0
"""Weight of the squared differences between classes' offsets beside the mean loss: what
one or two deployments of a class say of its own offset does not hold on others
(docs/lab-log.md)."""


@dataclass(frozen=True, eq=False)
class Settled:
    """From raw scores of new classes to logits beside the old ones."""

    slope: float
    offsets: Float64
    """Shape ``(n_trained,)``."""
    losses: Float64
    """Cross-entropy of each clip that it was set on, nats, shape ``(n,)``."""


def settle(lesson: Lesson, scores: Float64) -> Settled:
    r"""Fit slope and offsets of trained classes' scores by the joint softmax.

    Platt's rule against certainty from few clips: with :math:`n` clips of a class its
    targets are :math:`(n + 1) / (n + 2)` for its own clips, the rest of which goes to
    the other classes in equal shares (Platt, 1999, "Probabilistic outputs for support
    vector machines").

    Parameters
    ----------
    lesson
        Clips with targets, weights, and the logits of fixed classes.
    scores
        Of the trained classes, by layers that did not see the clip; shape
        ``(n, n_trained)``.
    """
    w = lesson.weights / lesson.weights.sum()
    n_fixed, t = lesson.fixed.shape[1], lesson.n_trained
    truth = soft_targets(lesson)
    prior = _SLOPE_PRIOR / max(len(truth), 1)

    def cost(x: Float64) -> tuple[float, Float64]:
        slope = np.exp(x[0])
        logits = np.hstack([lesson.fixed, slope * scores + x[1:]])
        log_p = logits - logsumexp(logits, axis=1, keepdims=True)
        loss = -(w @ (truth * log_p).sum(axis=1)) + prior * x[0] ** 2
        apart = x[1:] - x[1:].mean()
        loss += _OFFSET_PRIOR * float(apart @ apart)
        off = (w[:, None] * (np.exp(log_p) - truth))[:, n_fixed:]
        of_slope = float((off * scores).sum() * slope) + 2 * prior * x[0]
        of_offsets = off.sum(axis=0) + 2 * _OFFSET_PRIOR * apart
        return float(loss), np.concatenate([[of_slope], of_offsets])

    bounds = [(-4.0, 3.0)] + [(-60.0, 60.0)] * t
    found = minimize(cost, np.zeros(1 + t), jac=True, method="L-BFGS-B", bounds=bounds)
    slope, offsets = float(np.exp(found.x[0])), found.x[1:]
    logits = np.hstack([lesson.fixed, slope * scores + offsets])
    log_p = logits - logsumexp(logits, axis=1, keepdims=True)
    return Settled(slope, offsets, -(truth * log_p).sum(axis=1))


def soft_targets(lesson: Lesson) -> Float64:
    """Return what each clip shall be answered with, ``(n, n_fixed + n_trained)``."""
    n_classes = lesson.fixed.shape[1] + lesson.n_trained
    truth = np.zeros((len(lesson.targets), n_classes))
    truth[np.arange(len(truth)), lesson.targets] = 1.0
    counts = np.maximum(truth.sum(axis=0), 1.0)
    slack = 1.0 / (counts[lesson.targets] + 2.0)
    shared = (1.0 - truth) / max(n_classes - 1, 1)
    return np.asarray(truth * (1.0 - slack[:, None]) + shared * slack[:, None])

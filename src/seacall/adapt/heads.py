"""Last layers on embeddings that are kept as they are: prototypes, ridge, logistic.

Each answers for some classes, the *trained* ones; the logits of the others, *fixed*,
come from the old model and stay what they were. All layers are linear in the embedding,
so that they fit into the old network's last layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

_LEAST_DEVIATION = 1e-2
"""Of a number of the embedding, as a share of the mean one: a number that hardly ever
moved must not decide everything when it does."""
_SHARPNESS = 1.5
"""Deviation of the prototypes' logits, before it is set by what was held out."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer ``logits = embeddings @ weight.T + bias``."""

    weight: Float64
    """Shape ``(n_trained, n_embedding)``."""
    bias: Float64
    """Shape ``(n_trained,)``."""

    def logits(self, embeddings: NDArray[np.floating]) -> Float64:
        """Return logits ``(n, n_trained)`` of embeddings ``(n, n_embedding)``."""
        return np.asarray(embeddings, np.float64) @ self.weight.T + self.bias

    def scaled(self, slope: float, offsets: Float64) -> Layer:
        """Return the layer whose logits are ``slope * logits + offsets``."""
        return Layer(slope * self.weight, slope * self.bias + offsets)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a layer is fitted on."""

    embeddings: Float64
    """Shape ``(n, n_embedding)``."""
    fixed: Float64
    """Logits of classes that are not trained, shape ``(n, n_fixed)``."""
    targets: IntArray
    """Shape ``(n,)``: below ``n_fixed`` a fixed class, from there on a trained one."""
    weights: Float64
    """Of each clip, not negative, shape ``(n,)``."""
    n_trained: int
    """Trained classes."""

    def some(self, rows: NDArray[np.bool_]) -> Lesson:
        """Return the lesson of some clips."""
        return Lesson(
            self.embeddings[rows],
            self.fixed[rows],
            self.targets[rows],
            self.weights[rows],
            self.n_trained,
        )

    @property
    def is_trained(self) -> NDArray[np.bool_]:
        """Which clips are of which trained class, shape ``(n, n_trained)``."""
        places = self.fixed.shape[1] + np.arange(self.n_trained)
        return np.asarray(self.targets[:, None] == places)


Fit = Callable[[Lesson], Layer]


def prototypes(lesson: Lesson) -> Layer:
    """Compare embeddings with each trained class's mean, standardised.

    What ridge regression becomes when its penalty grows without bound (see
    `seacall.learn.prototypes`): nothing is searched for, so it works from one clip on.
    """
    z, scale = _standardised(lesson)
    members = lesson.is_trained * lesson.weights[:, None]
    means = (members.T @ z) / np.maximum(members.sum(axis=0), 1e-12)[:, None]
    scores = z @ means.T
    factor = _SHARPNESS / (float(scores.std()) or 1.0)
    return scale.undone(factor * means, np.zeros(lesson.n_trained))


def ridge(lesson: Lesson, *, penalty: float) -> Layer:
    r"""Regress one column a trained class on the embedding, in closed form.

    .. math::
        V = (Z^T W Z + \lambda I)^{-1} Z^T W (Y - \bar y)

    with weights that sum to 1 and standardised columns, so that the penalty
    :math:`\lambda` is in units of one column's variance. With fewer clips than numbers
    the same is solved among the clips (Woodbury).
    """
    z, scale = _standardised(lesson)
    w = lesson.weights / lesson.weights.sum()
    y = lesson.is_trained.astype(np.float64)
    y -= w @ y
    if z.shape[1] <= len(z):
        gram = (z * w[:, None]).T @ z + penalty * np.eye(z.shape[1])
        columns = np.linalg.solve(gram, (z * w[:, None]).T @ y)
    else:
        root = np.sqrt(w)[:, None]
        kernel = (root * z) @ (root * z).T + penalty * np.eye(len(z))
        columns = (root * z).T @ np.linalg.solve(kernel, root * y)
    spread = float((z @ columns).std()) or 1.0
    return scale.undone(_SHARPNESS * columns.T / spread, np.zeros(lesson.n_trained))


def logistic(lesson: Lesson, *, penalty: float) -> Layer:
    """Fit trained classes' logits beside the fixed ones, by the joint softmax.

    The weighted cross-entropy over all classes and ``penalty / 2`` times the squared
    weights on the standardised embedding, by L-BFGS.
    """
    z, scale = _standardised(lesson)
    w = lesson.weights / lesson.weights.sum()
    n, t = len(z), lesson.n_trained
    n_fixed = lesson.fixed.shape[1]
    truth = np.zeros((n, n_fixed + t))
    truth[np.arange(n), lesson.targets] = 1.0

    def cost(x: Float64) -> tuple[float, Float64]:
        v, b = x[:-t].reshape(t, -1), x[-t:]
        logits = np.hstack([lesson.fixed, z @ v.T + b])
        log_p = logits - logsumexp(logits, axis=1, keepdims=True)
        loss = -(w @ (truth * log_p).sum(axis=1)) + penalty / 2 * (v**2).sum()
        off = (w[:, None] * (np.exp(log_p) - truth))[:, n_fixed:]
        return float(loss), np.concatenate(
            [(off.T @ z + penalty * v).ravel(), off.sum(axis=0)]
        )

    start = np.zeros(t * (z.shape[1] + 1))
    found = minimize(cost, start, jac=True, method="L-BFGS-B").x
    return scale.undone(found[:-t].reshape(t, -1), found[-t:])


def _ridge(penalty: float) -> Fit:
    return lambda lesson: ridge(lesson, penalty=penalty)


def _logistic(penalty: float) -> Fit:
    return lambda lesson: logistic(lesson, penalty=penalty)


HEADS: dict[str, Fit] = {
    "prototypes": prototypes,
    "ridge, penalty 10": _ridge(10.0),
    "ridge, penalty 1": _ridge(1.0),
    "logistic, penalty 0.1": _logistic(0.1),
    "logistic, penalty 0.01": _logistic(0.01),
}
"""What is chosen from, by name; the first where nothing can be held out."""


@dataclass(frozen=True, eq=False)
class _Scale:
    """Standardisation of the embedding."""

    mean: Float64
    deviation: Float64

    def undone(self, columns: Float64, bias: Float64) -> Layer:
        """Return the layer on plain embeddings that equals one on standardised."""
        weight = columns / self.deviation
        return Layer(weight, bias - weight @ self.mean)


def _standardised(lesson: Lesson) -> tuple[Float64, _Scale]:
    """Return embeddings of mean 0 and deviation 1 over the weighted clips."""
    w = lesson.weights / lesson.weights.sum()
    x = lesson.embeddings
    mean = w @ x
    deviation = np.sqrt(w @ (x - mean) ** 2)
    deviation = np.maximum(deviation, _LEAST_DEVIATION * deviation.mean() or 1.0)
    return (x - mean) / deviation, _Scale(mean, deviation)

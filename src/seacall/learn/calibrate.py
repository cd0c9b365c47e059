"""Make scores mean what they say: fit, choose and check how logits become scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, logsumexp

from seacall.learn.held_out import FloatArray, HeldOut, IntArray
from seacall.learn.metrics import calibration_error, reliability_bins
from seacall.models.calibrated import calibrated, log_odds
from seacall.models.checkpoint import Calibration

Method = Literal["none", "temperature", "vector", "platt"]

METHODS: tuple[Method, ...] = ("none", "temperature", "vector", "platt")
"""From the plainest to the one with most numbers to fit."""
_LOG_RANGE = 3.0
"""Temperatures from 1/20 to 20 are looked at."""
_OFFSET_SIGMA = 0.5
"""How far offsets are expected to be from 0, in logits: fewer clips, nearer to 0."""
_MOST_SLOPE = 20.0
_MOST_OUTER = 30
"""Folds of the outer check: up to here each deployment is left out alone."""
_N_INNER = 5
_CLEARLY = 1.28
_SMALLEST = 1e-6
"""Scores below it count as this much: one certain mistake must not decide alone."""


def calibration_temperature(
    logits: NDArray[np.floating], targets: NDArray[np.int64]
) -> float | None:
    """Find the temperature at which the scores fit the truth best.

    Logits are divided by it before the softmax. It changes no answer, only how sure the
    scores are: a distilled student tends to be too unsure, others too sure.

    Parameters
    ----------
    logits
        Of clips from deployments that were not trained on, shape ``(n, n_classes)``.
    targets
        Their classes, shape ``(n,)``.

    Returns
    -------
    temperature
        The minimum of the mean negative log-likelihood; None if there is none between
        1/20 and 20: all answers are right, or no better than chance.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML
    2017, section 4.2.
    """

    def cost(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(targets)), targets].mean())

    found = minimize_scalar(cost, bounds=(-_LOG_RANGE, _LOG_RANGE), method="bounded")
    all_right = bool((logits.argmax(axis=1) == targets).all())
    if all_right or abs(found.x) > 0.99 * _LOG_RANGE:
        return None
    return float(np.exp(found.x))


def fit_vector(logits: FloatArray, targets: IntArray) -> Calibration:
    """Fit one temperature and an offset for each class.

    Vector scaling (Guo et al. 2017, section 4.2) with one slope for all classes, and
    offsets that are held near 0: the cost is the negative log-likelihood of all clips
    plus sum(offset^2) / (2 sigma^2), so that few clips move them little.
    """
    n_classes = logits.shape[1]
    truth = np.eye(n_classes)[targets]

    def cost(x: FloatArray) -> tuple[float, FloatArray]:
        scaled = logits * np.exp(-x[0])
        z = scaled + x[1:]
        log_p = z - logsumexp(z, axis=1, keepdims=True)
        gap = np.exp(log_p) - truth
        loss = -(log_p * truth).sum() + (x[1:] ** 2).sum() / (2 * _OFFSET_SIGMA**2)
        slope = -(gap * scaled).sum()
        return float(loss), np.r_[slope, gap.sum(axis=0) + x[1:] / _OFFSET_SIGMA**2]

    bounds = [(-_LOG_RANGE, _LOG_RANGE)] + [(None, None)] * n_classes
    start = np.zeros(1 + n_classes)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(
        method="vector",
        temperature=float(np.exp(found[0])),
        offsets=tuple(found[1:].tolist()),
    )


def fit_platt(logits: FloatArray, targets: IntArray) -> Calibration:
    """Fit a slope and an offset for each class against all others.

    Platt (1999) on the log odds of the softmax, with his targets
    (n+ + 1) / (n+ + 2) and 1 / (n- + 2) in place of 1 and 0, as Lin, Lin and Weng
    (2007), "A note on Platt's probabilistic outputs for support vector machines",
    equation 4. A class without a clip keeps slope 1 and offset 0. Slopes are never
    negative: a higher logit never lowers its score.
    """
    odds = log_odds(logits)
    slopes, offsets = np.ones(odds.shape[1]), np.zeros(odds.shape[1])
    for k in np.unique(targets):
        slopes[k], offsets[k] = platt(odds[:, k], targets == k)
    return Calibration(
        method="platt", slopes=tuple(slopes.tolist()), offsets=tuple(offsets.tolist())
    )


def platt(x: FloatArray, is_class: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit the probability ``1 / (1 + exp(-(slope x + offset)))`` of one class.

    Parameters
    ----------
    x
        Shape ``(n,)``.
    is_class
        Shape ``(n,)``.
    """
    n_yes = int(is_class.sum())
    n_no = len(x) - n_yes
    goal = np.where(is_class, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))

    def cost(ab: FloatArray) -> tuple[float, FloatArray]:
        z = ab[0] * x + ab[1]
        # -t log p - (1 - t) log(1 - p) with p = 1 / (1 + exp(-z)).
        loss = np.logaddexp(0.0, z) - goal * z
        gap = expit(z) - goal
        return float(loss.sum()), np.array([(gap * x).sum(), gap.sum()])

    bounds = [(0.0, _MOST_SLOPE), (None, None)]
    start = np.array([1.0, 0.0])
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(found[0]), float(found[1])


def fit(method: Method, logits: FloatArray, targets: IntArray) -> Calibration:
    """Fit a calibration of one kind."""
    if method == "platt":
        return fit_platt(logits, targets)
    if method == "vector":
        return fit_vector(logits, targets)
    found = calibration_temperature(logits, targets) if method != "none" else None
    if found is None:
        return Calibration()
    return Calibration(method="temperature", temperature=found)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A calibration, and how it does on deployments that it was not fitted on."""

    calibration: Calibration
    losses: dict[Method, float]
    """Mean negative log-likelihood of each kind on held-out deployments."""
    before: FloatArray
    """Bins of `seacall.learn.metrics.reliability_bins` of the plain softmax."""
    after: FloatArray
    """The same of ``scores``."""
    scores: FloatArray
    """Of each clip, by a calibration that was chosen and fitted without its
    deployment, ``(n, n_classes)``; with one deployment only, by that of all clips."""


def calibrate(held_out: HeldOut, *, methods: Sequence[Method] = METHODS) -> Fitted:
    """Choose and fit a calibration, and measure it on other deployments.

    The kind is chosen by the log-likelihood on deployments left out (five folds); see
    `chosen`. To measure the result, choice and fit are repeated without each deployment
    in turn.

    Parameters
    ----------
    methods
        Kinds to choose from, the plainest first.
    """
    z, targets, groups = held_out.logits, held_out.targets, held_out.groups
    losses = clip_losses(z, targets, groups, methods=methods)
    final = fit(chosen(losses, groups), z, targets)
    plain = calibrated(z, Calibration()).astype(np.float64)
    scores = calibrated(z, final).astype(np.float64)
    nested = held_out.n_deployments > 1
    for train, test in _folds(groups, _MOST_OUTER) if nested else ():
        kept = z[train], targets[train]
        inner = clip_losses(*kept, groups[train], methods=methods)
        method = chosen(inner, groups[train])
        scores[test] = calibrated(z[test], fit(method, *kept))
    before, after = (reliability_bins(targets, s) for s in (plain, scores))
    told = {
        "fitted_on": held_out.words(),
        "error_before": float(calibration_error(before)),
        "error_after": float(calibration_error(after)) if nested else None,
    }
    return Fitted(
        calibration=final.model_copy(update=told),
        losses={method: float(loss.mean()) for method, loss in losses.items()},
        before=before,
        after=after,
        scores=scores,
    )


def clip_losses(
    logits: FloatArray,
    targets: IntArray,
    groups: IntArray,
    *,
    methods: Sequence[Method] = METHODS,
) -> dict[Method, FloatArray]:
    """Return each kind's negative log-likelihood of clips of deployments left out.

    Parameters
    ----------
    groups
        Number of each clip's deployment, shape ``(n,)``. With one deployment only
        nothing can be left out; then all is fitted and measured on all of it.

    Returns
    -------
    losses
        For each kind, of each clip, shape ``(n,)``.
    """
    losses: dict[Method, FloatArray] = {}
    for method in methods:
        scores = np.empty_like(logits, dtype=np.float64)
        for train, test in _folds(groups, _N_INNER):
            own = fit(method, logits[train], targets[train])
            scores[test] = calibrated(logits[test], own)
        truth = scores[np.arange(len(targets)), targets]
        losses[method] = -np.log(np.maximum(truth, _SMALLEST))
    return losses


def chosen(losses: dict[Method, FloatArray], groups: IntArray) -> Method:
    """Choose the plainest kind that no later one beats by more than chance.

    A kind is left for a later one whose mean loss is lower by more than 1.28 standard
    errors of the difference (one-sided 10 %). The error is that of a sum over
    deployments: clips of one deployment go right and wrong together.
    """
    names = list(losses)
    best = names[0]
    for name in names[1:]:
        gain = losses[best] - losses[name]
        by_group = np.bincount(groups, weights=gain - gain.mean())
        error = float(np.sqrt((by_group**2).sum())) / len(gain)
        if gain.mean() > _CLEARLY * error:
            best = name
    return best


def _folds(
    groups: IntArray, n_most: int
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield masks of what is kept and what is left out, whole deployments each."""
    names, numbers = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        everything = np.ones(len(groups), bool)
        yield everything, everything
        return
    fold = numbers % min(n_most, len(names))
    for k in range(int(fold.max()) + 1):
        yield fold != k, fold == k

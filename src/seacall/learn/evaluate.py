"""Measure predictions: a model's figures beside those of look-ups that hear nothing.

All figures come from tables of counts, one for each deployment (see
`seacall.learn.metrics`). One set of bootstrap weights serves all of them, so that the
difference between a model and a baseline is taken within each resample.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from seacall.learn.bootstrap import (
    Statistic,
    bootstrap_weights,
    percentile_interval,
    resample,
)
from seacall.learn.evaluation import (
    HEADLINE,
    LEVEL,
    MODEL,
    ClassFigures,
    Estimate,
    Evaluation,
)
from seacall.learn.metrics import (
    FloatArray,
    IntArray,
    accuracy,
    accuracy_of_answered,
    answers_at,
    balanced_accuracy,
    calibration_error,
    class_scores,
    confusion_matrix,
    macro_f1,
    reliability_bins,
    share_answered,
    unknown_for_abstentions,
    weighted_f1,
)
from seacall.learn.predictions import Predictions, check_scores, mistakes


def _folded(statistic: Statistic) -> Statistic:
    return lambda table: statistic(unknown_for_abstentions(table))


STATISTICS: dict[str, tuple[str, Statistic]] = {
    "macro_f1": ("best", macro_f1),
    "balanced_accuracy": ("best", balanced_accuracy),
    "accuracy": ("best", accuracy),
    "weighted_f1": ("best", weighted_f1),
    "macro_f1_at_threshold": ("at_threshold", _folded(macro_f1)),
    "accuracy_at_threshold": ("at_threshold", _folded(accuracy)),
    "weighted_f1_at_threshold": ("at_threshold", _folded(weighted_f1)),
    "share_answered": ("at_threshold", share_answered),
    "accuracy_of_answered": ("at_threshold", accuracy_of_answered),
    "calibration_error": ("bins", calibration_error),
}
"""Each figure: the kind of table that it is computed from, and how."""


def evaluate_predictions(
    predictions: Predictions,
    *,
    baselines: Mapping[str, FloatArray],
    train_deployments: Collection[str] | None,
    rng: np.random.Generator,
    threshold: float | Sequence[float] = 0.7,
    n_resamples: int = 1000,
) -> Evaluation:
    """Measure a model beside baselines, with intervals over deployments.

    Parameters
    ----------
    predictions
        The model's scores on one split.
    baselines
        Scores ``(n, n_classes)`` of each baseline on the same recordings, by name;
        see `seacall.learn.baselines.baseline_scores`.
    train_deployments
        Deployments that the model was trained on, with an empty name among them if
        some are not known; None: none is. Then a split without a shared deployment may
        still be leaky, and is not called clean.
    threshold
        Lowest score that is answered; one number, or one for each class. Below it the
        answer is ``unknown``.

    Raises
    ------
    ValueError
        If a baseline's scores do not fit the predictions, or is called ``model``.
    """
    systems = {MODEL: predictions.scores} | _checked(baselines, predictions)
    names, groups = np.unique(np.array(predictions.deployments), return_inverse=True)
    known = {str(name) for name in names} - {""}
    n_blank = predictions.deployments.count("")
    tables = {
        name: _tables(predictions.targets, scores, groups, threshold)
        for name, scores in systems.items()
    }
    weights = None
    if len(known) > 1 and not n_blank:
        weights = bootstrap_weights(len(names), rng=rng, n_resamples=n_resamples)
    figures, margins = _figures(tables, weights)
    shared = _shared(known, train_deployments)
    is_known = not n_blank and "" not in (train_deployments or ())
    counts = {kind: table.sum(axis=0) for kind, table in tables[MODEL].items()}
    return Evaluation(
        split=predictions.split,
        labels=predictions.labels,
        n_recordings=len(predictions.targets),
        n_deployments=len(known),
        n_without_deployment=n_blank,
        shared_deployments=shared,
        leaky=_leaky(shared, is_known=is_known),
        threshold=_numbers(threshold),
        n_resamples=n_resamples if weights is not None else 0,
        interval_note=_interval_note(len(known), n_blank, n_resamples),
        figures=figures,
        margins=margins,
        classes=_classes(predictions.labels, tables[MODEL]["best"]),
        confusion=counts["best"].astype(np.int64),
        confusion_at_threshold=unknown_for_abstentions(counts["at_threshold"]).astype(
            np.int64
        ),
        reliability=counts["bins"],
        mistakes=mistakes(predictions),
    )


def _checked(
    baselines: Mapping[str, FloatArray], predictions: Predictions
) -> dict[str, FloatArray]:
    shape = (len(predictions.targets), len(predictions.labels))
    for name, scores in baselines.items():
        if name == MODEL:
            raise ValueError(f"a baseline cannot be called {MODEL!r}: choose another")
        check_scores(scores, shape=shape)
    return dict(baselines)


def _numbers(threshold: float | Sequence[float]) -> float | tuple[float, ...]:
    if isinstance(threshold, int | float):
        return float(threshold)
    return tuple(float(value) for value in threshold)


def _shared(
    known: Collection[str], train_deployments: Collection[str] | None
) -> tuple[str, ...] | None:
    if train_deployments is None:
        return None
    return tuple(sorted(set(known) & set(train_deployments)))


def _leaky(shared: tuple[str, ...] | None, *, is_known: bool) -> bool | None:
    if shared:
        return True
    return None if shared is None or not is_known else False


def _tables(
    targets: IntArray,
    scores: FloatArray,
    groups: IntArray,
    threshold: float | Sequence[float],
) -> dict[str, FloatArray]:
    n_classes = scores.shape[1]
    best = confusion_matrix(
        targets, scores.argmax(axis=1), n_classes=n_classes, groups=groups
    )
    at_threshold = confusion_matrix(
        targets,
        answers_at(scores, threshold),
        n_classes=n_classes,
        groups=groups,
        abstentions=True,
    )
    bins = reliability_bins(targets, scores, groups=groups)
    return {
        "best": best.astype(np.float64),
        "at_threshold": at_threshold.astype(np.float64),
        "bins": bins,
    }


def _figures(
    tables: dict[str, dict[str, FloatArray]], weights: FloatArray | None
) -> tuple[dict[str, dict[str, Estimate]], dict[str, Estimate]]:
    values, resampled = {}, {}
    for name, kinds in tables.items():
        values[name] = _apply({kind: t.sum(axis=0) for kind, t in kinds.items()})
        if weights is not None:
            drawn = {kind: resample(t, weights) for kind, t in kinds.items()}
            resampled[name] = _apply(drawn)
    figures = {
        name: {
            key: _estimate(value, resampled[name][key] if resampled else None)
            for key, value in own.items()
        }
        for name, own in values.items()
    }
    margins = {
        name: _estimate(
            values[MODEL][HEADLINE] - values[name][HEADLINE],
            resampled[MODEL][HEADLINE] - resampled[name][HEADLINE]
            if resampled
            else None,
        )
        for name in tables
        if name != MODEL
    }
    return figures, margins


def _apply(tables: dict[str, FloatArray]) -> dict[str, FloatArray]:
    return {
        key: statistic(tables[kind]) for key, (kind, statistic) in STATISTICS.items()
    }


def _estimate(value: FloatArray, resampled: FloatArray | None) -> Estimate:
    interval = None
    if resampled is not None:
        interval = percentile_interval(resampled, level=LEVEL)
    return Estimate(value=_or_none(value), interval=interval)


def _or_none(value: FloatArray | float) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _classes(
    labels: tuple[str, ...], by_deployment: FloatArray
) -> tuple[ClassFigures, ...]:
    scores = class_scores(by_deployment.sum(axis=0))
    n_deployments = (by_deployment.sum(axis=-1) > 0).sum(axis=0)
    return tuple(
        ClassFigures(
            label=label,
            support=int(scores.support[i]),
            n_deployments=int(n_deployments[i]),
            precision=_or_none(scores.precision[i]),
            recall=_or_none(scores.recall[i]),
            f1=_or_none(scores.f1[i]),
        )
        for i, label in enumerate(labels)
    )


def _interval_note(n_deployments: int, n_blank: int, n_resamples: int) -> str:
    if n_blank:
        return (
            f"No intervals: the deployment of {n_blank:,} recordings is not known, and "
            "intervals over single recordings would be far too narrow."
        )
    if n_deployments < 2:
        return (
            "No intervals: all recordings come from one deployment, which tells "
            "nothing about how deployments differ."
        )
    return (
        f"{LEVEL:.0%} intervals: percentiles of {n_resamples:,} resamples of the "
        f"{n_deployments:,} deployments."
    )

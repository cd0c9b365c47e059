"""The figures of an evaluation over folds, each from tables of counts.

A system is anything that gave scores to the clips that were held out: a recipe, once
for each seed, or a look-up that hears nothing. Figures are means over the seeds. Tables
are one for each deployment, so that one set of bootstrap weights serves all figures of
all systems (see `seacall.learn.bootstrap`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from seacall.learn.bootstrap import Statistic, percentile_interval, resample
from seacall.learn.evaluation import HEADLINE, LEVEL, ClassFigures, Estimate
from seacall.learn.metrics import (
    FloatArray,
    accuracy,
    balanced_accuracy,
    calibration_error,
    class_scores,
    macro_f1,
    weighted_f1,
)
from seacall.learn.protocol_tables import Asked, count_tables
from seacall.taxonomy import Level, level_matrix


def _right(table: npt.ArrayLike) -> FloatArray:
    """Return the share of the second of two counts ``(..., 2)``: wrong, right."""
    counts = np.asarray(table, dtype=np.float64)
    total = counts.sum(axis=-1)
    share = np.full(total.shape, np.nan)
    np.divide(counts[..., 1], total, out=share, where=total > 0)
    return share


def _share_at(levels: slice) -> Statistic:
    """Return the share of clips that are answered at some levels ``(..., 4, 2)``."""

    def share(table: FloatArray) -> FloatArray:
        counts = np.asarray(table).sum(axis=-1)
        some = counts[..., levels].sum(axis=-1)
        return _right(np.stack([counts.sum(axis=-1) - some, some], axis=-1))

    return share


def _right_at(levels: slice) -> Statistic:
    """Return how many of the answers at some levels are right."""
    return lambda table: _right(np.asarray(table)[..., levels, :].sum(axis=-2))


class Figure(NamedTuple):
    """One figure: what it is called, and how it comes from which table."""

    title: str
    kind: str
    statistic: Statistic
    of: Literal["all", "recipes"] = "all"
    """Whether look-ups have it; their scores are 0 or 1, so some mean nothing."""


_SPECIES, _FAMILY, _GROUP, _ANY = slice(0, 1), slice(1, 2), slice(2, 3), slice(0, 3)

FIGURES: dict[str, Figure] = {
    "macro_f1": Figure("macro-F1", "species", macro_f1),
    "evened_macro_f1": Figure(
        "macro-F1, false alarms evened", "evened", macro_f1, "recipes"
    ),
    "balanced_accuracy": Figure("balanced accuracy", "species", balanced_accuracy),
    "accuracy": Figure("accuracy", "species", accuracy),
    "weighted_f1": Figure("weighted F1", "species", weighted_f1),
    "family_balanced_accuracy": Figure(
        "family, balanced accuracy", "family", balanced_accuracy
    ),
    "group_balanced_accuracy": Figure(
        "toothed / baleen / seal, balanced accuracy", "group", balanced_accuracy
    ),
    "recording_macro_f1": Figure("recordings, macro-F1", "recordings", macro_f1),
    "recording_accuracy": Figure("recordings, accuracy", "recordings", accuracy),
    "pairs_right": Figure("species x deployment right", "pairs", _right),
    "calibration_error": Figure(
        "calibration error", "bins", calibration_error, "recipes"
    ),
    "calibration_error_raw": Figure(
        "calibration error, uncalibrated", "raw_bins", calibration_error, "recipes"
    ),
    "species_share": Figure(
        "answered with a species", "fall_back", _share_at(_SPECIES), "recipes"
    ),
    "species_right": Figure(
        "of these right", "fall_back", _right_at(_SPECIES), "recipes"
    ),
    "family_share": Figure(
        "answered with a family", "fall_back", _share_at(_FAMILY), "recipes"
    ),
    "family_right": Figure(
        "of these right", "fall_back", _right_at(_FAMILY), "recipes"
    ),
    "group_share": Figure(
        "answered with a group", "fall_back", _share_at(_GROUP), "recipes"
    ),
    "group_right": Figure("of these right", "fall_back", _right_at(_GROUP), "recipes"),
    "answered_share": Figure(
        "answered at any level", "fall_back", _share_at(_ANY), "recipes"
    ),
    "answered_right": Figure("of these right", "fall_back", _right_at(_ANY), "recipes"),
}
"""All figures, in the order of the tables."""


SHOWN_LEVELS: tuple[Level, ...] = ("species", "family")
"""Levels of the confusion matrices."""
NOT_SCORED = "not scored"


@dataclass(frozen=True, eq=False)
class Measured:
    """What one system is worth."""

    figures: dict[str, Estimate]
    """Of `FIGURES`; means over the seeds."""
    by_seed: dict[str, list[float | None]]
    classes: tuple[ClassFigures, ...]
    """Of the scored species; means over the seeds."""
    confusion: dict[str, tuple[tuple[str, ...], FloatArray]]
    """For species and family: names, and counts of all seeds together; the last name,
    ``not scored``, is an answer that no scored clip can be."""
    reliability: dict[str, FloatArray]
    """``(3, n_bins)`` of all seeds together: ``calibrated`` and ``raw``; empty for a
    look-up."""
    headline_draws: FloatArray | None
    """Macro-F1 of each resample; None: no intervals."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "figures": {
                key: {**asdict(estimate), "by_seed": self.by_seed[key]}
                for key, estimate in self.figures.items()
            },
            "classes": [asdict(c) for c in self.classes],
            "confusion": {
                level: {"labels": list(names), "counts": counts.tolist()}
                for level, (names, counts) in self.confusion.items()
            },
            "reliability": {k: v.tolist() for k, v in self.reliability.items()},
        }


def measure_system(
    scores: FloatArray,
    asked: Asked,
    *,
    raw: FloatArray | None,
    weights: FloatArray | None,
) -> Measured:
    """Compute all figures of one system.

    Parameters
    ----------
    scores
        ``(n_seeds, n, n_classes)``; each row sums to 1.
    raw
        The same before calibration; None: a look-up, which has no scores to speak of.
    weights
        ``(n_resamples, n_deployments)`` of `seacall.learn.bootstrap.bootstrap_weights`;
        None: no intervals.
    """
    by_seed = [
        count_tables(seed_scores, asked, raw=None if raw is None else raw[s])
        for s, seed_scores in enumerate(scores)
    ]
    values, draws = _apply(by_seed, weights)
    figures = {
        key: Estimate(
            value=_or_none(np.mean(own)),
            interval=percentile_interval(draws[key], level=LEVEL)
            if weights is not None
            else None,
        )
        for key, own in values.items()
    }
    total = {kind: sum(t[kind] for t in by_seed) for kind in by_seed[0]}
    return Measured(
        figures=figures,
        by_seed={key: [_or_none(v) for v in own] for key, own in values.items()},
        classes=_classes([t["species"] for t in by_seed], asked),
        confusion={
            level: _confusion(np.asarray(total[level]).sum(axis=0), asked, level)
            for level in SHOWN_LEVELS
        },
        reliability={
            name: np.asarray(total[kind]).sum(axis=0)
            for name, kind in (("calibrated", "bins"), ("raw", "raw_bins"))
            if kind in total
        },
        headline_draws=draws.get(HEADLINE),
    )


def _apply(
    by_seed: list[dict[str, FloatArray]], weights: FloatArray | None
) -> tuple[dict[str, list[float]], dict[str, FloatArray]]:
    """Return each figure of each seed, and its mean over the seeds by resample."""
    values: dict[str, list[float]] = {}
    draws: dict[str, FloatArray] = {}
    kept = [
        {} if weights is None else {k: resample(t, weights) for k, t in tables.items()}
        for tables in by_seed
    ]
    for key, figure in FIGURES.items():
        if figure.kind not in by_seed[0]:
            continue
        values[key] = [
            float(figure.statistic(tables[figure.kind].sum(axis=0)))
            for tables in by_seed
        ]
        if weights is not None:
            seeds = [figure.statistic(resampled[figure.kind]) for resampled in kept]
            draws[key] = np.mean(seeds, axis=0)
    return values, draws


def _or_none(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None


def _classes(by_seed: Sequence[FloatArray], asked: Asked) -> tuple[ClassFigures, ...]:
    scores = [class_scores(table.sum(axis=0)) for table in by_seed]
    n_deployments = (by_seed[0].sum(axis=-1) > 0).sum(axis=0)

    def mean(name: str, k: int) -> float | None:
        return _or_none(np.mean([getattr(s, name)[k] for s in scores]))

    return tuple(
        ClassFigures(
            label=label,
            support=int(scores[0].support[k]),
            n_deployments=int(n_deployments[k]),
            precision=mean("precision", k),
            recall=mean("recall", k),
            f1=mean("f1", k),
        )
        for k, label in enumerate(asked.labels)
        if scores[0].support[k]
    )


def _confusion(
    counts: FloatArray, asked: Asked, level: Level
) -> tuple[tuple[str, ...], FloatArray]:
    """Keep what occurs in the truth; answers outside of it become one column."""
    names, _ = level_matrix(asked.labels, level, taxa=asked.taxa)
    true = counts.sum(axis=1) > 0
    n = int(true.sum())
    kept = np.zeros((n + 1, n + 1))
    kept[:n, :n] = counts[np.ix_(true, true)]
    kept[:n, n] = counts[np.ix_(true, ~true)].sum(axis=1)
    shown = [name for name, occurs in zip(names, true, strict=True) if occurs]
    return (*shown, NOT_SCORED), kept

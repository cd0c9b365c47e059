"""Count what was answered to held-out clips: one table for each deployment.

Tables add up, so that any resample of the deployments is a weighted sum of them (see
`seacall.learn.bootstrap`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from seacall.learn.calibrate import calibration_temperature
from seacall.learn.even_alarms import evened_apart
from seacall.learn.metrics import (
    FloatArray,
    IntArray,
    confusion_matrix,
    reliability_bins,
)
from seacall.taxonomy import (
    LEVELS,
    TAXA,
    Level,
    Taxa,
    fall_back,
    level_matrix,
    level_names,
)


@dataclass(frozen=True, eq=False)
class Asked:
    """The clips that are scored, one entry for each."""

    labels: tuple[str, ...]
    """All classes, those that are not scored too."""
    targets: IntArray
    """True classes ``(n,)``."""
    deployments: tuple[str, ...]
    recordings: tuple[str, ...]
    """What a clip was cut from; clips of one recording share the name."""
    taxa: Taxa = field(default_factory=lambda: TAXA)
    threshold: float = 0.7
    """Lowest score that the fall-back answers."""

    @property
    def groups(self) -> IntArray:
        """Number of each clip's deployment ``(n,)``, in the order of their names."""
        groups: IntArray = np.unique(np.array(self.deployments), return_inverse=True)[1]
        return groups

    @property
    def n_deployments(self) -> int:
        """Deployments that are scored."""
        return len(set(self.deployments))


def calibrated_apart(
    logits: npt.NDArray[np.float32], targets: IntArray, groups: IntArray
) -> FloatArray:
    """Turn logits into scores, each deployment with a temperature of the others.

    A temperature that had seen a deployment's own labels would flatter its calibration
    error.

    Parameters
    ----------
    logits
        Of clips that were held out, ``(n, n_classes)``.
    groups
        Number ``(n,)`` of each clip's deployment.

    Returns
    -------
    scores
        ``(n, n_classes)``.
    """
    scores = np.empty(logits.shape)
    for group in np.unique(groups):
        own, others = groups == group, groups != group
        temperature = None
        if others.any():
            temperature = calibration_temperature(logits[others], targets[others])
        scores[own] = softmax(logits[own].astype(np.float64) / (temperature or 1.0), 1)
    return scores


def count_tables(
    scores: FloatArray, asked: Asked, *, raw: FloatArray | None
) -> dict[str, FloatArray]:
    """Count everything that figures come from.

    Parameters
    ----------
    scores
        ``(n, n_classes)``; each row sums to 1.
    raw
        The same before calibration; None: a look-up, whose scores say nothing.

    Returns
    -------
    tables
        By kind, each ``(n_deployments, ...)``: confusion matrices for ``species``,
        ``family``, ``group`` and ``recordings``; ``pairs`` (2): pairs of species and
        deployment whose pooled clips are wrong, right; and unless it is a look-up,
        ``bins`` and ``raw_bins`` of `seacall.learn.metrics.reliability_bins`,
        ``fall_back`` (4, 2): by level, the last for no answer, wrong and right, and
        ``evened``: as ``species``, after `seacall.learn.even_alarms.evened_apart`.
    """
    groups, targets = asked.groups, asked.targets
    tables: dict[str, FloatArray] = {
        level: _level_table(scores, asked, targets, groups, level) for level in LEVELS
    }
    tables["recordings"] = _level_table(*_pooled(scores, asked, by_recording=True))
    pooled, _, true, of, _ = _pooled(scores, asked, by_recording=False)
    tables["pairs"] = np.zeros((asked.n_deployments, 2))
    np.add.at(tables["pairs"], (of, (pooled.argmax(axis=1) == true).astype(int)), 1)
    if raw is not None:
        tables["bins"] = reliability_bins(targets, scores, groups=groups)
        tables["raw_bins"] = reliability_bins(targets, raw, groups=groups)
        tables["fall_back"] = _fall_back_table(scores, asked)
        logits = np.log(np.maximum(raw, np.finfo(np.float64).tiny))
        evened = softmax(evened_apart(logits, targets, asked.deployments), axis=1)
        tables["evened"] = _level_table(evened, asked, targets, groups, "species")
    return {kind: table.astype(np.float64) for kind, table in tables.items()}


def _level_table(
    scores: FloatArray,
    asked: Asked,
    targets: IntArray,
    groups: IntArray,
    level: Level,
) -> FloatArray:
    names, matrix = level_matrix(asked.labels, level, taxa=asked.taxa)
    return confusion_matrix(
        matrix.argmax(axis=1)[targets],
        (scores @ matrix).argmax(axis=1),
        n_classes=len(names),
        groups=groups,
    ).astype(np.float64)


def _pooled(
    scores: FloatArray, asked: Asked, *, by_recording: bool
) -> tuple[FloatArray, Asked, IntArray, IntArray, Level]:
    """Average the scores of clips that belong together: arguments of `_level_table`.

    Clips of one species and deployment, or of one recording of it. Where a recording
    holds two species, their clips are pooled apart.
    """
    recordings = asked.recordings if by_recording else ("",) * len(asked.targets)
    keys = list(zip(asked.groups, recordings, asked.targets, strict=True))
    number = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    belongs = np.zeros((len(number), len(keys)))
    belongs[[number[key] for key in keys], np.arange(len(keys))] = 1
    pooled = (belongs @ scores) / belongs.sum(axis=1, keepdims=True)
    groups = np.array([key[0] for key in number], dtype=np.int64)
    targets = np.array([key[2] for key in number], dtype=np.int64)
    return pooled, asked, targets, groups, "species"


def _fall_back_table(scores: FloatArray, asked: Asked) -> FloatArray:
    """Count ``(n_deployments, level, wrong or right)``; the last level: no answer."""
    truth = {
        level: level_names(asked.labels, level, taxa=asked.taxa) for level in LEVELS
    }
    answers = fall_back(
        scores, asked.labels, threshold=asked.threshold, taxa=asked.taxa
    )
    table = np.zeros((asked.n_deployments, len(LEVELS) + 1, 2))
    for group, target, answer in zip(asked.groups, asked.targets, answers, strict=True):
        if answer.level is None:
            table[group, -1, 0] += 1
            continue
        right = answer.name == truth[answer.level][target]
        table[group, LEVELS.index(answer.level), int(right)] += 1
    return table

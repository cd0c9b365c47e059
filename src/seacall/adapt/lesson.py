"""Put clips of new classes, old ones and the background into one lesson."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.adapt.clips import Heard
from seacall.adapt.heads import Layer, Lesson
from seacall.adapt.others import Others
from seacall.adapt.plan import Plan
from seacall.labels import UNKNOWN
from seacall.models.bank import Bank
from seacall.models.checkpoint import Calibration

Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_DRAWN_GROUPS = 5
"""Parts that drawn embeddings are dealt out to, for holding some out."""


@dataclass(frozen=True, eq=False)
class Part:
    """Clips from one place."""

    kind: str
    """new, old or background."""
    embeddings: Float64
    logits: Float64
    """Of the old model, calibrated to what its softmax is taken of."""
    targets: IntArray
    """Places among fixed, then trained classes."""
    groups: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Material:
    """A lesson, and what its clips are."""

    lesson: Lesson
    groups: tuple[str, ...]
    kinds: NDArray[np.str_]
    """new, old or background, of each clip."""


def material(parts: Sequence[Part], plan: Plan) -> Material:
    """Join parts and weigh them: classes alike, and groups within each class."""
    targets = np.concatenate([part.targets for part in parts])
    groups = tuple(group for part in parts for group in part.groups)
    logits = np.concatenate([part.logits for part in parts])
    lesson = Lesson(
        embeddings=np.concatenate([part.embeddings for part in parts]),
        fixed=logits[:, plan.fixed_columns()],
        targets=targets,
        weights=equal_shares(targets, groups),
        n_trained=len(plan.trained),
    )
    kinds = np.concatenate([[part.kind] * len(part.targets) for part in parts])
    return Material(lesson, groups, kinds)


def equal_shares(targets: IntArray, groups: Sequence[str]) -> Float64:
    """Weigh clips such that classes are equal, and groups within each class.

    Examples
    --------
    >>> equal_shares(np.array([0, 0, 0, 1]), ["a", "a", "b", "a"])
    array([0.25, 0.25, 0.5 , 1.  ])
    """
    weights = np.zeros(len(targets))
    names = np.asarray(groups)
    for c in np.unique(targets):
        own = targets == c
        inside, counts = np.unique(names[own], return_counts=True)
        count = dict(zip(inside, counts, strict=True))
        weights[own] = [1.0 / (len(inside) * count[g]) for g in names[own]]
    return weights


def clips_part(heard: Heard, plan: Plan, calibration: Calibration) -> list[Part]:
    """Return what a folder's clips are: new, old, or background."""
    known = set(plan.labels)
    kinds = [_kind(label, plan) if label in known else "" for label in heard.labels]
    parts = []
    for kind in ("new", "old", "background"):
        rows = [k for k, one in enumerate(kinds) if one == kind]
        if rows:
            targets = [plan.target(heard.labels[k]) for k in rows]
            parts.append(
                Part(
                    kind,
                    heard.embeddings[rows],
                    softmax_logits(heard.logits[rows], calibration),
                    np.array(targets, np.int64),
                    tuple(heard.groups[k] for k in rows),
                )
            )
    return parts


def _kind(label: str, plan: Plan) -> str:
    if label == UNKNOWN:
        return "background"
    return "new" if label in plan.trained else "old"


def background_part(others: Others, plan: Plan, calibration: Calibration) -> Part:
    """Return clips of the background: each is to be answered ``unknown``."""
    targets = np.full(len(others.groups), plan.target(UNKNOWN), np.int64)
    logits = softmax_logits(others.logits, calibration)
    return Part("background", others.embeddings, logits, targets, others.groups)


def calls_part(others: Others, plan: Plan, calibration: Calibration) -> Part:
    """Return other animals' calls: what the old model says of them shall stay."""
    logits = softmax_logits(others.logits, calibration)
    targets = np.full(len(logits), plan.target(UNKNOWN), np.int64)
    if len(plan.fixed) > 1:
        targets = logits[:, plan.fixed_columns()].argmax(axis=1)
    return Part("old", others.embeddings, logits, targets, others.groups)


def bank_part(
    bank: Bank,
    last: Layer,
    plan: Plan,
    calibration: Calibration,
    *,
    rng: np.random.Generator,
    n_each: int,
) -> Part | None:
    """Return embeddings drawn of the old classes; None: nothing is known of any."""
    embeddings, targets = bank.drawn(rng, n_each)
    stays = [plan.old[c] in plan.fixed and plan.old[c] != UNKNOWN for c in targets]
    embeddings, targets = embeddings[stays], targets[stays]
    if not len(targets):
        return None
    places = [plan.target(plan.old[c]) for c in targets]
    groups = tuple(f"drawn {k % N_DRAWN_GROUPS}" for k in range(len(targets)))
    logits = softmax_logits(last.logits(embeddings), calibration)
    return Part("old", embeddings, logits, np.array(places, np.int64), groups)


def softmax_logits(logits: Float64, calibration: Calibration) -> Float64:
    """Return what the calibrated softmax is taken of.

    Platt's slopes are on log odds, which a further class changes: plain logits there.
    """
    if calibration.method in ("temperature", "vector"):
        offsets = np.array(calibration.offsets) if calibration.offsets else 0.0
        return np.asarray(logits / calibration.temperature + offsets, np.float64)
    return logits

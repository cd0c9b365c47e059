"""Measure how well known sounds are told from others, and set the limits for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from seacall.audio.frontend import ClipInputs
from seacall.detect.classify import BATCH_SIZE, judge_inputs
from seacall.models.backend import Classifier
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import Card
from seacall.models.decide import answers_at
from seacall.models.unknown import (
    KNOWNNESS,
    disagreement,
    event_strength_db,
    is_silent,
    known_by_rule,
    knownness,
    reasons_to_refuse,
    refuse,
)

FloatArray = npt.NDArray[np.float64]

RECALL = 0.95
"""Share of known clips that is kept where false positives are counted."""
EVENT = "event_strength"
RULE = "rule"
"""What the card's rule for the unknown sets its limit on."""
AGREEMENT = "agreement"
"""How much a committee's members agree."""
SHIPPED = "as_shipped"
"""The model with its card: 1 less the score of ``unknown``."""


def auroc(known: npt.ArrayLike, unknown: npt.ArrayLike) -> float:
    """Return the chance that a known clip is above an unknown one, ties half.

    The area under the ROC curve, by ranks (Hanley and McNeil 1982, Radiology 143,
    29-36): 1 is perfect, 0.5 is chance.

    Raises
    ------
    ValueError
        If one of the two is empty.

    Examples
    --------
    >>> auroc([3, 2], [1, 2])
    0.875
    """
    first, second = _both(known, unknown)
    ranks = rankdata(np.concatenate([first, second]))[: len(first)]
    n = len(first)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * len(second)))


def fpr_at_recall(
    known: npt.ArrayLike, unknown: npt.ArrayLike, *, recall: float = RECALL
) -> float:
    """Return the share of unknown clips above the limit that keeps known ones.

    The limit is the highest that keeps at least ``recall`` of the known clips.

    Examples
    --------
    >>> fpr_at_recall([4, 3, 2, 1], [2, 0], recall=0.75)
    0.5
    """
    first, second = _both(known, unknown)
    return float((second >= limit_for(first, recall=recall)).mean())


def limit_for(known: npt.ArrayLike, *, recall: float) -> float:
    """Return the highest limit that keeps at least a share of the known clips."""
    falling = -np.sort(-np.asarray(known, np.float64))
    n_kept = int(np.ceil(recall * len(falling) - 1e-9))
    return float(falling[max(n_kept, 1) - 1])


@dataclass(frozen=True, eq=False)
class Oscr:
    """The open-set classification rate curve, from no clip taken to all of them."""

    fpr: FloatArray
    """Share of unknown clips that are taken for known."""
    ccr: FloatArray
    """Share of known clips that are taken for known and named right."""

    @property
    def area(self) -> float:
        """Area under it: at most the accuracy on known clips."""
        return float(np.trapezoid(self.ccr, self.fpr))


def oscr(known: npt.ArrayLike, right: npt.ArrayLike, unknown: npt.ArrayLike) -> Oscr:
    """Return how many known clips are named right for each share of mistaken unknowns.

    Parameters
    ----------
    known
        How known each known clip is, shape ``(n_known,)``.
    right
        Whether its best species is the true one, shape ``(n_known,)``.
    unknown
        How known each unknown clip is, shape ``(n_unknown,)``.

    References
    ----------
    Dhamija, Guenther and Boult, "Reducing network agnostophobia", NeurIPS 2018,
    section 4.2, equation 6.
    """
    first, second = _both(known, unknown)
    named = np.sort(first[np.asarray(right, bool)])
    rising = np.sort(second)
    limits = np.unique(np.concatenate([first, second]))[::-1]

    def above(values: FloatArray, n: int) -> FloatArray:
        return (len(values) - np.searchsorted(values, limits, side="left")) / n

    return Oscr(
        fpr=np.r_[0.0, above(rising, len(second))],
        ccr=np.r_[0.0, above(named, len(first))],
    )


def _both(
    known: npt.ArrayLike, unknown: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    first, second = np.asarray(known, np.float64), np.asarray(unknown, np.float64)
    if not len(first) or not len(second):
        raise ValueError(f"need clips of both, got {len(first)} and {len(second)}")
    return first, second


@dataclass(frozen=True, eq=False)
class Heard:
    """What a network makes of clips of one kind; what a card says of it may change."""

    logits: FloatArray
    """Shape ``(n, n_classes)``."""
    event_strength: FloatArray | None = None
    """Of `seacall.models.unknown.event_strength_db`, shape ``(n,)``."""
    silent: npt.NDArray[np.bool_] | None = None
    """Of `seacall.models.unknown.is_silent`, shape ``(n,)``."""

    def only(self, mask: npt.NDArray[np.bool_]) -> Heard:
        """Return some of the clips; ``mask`` has shape ``(n,)``."""
        strength, silent = self.event_strength, self.silent
        return Heard(
            logits=self.logits[mask],
            event_strength=None if strength is None else strength[mask],
            silent=None if silent is None else silent[mask],
        )

    def scores(self, card: Card) -> FloatArray:
        """Return what a model with this card would give, ``(n, n_classes)``."""
        n = len(self.logits)
        reasons = reasons_to_refuse(
            self.logits,
            silent=np.zeros(n, bool) if self.silent is None else self.silent,
            event_strength=self.event_strength,
            rule=card.unknown,
        )
        scores = refuse(calibrated(self.logits, card.calibration), reasons)
        return scores.astype(np.float64)

    def share_unknown(self, card: Card) -> float:
        """Return the share that a model with this card would answer ``unknown``."""
        answers = answers_at(self.scores(card).astype(np.float32), card.lowest_scores)
        return float((answers >= len(card.labels) - 1).mean())

    def by(self, method: str, card: Card) -> FloatArray:
        """Return how known each clip is, shape ``(n,)``.

        Raises
        ------
        ValueError
            If it was not measured, or there is no such method.
        """
        if method == EVENT and self.event_strength is not None:
            return self.event_strength
        if method == RULE:
            found = known_by_rule(self.logits, self.event_strength, card.unknown)
            return np.zeros(len(self.logits)) if found is None else found
        if method == AGREEMENT:
            return -disagreement(self.logits)
        if method == SHIPPED:
            return np.asarray(1.0 - self.scores(card)[:, -1])
        return knownness(self.logits, method)


METHODS = (*KNOWNNESS, EVENT, RULE, SHIPPED)
"""Ways to tell known clips from others that are compared."""


def hear(classifier: Classifier, clips: Iterable[ClipInputs]) -> Heard:
    """Run a model on clips that the front end has been through.

    Raises
    ------
    ValueError
        If there is none.
    """
    profile = classifier.card.front_end.profile
    logits, strength, silent = [], [], []
    waiting = iter(clips)
    while batch := list(islice(waiting, BATCH_SIZE)):
        log_mel = np.stack([one.log_mel for one in batch])
        logits.append(judge_inputs(classifier, batch).logits)
        strength.append(event_strength_db(log_mel, profile))
        silent.append(is_silent(log_mel, profile))
    if not logits:
        raise ValueError("no clips: give at least one")
    return Heard(
        logits=np.concatenate(logits).astype(np.float64),
        event_strength=np.concatenate(strength),
        silent=np.concatenate(silent),
    )


def measure_unknown(
    known: Heard,
    right: npt.ArrayLike,
    unknown_by_kind: Mapping[str, Heard],
    *,
    card: Card,
) -> dict[str, dict[str, Any]]:
    """Compare ways of telling known clips from each kind of unknown ones.

    Parameters
    ----------
    known
        Clips of species that were trained on, from deployments that were not.
    right
        Whether the best species of each is the true one, shape ``(n_known,)``.
    unknown_by_kind
        Clips that no species made, or species that were not trained on, by kind.
    card
        Of the model, with the rule and thresholds that are measured as shipped.

    Returns
    -------
    figures
        For each kind ``n_clips``, ``share_unknown`` (answered unknown) and for each of
        `METHODS` ``auroc``, ``fpr95`` (false positives at 95 % recall) and ``oscr``.
        Without the known clips' event strength there is no figure for that.
    """
    methods = [m for m in METHODS if m != EVENT or known.event_strength is not None]
    if card.members:
        methods.insert(len(KNOWNNESS), AGREEMENT)
    found: dict[str, dict[str, Any]] = {}
    for kind, heard in unknown_by_kind.items():
        figures: dict[str, Any] = {
            "n_clips": len(heard.logits),
            "share_unknown": heard.share_unknown(card),
        }
        for method in methods:
            first, second = known.by(method, card), heard.by(method, card)
            figures[method] = {
                "auroc": auroc(first, second),
                "fpr95": fpr_at_recall(first, second),
                "oscr": oscr(first, right, second).area,
            }
        found[kind] = figures
    return found

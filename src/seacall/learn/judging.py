"""Say which detections are hits and which false alarms, in one recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seacall.learn.listened import Scored
from seacall.learn.matching import BoolArray, Pairs, hits_in_order, overlapping
from seacall.learn.stretches import FloatArray, length_s, shared_s, windows, without

ENOUGH = 0.5
"""Share of the shorter of two stretches that must lie in the other."""
_SLACK_S = 1e-6
"""Times are written with six digits."""
_HOUR_S = 3600.0


@dataclass(frozen=True, eq=False)
class Judged:
    """Scored detections (or windows) of one class in one recording."""

    scores: FloatArray
    """Falling, shape ``(n,)``."""
    hits: BoolArray
    """Whether each is one, shape ``(n,)``."""
    n_positives: int
    """Annotations that count (or windows with one)."""
    free_h: float
    """Time that counts and holds no annotation of the class, hours."""
    n_on_calls: int = 0
    """False alarms that lie on an annotation all the same: badly placed, or twice."""

    @property
    def n_hits(self) -> int:
        """Annotations that are answered."""
        return int(self.hits.sum())

    @property
    def n_false_alarms(self) -> int:
        """Detections that answer none."""
        return int((~self.hits).sum())


def judge_events(
    found: Scored, calls: FloatArray, counted: FloatArray, *, iou: float
) -> Judged:
    """Match detections with annotations one to one.

    A pair may match if the intersection of both is at least ``iou`` of their union. An
    annotation counts if at least half of it lies in what counts; so does a detection,
    and one that may match an annotation that counts.

    Parameters
    ----------
    found
        Detections of the class.
    calls
        Annotations of the class, s, shape ``(n, 2)``.
    counted
        What was heard and looked through by a person.
    """
    positives = calls[_mostly_in(calls, counted)]
    order = np.argsort(-found.scores, kind="stable")
    stretches, scores = found.stretches[order], found.scores[order]
    pairs = _possible(stretches, positives, iou=iou)
    kept = _mostly_in(stretches, counted)
    kept[pairs.first] = True
    stretches, scores = stretches[kept], scores[kept]
    hits = hits_in_order(
        _possible(stretches, positives, iou=iou),
        n_first=len(stretches),
        n_second=len(positives),
    )
    on_calls = shared_s(stretches, calls) > _SLACK_S
    return Judged(
        scores,
        hits,
        n_positives=len(positives),
        free_h=length_s(without(counted, calls)) / _HOUR_S,
        n_on_calls=int((on_calls & ~hits).sum()),
    )


def _possible(stretches: FloatArray, calls: FloatArray, *, iou: float) -> Pairs:
    pairs = overlapping(stretches, calls)
    return pairs.only(pairs.iou >= iou - 1e-9)


def _mostly_in(stretches: FloatArray, whole: FloatArray) -> BoolArray:
    inside = shared_s(stretches, whole)
    found: BoolArray = inside >= ENOUGH * np.diff(stretches).ravel() - _SLACK_S
    return found


def judge_windows(
    found: Scored, calls: FloatArray, counted: FloatArray, *, window_s: float
) -> Judged:
    """Ask of each window of fixed length whether a call is there, and was detected.

    A window holds a call if they share at least half of the shorter of the two. Windows
    that a call only touches are neither with nor without, and left out. A window's
    score is the highest of what lies on it in the same sense; one without any is never
    detected.

    Parameters
    ----------
    found
        Clips, or detections, of the class.
    calls
        Annotations of the class, s, shape ``(n, 2)``.
    counted
        What was heard and looked through by a person; windows are laid out in it.
    """
    laid = windows(counted, window_s)
    touching = overlapping(laid, calls)
    present = np.zeros(len(laid), dtype=bool)
    present[_enough(touching, laid, calls).first] = True
    touched = np.zeros(len(laid), dtype=bool)
    touched[touching.first[touching.shared_s > _SLACK_S]] = True
    pairs = _enough(overlapping(laid, found.stretches), laid, found.stretches)
    scores = np.full(len(laid), -np.inf)
    np.maximum.at(scores, pairs.first, found.scores[pairs.second])
    absent = ~touched
    detected = np.isfinite(scores) & (present | absent)
    order = np.flatnonzero(detected)
    order = order[np.argsort(-scores[order], kind="stable")]
    return Judged(
        scores[order],
        present[order],
        n_positives=int(present.sum()),
        free_h=float(np.diff(laid[absent]).sum()) / _HOUR_S,
    )


def _enough(pairs: Pairs, first: FloatArray, second: FloatArray) -> Pairs:
    lengths = np.diff(first).ravel()[pairs.first], np.diff(second).ravel()[pairs.second]
    return pairs.only(pairs.shared_s >= ENOUGH * np.minimum(*lengths) - _SLACK_S)

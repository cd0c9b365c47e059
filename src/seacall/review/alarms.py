"""False alarms per hour that are to be expected at each threshold of a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seacall.review.quality import FEWEST, Drawn, drawn_by_label
from seacall.review.shelf import Shelf

_STEP = 0.05
Basis = Literal["reviewed", "card", "none"]


@dataclass(frozen=True)
class ThresholdRow:
    """What the thresholds of one class would bring."""

    label: str
    threshold: float | None
    """As it was set here; None: it was not."""
    default: float
    """The run's own."""
    points: tuple[dict[str, float | int | None], ...]
    """Threshold, detections from there on, false alarms per hour (None: unknown)."""
    basis: Basis

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return vars(self) | {"points": list(self.points)}


def threshold_rows(place: Shelf) -> tuple[ThresholdRow, ...]:
    """Return for each class what thresholds would bring."""
    columns, book = place.book()
    drawn = drawn_by_label(place, columns, book)
    own, hours, card = place.notebook.thresholds(), place.hours(), place.card
    lowest = (
        {} if card is None else dict(zip(card.labels, card.lowest_scores, strict=True))
    )
    rows = []
    for label in place.labels:
        code = columns.labels.index(label) if label in columns.labels else -1
        scores = np.sort(columns.score[columns.label == code])
        default = lowest.get(label, float(scores[0]) if len(scores) else 0.5)
        judged = drawn.get(label, Drawn((), (), ()))
        measured = card.false_alarms.measured.get(label) if card is not None else None
        rate = measured.get("per_hour") if isinstance(measured, dict) else None
        points = tuple(
            {
                "threshold": at,
                "n": int(len(scores) - np.searchsorted(scores, at)),
                "per_hour": _rate(scores, judged, at, hours),
            }
            for at in _steps(scores)
        )
        basis: Basis = "reviewed" if len(judged.good) >= FEWEST else "none"
        if basis == "none" and isinstance(rate, int | float):
            basis = "card"
            points = tuple(
                p | {"per_hour": float(rate)}
                if p["threshold"] == _nearest(points, default)
                else p
                for p in points
            )
        rows.append(ThresholdRow(label, own.get(label), default, points, basis))
    return tuple(rows)


def _steps(scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Return thresholds from the lowest score on."""
    if not len(scores):
        return []
    first = np.floor(scores[0] / _STEP)
    return [round(_STEP * k, 2) for k in np.arange(first, round(1 / _STEP))]


def _rate(
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
    drawn: Drawn,
    threshold: float,
    hours: float,
) -> float | None:
    """Return detections from a threshold on, times their share of wrong ones."""
    above = drawn.from_score(threshold)
    if above.share is None or len(drawn.good) < FEWEST or hours <= 0:
        return None
    n = len(scores) - int(np.searchsorted(scores, threshold))
    return round(n * (1 - above.share) / hours, 4)


def _nearest(points: tuple[dict[str, Any], ...], threshold: float) -> float | None:
    at = [float(p["threshold"]) for p in points]
    return min(at, key=lambda one: abs(one - threshold)) if at else None

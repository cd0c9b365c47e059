"""Measure what users fear: a new class that swallows all, and errors that are sure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.adapt.lesson import Material
from seacall.adapt.plan import Plan
from seacall.models.decide import answers_at

Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

LOWEST_THRESHOLD = 0.3
"""Below it more than two other classes may be as likely."""
HIGHEST_THRESHOLD = 0.95
LEAST_KEPT = 0.9
"""Share of other classes' clips that keep their best class, below which there is a
warning."""
SURE = 0.8
"""Mean score of wrong answers from which on there is a warning."""
_OTHERS = ("background", "old")
_STEPS = np.arange(LOWEST_THRESHOLD, HIGHEST_THRESHOLD + 0.001, 0.05).round(2)


@dataclass(frozen=True)
class ClassGuard:
    """What was measured of one new class."""

    label: str
    n_clips: int
    n_groups: int
    threshold: float
    """Smallest score that counts as this answer."""
    recall: float
    """Share of its clips that are answered with it."""
    best: float
    """Share of its clips whose best score is its, whatever the threshold."""
    false_background: int
    """Background clips that are answered with it."""
    false_old: int
    """Clips of other classes that are answered with it."""


@dataclass(frozen=True)
class Guards:
    """What was measured on clips that the layers in question had not seen."""

    classes: tuple[ClassGuard, ...]
    n_background: int
    n_old: int
    kept_old: float | None
    """Share of old classes' clips whose best class is the same as before."""
    n_wrong: int
    """Clips of new classes with another best class."""
    sure_when_wrong: float | None
    """Their mean score."""
    calibration_error: float | None
    """Expected calibration error on clips of new classes, ten bins."""
    held_out: bool
    """False: clips of new classes were all learned from, and flatter."""
    measured_on: dict[str, str] = field(default_factory=dict)
    """What background and other classes' clips were."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **{k: v for k, v in vars(self).items() if k != "classes"},
            "classes": [vars(one) for one in self.classes],
        }

    def lines(self) -> list[str]:
        """Return what there is to tell."""
        how = "held out" if self.held_out else "on the clips themselves"
        lines = []
        for one in self.classes:
            lines.append(
                f"{one.label}: {one.n_clips} clips of {one.n_groups} groups; {how} "
                f"{one.best:.0%} are best of it, {one.recall:.0%} are answered from "
                f"{one.threshold:.2f} on; taken for it: {one.false_background} of "
                f"{self.n_background} background clips, {one.false_old} of "
                f"{self.n_old} of other classes"
            )
        if self.kept_old is not None:
            lines.append(
                f"old classes: {self.kept_old:.1%} of {self.n_old} clips keep their "
                f"best class ({self.measured_on.get('old', '')})"
            )
        if self.sure_when_wrong is not None:
            lines.append(
                f"wrong about new classes: {self.n_wrong} clips, mean score "
                f"{self.sure_when_wrong:.2f}; calibration error "
                f"{self.calibration_error:.2f}"
            )
        return lines

    def warnings(self, most_false: float) -> Iterator[str]:
        """Say what is beyond the limits."""
        for one in self.classes:
            for n, of, what in (
                (one.false_background, self.n_background, "the background"),
                (one.false_old, self.n_old, "other classes"),
            ):
                if n > n_allowed(of, most_false):
                    yield (
                        f"{one.label}: {n / of:.1%} of {what} is answered with it, "
                        f"more than {most_false:.0%}, even from a score of "
                        f"{one.threshold:.2f} on; give more clips, or --negatives"
                    )
        few = [f"{k.label} {k.recall:.0%}" for k in self.classes if k.recall < 0.5]
        if few:
            yield (
                f"little of their own clips is answered at their thresholds: "
                f"{', '.join(few)}; look through scores below that, or allow more "
                "mistakes with --most-false"
            )
        if self.kept_old is not None and self.kept_old < LEAST_KEPT:
            yield (
                f"{1 - self.kept_old:.0%} of other classes' clips have a new class as "
                "their best: below its threshold they become unknown; give clips of "
                "old classes (--old)"
            )
        if self.sure_when_wrong is not None and self.sure_when_wrong > SURE:
            yield (
                f"wrong answers about new classes have a mean score of "
                f"{self.sure_when_wrong:.2f}: do not read scores as certainty"
            )


def n_allowed(n: int, share: float) -> int:
    """Return how many of n clips may be taken for a class.

    Rounded down: with few clips, none. On deployments never heard it is several times
    as many (docs/adapt.md).
    """
    return int(share * n)


def choose_thresholds(
    scores: Float64, found: Material, plan: Plan, *, most_false: float
) -> dict[str, float]:
    """Choose each new class's threshold: the lowest that lets few others through.

    Parameters
    ----------
    scores
        Calibrated, in the order of the final classes, ``(n, n_classes)``.
    most_false
        Share of the background, and of other classes' clips, that may be answered
        with the class.
    """
    chosen = {}
    best, top = scores.argmax(axis=1), scores.max(axis=1)
    for label in plan.new:
        others = [
            top[(found.kinds == kind) & (best == plan.labels.index(label))]
            for kind in _OTHERS
        ]
        sizes = [max(int((found.kinds == kind).sum()), 1) for kind in _OTHERS]
        fits = [
            t
            for t in _STEPS
            if all(
                np.sum(x >= t) <= n_allowed(n, most_false)
                for x, n in zip(others, sizes, strict=True)
            )
        ]
        chosen[label] = float(fits[0]) if fits else HIGHEST_THRESHOLD
    return chosen


def measure(
    scores: Float64,
    found: Material,
    plan: Plan,
    *,
    lowest: Sequence[float],
    held_out: bool,
    measured_on: dict[str, str],
) -> Guards:
    """Measure what comes of scores; see :class:`Guards`.

    Parameters
    ----------
    scores
        Calibrated, in the order of the final classes, ``(n, n_classes)``.
    lowest
        Threshold of each class.
    """
    answers = answers_at(scores, np.asarray(lowest))
    truth = np.argsort(plan.in_order())[found.lesson.targets]
    best, top = scores.argmax(axis=1), scores.max(axis=1)
    is_new, is_old = found.kinds == "new", found.kinds == "old"
    background = found.kinds == "background"
    wrong = is_new & (best != truth)
    groups = np.asarray(found.groups)

    def of_class(label: str) -> ClassGuard:
        c = plan.labels.index(label)
        own = is_new & (truth == c)
        return ClassGuard(
            label=label,
            n_clips=int(own.sum()),
            n_groups=len(np.unique(groups[own])),
            threshold=float(lowest[c]),
            recall=float(np.mean(answers[own] == c)),
            best=float(np.mean(best[own] == c)),
            false_background=int(np.sum(answers[background] == c)),
            false_old=int(np.sum(answers[is_old] == c)),
        )

    return Guards(
        classes=tuple(map(of_class, plan.new)),
        n_background=int(background.sum()),
        n_old=int(is_old.sum()),
        kept_old=_kept(scores, found, plan) if is_old.any() else None,
        n_wrong=int(wrong.sum()),
        sure_when_wrong=float(top[wrong].mean()) if wrong.any() else None,
        calibration_error=_error(top[is_new], best[is_new] == truth[is_new]),
        held_out=held_out,
        measured_on=measured_on,
    )


def _kept(scores: Float64, found: Material, plan: Plan) -> float | None:
    """Return how many old classes' clips have the same best class as before."""
    old = found.kinds == "old"
    fixed = found.lesson.fixed[old]
    if not fixed.shape[1]:
        return None
    before = [plan.labels.index(plan.fixed[c]) for c in fixed.argmax(axis=1)]
    return float(np.mean(scores[old].argmax(axis=1) == before))


def _error(top: Float64, right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error in ten bins of equal width."""
    bins = np.minimum((top * 10).astype(int), 9)
    total = 0.0
    for b in np.unique(bins):
        inside = bins == b
        total += inside.mean() * abs(top[inside].mean() - right[inside].mean())
    return float(total)

"""Measure detections against annotations: figures of each class, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from seacall.learn.bootstrap import bootstrap_weights, percentile_interval
from seacall.learn.evaluation import LEVEL, Estimate
from seacall.learn.judging import Judged, judge_events, judge_windows
from seacall.learn.listened import HIGHEST, Listened, Listening, Scored
from seacall.learn.observe import Observer
from seacall.learn.stretches import length_s
from seacall.learn.sweep import (
    MOST_THRESHOLDS,
    RATES_PER_HOUR,
    FloatArray,
    Sweep,
    sweep_of,
    thinned,
)
from seacall.learn.truth import LEFT_OUT, NEGATIVE, Truth
from seacall.settings import Settings

MOST_MERGES = 100
"""Thresholds at which clips are merged anew; each costs a pass over all clips."""
N_RESAMPLES = 1000
_ROUNDING = 2e-6
"""What merging takes for equal scores."""

Figure = Callable[[Sweep], FloatArray]
"""From counts ``(n, n_thresholds)`` to one number for each row, ``(n,)``."""


class DetectionMeasure(Settings):
    """How detections are compared with annotations."""

    iou: float = Field(default=0.5, gt=0, le=1)
    """A detection may answer an annotation if their intersection is at least this share
    of their union."""
    window_s: float | None = Field(default=None, gt=0)
    """Compare windows of this length instead, s: is the class there, was it detected?
    None: match detections and annotations one to one."""
    only_annotated: bool = False
    """Only stretches with a label count, be it ``noise``."""
    negative: tuple[str, ...] = NEGATIVE
    """Labels that say there is no call."""
    left_out: tuple[str, ...] = LEFT_OUT
    """Labels that say nothing is known; such stretches do not count."""
    names: dict[str, str] = Field(default_factory=dict)
    """What annotations' labels are called among the detections."""
    seed: int = 0
    """Of the resampling."""

    @property
    def in_words(self) -> str:
        """What is compared."""
        if self.window_s is not None:
            return f"windows of {self.window_s:g} s"
        return f"one to one, IoU at least {self.iou:g}"


@dataclass(frozen=True, eq=False)
class DetectionFigures:
    """What was found of one class."""

    label: str
    threshold: float | None
    """From which score on it was detected; None: never."""
    n_annotations: int
    """Annotations that count (or windows with one)."""
    n_hits: int
    n_false_alarms: int
    n_on_calls: int
    """False alarms that lie on an annotation all the same."""
    free_h: float
    """Time that counts and holds no annotation of the class, hours."""
    figures: dict[str, Estimate]
    """``precision``, ``recall``, ``f1`` and ``false_alarms_per_hour`` at the threshold;
    ``average_precision`` and ``recall_at_R_per_hour`` over all thresholds."""
    thresholds_at: dict[float, float | None]
    """Threshold for each rate of `RATES_PER_HOUR`."""
    curve: Sweep
    """All recordings together, one row."""


@dataclass(frozen=True, eq=False)
class DetectionReport:
    """What `measure_detections` found."""

    measure: DetectionMeasure
    origin: str
    model: str
    """Its name; empty: only a table of detections was there."""
    classes: tuple[DetectionFigures, ...]
    """Annotated classes."""
    others: tuple[DetectionFigures, ...]
    """Classes that were detected, and are annotated nowhere."""
    n_recordings: int
    heard_h: float
    counted_h: float
    """What was heard and counts, hours."""


def rate_key(rate: float) -> str:
    """Return the name of the figure "recall at a rate".

    Examples
    --------
    >>> rate_key(0.1)
    'recall_at_0.1_per_hour'
    """
    return f"recall_at_{rate:g}_per_hour"


@dataclass(frozen=True, eq=False)
class _Case:
    """A recording, and what counts of it."""

    listened: Listened
    counted: FloatArray


class Measurer:
    """Measures one class after another on the same recordings."""

    def __init__(
        self, listening: Listening, truth: Truth, measure: DetectionMeasure
    ) -> None:
        self._listening, self._truth, self._measure = listening, truth, measure
        self._cases = [_Case(one, self._counted(one)) for one in listening.recordings]

    def _counted(self, one: Listened) -> FloatArray:
        only = self._measure.only_annotated
        return self._truth.counted(one.searched.path, one.heard, only=only)

    @property
    def counted_h(self) -> float:
        """What counts, hours."""
        return sum(length_s(case.counted) for case in self._cases) / 3600

    def figures(self, label: str, *, tried: bool = True) -> DetectionFigures:
        """Measure one class.

        Parameters
        ----------
        tried
            Whether other thresholds are tried too, where scores of clips are there.
        """
        at_threshold = [
            self._judge(case, label, case.listened.found_of(label))
            for case in self._cases
        ]
        exact, few = self._sweeps(label, at_threshold, tried=tried)
        point = _point(at_threshold)
        total = point.pooled()
        pooled = exact.pooled()
        rng = np.random.default_rng(self._measure.seed)
        weights = (
            bootstrap_weights(len(self._cases), rng=rng, n_resamples=N_RESAMPLES)
            if len(self._cases) > 1
            else None
        )
        return DetectionFigures(
            label=label,
            threshold=self._listening.threshold_of(label),
            n_annotations=int(total.n_positives[0]),
            n_hits=int(total.hits[0, 0]),
            n_false_alarms=int(total.false_alarms[0, 0]),
            n_on_calls=sum(judged.n_on_calls for judged in at_threshold),
            free_h=float(total.free_h[0]),
            figures={
                **_estimates(point, point, weights, at=_AT_THRESHOLD),
                **_estimates(exact, few, weights, at=_OVERALL),
            },
            thresholds_at={rate: pooled.threshold_at(rate) for rate in RATES_PER_HOUR},
            curve=pooled,
        )

    def _judge(self, case: _Case, label: str, found: Scored) -> Judged:
        calls = self._truth.calls_of(case.listened.searched.path, label)
        if self._measure.window_s is not None:
            window_s = self._measure.window_s
            return judge_windows(found, calls, case.counted, window_s=window_s)
        return judge_events(found, calls, case.counted, iou=self._measure.iou)

    def _sweeps(
        self, label: str, found: Sequence[Judged], *, tried: bool
    ) -> tuple[Sweep, Sweep]:
        """Return the curve, and one of few enough thresholds to be resampled."""
        if not (tried and self._listening.has_clips):
            return _counted_up(found)
        clips = [
            self._listening.clip_scores(case.listened, label) for case in self._cases
        ]
        if self._measure.window_s is not None:
            pairs = zip(self._cases, clips, strict=True)
            return _counted_up([self._judge(c, label, scored) for c, scored in pairs])
        merged = self._merged(label, clips, found)
        return merged, merged

    def _merged(
        self, label: str, clips: Sequence[Scored], found: Sequence[Judged]
    ) -> Sweep:
        """Merge clips anew at each threshold: what is a detection changes with it."""
        every = np.concatenate([c.scores for c in clips] or [np.empty(0)])
        falling = np.unique(np.minimum(every, HIGHEST))[::-1]
        thresholds = thinned(falling, MOST_MERGES)
        n, t = len(self._cases), len(thresholds)
        hits, false_alarms = np.zeros((n, t)), np.zeros((n, t))
        for i, (case, scored) in enumerate(zip(self._cases, clips, strict=True)):
            known: dict[tuple[int, ...], tuple[int, int]] = {}
            rising = np.sort(scored.scores)
            for k in np.flatnonzero(thresholds <= rising.max(initial=-np.inf)):
                # Where the same clips are above it, a threshold changes nothing.
                clips_above = self._places(rising, thresholds[k])
                if clips_above not in known:
                    at = self._listening.found_at(case.listened, label, thresholds[k])
                    judged = self._judge(case, label, at)
                    known[clips_above] = judged.n_hits, judged.n_false_alarms
                hits[i, k], false_alarms[i, k] = known[clips_above]
        return Sweep(thresholds, hits, false_alarms, *_bases(found))

    def _places(self, rising: FloatArray, threshold: float) -> tuple[int, ...]:
        """Return how many clips lie below a threshold, and below what it lets go on."""
        edges = threshold * np.array([1.0, self._listening.settings.hold])
        about = np.concatenate([edges - _ROUNDING, edges, edges + _ROUNDING])
        return tuple(np.searchsorted(rising, about).tolist())


def _bases(found: Sequence[Judged]) -> tuple[FloatArray, FloatArray]:
    return (
        np.array([judged.n_positives for judged in found], dtype=np.float64),
        np.array([judged.free_h for judged in found], dtype=np.float64),
    )


def _counted_up(found: Sequence[Judged]) -> tuple[Sweep, Sweep]:
    scores = np.concatenate([judged.scores for judged in found] or [np.empty(0)])
    hits = np.concatenate([judged.hits for judged in found] or [np.empty(0, bool)])
    numbers = np.repeat(np.arange(len(found)), [len(judged.scores) for judged in found])
    n_positives, free_h = (values.tolist() for values in _bases(found))

    def counted(recordings: Any, most: int | None, *, whole: bool) -> Sweep:
        return sweep_of(
            scores,
            hits,
            recordings,
            n_positives=[sum(n_positives)] if whole else n_positives,
            free_h=[sum(free_h)] if whole else free_h,
            most=most,
        )

    exact = counted(np.zeros_like(numbers), None, whole=True)
    return exact, counted(numbers, MOST_THRESHOLDS, whole=False)


def _point(found: Sequence[Judged]) -> Sweep:
    """Return the counts at the threshold that detections were made with."""
    return Sweep(
        np.zeros(1),
        np.array([[judged.n_hits] for judged in found], dtype=np.float64),
        np.array([[judged.n_false_alarms] for judged in found], dtype=np.float64),
        *_bases(found),
    )


def _f1(sweep: Sweep) -> FloatArray:
    # 2 p r / (p + r) = 2 h / (annotations + detections)
    whole = sweep.n_positives[:, None] + sweep.hits + sweep.false_alarms
    f1 = np.where(whole > 0, 2 * sweep.hits / np.maximum(whole, 1e-300), np.nan)
    return np.where(sweep.n_positives[:, None] > 0, f1, np.nan)[:, 0]


def _recall_at(rate: float) -> Figure:
    return lambda sweep: sweep.recall_at(rate)


_AT_THRESHOLD: dict[str, Figure] = {
    "precision": lambda s: s.precision[:, 0],
    "recall": lambda s: s.recall[:, 0],
    "f1": _f1,
    "false_alarms_per_hour": lambda s: s.rate[:, 0],
}
_OVERALL: dict[str, Figure] = {
    "average_precision": lambda s: s.average_precision(),
    **{rate_key(rate): _recall_at(rate) for rate in RATES_PER_HOUR},
}


def _estimates(
    exact: Sweep, few: Sweep, weights: FloatArray | None, *, at: dict[str, Figure]
) -> dict[str, Estimate]:
    """Return figures of all recordings together, with intervals by recording."""
    pooled = exact.pooled()
    drawn = None if weights is None else few.weighted(weights)
    found = {}
    for name, figure in at.items():
        value = float(figure(pooled)[0])
        known = bool(np.isfinite(value))
        interval = (
            percentile_interval(figure(drawn), level=LEVEL)
            if known and drawn is not None
            else None
        )
        found[name] = Estimate(value if known else None, interval)
    return found


def measure_detections(
    listening: Listening,
    truth: Truth,
    *,
    measure: DetectionMeasure,
    observer: Observer,
) -> DetectionReport:
    """Measure all classes that are annotated, and count what else was detected.

    Recordings that were not heard at all must not be among those of ``listening``.
    """
    measurer = Measurer(listening, truth, measure)
    # A model says what it can detect; a table only what it did.
    known = listening.labels if listening.has_clips else truth.labels
    annotated = [label for label in truth.labels if label in known]
    detected = {d.label for one in listening.recordings for d in one.found}
    others = [label for label in sorted(detected) if label not in annotated]
    classes = []
    for k, label in enumerate(annotated):
        observer.progress("measuring", k, len(annotated), label)
        classes.append(measurer.figures(label))
    observer.progress("measuring", len(annotated), len(annotated))
    return DetectionReport(
        measure=measure,
        origin=listening.origin,
        model=listening.card.name if listening.card else "",
        classes=tuple(classes),
        others=tuple(measurer.figures(label, tried=False) for label in others),
        n_recordings=len(listening.recordings),
        heard_h=sum(one.searched.heard_s for one in listening.recordings) / 3600,
        counted_h=measurer.counted_h,
    )

"""Set thresholds so that a class gives no more than so many false alarms per hour.

Half of the recordings sets them, the other half says what came out: on the recordings
that a threshold was chosen on, it keeps its promise by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seacall.labels import UNKNOWN
from seacall.learn.alarm_places import Place, halves, in_words
from seacall.learn.listened import HIGHEST, Listening, Scored
from seacall.learn.observe import Observer
from seacall.learn.poisson import hours_needed, rate_at_most, rate_interval
from seacall.learn.stretches import FloatArray, length_s, shared_s, without
from seacall.learn.sweep import MOST_THRESHOLDS, thinned
from seacall.learn.truth import Truth
from seacall.models.checkpoint import NEVER, Card, FalseAlarms

MOST_NAMES = 1000
_SLACK_S = 1e-6
_HOUR_S = 3600.0


@dataclass(frozen=True)
class ClassAlarms:
    """What was set for a class, and what came out."""

    label: str
    threshold: float
    """`NEVER`: no threshold is high enough."""
    n_set: int
    """False alarms where it was set."""
    set_h: float
    n_measured: int
    """False alarms on the other recordings."""
    measured_h: float
    n_calls: int
    """Annotated calls on the other recordings."""
    n_found: int
    """Those of them that a detection lies on."""

    @property
    def rate(self) -> float | None:
        """False alarms per hour on the other recordings; None: no hours."""
        return self.n_measured / self.measured_h if self.measured_h > 0 else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        at_most = rate_at_most(self.n_measured, self.measured_h)
        return {
            **vars(self),
            "per_hour": self.rate,
            "interval": rate_interval(self.n_measured, self.measured_h),
            "at_most_per_hour": at_most if np.isfinite(at_most) else None,
        }


@dataclass(frozen=True)
class AlarmCalibration:
    """A new card, and what was found on the way to it."""

    card: Card
    classes: tuple[ClassAlarms, ...]
    remarks: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "card": self.card.model_dump(mode="json"),
            "classes": {one.label: one.as_dict() for one in self.classes},
            "remarks": list(self.remarks),
        }

    def lines(self) -> list[str]:
        """Render for people."""
        alarms = self.card.false_alarms
        return [
            f"thresholds for {alarms.target_per_hour:g} false alarms per hour and "
            f"class, set on {alarms.set_on}; measured on {alarms.measured_on}:",
            *(f"  {_line(one)}" for one in self.classes),
            *(f"note: {remark}" for remark in self.remarks),
        ]


def _line(one: ClassAlarms) -> str:
    lowest = "never" if one.threshold >= NEVER else f"{one.threshold:.3f}"
    text = f"{one.label}: {lowest}; {one.n_measured:,} false alarms"
    if one.rate is not None:
        bound = rate_at_most(one.n_measured, one.measured_h)
        text += (
            f" in {one.measured_h:.2f} h, {one.rate:.2g} an hour, "
            f"at most {bound:.2g} (95 %)"
        )
    if one.n_calls:
        text += f"; {one.n_found} of {one.n_calls} calls found"
    return text


def calibrate_false_alarms(
    card: Card,
    places: Sequence[Place],
    *,
    listening: Listening,
    truth: Truth,
    per_hour: float,
    only_annotated: bool,
    observer: Observer,
) -> AlarmCalibration:
    """Set the threshold of each class on half of the recordings.

    A false alarm is a detection that lies on no annotation of its class. Recordings
    without annotations count for all classes, annotated ones for the classes that are
    annotated anywhere.

    Parameters
    ----------
    card
        Of the model that listened.
    places
        Recordings of ``listening``.
    per_hour
        False alarms per hour that a class may give.
    only_annotated
        Whether in annotated recordings only stretches with a label count.

    Raises
    ------
    SettingsError
        If all recordings are of one group: none would be left to measure on.
    """
    counter = _Counter(listening, truth, only_annotated=only_annotated)
    setting, measuring = halves(places)
    labels = [label for label in card.labels if label != UNKNOWN]
    thresholds: dict[str, float] = {}
    untouched: list[str] = []
    for k, label in enumerate(labels):
        observer.progress("setting thresholds", k, len(labels), label)
        found = counter.threshold(label, setting, per_hour=per_hour)
        if found is None:
            untouched.append(label)
            found = card.thresholds.get(label, card.threshold)
        thresholds[label] = found
    observer.progress("setting thresholds", len(labels), len(labels))
    updated = card.model_copy(
        update={"thresholds": thresholds, "target_precision": None}
    )
    counter = counter.using(updated)
    classes = tuple(
        ClassAlarms(
            label,
            thresholds[label],
            *counter.count(label, setting),
            *counter.count(label, measuring),
            *counter.calls(label, measuring),
        )
        for label in labels
    )
    alarms = FalseAlarms(
        target_per_hour=per_hour,
        set_on=in_words(setting),
        recordings=tuple(p.listened.searched.path.name for p in setting)[:MOST_NAMES],
        measured_on=in_words(measuring),
        measured={one.label: _kept(one) for one in classes},
    )
    return AlarmCalibration(
        updated.model_copy(update={"false_alarms": alarms}),
        classes,
        tuple(_remarks(classes, per_hour, untouched, least=chance(card))),
    )


def _kept(one: ClassAlarms) -> dict[str, Any]:
    """Return what the card says of a class."""
    at_most = rate_at_most(one.n_measured, one.measured_h)
    return {
        "n": one.n_measured,
        "hours": round(one.measured_h, 4),
        "per_hour": None if one.rate is None else round(one.rate, 4),
        "at_most_per_hour": round(at_most, 4) if np.isfinite(at_most) else None,
    }


class _Counter:
    """Counts false alarms in recordings."""

    def __init__(
        self, listening: Listening, truth: Truth, *, only_annotated: bool
    ) -> None:
        self._listening, self._truth = listening, truth
        self._only = only_annotated

    def using(self, card: Card) -> _Counter:
        """Return one for another card."""
        listening = replace(self._listening, card=card)
        return _Counter(listening, self._truth, only_annotated=self._only)

    def free(self, label: str, place: Place) -> FloatArray:
        """Return where a detection would be a false alarm."""
        path, heard = place.listened.searched.path, place.listened.heard
        if not place.annotated:
            return heard
        if label not in self._truth.labels:
            return heard[:0]
        counted = self._truth.counted(path, heard, only=self._only)
        return without(counted, self._truth.calls_of(path, label))

    def n_false(self, label: str, place: Place, found: Scored) -> int:
        """Count detections most of which lie where there is no call."""
        inside = shared_s(found.stretches, self.free(label, place))
        lengths = np.diff(found.stretches).ravel()
        on_calls = self._on_calls(label, place, found)
        return int(((inside >= lengths / 2 - _SLACK_S) & ~on_calls).sum())

    def _on_calls(self, label: str, place: Place, found: Scored) -> Any:
        calls = self._truth.calls_of(place.listened.searched.path, label)
        return shared_s(found.stretches, calls) > _SLACK_S

    def threshold(
        self, label: str, places: Sequence[Place], *, per_hour: float
    ) -> float | None:
        """Return the lowest threshold from which on upwards the rate is kept.

        Only downwards from the highest score: far below, all that is heard merges into
        one long detection, which would be one false alarm. It is not below chance, one
        over the number of classes. None: there is no time without a call.
        """
        assert self._listening.card is not None
        least = chance(self._listening.card)
        hours = sum(length_s(self.free(label, p)) for p in places) / _HOUR_S
        every = [self._listening.clip_scores(p.listened, label) for p in places]
        scores = np.concatenate([found.scores for found in every])
        falling = thinned(
            np.unique(scores[scores >= least])[::-1], most=MOST_THRESHOLDS
        )
        if not hours > 0:
            return None
        chosen = NEVER
        for threshold in falling:
            n = sum(
                self.n_false(
                    label,
                    place,
                    self._listening.found_at(place.listened, label, float(threshold)),
                )
                for place, own in zip(places, every, strict=True)
                if own.scores.max(initial=0) >= threshold
            )
            if n > per_hour * hours * (1 + 1e-12):
                if chosen == NEVER:  # the highest score of all is one too many
                    chosen = _above(float(threshold))
                return chosen
            chosen = min(float(threshold), HIGHEST)
        return least

    def count(self, label: str, places: Sequence[Place]) -> tuple[int, float]:
        """Count false alarms, as the card has it, and the hours they come from."""
        hours = sum(length_s(self.free(label, p)) for p in places) / _HOUR_S
        n = sum(self.n_false(label, p, self._found(label, p)) for p in places)
        return n, hours

    def calls(self, label: str, places: Sequence[Place]) -> tuple[int, int]:
        """Count annotated calls, and those that a detection lies on."""
        n = n_found = 0
        for place in places:
            calls = self._truth.calls_of(place.listened.searched.path, label)
            found = self._found(label, place)
            n += len(calls)
            n_found += int((shared_s(calls, found.stretches) > _SLACK_S).sum())
        return n, n_found

    def _found(self, label: str, place: Place) -> Scored:
        return self._listening.detected(place.listened).get(label, _NOTHING)


def chance(card: Card) -> float:
    """Return the score of a class where nothing is known; no threshold is lower."""
    return 1 / len(card.labels)


_NOTHING = Scored(np.empty((0, 2)), np.empty(0))


def _above(score: float) -> float:
    """Return the threshold just above a score; `NEVER` where there is none."""
    higher = float(np.nextafter(np.float32(score), np.float32(2)))
    return higher if higher <= HIGHEST else NEVER


def _remarks(
    classes: Sequence[ClassAlarms],
    per_hour: float,
    untouched: Sequence[str],
    *,
    least: float,
) -> list[str]:
    found = []
    if untouched:
        found.append(
            "No recording is known to be free of them, so their thresholds stay as "
            f"they were; give --noise: {', '.join(untouched)}."
        )
    classes = [one for one in classes if one.label not in untouched]
    if not classes:
        return found
    never = [one.label for one in classes if one.threshold >= NEVER]
    if never:
        found.append(
            f"Never answered, since they give more than {per_hour:g} false alarms per "
            f"hour at any threshold: {', '.join(never)}."
        )
    lowest = [one.label for one in classes if one.threshold == least]
    if lowest:
        found.append(
            f"Nothing there sounds like them, so they have the lowest threshold that "
            f"is set, {least:.3f}; other animals may sound like them: "
            f"{', '.join(lowest)}."
        )
    over = [o for o in classes if o.rate is not None and o.rate > per_hour]
    if over:
        found.append(
            "On recordings that did not set the threshold these give more: "
            + ", ".join(f"{o.label} ({o.rate:.2g} an hour)" for o in over)
            + ". That is chance, or other noise; set thresholds on more of it."
        )
    hours = min(one.measured_h for one in classes)
    if hours < hours_needed(per_hour):
        found.append(
            f"{hours:.2f} h are too few to show the rate: without a single false alarm "
            f"they show no more than {rate_at_most(0, hours):.2g} an hour (95 %); to "
            f"show {per_hour:g} takes {hours_needed(per_hour):.3g} h without one."
        )
    silent = [one for one in classes if one.n_calls and not one.n_found]
    if silent:
        found.append(
            "At these thresholds not one annotated call is found: "
            + ", ".join(f"{o.label} (of {o.n_calls})" for o in silent)
            + "."
        )
    return found

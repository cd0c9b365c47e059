"""What a model heard in recordings, and what it would detect at other thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seacall.detect.clip_table import ClipTable
from seacall.detect.merge import dates_of, detections, scores_at_level
from seacall.detection import DetectSettings
from seacall.events import Detection, Searched, Segment
from seacall.labels import UNKNOWN
from seacall.learn.stretches import FloatArray, as_stretches
from seacall.models.checkpoint import NEVER, Card
from seacall.models.reweighted import with_prior

HIGHEST = float(np.nextafter(np.float32(NEVER), np.float32(0)))
"""The highest threshold that is one: scores of 1 still reach it."""


@dataclass(frozen=True)
class Scored:
    """Stretches of one recording, each with a score."""

    stretches: FloatArray
    """Start and end, s, shape ``(n, 2)``."""
    scores: FloatArray
    """Shape ``(n,)``."""

    @staticmethod
    def of(found: Sequence[Detection]) -> Scored:
        """Return those of detections."""
        pairs = as_stretches((d.start_s, d.end_s) for d in found)
        return Scored(pairs, np.array([d.score for d in found], dtype=np.float64))


@dataclass(frozen=True, eq=False)
class SegmentClips:
    """Clips of one segment of one channel."""

    channel: int
    """Counted from 1."""
    segment: Segment
    table: ClipTable


@dataclass(frozen=True, eq=False)
class Listened:
    """What was heard of one recording, and what was found in it."""

    searched: Searched
    found: tuple[Detection, ...]
    """As the run, or the table, has it."""
    clips: tuple[SegmentClips, ...] = ()
    """What it was found in; empty where only a table of detections is there."""

    @property
    def heard(self) -> FloatArray:
        """Stretches that were heard, s, shape ``(n, 2)``."""
        return as_stretches(self.searched.heard)

    def found_of(self, label: str) -> Scored:
        """Return the detections of a class."""
        return Scored.of([d for d in self.found if d.label == label])


@dataclass(frozen=True, eq=False)
class Listening:
    """Recordings that a model listened to."""

    recordings: tuple[Listened, ...]
    origin: str
    """What it was read from, in words."""
    card: Card | None = None
    """Of the model; None: only a table of detections is there."""
    settings: DetectSettings = field(default_factory=DetectSettings)
    """How clips became detections."""

    @property
    def has_clips(self) -> bool:
        """Whether scores of clips are there, so that any threshold can be tried."""
        return self.card is not None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What can be detected; of a table what it holds."""
        if self.card is None:
            return tuple(sorted({d.label for r in self.recordings for d in r.found}))
        nothing = np.empty((0, len(self.card.labels)), np.float32)
        names, _, _ = scores_at_level(nothing, self.card, self.settings.level)
        return tuple(name for name in names if name != UNKNOWN)

    def threshold_of(self, label: str) -> float | None:
        """Return from which score on a class was detected; None: never, not known."""
        if self.card is None:
            found = [
                d.score for r in self.recordings for d in r.found if d.label == label
            ]
            return min(found, default=None)
        nothing = np.empty((0, len(self.card.labels)), np.float32)
        names, _, lowest = scores_at_level(nothing, self.card, self.settings.level)
        value = float(lowest[names.index(label)])
        return value if np.isfinite(value) else None

    def clip_scores(self, recording: Listened, label: str) -> Scored:
        """Return a class's score in each clip, of all channels."""
        assert self.card is not None
        length_s = self.card.front_end.clip.duration_s
        starts, scores = [np.empty(0)], [np.empty(0)]
        for clips in recording.clips:
            weighed = self._weighed(recording, clips)
            names, table, _ = scores_at_level(weighed, self.card, self.settings.level)
            starts.append(clips.table.start_s)
            scores.append(table[:, names.index(label)].astype(np.float64))
        start_s = np.concatenate(starts)
        return Scored(
            np.column_stack([start_s, start_s + length_s]), np.concatenate(scores)
        )

    def _weighed(self, recording: Listened, clips: SegmentClips) -> NDArray[np.float32]:
        """Return the scores of clips, the prior's weights in them."""
        assert self.card is not None
        opened = recording.searched.recording
        rate = opened.sample_rate if opened else 1  # nothing was heard: no clips
        return with_prior(
            clips.table.scores(self.card),
            self.settings.prior,
            labels=self.card.labels,
            times=dates_of(clips.table, clips.segment, sample_rate=rate),
        )

    def found_at(self, recording: Listened, label: str, threshold: float) -> Scored:
        """Return what would be detected of a class at another threshold."""
        card = self._asking_for(label, threshold)
        found = [
            detection
            for clips in recording.clips
            for detection in detections(
                clips.table,
                searched=recording.searched,
                channel=clips.channel,
                segment=clips.segment,
                card=card,
                # Whatever the other classes' thresholds may come to be.
                settings=self.settings.model_copy(update={"top_only": False}),
            )
            if detection.label == label
        ]
        return Scored.of(found)

    def detected(self, recording: Listened) -> dict[str, Scored]:
        """Return what the card detects in a recording, by class."""
        assert self.card is not None
        found: dict[str, list[Detection]] = {}
        for clips in recording.clips:
            for detection in detections(
                clips.table,
                searched=recording.searched,
                channel=clips.channel,
                segment=clips.segment,
                card=self.card,
                settings=self.settings,
            ):
                found.setdefault(detection.label, []).append(detection)
        return {label: Scored.of(some) for label, some in found.items()}

    def _asking_for(self, label: str, threshold: float) -> Card:
        assert self.card is not None
        lowest = min(threshold, HIGHEST)
        own: dict[str, float] = {}
        if self.settings.level == "species":
            own = {name: NEVER for name in self.card.labels if name != label}
        return self.card.model_copy(update={"threshold": lowest, "thresholds": own})

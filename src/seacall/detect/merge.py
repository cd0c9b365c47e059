"""Merge clips whose scores reach a threshold into detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.config import Profile
from seacall.detect.clip_table import ClipTable
from seacall.detect.runs import SECOND_US, Timeline, merged, microseconds
from seacall.detection import DetectSettings
from seacall.events import Detection, Recording, Searched, Segment
from seacall.labels import UNKNOWN
from seacall.models.checkpoint import NEVER, Card
from seacall.models.reweighted import with_prior
from seacall.taxonomy import Level, level_matrix

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = np.float32(1e-6)
"""Sums of scores may fall short of a threshold by rounding alone."""


def detections(
    table: ClipTable,
    *,
    searched: Searched,
    channel: int,
    segment: Segment,
    card: Card,
    settings: DetectSettings,
) -> list[Detection]:
    """Merge the clips of one segment of one channel into detections.

    For each class but ``unknown``, in this order:

    1. a clip *starts* a detection if its score reaches the class's threshold, is the
       best of those that reach theirs (``top_only``), and is confirmed (``k_of_n``);
    2. clips that reach ``hold`` times the threshold belong to a detection if they hang
       together in time with one that starts it, by way of others like them;
    3. detections no more than ``max_gap_s`` apart are joined;
    4. those shorter than ``min_duration_s`` are dropped.

    Clips hang together where they overlap or touch. With a hop above their length they
    do not, and each is a detection of its own, since nobody knows what was not heard;
    unless ``max_gap_s`` bridges it.

    Parameters
    ----------
    table
        Clips in the order of their starts.
    searched
        The recording, which must have been opened.
    channel
        Counted from 1.

    Returns
    -------
    detections
        By start, end and label. Those of a class do not overlap. The score is the
        highest of the detection's clips, the SNR the best, the level that of the
        loudest; the band spans those of all.

    Raises
    ------
    ValueError
        If the recording was not opened.
    """
    recording = searched.recording
    if recording is None:
        raise ValueError(f"{searched.path}: was not opened; nothing was heard of it")
    if not len(table):
        return []
    as_heard = table.scores(card)
    scores = with_prior(
        as_heard,
        settings.prior,
        labels=card.labels,
        times=dates_of(table, segment, sample_rate=recording.sample_rate),
    )
    names, scores, lowest = scores_at_level(scores, card, settings.level)
    _, as_heard, _ = scores_at_level(as_heard, card, settings.level)
    starting = starting_clips(scores, lowest, top_only=settings.top_only)
    holding = holding_clips(scores, lowest, starting, settings=settings)
    clips = _Clips(
        table=table,
        timeline=_timeline(table, recording, segment, card),
        searched=searched,
        recording=recording,
        channel=channel,
        segment=segment,
        card=card,
        settings=settings,
    )
    found = [
        detection
        for k in np.flatnonzero(starting.any(axis=0))
        for detection in clips.detections(
            names[k], scores[:, k], as_heard[:, k], starting[:, k], holding[:, k]
        )
    ]
    return sorted(found, key=lambda one: (one.start_s, one.end_s, one.label))


def dates_of(
    table: ClipTable, segment: Segment, *, sample_rate: int
) -> list[datetime | None]:
    """Return when each clip of a segment starts; None where that is not known."""
    if segment.start is None:
        return [None] * len(table)
    offset_s = segment.first_sample / sample_rate
    return [segment.start + timedelta(seconds=s - offset_s) for s in table.start_s]


def scores_at_level(
    scores: Float32, card: Card, level: Level
) -> tuple[tuple[str, ...], Float32, Float32]:
    """Return what can be detected at a level, its scores and its thresholds.

    Parameters
    ----------
    scores
        Calibrated, shape ``(n, n_classes)``.

    Returns
    -------
    names, scores, lowest
        Scores of shape ``(n, n_names)`` and the lowest that count, ``(n_names,)``; one
        that no score reaches for ``unknown`` and for classes that are never answered.
    """
    if level == "species":
        names, lowest = card.labels, np.array(card.lowest_scores, np.float32)
    else:
        names, matrix = level_matrix(card.labels, level)
        scores = np.asarray(scores @ matrix.astype(np.float32), np.float32)
        own = dict(zip(card.labels, card.lowest_scores, strict=True))
        # A label without relatives keeps its name, and with it its own threshold.
        lowest = np.array([own.get(n, card.threshold) for n in names], np.float32)
    never = (lowest >= NEVER) | np.array([name == UNKNOWN for name in names])
    slack = 0 if level == "species" else _ROUNDING
    return names, scores, np.where(never, np.float32(np.inf), lowest - slack)


def starting_clips(scores: Float32, lowest: Float32, *, top_only: bool) -> Bools:
    """Say which clips reach which thresholds, shape ``(n, n_names)``.

    With ``top_only`` no clip reaches more than one: where several do, that with the
    highest score (of equal ones the first) has it. A class that does not reach its own
    threshold takes nothing from others.
    """
    reached: Bools = scores >= lowest
    if top_only:
        rows = np.flatnonzero(reached.sum(axis=1) > 1)
        best = np.where(reached[rows], scores[rows], -1).argmax(axis=1)
        reached[rows] = False
        reached[rows, best] = True
    return reached


def holding_clips(
    scores: Float32, lowest: Float32, starting: Bools, *, settings: DetectSettings
) -> Bools:
    """Say which clips may belong to a detection, shape ``(n, n_names)``.

    With ``top_only``, clips that start a detection of one class hold none of another.
    """
    if settings.hold == 1:
        return starting
    holding = scores >= lowest * np.float32(settings.hold)
    if settings.top_only:
        holding &= ~starting.any(axis=1, keepdims=True)
    return np.asarray(holding | starting)


def _timeline(
    table: ClipTable, recording: Recording, segment: Segment, card: Card
) -> Timeline:
    front_end = card.front_end
    length_us = microseconds(front_end.clip_length / front_end.profile.sample_rate)
    end = min(segment.first_sample + segment.n_samples, recording.n_samples)
    end_us = microseconds(end / recording.sample_rate)
    starts_us = np.rint(table.start_s * SECOND_US).astype(np.int64)
    # A resampler may round the last clip's start up to the end itself.
    starts_us = np.minimum(starts_us, end_us - 1)
    return Timeline(starts_us, np.minimum(starts_us + length_us, end_us))


@dataclass(frozen=True)
class _Clips:
    """All that the detections of one segment of one channel have in common."""

    table: ClipTable
    timeline: Timeline
    searched: Searched
    recording: Recording
    channel: int
    segment: Segment
    card: Card
    settings: DetectSettings

    def detections(
        self,
        label: str,
        scores: Float32,
        as_heard: Float32,
        starting: Bools,
        holding: Bools,
    ) -> list[Detection]:
        """Merge the clips of one class; all arrays have shape ``(n,)``."""
        rows, begins = merged(starting, holding, self.timeline, settings=self.settings)
        if not len(rows):
            return []
        columns = self._measured(rows, begins) | self._times(rows, begins)
        columns["score"] = np.round(_highest(scores[rows], begins), 6).tolist()
        if self.settings.prior is not None:
            heard = np.round(_highest(as_heard[rows], begins), 6)
            columns["score_without_prior"] = heard.tolist()
        return [
            Detection(
                path=self.searched.path,
                label=label,
                channel=self.channel,
                level_unit=self.settings.level_unit,
                **dict(zip(columns, values, strict=True)),
            )
            for values in zip(*columns.values(), strict=True)
        ]

    def _times(self, rows: Ints, begins: Ints) -> dict[str, list[Any]]:
        """Return when each detection lasted, and how many clips it was made of."""
        ends = np.append(begins[1:], len(rows))
        starts_us = self.timeline.starts_us[rows[begins]]
        return {
            "n_clips": (ends - begins).tolist(),
            "start_s": (starts_us / SECOND_US).tolist(),
            "end_s": (self.timeline.ends_us[rows[ends - 1]] / SECOND_US).tolist(),
            "start": self._dates(starts_us.tolist()),
        }

    def _dates(self, starts_us: list[int]) -> Sequence[datetime | None]:
        """Return when the microseconds of a recording were, by the segment's time."""
        first = self.segment.start
        if first is None:
            return [None] * len(starts_us)
        offset_us = microseconds(self.segment.first_sample / self.recording.sample_rate)
        return [first + timedelta(microseconds=us - offset_us) for us in starts_us]

    def _measured(self, rows: Ints, begins: Ints) -> dict[str, list[Any]]:
        """Return level, SNR and band of each detection."""
        table, nyquist = self.table, self.recording.sample_rate / 2
        # What stands out where the recording holds nothing is a seam of filling up.
        real = np.where(table.low_hz[rows] < nyquist, np.float32(1), np.float32(np.nan))
        level_db = _highest(table.level_db[rows], begins)
        low_hz, high_hz = shown_bands(
            -_highest(-real * table.low_hz[rows], begins),
            _highest(real * table.high_hz[rows], begins),
            profile=self.card.front_end.profile,
            nyquist_hz=nyquist,
        )
        return {
            "low_hz": low_hz.tolist(),
            "high_hz": high_hz.tolist(),
            "snr_db": in_hundredths(_highest(real * table.snr_db[rows], begins)),
            "level_db": in_hundredths(level_db + self.settings.level_offset_db),
        }


def shown_bands(
    low_hz: Floats, high_hz: Floats, *, profile: Profile, nyquist_hz: float
) -> tuple[Floats, Floats]:
    """Return bands of detections, below half the recording's rate and never empty.

    Where nothing was measured, or only what lies above that, it is all that the front
    end looks at.

    Parameters
    ----------
    low_hz, high_hz
        Lowest and highest edge of what stood out in a detection's clips, or NaN;
        shape ``(n,)``.
    """
    low = np.maximum(np.round(low_hz, 1), 0)
    high = np.round(np.minimum(high_hz, nyquist_hz), 1)
    good = low < high  # not so of NaN
    whole = (profile.fmin if profile.fmin < nyquist_hz else 0, profile.fmax)
    return (
        np.where(good, low, whole[0]),
        np.where(good, high, min(whole[1], nyquist_hz)),
    )


def _highest(values: Float32, begins: Ints) -> Floats:
    """Return the highest value of each detection; NaN where there is no other."""
    return np.fmax.reduceat(values.astype(np.float64), begins)


def in_hundredths(values: Floats) -> list[float | None]:
    """Return values as they are shown; None for NaN."""
    return [None if v != v else v for v in np.round(values, 2).tolist()]

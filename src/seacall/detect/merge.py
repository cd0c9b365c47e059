"""Merge clips whose scores reach a threshold into detections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.detect.clip_table import ClipTable
from seacall.detection import DetectSettings
from seacall.events import Detection, Recording, Searched, Segment
from seacall.labels import UNKNOWN
from seacall.models.checkpoint import NEVER, Card
from seacall.taxonomy import Level, level_matrix

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_SECOND_US = 1_000_000
_SAME_US = 1_000
"""Times that differ by less are the same: a clip's end and the next one's start are
rounded apart, and a clip holds a whole number of samples."""
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
    names, scores, lowest = scores_at_level(table.scores(card), card, settings.level)
    starting = starting_clips(scores, lowest, top_only=settings.top_only)
    holding = holding_clips(scores, lowest, starting, settings=settings)
    clips = _Clips(
        path=searched.path,
        table=table,
        timeline=_timeline(table, recording, segment, card),
        recording=recording,
        channel=channel,
        zero=_time_zero(segment, recording),
        card=card,
        settings=settings,
    )
    found = [
        detection
        for k in np.flatnonzero(starting.any(axis=0))
        for detection in clips.detections(
            names[k], scores[:, k], starting[:, k], holding[:, k]
        )
    ]
    return sorted(found, key=lambda one: (one.start_s, one.end_s, one.label))


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


@dataclass(frozen=True)
class _Timeline:
    """When clips were heard, in whole microseconds: sums of seconds drift."""

    starts: Ints
    ends: Ints
    """Not beyond the segment, as padding is."""

    def hop(self) -> int:
        """Return the time from one clip's start to the next."""
        steps = np.diff(self.starts)
        steps = steps[steps > _SAME_US]
        return int(steps.min()) if len(steps) else 0

    def begins(self, rows: Ints, *, max_gap_us: int) -> Ints:
        """Return where runs of clips begin, as indices of ``rows``.

        A clip belongs to the run before it if no more than ``max_gap_us`` lies between.
        """
        gaps = self.starts[rows[1:]] - self.ends[rows[:-1]]
        later = np.flatnonzero(gaps > max_gap_us + _SAME_US) + 1
        return np.concatenate([np.zeros(min(1, len(rows)), np.int64), later])


def _timeline(
    table: ClipTable, recording: Recording, segment: Segment, card: Card
) -> _Timeline:
    front_end = card.front_end
    length = _us(front_end.clip_length / front_end.profile.sample_rate)
    end = min(segment.first_sample + segment.n_samples, recording.n_samples)
    end_us = _us(end / recording.sample_rate)
    # A resampler may round the last clip's start up to the end itself.
    starts = np.minimum(
        np.rint(table.start_s * _SECOND_US).astype(np.int64), end_us - 1
    )
    return _Timeline(starts=starts, ends=np.minimum(starts + length, end_us))


def confirmed(rows: Ints, starts: Ints, *, k: int, n: int, hop: int) -> Ints:
    """Return those of some clips that are among ``k`` out of ``n`` in a row.

    Parameters
    ----------
    rows
        Clips that reach their threshold, in order.
    starts
        When all clips start; clips that are not there count as below the threshold.
    hop
        From one clip's start to the next, in the unit of ``starts``.
    """
    at = starts[rows]
    # If k of them lie in any n in a row, they do in those n that begin with the first.
    after = np.searchsorted(at, at + (n - 1) * hop + _SAME_US, side="right")
    enough = after - np.arange(len(rows)) >= k
    change = np.zeros(len(rows) + 1, np.int64)
    np.add.at(change, np.flatnonzero(enough), 1)
    np.add.at(change, after[enough], -1)
    return rows[np.cumsum(change[:-1]) > 0]


def _merged(
    starting: Bools, holding: Bools, timeline: _Timeline, settings: DetectSettings
) -> tuple[Ints, Ints]:
    """Merge clips of one class.

    Returns
    -------
    rows, begins
        Clips that belong to detections, and where each detection begins among them.
    """
    starts = np.flatnonzero(starting)
    if settings.k_of_n is not None:
        k, n = settings.k_of_n
        starts = confirmed(starts, timeline.starts, k=k, n=n, hop=timeline.hop())
    rows = np.flatnonzero(holding)
    begins = timeline.begins(rows, max_gap_us=0)
    rows = rows[_of_runs(np.isin(rows, starts), begins)]
    begins = timeline.begins(rows, max_gap_us=_us(settings.max_gap_s))
    lasts = np.append(begins[1:], len(rows))[: len(begins)] - 1
    length = timeline.ends[rows[lasts]] - timeline.starts[rows[begins]]
    long_enough = length > _us(settings.min_duration_s) - _SAME_US
    kept = _of_runs(long_enough[_run_of(begins, len(rows))], begins)
    return rows[kept], timeline.begins(rows[kept], max_gap_us=_us(settings.max_gap_s))


def _run_of(begins: Ints, n_rows: int) -> Ints:
    """Return the number of the run that each row belongs to, shape ``(n_rows,)``."""
    return np.searchsorted(begins, np.arange(n_rows), side="right") - 1


def _of_runs(wanted: Bools, begins: Ints) -> Bools:
    """Say which rows belong to a run with at least one that is wanted."""
    if not len(begins):
        return wanted
    return np.asarray(
        np.logical_or.reduceat(wanted, begins)[_run_of(begins, len(wanted))]
    )


@dataclass(frozen=True)
class _Clips:
    """All that detections of one segment have in common."""

    path: Path
    table: ClipTable
    timeline: _Timeline
    recording: Recording
    channel: int
    zero: datetime | None
    """When the recording's first sample would have been recorded."""
    card: Card
    settings: DetectSettings

    def detections(
        self, label: str, scores: Float32, starting: Bools, holding: Bools
    ) -> list[Detection]:
        """Merge the clips of one class; all arrays have shape ``(n,)``."""
        rows, begins = _merged(starting, holding, self.timeline, self.settings)
        if not len(rows):
            return []
        columns = self._columns(rows, begins, scores)
        names = list(columns)
        return [
            self._detection(label, dict(zip(names, values, strict=True)))
            for values in zip(*(c.tolist() for c in columns.values()), strict=True)
        ]

    def _columns(
        self, rows: Ints, begins: Ints, scores: Float32
    ) -> dict[str, NDArray[Any]]:
        """Return what is said of each detection, each of shape ``(n_detections,)``."""
        ends = np.append(begins[1:], len(rows))
        low, high = self._bands(rows, begins)
        level_db = _best(self.table.level_db[rows], begins)
        return {
            "start_us": self.timeline.starts[rows[begins]],
            "end_us": self.timeline.ends[rows[ends - 1]],
            "score": np.round(_best(scores[rows], begins), 6),
            "n_clips": ends - begins,
            "low_hz": low,
            "high_hz": high,
            "snr_db": np.round(_best(self.table.snr_db[rows], begins), 2),
            "level_db": np.round(level_db + self.settings.level_offset_db, 2),
        }

    def _bands(
        self, rows: Ints, begins: Ints
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return low and high edges, of shape ``(n_detections,)``, in Hz.

        Never above half the recording's rate. Where nothing was measured, or only what
        lies above that, all that the front end lets through.
        """
        profile = self.card.front_end.profile
        nyquist = self.recording.sample_rate / 2
        low = -_best(-self.table.low_hz[rows], begins)
        high = np.minimum(_best(self.table.high_hz[rows], begins), nyquist)
        low, high = np.maximum(np.round(low, 1), 0), np.round(high, 1)
        good = low < high  # not so of NaN
        whole = profile.fmin if profile.fmin < nyquist else 0.0
        return np.where(good, low, whole), np.where(
            good, high, min(profile.fmax, nyquist)
        )

    def _detection(self, label: str, found: dict[str, Any]) -> Detection:
        start_us, end_us = found.pop("start_us"), found.pop("end_us")
        for name in ("snr_db", "level_db"):
            found[name] = None if np.isnan(found[name]) else found[name]
        return Detection(
            path=self.path,
            start_s=start_us / _SECOND_US,
            end_s=end_us / _SECOND_US,
            label=label,
            channel=self.channel,
            level_unit=self.settings.level_unit,
            start=self.zero and self.zero + timedelta(microseconds=start_us),
            **found,
        )


def _best(values: Float32, begins: Ints) -> NDArray[np.float64]:
    """Return the highest value of each detection; NaN only where there is no other."""
    return np.fmax.reduceat(values.astype(np.float64), begins)


def _time_zero(segment: Segment, recording: Recording) -> datetime | None:
    """Return when sample 0 would have been recorded, by the segment's time."""
    if segment.start is None:
        return None
    before_us = _us(segment.first_sample / recording.sample_rate)
    return segment.start - timedelta(microseconds=before_us)


def _us(seconds: float) -> int:
    """Return whole microseconds."""
    return round(seconds * _SECOND_US)

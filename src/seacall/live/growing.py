"""Merge clips into detections while they come: the rules of `seacall.detect.merge`.

For each class there is at most one detection that still grows, with what is known of it
so far, and stretches in front of it of which later clips decide whether they count
(``k_of_n``). What is kept does not grow with time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seacall.audio.clips import ClipGrid
from seacall.detect.clip_table import ClipTable
from seacall.detect.merge import (
    dates_of,
    holding_clips,
    in_hundredths,
    scores_at_level,
    shown_bands,
    starting_clips,
)
from seacall.detect.runs import SAME_US, SECOND_US, microseconds
from seacall.detection import DetectSettings
from seacall.events import Detection, Segment
from seacall.models.checkpoint import Card
from seacall.models.reweighted import with_prior

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Change:
    """What became of a detection."""

    kind: Literal["begun", "grown", "ended"]
    detection: Detection
    """As far as it is known."""


@dataclass(frozen=True)
class Place:
    """Where the clips of a listener come from."""

    path: Path
    """Recording, or the name of the stream."""
    sample_rate: int
    """Of the sound, Hz."""
    channel: int
    """Counted from 1; 1 where the mean of all was taken."""
    segment: Segment
    """Its length need not be known."""


@dataclass(frozen=True)
class Row:
    """One clip, for one class; values that are not known are NaN."""

    start_us: int
    end_us: int
    score: float
    as_heard: float
    """Score before place and month were asked."""
    level_db: float
    snr_db: float
    low_hz: float
    high_hz: float


@dataclass
class Stretch:
    """Clips that hang together, and what the best of them had."""

    row: Row
    n_clips: int = 1
    last_start_us: int | None = None
    """Of the last clip in it that starts a detection."""
    shown: bool = False
    """It was said that it has begun."""
    changed: bool = True

    def add(self, other: Stretch) -> None:
        """Take what follows in."""
        a, b = self.row, other.row
        self.row = Row(
            start_us=a.start_us,
            end_us=b.end_us,
            score=float(np.fmax(a.score, b.score)),
            as_heard=float(np.fmax(a.as_heard, b.as_heard)),
            level_db=float(np.fmax(a.level_db, b.level_db)),
            snr_db=float(np.fmax(a.snr_db, b.snr_db)),
            low_hz=float(np.fmin(a.low_hz, b.low_hz)),
            high_hz=float(np.fmax(a.high_hz, b.high_hz)),
        )
        self.n_clips += other.n_clips
        if other.last_start_us is not None:
            self.last_start_us = other.last_start_us
        self.changed = True

    def cut(self, end_us: int) -> None:
        """Let it end no later than the sound."""
        start_us = min(self.row.start_us, end_us - 1)
        values = vars(self.row) | {
            "start_us": start_us,
            "end_us": min(self.row.end_us, end_us),
        }
        self.changed |= values != vars(self.row)
        self.row = Row(**values)


@dataclass
class Class:
    """The stretches of one class that are not over yet."""

    settings: DetectSettings
    hop_us: int
    open: Stretch | None = None
    """Grows, or may yet be joined with what comes."""
    waiting: list[Stretch] = field(default_factory=list)
    """Behind it; whether they count is not known yet."""
    starts: deque[int] = field(default_factory=deque)
    """Of the last clips that start a detection."""
    over: list[Stretch] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Whether nothing of it can change without a new clip."""
        return self.open is None and not self.waiting and not self.over

    @property
    def _reach_us(self) -> int:
        """How far apart the first and the last of n clips in a row start."""
        n = self.settings.k_of_n[1] if self.settings.k_of_n else 1
        return (n - 1) * self.hop_us + self.hop_us // 4  # starts are rounded

    def _joins(self, stretch: Stretch, *, at_us: int) -> bool:
        gap_us = at_us - stretch.row.end_us
        return gap_us <= microseconds(self.settings.max_gap_s) + SAME_US

    def hold(self, row: Row, *, starting: bool) -> None:
        """Take a clip that holds, or starts, a detection."""
        new = Stretch(row, last_start_us=row.start_us if starting else None)
        last = self.waiting[-1] if self.waiting else self.open
        if last is not None and row.start_us - last.row.end_us <= SAME_US:
            last.add(new)
        else:
            self.waiting.append(new)
        if starting:
            self._confirm(row.start_us)

    def _confirm(self, at_us: int) -> None:
        """Let stretches count that hold one of k clips out of n, this the last one.

        None before them can be confirmed any more: windows only move on.
        """
        k = self.settings.k_of_n[0] if self.settings.k_of_n else 1
        self.starts.append(at_us)
        while self.starts[0] < at_us - self._reach_us:
            self.starts.popleft()
        if len(self.starts) < k:
            return
        since_us = self.starts[0]
        for one in self.waiting:
            if one.last_start_us is not None and one.last_start_us >= since_us:
                self._count(one)
        self.waiting.clear()

    def _count(self, stretch: Stretch) -> None:
        if self.open is not None and self._joins(self.open, at_us=stretch.row.start_us):
            self.open.add(stretch)
            return
        if self.open is not None:
            self.over.append(self.open)
        self.open = stretch

    def pass_to(self, next_us: int) -> None:
        """Say when the next clip will start: what it cannot change is over."""
        self.waiting = [
            one
            for one in self.waiting
            if next_us - one.row.end_us <= SAME_US or self._may_count(one, next_us)
        ]
        if self.open is None or self._joins(self.open, at_us=next_us):
            return
        if not any(self._joins(self.open, at_us=w.row.start_us) for w in self.waiting):
            self.over.append(self.open)
            self.open = None

    def _may_count(self, stretch: Stretch, next_us: int) -> bool:
        """Tell whether a clip that is yet to come can confirm it."""
        last_us = stretch.last_start_us
        return last_us is not None and last_us >= next_us - self._reach_us

    def finish(self, end_us: int) -> None:
        """Let all be over; the sound ended then."""
        self.waiting.clear()
        if self.open is not None:
            self.open.cut(end_us)
            self.over.append(self.open)
            self.open = None


class GrowingDetections:
    """Merges the clips of one segment of one channel as they come.

    All in all the detections are those that `seacall.detect.merge.detections` makes of
    the whole table.

    Parameters
    ----------
    place
        Where the clips come from.
    card
        Thresholds and classes.
    settings
        How scores become detections.
    grid
        Where clips lie.
    """

    def __init__(
        self, place: Place, card: Card, settings: DetectSettings, *, grid: ClipGrid
    ) -> None:
        self._place = place
        self._card = card
        self._settings = settings
        self._hop_us = microseconds(grid.hop_length / grid.sample_rate)
        self._length_us = microseconds(grid.clip_length / grid.sample_rate)
        self._offset_us = microseconds(place.segment.first_sample / place.sample_rate)
        self._classes: dict[str, Class] = {}
        self._end_us: int | None = None

    def push(self, table: ClipTable) -> list[Change]:
        """Take the next clips; return what begins, grows and ends with them."""
        if not len(table):
            return []
        settings = self._settings
        as_heard = table.scores(self._card)
        scores = self._weighed(table, as_heard)
        names, scores, lowest = scores_at_level(scores, self._card, settings.level)
        _, as_heard, _ = scores_at_level(as_heard, self._card, settings.level)
        starting = starting_clips(scores, lowest, top_only=settings.top_only)
        holding = holding_clips(scores, lowest, starting, settings=settings)
        for k in range(len(table)):
            for c in np.flatnonzero(holding[k]):
                pair = float(scores[k, c]), float(as_heard[k, c])
                row = self._row(table, k, *pair)
                self._of(names[c]).hold(row, starting=bool(starting[k, c]))
            next_us = self._start_us(table, k) + self._hop_us
            for one in self._classes.values():
                one.pass_to(next_us)
        return list(self._changes(names))

    def _weighed(self, table: ClipTable, as_heard: Float32) -> Float32:
        place = self._place
        times = dates_of(table, place.segment, sample_rate=place.sample_rate)
        labels = self._card.labels
        return with_prior(as_heard, self._settings.prior, labels=labels, times=times)

    def finish(self, table: ClipTable, *, n_samples: int) -> list[Change]:
        """Take the last clips, and end all.

        Parameters
        ----------
        n_samples
            Length of the segment, as it turned out. Clips do not reach beyond it.
        """
        segment = self._place.segment
        end = segment.first_sample + n_samples
        self._end_us = microseconds(end / self._place.sample_rate)
        changes = self.push(table)
        for one in self._classes.values():
            one.finish(self._end_us)
        return [*changes, *self._changes(sorted(self._classes))]

    def _of(self, name: str) -> Class:
        if name not in self._classes:
            self._classes[name] = Class(self._settings, self._hop_us)
        return self._classes[name]

    def _start_us(self, table: ClipTable, k: int) -> int:
        start_us = int(np.rint(table.start_s[k] * SECOND_US))
        # A resampler may round the last clip's start up to the end itself.
        return start_us if self._end_us is None else min(start_us, self._end_us - 1)

    def _row(self, table: ClipTable, k: int, score: float, as_heard: float) -> Row:
        start_us = self._start_us(table, k)
        end_us = start_us + self._length_us
        # What stands out where the sound holds nothing is a seam of filling up.
        real = table.low_hz[k] < self._place.sample_rate / 2
        nothing = float("nan")
        return Row(
            start_us=start_us,
            end_us=end_us if self._end_us is None else min(end_us, self._end_us),
            score=score,
            as_heard=as_heard,
            level_db=float(table.level_db[k]),
            snr_db=float(table.snr_db[k]) if real else nothing,
            low_hz=float(table.low_hz[k]) if real else nothing,
            high_hz=float(table.high_hz[k]) if real else nothing,
        )

    def _changes(self, names: Sequence[str]) -> Iterator[Change]:
        for name in names:
            one = self._classes.get(name)
            if one is None:
                continue
            for stretch in one.over:
                yield from self._ended(name, stretch)
            one.over.clear()
            if one.open is not None and one.open.changed:
                yield from self._grown(name, one.open)
            if one.idle and not one.starts:
                del self._classes[name]

    def _ended(self, name: str, stretch: Stretch) -> Iterator[Change]:
        if not stretch.shown and not self._long_enough(stretch):
            return
        if not stretch.shown:
            yield Change("begun", self._detection(name, stretch))
        yield Change("ended", self._detection(name, stretch))

    def _grown(self, name: str, stretch: Stretch) -> Iterator[Change]:
        if not self._long_enough(stretch):
            return
        kind: Literal["begun", "grown"] = "grown" if stretch.shown else "begun"
        stretch.shown, stretch.changed = True, False
        yield Change(kind, self._detection(name, stretch))

    def _long_enough(self, stretch: Stretch) -> bool:
        length_us = stretch.row.end_us - stretch.row.start_us
        return length_us > microseconds(self._settings.min_duration_s) - SAME_US

    def _detection(self, name: str, stretch: Stretch) -> Detection:
        row, place, settings = stretch.row, self._place, self._settings
        low_hz, high_hz = shown_bands(
            np.array([row.low_hz]),
            np.array([row.high_hz]),
            profile=self._card.front_end.profile,
            nyquist_hz=place.sample_rate / 2,
        )
        begun = place.segment.start
        level_db = row.level_db + settings.level_offset_db
        snr_db, level = in_hundredths(np.array([row.snr_db, level_db]))
        return Detection(
            path=place.path,
            label=name,
            start_s=row.start_us / SECOND_US,
            end_s=row.end_us / SECOND_US,
            low_hz=float(low_hz[0]),
            high_hz=float(high_hz[0]),
            score=_shown(row.score),
            score_without_prior=_shown(row.as_heard) if settings.prior else None,
            channel=place.channel,
            n_clips=stretch.n_clips,
            snr_db=snr_db,
            level_db=level,
            level_unit=settings.level_unit,
            start=None
            if begun is None
            else begun + timedelta(microseconds=row.start_us - self._offset_us),
        )


def _shown(score: float) -> float:
    return float(np.round(np.float64(score), 6))

"""Listen to one channel of one segment: samples in, clips and detections out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.audio.clips import ClipGrid
from seacall.audio.filter import BandPass
from seacall.audio.framing import ClipCutter
from seacall.audio.frontend import Conditioner
from seacall.config import FrontEndSettings
from seacall.detect.classify import BATCH_SIZE, clip_table
from seacall.detect.clip_table import ClipTable, empty_table
from seacall.detection import DetectSettings
from seacall.live.growing import Change, GrowingDetections, Place
from seacall.models.backend import Classifier

Float32 = NDArray[np.float32]


class PromptBandPass(BandPass):
    """The band-pass, without waiting for a block of samples to come together.

    The compiled filter takes 33,024 samples at once: two seconds at 16 kHz. In a stream
    there is time for the plain one.
    """

    def process(self, y: Float32) -> Float32:
        """Filter the next samples at once."""
        return self._at_once(y)

    def finish(self) -> Float32:
        """Return nothing: nothing was kept back."""
        return np.empty(0, np.float32)


class PromptConditioner(Conditioner):
    """The conditioner, with as little delay as its filters allow."""

    def __init__(self, *, sample_rate: int, settings: FrontEndSettings) -> None:
        super().__init__(sample_rate=sample_rate, settings=settings)
        band_hz = settings.profile.band_hz
        if band_hz:
            self._filter = PromptBandPass(sample_rate=sample_rate, band_hz=band_hz)


@dataclass(frozen=True)
class News:
    """What some samples brought."""

    first_clip: int
    """Number of the table's first clip within the segment."""
    table: ClipTable
    """Clips that are complete now."""
    changes: list[Change]

    def __bool__(self) -> bool:
        return len(self.table) > 0 or bool(self.changes)


class Listener:
    """Scores one channel of one segment as it comes.

    Scores and detections do not depend on how the samples arrive, and are those of
    `seacall.detect` on the same samples in a file.

    Parameters
    ----------
    classifier
        The model; several listeners may share it.
    place
        Where the samples come from.
    grid
        Where clips lie.
    settings
        How scores become detections.
    """

    def __init__(
        self,
        classifier: Classifier,
        place: Place,
        *,
        grid: ClipGrid,
        settings: DetectSettings,
    ) -> None:
        card = classifier.card
        self._classifier = classifier
        self._place = place
        self._grid = grid
        self._conditioner = PromptConditioner(
            sample_rate=place.sample_rate, settings=card.front_end
        )
        self._cutter = ClipCutter(
            clip_length=grid.clip_length,
            hop_length=grid.hop_length,
            fit=card.front_end.clip.fit,
        )
        self._growing = GrowingDetections(place, card, settings, grid=grid)
        self._n_clips = 0
        self.n_samples = 0
        """Taken so far."""

    def push(self, y: Float32) -> News:
        """Take the next samples, shape ``(n,)``."""
        self.n_samples += len(y)
        conditioned = self._conditioner.process(y)
        return self._news([clip for _, clip in self._cutter.push(conditioned)])

    def finish(self) -> News:
        """End the segment: score what is left of it, and end its detections."""
        if not self.n_samples:
            return self._news([])
        rest = self._cutter.push(self._conditioner.finish())
        clips = [clip for _, clip in rest]
        last = self._cutter.finish(min_length=self._grid.min_tail)
        first, table = self._scored([*clips, *(clip for _, clip in last)])
        return News(first, table, self._growing.finish(table, n_samples=self.n_samples))

    def _news(self, clips: list[Float32]) -> News:
        first, table = self._scored(clips)
        return News(first, table, self._growing.push(table))

    def _scored(self, clips: list[Float32]) -> tuple[int, ClipTable]:
        first = self._n_clips
        parts = [empty_table(len(self._classifier.card.labels)), *self._tables(clips)]
        return first, ClipTable.joined(parts)

    def _tables(self, clips: list[Float32]) -> Iterator[ClipTable]:
        place = self._place
        offset_s = place.segment.first_sample / place.sample_rate
        for k in range(0, len(clips), BATCH_SIZE):
            batch = clips[k : k + BATCH_SIZE]
            numbers = range(self._n_clips, self._n_clips + len(batch))
            starts_s = [offset_s + self._grid.start_s(number) for number in numbers]
            self._n_clips += len(batch)
            yield clip_table(
                batch, starts_s, self._classifier, sample_rate=place.sample_rate
            )

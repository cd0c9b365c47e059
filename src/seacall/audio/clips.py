"""Cut a recording into clips: the whole of it or a stretch, with the same numbers.

The filter and the resampler carry a state, so that a stretch cannot simply begin at
its first sample. It begins whole seconds before, where the clocks of both sample rates
meet, and what comes out in these seconds is thrown away; by then the state is what it
would be had the recording been read from its start, to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.framing import ClipCutter
from seacall.audio.frontend import condition
from seacall.config import FrontEndSettings
from seacall.events import Clip, Segment

Float32 = NDArray[np.float32]

WARM_UP_S = 2
"""Read before a stretch; the band-pass forgets within a tenth of a second, a filter
that reached down to 3 Hz would within this."""
_AHEAD_S = 1
"""Read behind a stretch, since the resampler looks ahead."""
MIN_TAIL_S = 0.1
"""A recording's last clip is filled up if at least this much of it is new. Less is
hardly a call, and tiled to a clip's length it would be a tone that nobody made."""


@dataclass(frozen=True)
class ClipGrid:
    """Where the clips of a segment lie, in samples at the profile's rate."""

    clip_length: int
    hop_length: int
    sample_rate: int
    """Of the profile, Hz."""

    @staticmethod
    def of(settings: FrontEndSettings, *, hop_s: float | None = None) -> ClipGrid:
        """Return the grid of a front end; without ``hop_s`` clips lie end to end."""
        rate = settings.profile.sample_rate
        hop_length = settings.clip_length if hop_s is None else round(hop_s * rate)
        return ClipGrid(settings.clip_length, max(1, hop_length), rate)

    def start_s(self, k: int) -> float:
        """Return where clip ``k`` starts, s from the segment's start."""
        return k * self.hop_length / self.sample_rate

    def count(self, n_samples: int, *, sample_rate: int) -> int:
        """Return how many clips a segment of the recording has.

        Parameters
        ----------
        n_samples, sample_rate
            Length of the segment, at the recording's rate in Hz.
        """
        length = n_samples * self.sample_rate // sample_rate
        if length < self.clip_length:
            return int(n_samples > 0)
        n_full = 1 + (length - self.clip_length) // self.hop_length
        covered = (n_full - 1) * self.hop_length + self.clip_length
        n_new = length - max(covered, n_full * self.hop_length)
        return n_full + int(n_new >= self.min_tail)

    @property
    def min_tail(self) -> int:
        """Samples that the last clip must add."""
        return max(1, round(MIN_TAIL_S * self.sample_rate))


def recording_clips(
    path: Path, settings: FrontEndSettings, *, hop_s: float | None = None
) -> Iterator[tuple[Clip, Float32]]:
    """Yield all clips of a recording, in order.

    Parameters
    ----------
    hop_s
        From one clip's start to the next, s; None: clips lie end to end.

    Yields
    ------
    clip, y
        Where it lies, and its samples, shape ``(settings.clip_length,)``.

    Raises
    ------
    AudioError
        If the recording cannot be read, or ceases to be readable: clips before that
        point have been yielded.
    """
    recording = io.probe(path)
    grid = ClipGrid.of(settings, hop_s=hop_s)
    stretch = Stretch(
        path, recording.sample_rate, Segment(0, recording.n_samples), until_the_end=True
    )
    for k, y in stretch_clips(stretch, settings, grid=grid):
        start_s = grid.start_s(k)
        yield Clip(path, start_s, start_s + settings.clip.duration_s), y


@dataclass(frozen=True)
class Stretch:
    """Clips of one segment of a recording, from one to another."""

    path: Path
    sample_rate: int
    """Of the recording, Hz; may be another than its header says."""
    segment: Segment
    first_clip: int = 0
    n_clips: int | None = None
    """None: to the end of the segment."""
    until_the_end: bool = False
    """The segment's length is not to be trusted: read as far as there are samples."""


def stretch_clips(
    stretch: Stretch, settings: FrontEndSettings, *, grid: ClipGrid
) -> Iterator[tuple[int, Float32]]:
    """Yield the clips of a stretch, in order.

    Yields
    ------
    k, y
        Number of the clip within its segment, and its samples, shape
        ``(grid.clip_length,)``, at the profile's rate.

    Raises
    ------
    AudioError
        As :func:`recording_clips`.
    """
    cutter = ClipCutter(
        clip_length=grid.clip_length,
        hop_length=grid.hop_length,
        fit=settings.clip.fit,
    )
    k = stretch.first_clip
    last = None if stretch.n_clips is None else k + stretch.n_clips
    for y in _conditioned(stretch, settings, grid):
        for _, clip in cutter.push(y):
            yield k, clip
            k += 1
            if k == last:
                return
    for _, clip in cutter.finish(min_length=grid.min_tail):
        yield k, clip


def _conditioned(
    stretch: Stretch, settings: FrontEndSettings, grid: ClipGrid
) -> Iterator[Float32]:
    """Yield samples at the profile's rate, from the first clip's first one on."""
    first = stretch.first_clip * grid.hop_length
    begin_s = max(0, first // grid.sample_rate - WARM_UP_S)
    skip = first - begin_s * grid.sample_rate
    blocks = _blocks(stretch, settings.clip.channel, grid, begin_s=begin_s)
    for y in condition(blocks, sample_rate=stretch.sample_rate, settings=settings):
        skipped = min(skip, len(y))
        skip -= skipped
        yield y[skipped:]


def _blocks(
    stretch: Stretch, channel: int | None, grid: ClipGrid, *, begin_s: int
) -> Iterator[Float32]:
    """Yield samples at the recording's rate, none beyond what is needed."""
    segment, rate = stretch.segment, stretch.sample_rate
    position = segment.first_sample + begin_s * rate
    stop = segment.first_sample + segment.n_samples
    if stretch.n_clips is not None:
        last_clip = stretch.first_clip + stretch.n_clips - 1
        end = last_clip * grid.hop_length + grid.clip_length
        end_s = -(-end // grid.sample_rate) + _AHEAD_S
        stop = min(stop, segment.first_sample + end_s * rate)
    for block in io.read_blocks(stretch.path, channel=channel, start=position):
        yield block if stretch.until_the_end else block[: max(0, stop - position)]
        position += len(block)
        if position >= stop and not stretch.until_the_end:
            return

"""Plan the work on recordings: units of some minutes, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seacall.audio.clips import ClipGrid, Stretch
from seacall.detect.clip_table import ClipTable
from seacall.events import Recording, Segment

UNIT_S = 600.0
"""Length of a unit: what a killed run loses of each recording that it was at."""
TASK_S = 600.0
"""Audio in a task, s: short recordings go to a worker process many at a time."""
_TASKS_EACH = 4


@dataclass(frozen=True)
class Unit:
    """Consecutive clips of one segment of one channel, scored in one go."""

    path: Path
    sample_rate: int
    """Of the recording, Hz."""
    channel: int | None
    """Counted from 1; None: the mean of all channels."""
    segment: Segment
    segment_number: int
    """Counted from 0."""
    first_clip: int
    """Number of the unit's first clip within the segment."""
    n_clips: int | None
    """None: as many as come out. Compressed recordings whose length is estimated, and
    in which no sample can be found by its number, are one unit."""

    @property
    def stretch(self) -> Stretch:
        """What is read for it."""
        return Stretch(
            self.path,
            self.sample_rate,
            self.segment,
            self.first_clip,
            self.n_clips,
            until_the_end=self.n_clips is None,
        )

    def audio_s(self, grid: ClipGrid) -> float:
        """Return about how much audio it covers, s."""
        whole_s = self.segment.n_samples / self.sample_rate
        if self.n_clips is None:
            return whole_s
        return min(whole_s, self.n_clips * grid.hop_length / grid.sample_rate)


@dataclass(frozen=True)
class UnitResult:
    """What came of a unit."""

    unit: Unit
    table: ClipTable
    """The clips that could be scored, from the unit's first one on."""
    failure: str = ""
    """Why the others could not be; empty: all were."""


Task = tuple[Unit, ...]
"""Units that go to a worker process together."""


def plan_units(
    recording: Recording,
    segments: Sequence[Segment],
    *,
    sample_rate: int,
    channels: Iterable[int | None],
    grid: ClipGrid,
    seekable: bool = True,
    unit_s: float = UNIT_S,
) -> list[Unit]:
    """Divide a recording into units.

    Parameters
    ----------
    recording
        The file.
    segments
        Its parts without a break, in order.
    sample_rate
        The true one, Hz.
    channels
        Channels to listen to; None: the mean of all.
    grid
        Where the clips lie within a segment.
    seekable
        Whether reading can start at any sample.
    unit_s
        Length of a unit, s.
    """
    n_each = max(1, round(unit_s * grid.sample_rate / grid.hop_length))
    units: list[Unit] = []
    for channel in channels:
        for number, segment in enumerate(segments):
            n = grid.count(segment.n_samples, sample_rate=sample_rate)
            spans: Iterable[tuple[int, int | None]] = (
                (first, min(n_each, n - first)) for first in range(0, n, n_each)
            )
            units += [
                Unit(
                    recording.path, sample_rate, channel, segment, number, first, count
                )
                for first, count in (spans if seekable else [(0, None)])
            ]
    return units


def tasks_of(
    units: Sequence[Unit], *, grid: ClipGrid, n_workers: int = 1
) -> Iterator[Task]:
    """Put short units together, in order, so that handing them over costs little.

    There are several tasks for each worker where there is that much to do.
    """
    whole_s = sum(unit.audio_s(grid) for unit in units)
    task_s = min(TASK_S, whole_s / (_TASKS_EACH * n_workers))
    task: list[Unit] = []
    audio_s = 0.0
    for unit in units:
        length_s = unit.audio_s(grid)
        if task and audio_s + length_s > task_s:
            yield tuple(task)
            task, audio_s = [], 0.0
        task.append(unit)
        audio_s += length_s
    if task:
        yield tuple(task)

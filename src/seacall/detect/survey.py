"""Survey recordings before any compute: what there is, when it was, what is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from seacall.audio.io import gather
from seacall.data.pool import map_files
from seacall.data.timestamps import RecordingTime, recording_times
from seacall.detect.deployment_time import Interval, Order, deployments, put_in_order
from seacall.detect.survey_file import Look, look_at

Progress = Callable[[str, int, int], None]

PROBLEMS = {
    "unreadable": "cannot be opened",
    "damaged": "cannot be read to the end",
    "repaired": "read in full, though the header is wrong",
    "dead": "a channel never moves: unplugged, or a broken hydrophone",
    "silent": "nothing but the last bit moves",
    "clipped": "louder than the recorder can hold",
    "duplicate": "the same audio as another file",
    "no time": "when it was recorded is not known",
    "doubtful time": "its sources of time do not agree, or can be read in two ways",
    "overlap": "begins before the one before it ends",
}
"""What may be wrong with a file, the worst first, and what that means."""


@dataclass(frozen=True)
class Surveyed:
    """One recording of a survey."""

    look: Look
    deployment: str
    time: RecordingTime
    duplicate_of: Path | None = None
    gap_s: float = 0.0
    """Time without a recording before it, s."""
    overlap_s: float = 0.0
    """Time that it shares with those before it, s."""

    @property
    def sample_rate(self) -> int | None:
        """The true rate, Hz; None: not known."""
        header = self.look.recording.sample_rate if self.look.recording else None
        return self.time.sample_rate or header

    @property
    def duration_s(self) -> float:
        """Length of what is there, s."""
        recording = self.look.recording
        return recording.n_samples / (self.sample_rate or 1) if recording else 0.0

    def problems(self) -> list[str]:
        """Name what is wrong, as :data:`PROBLEMS` has it."""
        look, sampled = self.look, self.look.sampled
        recording = look.recording
        found = {
            "unreadable": recording is None,
            "damaged": recording is not None and bool(look.failure),
            "repaired": recording is not None and bool(recording.repaired),
            "duplicate": self.duplicate_of is not None,
            "no time": self.time.start is None,
            "doubtful time": self.time.start is not None and bool(self.time.doubt),
            "overlap": self.overlap_s > 0,
        }
        if sampled is not None:
            found["dead"] = sampled.dead_share > 0
            found["silent"] = sampled.is_silent and not sampled.dead_channels
            found["clipped"] = sampled.is_clipped
        return [name for name in PROBLEMS if found.get(name)]


@dataclass(frozen=True)
class Deployment:
    """One recorder at one place, as far as folders and names tell."""

    name: str
    files: tuple[Surveyed, ...]
    order: Order

    @property
    def recorded_s(self) -> float:
        """Length of all its recordings, s."""
        return sum(one.duration_s for one in self.files)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """From its first to its last known moment; None: no time is known."""
        intervals = self.order.intervals
        if not intervals:
            return None
        return intervals[0].start, max(one.end for one in intervals)

    @property
    def gap_s(self) -> float:
        """Length of all gaps, s."""
        return sum(one.duration_s for one in self.order.gaps)

    @property
    def overlap_s(self) -> float:
        """Length of all overlaps, s."""
        return sum(one.duration_s for one in self.order.overlaps)


@dataclass(frozen=True)
class Survey:
    """What was found in a set of recordings."""

    files: tuple[Surveyed, ...]
    """In the order of the input."""
    deployments: tuple[Deployment, ...]
    problems: dict[str, tuple[Surveyed, ...]] = field(default_factory=dict)
    """Files of each kind of problem, the worst kind first."""

    @property
    def recorded_s(self) -> float:
        """Length of all recordings, s."""
        return sum(one.duration_s for one in self.files)

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(one.look.n_bytes for one in self.files)

    @property
    def failures(self) -> list[str]:
        """Reasons of the files that cannot be read, or not to their end."""
        return [one.look.failure for one in self.files if one.look.failure]


def survey(
    arguments: Sequence[str | Path],
    *,
    pattern: str | None = None,
    timezone: str = "UTC",
    thorough: bool = False,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> Survey:
    """Look at recordings, and say what there is and what is wrong with it.

    Parameters
    ----------
    arguments
        Recordings, folders, URLs, ``@list.txt``; as :func:`seacall.audio.io.gather`.
    pattern, timezone
        As :func:`seacall.data.timestamps.recording_times`.
    thorough
        Decode every sample in place of a few seconds.
    n_workers
        Processes.
    progress
        Called with the stage, the files done, and all files.

    Raises
    ------
    AudioError
        If a folder does not exist or holds no recordings. A bad file is a finding.
    SettingsError
        If pattern or zone are wrong.
    """
    paths = gather(arguments)
    times = recording_times(paths, pattern=pattern, timezone=timezone)
    looks = map_files(
        partial(look_at, thorough=thorough),
        paths,
        n_workers=n_workers,
        progress=partial(progress, "survey") if progress else None,
    )
    names = deployments(paths)
    duplicates = _duplicates(looks)
    files = [
        Surveyed(look, name, times[look.path], duplicates.get(k))
        for k, (look, name) in enumerate(zip(looks, names, strict=True))
    ]
    return _summed_up(files)


def _duplicates(looks: Sequence[Look]) -> dict[int, Path]:
    """Return the first file with the same audio, by the number of each later one."""
    first: dict[tuple[int, int, str], Path] = {}
    found = {}
    for k, look in enumerate(looks):
        sampled, recording = look.sampled, look.recording
        if sampled is None or recording is None or sampled.is_silent:
            continue  # silence is the same everywhere
        key = (recording.n_samples, recording.sample_rate, sampled.digest)
        if key in first:
            found[k] = first[key]
        else:
            first[key] = look.path
    return found


def _summed_up(files: list[Surveyed]) -> Survey:
    members: dict[str, list[int]] = defaultdict(list)
    for k, one in enumerate(files):
        members[one.deployment].append(k)
    orders = {}
    for name, indices in members.items():
        orders[name] = put_in_order(
            interval for k in indices for interval in _intervals(files[k], k)
        )
        for gap in orders[name].gaps:
            files[gap.index] = _with(files[gap.index], gap_s=gap.duration_s)
        for overlap in orders[name].overlaps:
            shared_s = overlap.duration_s
            files[overlap.index] = _with(files[overlap.index], overlap_s=shared_s)
    found = tuple(
        Deployment(name, tuple(files[k] for k in indices), orders[name])
        for name, indices in sorted(members.items())
    )
    problems: dict[str, list[Surveyed]] = {name: [] for name in PROBLEMS}
    for one in files:
        for name in one.problems():
            problems[name].append(one)
    kept = {name: tuple(some) for name, some in problems.items() if some}
    return Survey(tuple(files), found, kept)


def _with(one: Surveyed, *, gap_s: float = 0.0, overlap_s: float = 0.0) -> Surveyed:
    return Surveyed(
        one.look,
        one.deployment,
        one.time,
        one.duplicate_of,
        one.gap_s + gap_s,
        one.overlap_s + overlap_s,
    )


def _intervals(one: Surveyed, index: int) -> list[Interval]:
    rate = one.sample_rate
    if one.look.recording is None or rate is None:
        return []
    parts = [
        Interval(segment.start, segment.n_samples / rate, index)
        for segment in one.time.segments
        if segment.start is not None
    ]
    if parts or one.time.start is None:
        return parts
    return [Interval(one.time.start, one.duration_s, index)]

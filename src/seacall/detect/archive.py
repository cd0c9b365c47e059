"""Listen to an archive: preflight, score what is left, and detect in the scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from seacall.audio import io
from seacall.audio.clips import ClipGrid
from seacall.audio.fast import kernels
from seacall.data.pool import map_files
from seacall.data.timestamps import RecordingTime, recording_times
from seacall.detect.merge import detections
from seacall.detect.rows import Entry
from seacall.detect.store import Store
from seacall.detect.units import UNIT_S, Task, Unit, UnitResult, plan_units, tasks_of
from seacall.detect.workers import Job, score_here, score_in_processes
from seacall.detection import DetectSettings
from seacall.errors import AudioError
from seacall.events import Detection, Recording, Searched, Segment
from seacall.models.checkpoint import Card

Engine = Callable[[Sequence[Task], Job], Iterator[UnitResult]]
"""Scores tasks, wherever; results may come in any order."""
_GONE = (-1, -1)
_COMMIT_S = 600.0
"""Audio whose results are written together; less where units are longer."""


@dataclass(frozen=True)
class Plan:
    """How an archive is listened to: all that decides the scores."""

    model: Path | None
    """Model folder; None: the model that comes with the package."""
    card: Card
    hop_s: float | None = None
    """From one clip's start to the next, s; None: clips lie end to end."""
    each_channel: bool = False
    """Listen to all channels, one by one; else to the card's."""
    embeddings: bool = False
    """Keep what the last layer is given of each clip, to search in."""
    unit_s: float = UNIT_S
    time_pattern: str | None = None
    """How file names tell the time; None: the patterns that are known."""
    timezone: str = "UTC"
    """Of times that do not name their own."""
    threshold: tuple[str, ...] = ()
    """What the user asked of the card's thresholds; the card has it already."""

    @property
    def grid(self) -> ClipGrid:
        """Where clips lie."""
        return ClipGrid.of(self.card.front_end, hop_s=self.hop_s)

    @property
    def job(self) -> Job:
        """What workers need to know."""
        return Job(self.model, self.card, self.grid, embeddings=self.embeddings)

    @property
    def run(self) -> dict[str, Any]:
        """Settings of `seacall detect` that a later look at the scores starts from."""
        channel = self.card.front_end.clip.channel
        return {
            "model": None if self.model is None else str(self.model),
            "hop_s": self.hop_s,
            "channel": "each" if self.each_channel else channel or "mean",
            "timezone": self.timezone,
            "time_pattern": self.time_pattern,
            "threshold": list(self.threshold),
        }

    @property
    def key(self) -> dict[str, Any]:
        """All that decides the scores, as plain values."""
        return {
            "model": dict(self.card.weights),
            "labels": list(self.card.labels),
            "front_end": self.card.front_end.model_dump(mode="json"),
            "hop": self.hop_s,
            "each_channel": self.each_channel,
            "unit": self.unit_s,
            "measured_events": self.card.unknown.needs_events,
            # They agree to rounding, which loud bands hide and empty ones do not.
            "kernels": "plain" if kernels() is None else "compiled",
        }


@dataclass
class Progress:
    """How far a run is."""

    n_recordings: int = 0
    n_units: int = 0
    n_units_done: int = 0
    audio_s: float = 0.0
    """Length of what is to be scored in this run, s."""
    audio_done_s: float = 0.0


Watch = Callable[[Progress], None]


@dataclass
class ArchiveResult:
    """What came of a run."""

    n_recordings: int = 0
    """Recordings of which anything was heard."""
    heard_s: float = 0.0
    """Length of what was heard, s; channels that lie beside each other count once."""
    scored_s: float = 0.0
    """Length of what was scored in this run and not before, s."""
    detections: dict[str, int] = field(default_factory=dict)
    """Number of detections by label."""
    failures: dict[str, str] = field(default_factory=dict)
    """Reason for each recording that failed, wholly or in part, by path."""
    doubts: dict[str, str] = field(default_factory=dict)
    """Why the time of a recording is not known beyond doubt, by path."""
    written: list[str] = field(default_factory=list)
    """Files, and folders with one for each recording."""

    def add(self, searched: Searched, found: Sequence[Detection]) -> None:
        """Count a recording and what was found in it."""
        self.n_recordings += bool(searched.heard)
        self.heard_s += searched.heard_s
        for one in found:
            self.detections[one.label] = self.detections.get(one.label, 0) + 1
        if searched.failure:
            self.failures[str(searched.path)] = searched.failure

    def summary(self) -> str:
        """Say in one line what was heard and found."""
        counts = sorted(self.detections.items(), key=lambda item: (-item[1], item[0]))
        what = ", ".join(f"{label} {count}" for label, count in counts)
        n = sum(self.detections.values())
        return (
            f"{self.n_recordings} recordings, {self.heard_s / 3600:.2f} h; "
            f"{n} detections{': ' + what if what else ''}"
        )


def listen(
    paths: Sequence[Path],
    store: Store,
    plan: Plan,
    *,
    n_workers: int = 1,
    engine: Engine | None = None,
    watch: Watch = lambda _: None,
) -> Progress:
    """Score all that is not scored yet, and keep it in the store.

    Parameters
    ----------
    paths
        Recordings, each once, in the order in which results are wanted.
    n_workers
        Processes on this machine.
    engine
        Where tasks are scored; None: here.

    Raises
    ------
    SettingsError
        If the store holds scores that were made in another way, or is not writable.
    """
    card = plan.card.model_dump(mode="json")
    store.run_of(plan.key, {"card": card, "run": plan.run})
    preflight(paths, store, plan, n_workers=n_workers)
    units = store.waiting(embeddings=plan.embeddings)
    tasks = list(tasks_of(units, grid=plan.grid, n_workers=n_workers))
    progress = Progress(
        n_recordings=len(paths),
        n_units=len(units),
        audio_s=sum(unit.audio_s(plan.grid) for unit in units),
    )
    watch(progress)
    if engine is None:
        many = n_workers > 1 and len(tasks) > 1
        engine = (
            partial(score_in_processes, n_workers=min(n_workers, len(tasks)))
            if many
            else score_here
        )
    for results in _in_groups(engine(tasks, plan.job) if tasks else (), plan.grid):
        store.put(results)
        progress.n_units_done += len(results)
        progress.audio_done_s += sum(r.unit.audio_s(plan.grid) for r in results)
        watch(progress)
    return progress


def _in_groups(
    results: Iterable[UnitResult], grid: ClipGrid
) -> Iterator[list[UnitResult]]:
    """Put results together up to some minutes of audio: a commit takes its time."""
    group: list[UnitResult] = []
    audio_s = 0.0
    for result in results:
        group.append(result)
        audio_s += result.unit.audio_s(grid)
        if audio_s >= _COMMIT_S:
            yield group
            group, audio_s = [], 0.0
    if group:
        yield group


def preflight(
    paths: Sequence[Path], store: Store, plan: Plan, *, n_workers: int = 1
) -> None:
    """Look at all recordings before any is scored; note those that are new.

    A recording is known by its path, size and time of last change. One that changed
    is scored anew; what failed before is tried again.
    """
    # A pattern or zone that is none is told before anything is read.
    recording_times([], pattern=plan.time_pattern, timezone=plan.timezone)
    store.retry_failed()
    before = store.stamps()
    stamps = {path: _stamp(path) for path in paths}
    # One that was heard and cannot be found, its drive unplugged, keeps its scores.
    new = [
        path
        for path in paths
        if before.get(path) != stamps[path]
        and (path not in before or stamps[path] != _GONE)
    ]
    looked = map_files(_look, new, n_workers=n_workers)
    times = recording_times(paths, pattern=plan.time_pattern, timezone=plan.timezone)
    store.add(
        _planned(path, stamps[path], found, times[path], plan)
        for path, found in zip(new, looked, strict=True)
    )
    store.name_recordings(paths)
    # Nor is its header there to tell the time.
    store.set_times({p: time for p, time in times.items() if stamps[p] != _GONE})


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return _GONE
    return status.st_size, getattr(status, "st_mtime_ns", round(status.st_mtime * 1e9))


def _look(path: Path) -> Recording | str:
    try:
        return io.probe(path)
    except AudioError as error:
        return str(error)


def _planned(
    path: Path,
    stamp: tuple[int, int],
    found: Recording | str,
    time: RecordingTime,
    plan: Plan,
) -> tuple[Entry, list[Unit]]:
    """Return a recording's row of the ledger, and its units."""
    if isinstance(found, str):
        return Entry(path, *stamp, recording=None, failure=found), []
    rate = time.sample_rate or found.sample_rate
    segments = time.segments or (Segment(0, found.n_samples, time.start),)
    entry = Entry(
        path,
        *stamp,
        recording=replace(found, sample_rate=rate),
        sample_rate=rate,
        segments=segments,
        time_source=time.source,
        time_doubt=time.doubt,
        failure=f"{path}: is cut off, {found.cut_off}" if found.cut_off else "",
    )
    wanted = plan.card.front_end.clip.channel
    channels: Iterable[int | None] = (
        range(1, found.n_channels + 1) if plan.each_channel else [wanted]
    )
    units = plan_units(
        found,
        segments,
        sample_rate=rate,
        channels=channels,
        grid=plan.grid,
        seekable=io.seekable(found),
        unit_s=plan.unit_s,
    )
    return entry, units


def found_in(
    store: Store, card: Card, settings: DetectSettings
) -> Iterator[tuple[Searched, list[Detection]]]:
    """Detect in the scores of a store, recording by recording.

    Parameters
    ----------
    card
        Calibration, thresholds and limits; the model that made the scores.
    """
    grid = ClipGrid.of(card.front_end, hop_s=store.key.get("hop"))
    for entry, searched in store.searched(grid):
        found: list[Detection] = []
        for channel, segment, table in store.tables(
            entry, grid, n_classes=len(card.labels)
        ):
            found += detections(
                table,
                searched=searched,
                channel=channel or 1,
                segment=segment,
                card=card,
                settings=settings,
            )
        yield searched, sorted(found, key=lambda d: (d.start_s, d.channel, d.label))


def default_workers() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))

"""What the ledger holds of recordings and units, as rows and as objects."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio.clips import ClipGrid
from seacall.audio.locate import location
from seacall.data.timestamps import RecordingTime
from seacall.detect.clip_table import ClipTable
from seacall.detect.units import Unit
from seacall.events import Recording, Segment

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS recordings (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    position INTEGER,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    header TEXT,
    sample_rate INTEGER NOT NULL,
    segments TEXT NOT NULL,
    time_source TEXT NOT NULL,
    time_doubt TEXT NOT NULL,
    failure TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS units (
    id INTEGER PRIMARY KEY,
    recording INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    channel INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    first_clip INTEGER NOT NULL,
    n_clips INTEGER,
    n_done INTEGER,
    failure TEXT NOT NULL DEFAULT '',
    logits BLOB,
    measures BLOB,
    UNIQUE (recording, channel, segment, first_clip)
);
CREATE INDEX IF NOT EXISTS waiting ON units (id) WHERE n_done IS NULL;
"""
"""Tables of the ledger."""
MEASURES = ("silent", "event_db", "level_db", "snr_db", "low_hz", "high_hz")
"""Columns beside the logits, in the order in which they are kept."""


@dataclass(frozen=True)
class Entry:
    """A recording as the ledger knows it."""

    path: Path
    size: int
    """Bytes."""
    mtime_ns: int
    recording: Recording | None
    """None: it could not be opened."""
    sample_rate: int = 0
    """The true one, Hz; 0: not known."""
    segments: tuple[Segment, ...] = ()
    time_source: str = ""
    """How its time is known."""
    time_doubt: str = ""
    """Why its time is not known, or not beyond doubt."""
    failure: str = ""
    """Why it, or a part of it, could not be read."""


def unit_key(unit: Unit) -> tuple[int, int, int]:
    """Return channel (0: mean of all), segment and first clip of a unit."""
    return unit.channel or 0, unit.segment_number, unit.first_clip


def unit_of(row: tuple[bytes, int, str, int, int, int, int | None]) -> Unit:
    """Return a unit from its recording's path, rate and segments, and its own row."""
    name, rate, segments, channel, number, first_clip, n_clips = row
    segment = segments_of(segments)[number]
    path = path_of(name)
    return Unit(path, rate, channel or None, segment, number, first_clip, n_clips)


def path_bytes(path: Path) -> bytes:
    """Return a path, or the URL of a remote file, as it is kept."""
    # A file name need not be text.
    return os.fsencode(str(path))


def path_of(name: bytes) -> Path:
    """Return a path as it was."""
    return location(os.fsdecode(name))


def measures_of(table: ClipTable) -> NDArray[np.float32]:
    """Return the columns of `MEASURES`, shape ``(n, 6)``."""
    columns = [np.asarray(getattr(table, name), "<f4") for name in MEASURES]
    return np.stack(columns, axis=1) if len(table) else np.empty((0, 6), "<f4")


def table_of(
    row: tuple[int, int, bytes, bytes],
    grid: ClipGrid,
    *,
    offset_s: float,
    n_classes: int,
) -> ClipTable:
    """Return clips from ``(first_clip, n, logits, measures)`` as they are kept."""
    first, n, logits, measures = row
    values = np.frombuffer(measures, "<f4").reshape(n, len(MEASURES))
    columns = dict(zip(MEASURES, values.T, strict=True))
    k = np.arange(first, first + n)
    return ClipTable(
        start_s=offset_s + k * grid.hop_length / grid.sample_rate,
        logits=np.frombuffer(logits, "<f4").reshape(n, n_classes),
        silent=columns.pop("silent") > 0,
        **columns,
    )


def span_of(
    entry: Entry, grid: ClipGrid, segment_number: int, first: int, n: int
) -> list[tuple[float, float]]:
    """Return the stretches that clips cover, s from the recording's first sample."""
    segment = entry.segments[segment_number]
    offset_s = segment.first_sample / entry.sample_rate
    end_s = offset_s + segment.n_samples / entry.sample_rate
    clip_s = grid.clip_length / grid.sample_rate
    if grid.hop_length > grid.clip_length:
        starts = [offset_s + grid.start_s(k) for k in range(first, first + n)]
        return [(start_s, min(start_s + clip_s, end_s)) for start_s in starts]
    last_s = offset_s + grid.start_s(first + n - 1) + clip_s
    return [(offset_s + grid.start_s(first), min(last_s, end_s))]


def merged(spans: Iterable[list[tuple[float, float]]]) -> tuple[Any, ...]:
    """Join stretches that touch or overlap."""
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(one for some in spans for one in some):
        if merged and start_s <= merged[-1][1] + 1e-6:
            merged[-1] = merged[-1][0], max(end_s, merged[-1][1])
        else:
            merged.append((start_s, end_s))
    return tuple(merged)


def header_text(recording: Recording | None) -> str | None:
    """Return what a recording's header says, as JSON."""
    if recording is None:
        return None
    values = {k: v for k, v in vars(recording).items() if k != "path"}
    return json.dumps(values)


def header_of(text: str | None, path: Path) -> Recording | None:
    """Return the recording of a header as it is kept."""
    return None if text is None else Recording(path=path, **json.loads(text))


def segments_text(segments: Iterable[Segment]) -> str:
    """Return segments as JSON."""
    return json.dumps(
        [
            [s.first_sample, s.n_samples, s.start.isoformat() if s.start else None]
            for s in segments
        ]
    )


@lru_cache(maxsize=64)
def segments_of(text: str) -> tuple[Segment, ...]:
    """Return segments as they were."""
    return tuple(
        Segment(first, n, datetime.fromisoformat(start) if start else None)
        for first, n, start in json.loads(text)
    )


def timed(segments: tuple[Segment, ...], time: RecordingTime) -> tuple[Segment, ...]:
    """Return the segments of a recording with the times that are known now."""
    if len(segments) == 1:
        return (replace(segments[0], start=time.start),)
    starts = {segment.first_sample: segment.start for segment in time.segments}
    return tuple(
        replace(segment, start=starts.get(segment.first_sample, segment.start))
        for segment in segments
    )

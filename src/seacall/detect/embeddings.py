"""Keep what a network makes of each clip before its last layer, beside the scores.

Embeddings of a unit are one blob of float16 in a table of their own, written in the
transaction that keeps its scores: who only reads scores reads none of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seacall.audio.clips import ClipGrid
from seacall.detect.clip_table import ClipTable
from seacall.detect.rows import (
    header_of,
    path_bytes,
    path_of,
    segments_of,
    table_of,
    unit_key,
)
from seacall.detect.units import UnitResult
from seacall.events import Recording, Segment

if TYPE_CHECKING:
    from seacall.models.backend import Classifier
    from seacall.models.checkpoint import Card
    from seacall.models.embedding import Embedder

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]

SCHEMA = """
CREATE TABLE IF NOT EXISTS embeddings (
    unit INTEGER PRIMARY KEY REFERENCES units (id) ON DELETE CASCADE,
    embedding BLOB NOT NULL
);
"""
"""A row for each unit that has clips: ``n_done`` embeddings in a row."""
TO_DO = (
    "(u.n_done IS NULL OR (u.n_done > 0 AND "
    "NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.unit = u.id)))"
)
"""Which units are still to be run where embeddings are wanted."""
LARGEST = float(np.finfo(np.float16).max)


class EmbeddingClassifier:
    """A classifier that gives embeddings beside the logits, in one run.

    Parameters
    ----------
    embedder
        What `seacall.models.embedding.load_embedder` opened.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.card: Card = embedder.card
        self._embedder = embedder

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Classify clips; see `seacall.models.backend.Classifier`."""
        return self.both(x, features)[0]

    def both(self, x: Float32, features: Float32) -> tuple[Float32, Float16]:
        """Return logits ``(n, n_classes)`` and embeddings ``(n, length)``."""
        logits, embeddings = self._embedder.both(x, features)
        return logits, in_16_bits(embeddings)


def open_embedding_classifier(model: Path | None) -> EmbeddingClassifier:
    """Open a model folder for scores and embeddings; None: the model built in.

    Raises
    ------
    CheckpointError, MissingExtraError
        If it cannot give embeddings.
    """
    from seacall.models.embedding import load_embedder

    return EmbeddingClassifier(load_embedder(model))


def outputs(
    classifier: Classifier, x: Float32, features: Float32
) -> tuple[Float32, Float16 | None]:
    """Return logits, and embeddings where the classifier gives them."""
    if isinstance(classifier, EmbeddingClassifier):
        return classifier.both(x, features)
    return classifier.logits(x, features), None


def in_16_bits(embeddings: Float32) -> Float16:
    """Round to float16, with what is beyond its range at its ends."""
    return np.clip(embeddings, -LARGEST, LARGEST).astype("<f2")


@dataclass(frozen=True)
class EmbeddedUnit:
    """A unit whose embeddings are kept, as the ledger has it."""

    number: int
    """The ledger's id; it may be given again to another unit once this one is gone."""
    recording: int
    """The ledger's id of its recording."""
    path: Path
    size: int
    mtime_ns: int
    channel: int
    """Counted from 1; 0: the mean of all."""
    segment: int
    first_clip: int
    n_clips: int


def put_embeddings(db: sqlite3.Connection, result: UnitResult) -> None:
    """Keep the embeddings of a unit whose scores are kept, inside a transaction.

    What is kept already stays; embeddings of more or fewer clips than have scores,
    because the recording ceased to be readable in between, are not taken.
    """
    found = result.table.embeddings
    if found is None or not len(found):
        return
    db.execute(
        "INSERT OR IGNORE INTO embeddings (unit, embedding) "
        "SELECT u.id, ? FROM units u JOIN recordings r ON u.recording = r.id "
        "WHERE u.n_done = ? AND u.channel = ? AND u.segment = ? AND u.first_clip = ? "
        "AND r.path = ?",
        (
            found.astype("<f2").tobytes(),
            len(found),
            *unit_key(result.unit),
            path_bytes(result.unit.path),
        ),
    )


def has_embeddings(db: sqlite3.Connection) -> bool:
    """Tell whether a ledger, perhaps an old one, has any."""
    table = db.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'embeddings'"
    ).fetchone()
    return table is not None and (
        db.execute("SELECT 1 FROM embeddings LIMIT 1").fetchone() is not None
    )


def embedded_units(db: sqlite3.Connection) -> list[EmbeddedUnit]:
    """Return the units whose embeddings are kept, in order of recordings and time."""
    if not has_embeddings(db):
        return []
    rows = db.execute(
        "SELECT u.id, r.id, r.path, r.size, r.mtime_ns, u.channel, u.segment, "
        "u.first_clip, u.n_done FROM embeddings e JOIN units u ON e.unit = u.id "
        "JOIN recordings r ON u.recording = r.id "
        "ORDER BY r.position, r.id, u.channel, u.segment, u.first_clip"
    )
    return [EmbeddedUnit(n, r, path_of(name), *rest) for n, r, name, *rest in rows]


def embeddings_of(
    db: sqlite3.Connection, units: Sequence[EmbeddedUnit]
) -> Iterator[tuple[EmbeddedUnit, Float16]]:
    """Yield units with their embeddings, ``(n_clips, length)``, one by one."""
    for unit in units:
        row = db.execute(
            "SELECT embedding FROM embeddings WHERE unit = ?", (unit.number,)
        ).fetchone()
        if row is not None and len(row[0]) and len(row[0]) % (2 * unit.n_clips) == 0:
            yield unit, np.frombuffer(row[0], "<f2").reshape(unit.n_clips, -1)


def embedded_tables(
    db: sqlite3.Connection,
    units: Sequence[EmbeddedUnit],
    grid: ClipGrid,
    *,
    n_classes: int,
) -> Iterator[tuple[EmbeddedUnit, float, ClipTable]]:
    """Yield units, where their segment ends (s), and their clips with embeddings."""
    for unit, embeddings in embeddings_of(db, units):
        row = db.execute(
            "SELECT u.first_clip, u.n_done, u.logits, u.measures, r.segments, "
            "r.sample_rate FROM units u JOIN recordings r ON u.recording = r.id "
            "WHERE u.id = ?",
            (unit.number,),
        ).fetchone()
        if row is None or row[1] != len(embeddings):  # a run is writing there
            continue
        *kept, segments, rate = row
        segment = segments_of(segments)[unit.segment]
        offset_s = segment.first_sample / rate
        clips = table_of(tuple(kept), grid, offset_s=offset_s, n_classes=n_classes)
        end_s = offset_s + segment.n_samples / rate
        yield unit, end_s, replace(clips, embeddings=embeddings)


@dataclass(frozen=True)
class KeptRecording:
    """A recording as the ledger has it, to name and to date what lies in it."""

    number: int
    path: Path
    recording: Recording | None
    segments: tuple[Segment, ...]
    sample_rate: int

    def start_of(self, start_s: float) -> datetime | None:
        """Return when something that starts there starts, in UTC; None: not known."""
        for segment in reversed(self.segments):
            offset_s = segment.first_sample / self.sample_rate
            if offset_s <= start_s + 1e-6:
                first = segment.start
                return first and first + timedelta(seconds=start_s - offset_s)
        return None


def kept_recording(db: sqlite3.Connection, number: int) -> KeptRecording | None:
    """Return a recording by the ledger's number; None: it is gone."""
    row = db.execute(
        "SELECT path, header, segments, sample_rate FROM recordings WHERE id = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    path = path_of(row[0])
    header = header_of(row[1], path)
    return KeptRecording(number, path, header, segments_of(row[2]), row[3])


def recordings_named(db: sqlite3.Connection, name: str) -> list[tuple[int, Path]]:
    """Return the recordings whose path is, or ends in, ``name``."""
    rows = db.execute("SELECT id, path FROM recordings")
    found = [(number, path_of(path)) for number, path in rows]
    return [(n, p) for n, p in found if str(p) == name or str(p).endswith("/" + name)]


def lacking(db: sqlite3.Connection) -> list[tuple[Path, int]]:
    """Return recordings of the run with how many units have scores only."""
    rows = db.execute(
        "SELECT r.path, COUNT(*) FROM units u JOIN recordings r ON u.recording = r.id "
        "WHERE u.n_done > 0 AND r.position IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM embeddings e WHERE e.unit = u.id) GROUP BY r.id "
        "ORDER BY r.position"
    )
    return [(path_of(name), n) for name, n in rows]

"""What an index holds of each clip, and how it is read from a run's ledger."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.audio.clips import ClipGrid
from seacall.detect.clip_table import ClipTable
from seacall.detect.embeddings import EmbeddedUnit, embedded_tables
from seacall.detect.rows import path_bytes
from seacall.models.checkpoint import Card

ROW = np.dtype(
    [
        ("start_s", "<f8"),
        ("end_s", "<f8"),
        ("recording", "<i4"),
        ("channel", "<i2"),
        ("segment", "<i2"),
        ("label", "<i2"),
        ("score", "<f4"),
        ("low_hz", "<f4"),
        ("high_hz", "<f4"),
        ("snr_db", "<f4"),
    ]
)
"""A clip: where it lies (channel 0: the mean of all), the model's best class and its
calibrated score, and what stands out in it."""
Rows = NDArray[np.void]
Float16 = NDArray[np.float16]


@dataclass(frozen=True)
class Clips:
    """Consecutive clips of a unit that can be searched in."""

    rows: Rows
    """Shape ``(n,)``, of `ROW`."""
    vectors: Float16
    """Embeddings of length 1, ``(n, length)``."""


def unit_digests(
    units: Sequence[EmbeddedUnit], *, key: dict[str, object], card: Card
) -> NDArray[np.uint64]:
    """Return a number for each unit that changes with anything that its rows hold.

    The ledger's own number is not enough: it may be given again to another unit.
    """
    calibration = card.calibration.model_dump(mode="json")
    of_all = json.dumps([key, calibration], sort_keys=True, default=str).encode()
    return np.array([_digest(of_all, unit) for unit in units], np.uint64)


def _digest(of_all: bytes, unit: EmbeddedUnit) -> int:
    values = [
        *(unit.number, unit.recording, unit.size, unit.mtime_ns),
        *(unit.channel, unit.segment, unit.first_clip, unit.n_clips),
    ]
    text = of_all + path_bytes(unit.path) + json.dumps(values).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def clips_of(
    ledger: sqlite3.Connection,
    units: Sequence[EmbeddedUnit],
    grid: ClipGrid,
    card: Card,
) -> Iterator[Clips]:
    """Yield the clips of units.

    Silent clips and those without an embedding (nothing but zeros, or not finite) are
    left out: nobody looks for them, and they have no direction.
    """
    n_classes = len(card.labels)
    for unit, end_s, table in embedded_tables(ledger, units, grid, n_classes=n_classes):
        assert table.embeddings is not None  # for the type checker
        vectors, usable = unit_vectors(table.embeddings)
        usable &= ~table.silent
        rows = _rows(unit, table, card, grid=grid, end_s=end_s)
        yield Clips(rows[usable], vectors[usable])


def unit_vectors(
    embeddings: NDArray[np.floating],
) -> tuple[Float16, NDArray[np.bool_]]:
    """Scale embeddings ``(n, length)`` to length 1, and say which have a direction."""
    x = np.asarray(embeddings, np.float64)
    usable: NDArray[np.bool_] = np.all(np.isfinite(x), axis=1)
    x = np.where(usable[:, None], x, 0.0)
    length = np.linalg.norm(x, axis=1)
    usable &= length > 0
    return (x / np.where(usable, length, 1.0)[:, None]).astype("<f2"), usable


def _rows(
    unit: EmbeddedUnit, table: ClipTable, card: Card, *, grid: ClipGrid, end_s: float
) -> Rows:
    scores = table.scores(card)
    rows = np.zeros(len(table), ROW)
    rows["start_s"] = table.start_s
    clip_s = grid.clip_length / grid.sample_rate
    rows["end_s"] = np.minimum(table.start_s + clip_s, end_s)
    rows["recording"] = unit.recording
    rows["channel"] = unit.channel
    rows["segment"] = unit.segment
    rows["label"] = scores.argmax(axis=1)
    rows["score"] = scores.max(axis=1)
    for name in ("low_hz", "high_hz", "snr_db"):
        rows[name] = getattr(table, name)
    return rows

"""One row for each clip, as CSV: printed, or written from the scores of a run."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from seacall.audio.clips import ClipGrid
from seacall.detect.classify import ClipScores, clip_scores
from seacall.detect.outputs.values import iso
from seacall.detect.store import Store
from seacall.errors import SettingsError
from seacall.files import written_whole
from seacall.models.checkpoint import Card

FIXED_COLUMNS = ("file", "start_s", "end_s", "answer", "score", "fallback", "reason")
PLACE_COLUMNS = ("channel", "start")
CLIPS_NAME = "clips.csv"


class ClipRows:
    """The CSV table, row by row.

    Parameters
    ----------
    placed
        Write in which channel and when each clip lies, too.
    """

    def __init__(self, stream: TextIO, card: Card, *, placed: bool = False) -> None:
        self._card = card
        self._stream = stream
        places = PLACE_COLUMNS if placed else ()
        self._row([*FIXED_COLUMNS, *places, *card.labels])

    def write(self, found: ClipScores, *places: str) -> None:
        """Write a clip's row."""
        answer, score = found.answer(self._card)
        clip = found.clip
        self._row(
            [
                str(clip.path),
                f"{clip.start_s:.3f}",
                f"{clip.end_s:.3f}",
                answer,
                f"{score:.4f}",
                found.fallback(self._card),
                found.reason(self._card),
                *places,
                *(f"{value:.4f}" for value in found.scores),
            ]
        )

    def _row(self, cells: list[str]) -> None:
        # Left to itself, csv quotes no carriage return within a file's name.
        plain = csv.writer(self._stream, lineterminator="\n")
        quoted = csv.writer(self._stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        (quoted if any("\r" in cell for cell in cells) else plain).writerow(cells)


def write_clips(out: Path, store: Store, card: Card) -> Path:
    """Write what the model said of every clip of a run to ``clips.csv``.

    Beside the columns that are printed there are ``channel`` (0: the mean of all) and
    ``start`` (ISO 8601, UTC; empty if not known).

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    path = out / CLIPS_NAME
    try:
        with (
            written_whole(path) as part,
            part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as f,
        ):
            _write(ClipRows(f, card, placed=True), store, card)
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    return path


def _write(rows: ClipRows, store: Store, card: Card) -> None:
    grid = ClipGrid.of(card.front_end, hop_s=store.key["hop"])
    for entry, _ in store.searched(grid):
        for channel, segment, table in store.tables(
            entry, grid, n_classes=len(card.labels)
        ):
            first_s = segment.first_sample / entry.sample_rate
            for found in clip_scores(entry.path, table, card):
                start = segment.start and segment.start + timedelta(
                    seconds=found.clip.start_s - first_s
                )
                rows.write(found, str(channel), iso(start) or "")

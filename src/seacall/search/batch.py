"""Choose the next batch of clips of a run that a person should label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.data.annotations import is_audacity, read_marks
from seacall.data.selections import (
    AbsentRecordingError,
    RecordingIndex,
    is_selection_table,
)
from seacall.data.tables import Row, number_of, read_table, text_of
from seacall.detect.embeddings import embedded_units
from seacall.detect.store import Store
from seacall.errors import AnnotationError, SettingsError
from seacall.events import Annotation
from seacall.labels import clean_label
from seacall.search.examples import covered
from seacall.search.find import ANYTHING, Hit, Wanted, allowed, hits_of_rows
from seacall.search.index import Index
from seacall.search.pick import Labelled, choose, n_typical, scores_by_means

Ints = NDArray[np.int64]

MOST_CLIPS = 20_000
"""Clips that are looked at; of more, so many at random."""


@dataclass(frozen=True)
class Pick:
    """A clip to label, and why it was chosen."""

    hit: Hit
    guess: str
    """What it may be: by the labels so far, else by the model."""
    score: float
    why: str
    """``typical`` of clips without a label, or ``uncertain``."""


def next_batch(
    indexes: Sequence[Index],
    n: int,
    *,
    labels: Path | None = None,
    wanted: Wanted = ANYTHING,
    seed: int = 0,
) -> list[Pick]:
    """Choose clips to label next: typical and uncertain ones, none like another.

    Parameters
    ----------
    indexes
        Of `seacall.search.find.open_indexes`.
    n
        How many.
    labels
        Table of what is labelled already, in any form that
        `seacall.data.annotations.read_marks` reads; rows without a label are waiting
        for one, and are not chosen again.
    wanted
        Which clips may be chosen.

    Raises
    ------
    AnnotationError, SettingsError
        If the table cannot be read, or there is nothing to choose from.
    """
    rng = np.random.default_rng(seed)
    marked = _Marked(indexes)
    for text, annotation in _marks(indexes, labels) if labels is not None else ():
        marked.add(annotation, label=text)
    free = _free(indexes, marked.seen, wanted)
    if not len(free):
        raise SettingsError(
            "no clip is left to label; widen --species or the scores, or add recordings"
        )
    if len(free) > MOST_CLIPS:
        free = free[np.sort(rng.choice(len(free), MOST_CLIPS, replace=False))]
    vectors, labelled = _vectors(indexes, free), marked.labelled(indexes)
    scores = _model_scores(indexes, free)
    chosen = choose(vectors, n, scores=scores, labelled=labelled, rng=rng)
    hits = hits_of_rows(indexes, [(int(k), int(row)) for k, row in free[chosen]])
    guesses = _guesses(hits, vectors[chosen], labelled, marked.names)
    n_first = n_typical(len(chosen), labelled)
    return [
        Pick(hit, *guess, "typical" if k < n_first else "uncertain")
        for k, (hit, guess) in enumerate(zip(hits, guesses, strict=True))
    ]


class _Marked:
    """Which clips of indexes a person has spoken of, and what was said."""

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._indexes = indexes
        self._numbers = [_recording_numbers(index) for index in indexes]
        self._targets: list[int] = []
        self._rows: list[tuple[int, int]] = []
        self.seen = [np.zeros(len(index.rows), bool) for index in indexes]
        self.names: list[str] = []

    def add(self, stretch: Annotation, *, label: str) -> None:
        """Note a stretch; without a label it waits for one."""
        for position, index in enumerate(self._indexes):
            number = self._numbers[position].get(stretch.path)
            if number is None:
                continue
            rows = covered(index, number, stretch.start_s, stretch.end_s)
            new = np.flatnonzero(rows & ~self.seen[position])
            self.seen[position] |= rows
            if label:
                if label not in self.names:
                    self.names.append(label)
                self._rows += [(position, int(row)) for row in new]
                self._targets += [self.names.index(label)] * len(new)

    def labelled(self, indexes: Sequence[Index]) -> Labelled | None:
        """Return the clips with labels; None: there are none."""
        if not self._rows:
            return None
        rows = np.array(self._rows, np.int64)
        return Labelled(_vectors(indexes, rows), np.array(self._targets, np.int64))


def _recording_numbers(index: Index) -> dict[Path, int]:
    with Store(index.run, writable=False) as store, store.reading() as ledger:
        return {unit.path: unit.recording for unit in embedded_units(ledger)}


def _marks(indexes: Sequence[Index], path: Path) -> list[tuple[str, Annotation]]:
    """Read labelled stretches, and those of an earlier batch that have no label yet."""
    recordings = sorted({p for index in indexes for p in _recording_numbers(index)})
    if is_selection_table(path) or is_audacity(path):
        marks = read_marks([path], recordings=recordings)
        return [(one.label, one) for one in marks.annotations]
    named = RecordingIndex(tuple(recordings))
    found = []
    for number, row in enumerate(read_table(path).rows, start=2):
        try:
            found.append(_mark(row, named, near=path.parent))
        except AbsentRecordingError:
            continue  # of another run
        except AnnotationError as error:
            raise AnnotationError(f"{path}, row {number}: {error}") from error
    return found


def _mark(row: Row, named: RecordingIndex, *, near: Path) -> tuple[str, Annotation]:
    """Read a row of a table as `seacall prepare --table` takes it."""
    start_s, end_s = number_of(row.get("start_s", "")), number_of(row.get("end_s", ""))
    if start_s is None or end_s is None or not 0 <= start_s < end_s:
        raise AnnotationError(
            "needs start_s and end_s in seconds, file_name and species_name; give the "
            "table that --next wrote"
        )
    label = text_of(row.get("species_name", ""))
    path = named.named(text_of(row.get("file_name", "")), near=near)
    return (clean_label(label) if label else ""), Annotation(
        path, start_s, end_s, label
    )


def _free(
    indexes: Sequence[Index], seen: Sequence[NDArray[np.bool_]], wanted: Wanted
) -> Ints:
    """Return index and row of the clips that may be chosen, ``(n, 2)``."""
    parts = [np.empty((0, 2), np.int64)]
    for position, index in enumerate(indexes):
        chosen = allowed(index, wanted)
        left = ~seen[position] if chosen is None else chosen & ~seen[position]
        rows = np.flatnonzero(left)
        parts.append(np.column_stack([np.full(len(rows), position), rows]))
    return np.concatenate(parts)


def _vectors(indexes: Sequence[Index], rows: Ints) -> NDArray[np.float32]:
    found = np.empty((len(rows), indexes[0].vectors.shape[1]), np.float32)
    for position, index in enumerate(indexes):
        mine = rows[:, 0] == position
        found[mine] = index.vectors[rows[mine, 1]]
    return found


def _model_scores(indexes: Sequence[Index], rows: Ints) -> NDArray[np.float32]:
    """Return the run's best score in its class's column, the rest in one beside it.

    An index keeps the best score alone: the second can be no more than what is left.
    """
    n_classes = len(indexes[0].labels)
    scores = np.zeros((len(rows), n_classes + 1), np.float32)
    for position, index in enumerate(indexes):
        mine = np.flatnonzero(rows[:, 0] == position)
        kept = index.rows[rows[mine, 1]]
        scores[mine, kept["label"]] = kept["score"]
        scores[mine, -1] = np.minimum(1 - kept["score"], kept["score"])
    return scores


def _guesses(
    hits: Sequence[Hit],
    vectors: NDArray[np.float32],
    labelled: Labelled | None,
    names: Sequence[str],
) -> list[tuple[str, float]]:
    """Say what clips may be: by the labels so far, else by the model."""
    if labelled is None or len(names) < 2:
        return [(hit.label, hit.score) for hit in hits]
    scores, classes = scores_by_means(vectors, labelled)
    best = scores.argmax(axis=1)
    return [
        (names[int(classes[k])], float(row[k]))
        for k, row in zip(best, scores, strict=True)
    ]

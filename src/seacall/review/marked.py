"""Recall against what people marked without looking at the model's detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seacall.data.annotations import read_marks
from seacall.errors import SettingsError
from seacall.learn.matching import overlapping
from seacall.learn.stretches import FloatArray, as_stretches
from seacall.review.archive import ArchivePlace
from seacall.review.chance import design_effect, share_interval
from seacall.review.shelf import Shelf


@dataclass(frozen=True)
class Recall:
    """Which annotated calls of a class were detected."""

    n_found: int
    n: int
    """Annotated calls that lie in what was heard."""
    low: float
    high: float
    """Interval (95 %), by the effective size: calls of a recording are alike."""

    @property
    def share(self) -> float | None:
        """Recall; None: no call is annotated."""
        return self.n_found / self.n if self.n else None

    @property
    def text(self) -> str:
        """Say it in words."""
        return (
            f"{self.n_found} of {self.n} annotated calls found: recall "
            f"{self.low:.0%} to {self.high:.0%}"
        )


def recalls_of(place: Shelf, tables: Sequence[Path]) -> dict[str, Recall]:
    """Compare detections that are shown with annotations.

    An annotated call is found if a detection of its class overlaps it.

    Parameters
    ----------
    tables
        Raven tables, Audacity labels or CSV, or folders of them.

    Raises
    ------
    SettingsError
        If the place is a station, whose streams no table names.
    AnnotationError
        If a table cannot be read, or names none of the recordings.
    """
    if not isinstance(place, ArchivePlace):
        raise SettingsError(
            f"{place.folder}: annotations are of recordings, and this is a station; "
            "run seacall detect on its recordings, and give that folder"
        )
    searched = {one.path: one for one in place.recordings if one.recording is not None}
    marks = read_marks(tables, recordings=list(searched))
    if not marks.annotations:
        raise SettingsError(
            f"{', '.join(map(str, tables))}: hold no annotation of the recordings of "
            f"{place.folder}; give the tables that belong to them"
        )
    columns, _ = place.book()
    shown = place.shown(columns)
    hits: dict[str, list[tuple[bool, Path]]] = {}
    for path, one in searched.items():
        heard = as_stretches(one.heard)
        for label in {a.label for a in marks.annotations if a.path == path}:
            calls = as_stretches(
                (a.start_s, a.end_s)
                for a in marks.annotations
                if a.path == path and a.label == label
            )
            calls = calls[_touched(calls, heard)]
            code = columns.labels.index(label) if label in columns.labels else -1
            source = columns.sources.index(str(path))
            mine = shown & (columns.label == code) & (columns.source == source)
            found = np.stack([columns.start_s[mine], columns.end_s[mine]], axis=1)
            hit = _touched(calls, found)
            hits.setdefault(label, []).extend((bool(h), path) for h in hit)
    return {label: _recall(some) for label, some in hits.items()}


def _touched(
    calls: FloatArray, others: FloatArray
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    touched = np.zeros(len(calls), bool)
    touched[overlapping(calls, others).first] = True
    return touched


def _recall(hits: Sequence[tuple[bool, Path]]) -> Recall:
    good = [hit for hit, _ in hits]
    effect = design_effect(good, [path for _, path in hits])
    low, high = share_interval(sum(good) / effect, len(good) / effect)
    return Recall(sum(good), len(good), low, high)

"""Read a selection table that was edited by hand back in, as verdicts."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seacall.data.annotations import read_marks
from seacall.errors import SettingsError
from seacall.events import Annotation
from seacall.labels import UNKNOWN
from seacall.review.archive import ArchivePlace
from seacall.review.columns import Columns
from seacall.review.nouns import Answer
from seacall.review.shelf import Shelf

_LEAST_SHARED = 0.5
"""Of the time that a selection or a detection covers."""


@dataclass(frozen=True)
class Imported:
    """What a table said."""

    n_accepted: int = 0
    n_corrected: int = 0
    n_rejected: int = 0
    unmatched: tuple[Annotation, ...] = ()
    """Selections where nothing was detected: calls that were missed."""
    n_untouched: int = 0
    """Detections that are shown and lie in recordings that the table does not name."""
    failures: tuple[str, ...] = ()
    """Rows that could not be read."""

    def lines(self) -> list[str]:
        """Say it in words."""
        lines = [
            f"{self.n_accepted} accepted, {self.n_corrected} corrected, "
            f"{self.n_rejected} rejected"
        ]
        if self.n_untouched:
            lines.append(
                f"{self.n_untouched} detections lie in recordings that the table does "
                "not name: nothing is said of them"
            )
        if self.unmatched:
            lines.append(
                f"{len(self.unmatched)} selections where nothing was detected: give "
                "the table to --quality --annotations for the recall"
            )
        return lines


def import_table(
    place: Shelf, table: Path, *, reviewer: str, missing_rejected: bool = False
) -> Imported:
    """Take a table as verdicts on the detections that its rows lie on.

    A row with the detection's label accepts it, one with another label corrects it, and
    ``unknown`` rejects it. Of several detections the one that shares most counts, of
    its own label first; they have to share more than half of what either covers.

    Parameters
    ----------
    missing_rejected
        Detections in the table's recordings that have no row are rejected: the table
        is what was left of all of them.

    Raises
    ------
    SettingsError
        If the place is a station.
    AnnotationError
        If the table cannot be read, or is of other recordings.
    """
    if not isinstance(place, ArchivePlace):
        raise SettingsError(
            f"{place.folder}: a table names recordings, and this is a station; judge "
            "its detections with --say, or on the page"
        )
    marks = read_marks([table], recordings=[one.path for one in place.recordings])
    columns, _ = place.book()
    said: dict[int, tuple[Answer, str]] = {}
    unmatched = []
    for one in marks.annotations:
        at = _place_of(columns, one, taken=said)
        if at is None:
            unmatched.append(one)
        else:
            said[at] = _answer(one.label, columns.labels[columns.label[at]])
    named = {str(one.path) for one in marks.annotations}
    shown = np.flatnonzero(place.shown(columns)).tolist()
    inside = [at for at in shown if columns.sources[columns.source[at]] in named]
    if missing_rejected:
        for at in inside:
            said.setdefault(at, ("reject", ""))
    for at, (answer, label) in said.items():
        place.notebook.say(
            reviewer, columns.target(at), answer, label=label, note=f"from {table.name}"
        )
    answers = [answer for answer, _ in said.values()]
    absent = [f"{name}: not a recording of this run" for name in marks.absent]
    return Imported(
        answers.count("accept"),
        answers.count("correct"),
        answers.count("reject"),
        tuple(unmatched),
        len(shown) - len(inside),
        (*(f.reason for f in marks.failures), *absent),
    )


def _answer(label: str, detected: str) -> tuple[Answer, str]:
    if label == UNKNOWN:
        return "reject", ""
    return ("accept", "") if label == detected else ("correct", label)


def _place_of(
    columns: Columns, one: Annotation, *, taken: Container[int]
) -> int | None:
    source = str(one.path)
    if source not in columns.sources:
        return None
    near = np.flatnonzero(columns.source == columns.sources.index(source))
    starts, ends = columns.start_s[near], columns.end_s[near]
    shared = np.minimum(ends, one.end_s) - np.maximum(starts, one.start_s)
    covered = np.maximum(ends, one.end_s) - np.minimum(starts, one.start_s)
    best: tuple[bool, float] = (False, 0.0)
    found = None
    for k in np.flatnonzero(shared > _LEAST_SHARED * covered).tolist():
        at = int(near[k])
        rank = columns.labels[columns.label[at]] == one.label, float(shared[k])
        if at not in taken and rank > best:
            best, found = rank, at
    return found

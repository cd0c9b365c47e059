"""From verdicts to labels to train on: what was accepted, corrected, and what is not.

Rejected stretches become ``unknown``: sounds that the model took for an animal, which
are the best of all negatives. Where another class was accepted at the same time they
are left out: something calls there. What is unsure or disputed is left out too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seacall.detect.outputs.target import shared_folder
from seacall.labels import UNKNOWN
from seacall.review.archive import ArchivePlace
from seacall.review.columns import Columns
from seacall.review.nouns import Settled, Target, Verdict
from seacall.review.settled import Book, settle
from seacall.review.shelf import Shelf
from seacall.review.station import StationPlace


@dataclass(frozen=True)
class Label:
    """A stretch of a file, and what it is."""

    path: Path
    """The recording, or the sound that a station kept."""
    target: Target
    start_s: float
    """From the file's first sample."""
    end_s: float
    label: str
    settled: Settled
    reviewers: tuple[str, ...]
    deployment: str
    recording: str
    """What it comes from: clips of one recording are alike."""
    note: str = ""
    low_hz: float = 0.0
    high_hz: float | None = None
    """None: as far as the file reaches."""


@dataclass(frozen=True)
class Labels:
    """All that can be trained on."""

    rows: tuple[Label, ...]
    """In the order of files and starts."""
    folder: Path
    """That all files lie in."""
    left_out: tuple[str, ...]
    """What was judged and is not there, and why, a line each."""


def labels_of(place: Shelf) -> Labels:
    """Return what a place's reviewers settled."""
    columns, book = place.book()
    found: list[Label] = []
    left_out: list[str] = []
    bands = dict(zip(book.at, place.rows(columns, book, list(book.at)), strict=True))
    for at, settled, label, said in _settled(columns, book):
        last = said[-1]
        where = f"{last.target.label} at {last.target.start_s:.3f} s"
        if settled in ("unsure", "disputed"):
            left_out.append(f"{where}: {settled}")
            continue
        one = _label(place, columns, at, settled, label, said)
        if one is None:
            left_out.append(f"{where}: its sound is not there")
        elif at in bands:
            band = bands[at]
            found.append(replace(one, low_hz=band.low_hz, high_hz=band.high_hz))
        else:
            found.append(one)
    rows, doubled = _without_contradictions(found)
    left_out += doubled
    return Labels(tuple(rows), _folder(place, rows), tuple(left_out))


def _settled(
    columns: Columns, book: Book
) -> Iterable[tuple[int, Settled, str, list[Verdict]]]:
    """Yield verdicts that belong together, those on what is gone as well (place -1)."""
    for at, said in book.at.items():
        settled = book.settled(at)
        assert settled is not None
        last = sorted(said, key=lambda one: one.number)
        label = book.new_labels.get(at, columns.labels[columns.label[at]])
        yield at, settled, label, last
    gone: dict[object, list[Verdict]] = {}
    for one in book.lost:
        gone.setdefault(one.target.key, []).append(one)
    for some in gone.values():
        settled, label = settle(some)
        yield -1, settled, label or some[-1].target.label, some


def _label(
    place: Shelf,
    columns: Columns,
    at: int,
    settled: Settled,
    label: str,
    said: Sequence[Verdict],
) -> Label | None:
    target = said[-1].target
    file = _file(place, columns, at, target)
    if file is None:
        return None
    path, offset_s, recording = file
    notes = [one.note for one in said if one.note]
    return Label(
        path,
        target,
        max(0.0, target.start_s - offset_s),
        target.end_s - offset_s,
        UNKNOWN if settled == "rejected" else label,
        settled,
        tuple(one.reviewer for one in said),
        _deployment(place, columns, at, path),
        recording,
        " / ".join(notes),
    )


def _file(
    place: Shelf, columns: Columns, at: int, target: Target
) -> tuple[Path, float, str] | None:
    """Return the file with the sound, where it begins in its source, its recording."""
    if isinstance(place, StationPlace):
        if at < 0:
            return None
        number = int(columns.id[at])
        kept, whole = place.snippet_of(number), place.recording_of(number)
        if whole is not None:
            return Path(os.path.abspath(whole)), 0.0, whole.name  # noqa: PTH100
        return None if kept is None else (*kept, target.source)
    path = Path(os.path.abspath(target.source))  # noqa: PTH100 (links stay)
    return (path, 0.0, path.name) if path.is_file() else None


def _deployment(place: Shelf, columns: Columns, at: int, path: Path) -> str:
    """Return what was recorded by one instrument at one place: a folder, a stream."""
    if isinstance(place, ArchivePlace) or not path.is_relative_to(
        os.path.abspath(place.folder)  # noqa: PTH100
    ):
        return path.parent.name
    return f"{place.name} {columns.names[columns.source[at]]}"


def _without_contradictions(found: Sequence[Label]) -> tuple[list[Label], list[str]]:
    """Leave out what says another thing of the same sound."""
    ordered = sorted(found, key=lambda one: (str(one.target.source), one.start_s))
    calls = [one for one in ordered if one.label != UNKNOWN]
    kept: dict[tuple[Path, float, float], Label] = {}
    left_out: list[str] = []
    for one in [*calls, *(one for one in ordered if one.label == UNKNOWN)]:
        key = one.path, round(one.start_s, 3), round(one.end_s, 3)
        where = f"{one.target.label} at {one.target.start_s:.3f} s"
        if one.label == UNKNOWN and any(_overlap(one, call) for call in calls):
            left_out.append(f"{where}: rejected, but something else calls there")
        elif key in kept and kept[key].label != one.label:
            left_out.append(f"{where}: {kept[key].label} calls at the same time")
        else:
            kept.setdefault(key, one)
    return sorted(kept.values(), key=lambda x: (str(x.path), x.start_s)), left_out


def _overlap(one: Label, other: Label) -> bool:
    first, second = one.target, other.target
    return (
        first.source == second.source
        and first.start_s < second.end_s
        and second.start_s < first.end_s
    )


def _folder(place: Shelf, rows: Sequence[Label]) -> Path:
    parts = shared_folder(one.path for one in rows)
    return place.folder if parts is None else Path("/", *parts)

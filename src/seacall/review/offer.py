"""Offer a reviewer the next detection: three that tell most, then one by chance.

What is chosen because it is doubtful says nothing of how often the model is right.
Every fourth is therefore drawn by chance from all that was detected of a class, what
was judged before and what a threshold hides included: these are a plain random sample.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.review.columns import Bools, Columns, Ints
from seacall.review.nouns import Detected
from seacall.review.picks import next_first
from seacall.review.settled import Book
from seacall.review.shelf import Shelf

ONE_IN = 4
"""Of so many offers one is drawn by chance."""


@dataclass(frozen=True)
class Offer:
    """What to look at next."""

    row: Detected | None
    """None: there is nothing left."""
    left: int
    """Detections that the reviewer has not judged, nor anybody else before him."""
    progress: tuple[dict[str, Any], ...]
    """By class: how many there are, and how many of them the reviewer judged."""
    by_chance: bool = False
    """It was drawn by chance."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "row": None if self.row is None else self.row.as_json(),
            "left": self.left,
            "progress": list(self.progress),
            "by_chance": self.by_chance,
        }


def next_for(
    place: Shelf,
    reviewer: str,
    *,
    label: str | None = None,
    skip: Collection[int] = (),
    double: bool = False,
) -> Offer:
    """Choose what a reviewer looks at next.

    Parameters
    ----------
    label
        Of this class only.
    skip
        Ids that are passed over for now.
    double
        What others judged comes first, so that agreement can be told.
    """
    columns, book = place.book()
    wanted = np.ones(len(columns), bool)
    if label is not None:
        wanted = columns.label == _number(columns, label)
    free = wanted & ~np.isin(columns.id, list(skip))
    good = free & place.shown(columns)
    lowest = place.starting()
    order = next_first(
        columns, book, good, reviewer=reviewer, thresholds=lowest, double=double
    )
    fresh = book.state[order] < 0
    drawn = None if double else _by_chance(place, columns, book, free, reviewer)
    at = drawn if drawn is not None else (int(order[0]) if len(order) else None)
    return Offer(
        None if at is None else place.rows(columns, book, [at])[0],
        len(order) if double else int(fresh.sum()),
        progress_of(columns, book, reviewer),
        drawn is not None,
    )


def _by_chance(
    place: Shelf, columns: Columns, book: Book, free: Bools, reviewer: str
) -> int | None:
    """Return what chance offers, if it is its turn.

    What it draws that was judged already is in the sample without being shown again.
    """
    picked = picked_places(place, columns)
    waiting = [k for k in picked if book.state[k] < 0 and free[k]]
    n_judged = sum(any(one.reviewer == reviewer for one in v) for v in book.at.values())
    if n_judged % ONE_IN != ONE_IN - 1:
        return None
    if waiting:
        return waiting[0]
    new: list[int] = []
    for at in _draws(columns, free, picked):
        new.append(at)
        if book.state[at] < 0:
            break
    if new:
        place.notebook.pick([columns.target(at) for at in new])
    return new[-1] if new and book.state[new[-1]] < 0 else None


def _draws(columns: Columns, free: Bools, picked: Collection[int]) -> list[int]:
    """Return what chance draws next: of the class of which it drew fewest."""
    n_picked = np.bincount(columns.label[list(picked)], minlength=len(columns.labels))
    left = free.copy()
    left[list(picked)] = False
    there = np.unique(columns.label[left])
    if not len(there):
        return []
    label = min(there.tolist(), key=lambda k: (n_picked[k], k))
    places = np.flatnonzero(left & (columns.label == label))
    order = places[np.argsort(lots(columns.id[places]))]
    return [int(at) for at in order]


def lots(numbers: Ints) -> NDArray[np.uint64]:
    """Return a lot for each id: the lowest is drawn first, by whomever it is asked.

    Source: splitmix64, https://prng.di.unimi.it/splitmix64.c
    """
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def picked_places(place: Shelf, columns: Columns) -> list[int]:
    """Return where those are that chance drew."""
    keys = sorted(place.notebook.picked())
    found = [columns.at_key(key) for key in keys]
    return [at for at in found if at is not None]


def progress_of(
    columns: Columns, book: Book, reviewer: str
) -> tuple[dict[str, Any], ...]:
    """Count detections of each class, and those that a reviewer judged."""
    counts = np.bincount(columns.label, minlength=len(columns.labels))
    mine = [0] * len(columns.labels)
    for at, said in book.at.items():
        mine[columns.label[at]] += any(one.reviewer == reviewer for one in said)
    return tuple(
        {"label": name, "n_reviewed": mine[k], "n": int(counts[k])}
        for k, name in enumerate(columns.labels)
    )


def _number(columns: Columns, label: str) -> int:
    return columns.labels.index(label) if label in columns.labels else -1

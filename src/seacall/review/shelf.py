"""What stations and archives have in common: filters, order, pages, verdicts."""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.errors import SettingsError
from seacall.models.checkpoint import Card
from seacall.review.columns import NO_TIME, Bools, Columns, Ints, fitting, ordered
from seacall.review.notebook import Notebook
from seacall.review.nouns import SETTLED, WAITING, Detected, Page, Presence, Query
from seacall.review.picks import next_first
from seacall.review.settled import Book, Key, book_of
from seacall.taxonomy import taxon_of

Float32 = NDArray[np.float32]
Stretches = Sequence[tuple[int, int]]
"""Start and end of what was heard, microseconds since 1970."""
_SECOND_US = 1_000_000


class Shelf(ABC):
    """Detections of a folder, and what was said of them.

    All methods may be called from any thread.

    Parameters
    ----------
    folder
        Of the station or the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.resolve().name or "place"
        self.id = url_safe(self.name)
        self.notebook = Notebook(folder)
        self._turn = threading.RLock()
        self._booked: tuple[Any, Book] | None = None

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """What can be detected there."""

    @property
    @abstractmethod
    def card(self) -> Card | None:
        """Of the model; None: not known."""

    @property
    @abstractmethod
    def asked(self) -> tuple[str, ...]:
        """Thresholds in place of the card's that the run was asked for."""

    @abstractmethod
    def columns(self) -> Columns:
        """Return all detections as they are now."""

    @abstractmethod
    def heard(self) -> Stretches:
        """Return what was heard, of each source its stretches; undated ones not."""

    @abstractmethod
    def hours(self) -> float:
        """Return how long was listened, dated or not, hours."""

    @abstractmethod
    def _plain(self, columns: Columns, at: Sequence[int]) -> list[Detected]:
        """Return detections without what was said of them."""

    @abstractmethod
    def sound(
        self, number: int, *, before_s: float = 1.0, after_s: float = 1.0
    ) -> tuple[Float32, int, float]:
        """Return a detection's sound, its rate, and where it begins, s."""

    def book(self) -> tuple[Columns, Book]:
        """Return all detections, and the verdicts on them."""
        with self._turn:
            columns = self.columns()
            key = (id(columns), self.notebook.state())
            if self._booked is None or self._booked[0] != key:
                said = self.notebook.verdicts()
                self._booked = key, book_of(columns, said, known=self._places(columns))
            return columns, self._booked[1]

    def _places(self, columns: Columns) -> dict[Key, int]:
        """Return where targets are, as far as that stays."""
        return {}

    def shown(self, columns: Columns) -> Bools:
        """Say which detections reach the thresholds that were set on the page."""
        thresholds = self.notebook.thresholds()
        lowest = np.array([thresholds.get(name, 0.0) for name in columns.labels])
        good: Bools = np.ones(len(columns), bool)
        return columns.score >= lowest[columns.label] if thresholds else good

    def detections(self, query: Query) -> Page:
        """Return detections that fit.

        Raises
        ------
        SettingsError
            If there is no such state or order.
        """
        if query.settled not in (None, WAITING, *SETTLED):
            raise SettingsError(
                f"settled {query.settled!r}: choose from {', '.join(SETTLED)}, "
                f"{WAITING}"
            )
        if query.order not in ("time", "score", "next"):
            raise SettingsError(f"order {query.order!r}: choose from time, score, next")
        columns, book = self.book()
        good = fitting(columns, query)
        if not query.hidden:
            good &= self.shown(columns)
        if query.settled is not None:
            good &= book.has(query.settled)
        found = self._in_order(columns, book, good, query)
        stop = query.offset + max(0, query.limit)
        rows = self.rows(columns, book, found[query.offset : stop])
        return Page(len(found), tuple(rows))

    def _in_order(
        self, columns: Columns, book: Book, good: Bools, query: Query
    ) -> Ints:
        if query.order != "next":
            return ordered(columns, good, query)
        return next_first(
            columns, book, good, reviewer=query.reviewer, thresholds=self.starting()
        )

    def starting(self) -> dict[str, float]:
        """Return each label's lowest score: set on the page, or the card's."""
        card, own = self.card, {}
        if card is not None:
            own = dict(zip(card.labels, card.lowest_scores, strict=True))
        return own | self.notebook.thresholds()

    def detection(self, number: int) -> Detected:
        """Return one by its id; a KeyError if there is none."""
        columns, book = self.book()
        return self.rows(columns, book, [columns.place_of(number)])[0]

    def rows(
        self, columns: Columns, book: Book, at: Sequence[int] | Ints
    ) -> list[Detected]:
        """Return detections at places of the columns, with what was said of them."""
        places = [int(place) for place in at]
        return [
            replace(one, verdicts=book.at.get(place, ()), settled=book.settled(place))
            for place, one in zip(places, self._plain(columns, places), strict=True)
        ]

    def changed_since(self, us: int) -> list[Detected]:
        """Return detections that changed later than that; none of archives."""
        return []

    def presence(self, bin_s: float = 3600.0) -> Presence:
        """Return effort and counts; undated recordings are in no bin.

        What reviewers rejected is not counted, what they corrected under its new label.
        """
        columns, book = self.book()
        good = self.shown(columns) & (columns.start_us != NO_TIME)
        good &= ~book.has("rejected")
        return presence_of(columns, book, good, self.heard(), bin_s=bin_s)


def presence_of(
    columns: Columns, book: Book, good: Bools, heard: Stretches, *, bin_s: float
) -> Presence:
    """Count detections, and time heard, in bins."""
    width = max(1, round(bin_s * _SECOND_US))
    effort: dict[int, int] = {}
    for start, end in heard:
        for k in range(start // width, -(-end // width)):
            inside = min(end, (k + 1) * width) - max(start, k * width)
            effort[k] = effort.get(k, 0) + inside
    bins = np.array(sorted(k for k, us in effort.items() if us > 0), np.int64)
    names = [columns.labels[k] for k in columns.label.tolist()]
    for place, label in book.new_labels.items():
        names[place] = label
    counts = {name: np.zeros(len(bins), np.int64) for name in columns.labels}
    at = np.searchsorted(bins, columns.start_us // width)
    for place in np.flatnonzero(good).tolist():
        k = int(at[place])
        if k < len(bins) and bins[k] == columns.start_us[place] // width:
            row = counts.setdefault(names[place], np.zeros(len(bins), np.int64))
            row[k] += 1
    hours = np.array([effort[int(k)] / _SECOND_US for k in bins], np.float64)
    return Presence(bin_s, bins * width, hours, counts)


def url_safe(name: str) -> str:
    """Return a name of letters, digits and dashes.

    Examples
    --------
    >>> url_safe("Río Grande, 2024/05")
    'R-o-Grande-2024-05'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "place"


@lru_cache(maxsize=4096)
def family_of(label: str) -> str:
    """Return a label's family, or group; empty: not known."""
    taxon = taxon_of(label)
    return "" if taxon is None else taxon.family or taxon.group


def offered(columns: Columns, labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels of a model, and those that were detected beside them."""
    return tuple(dict.fromkeys([*labels, *columns.labels]))

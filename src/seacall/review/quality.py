"""How good a model is at a place, class by class, as far as reviews can tell.

Precision is told from what chance drew (see `seacall.review.offer`), never from what
was chosen because it is doubtful or because somebody clicked on it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seacall.review.agreement import agreement_of
from seacall.review.chance import (
    design_effect,
    dropped,
    share_interval,
)
from seacall.review.columns import Columns
from seacall.review.marked import Recall
from seacall.review.offer import picked_places
from seacall.review.settled import Book
from seacall.review.shelf import Shelf

FALSE_ALARM = 0.05
"""Probability that chance alone ever raises an alarm, for all classes together."""
FEWEST = 10
"""Draws below which nothing is said of precision but its interval."""
REFERENCE = 30
"""The first draws of a class: what later ones are compared with where the card says
nothing."""
_CLUSTER_S = 3600.0


@dataclass(frozen=True)
class Drawn:
    """What chance drew of a class and people judged, in the order of their verdicts."""

    good: tuple[bool, ...]
    """Accepted, not rejected or corrected."""
    clusters: tuple[Hashable, ...]
    """Source and hour of each: detections there are alike."""
    scores: tuple[float, ...]
    n_unclear: int = 0
    """Drawn, and unsure or disputed."""
    n_waiting: int = 0
    """Drawn, and judged by nobody."""
    whole: bool = False
    """All of the class were judged: as good as drawn."""

    def from_score(self, lowest: float) -> Drawn:
        """Return those of at least this score."""
        kept = [k for k, score in enumerate(self.scores) if score >= lowest]
        return Drawn(
            tuple(self.good[k] for k in kept),
            tuple(self.clusters[k] for k in kept),
            tuple(self.scores[k] for k in kept),
            self.n_unclear,
            self.n_waiting,
            self.whole,
        )

    @property
    def share(self) -> float | None:
        """Share of good ones; None: there are none."""
        return sum(self.good) / len(self.good) if self.good else None

    def interval(self) -> tuple[float, float]:
        """Return the interval of the share (95 %), by the effective size."""
        effect = design_effect(self.good, self.clusters)
        return share_interval(sum(self.good) / effect, len(self.good) / effect)


@dataclass(frozen=True)
class Row:
    """What reviews say of one class."""

    label: str
    n: int
    """Detections that are shown."""
    n_reviewed: int
    """Of all, those that anybody judged."""
    n_drawn: int
    """Judged ones that chance drew, or all if all were judged; that are shown."""
    precision: float | None
    """Share of right ones among those; None: none was judged."""
    low: float
    high: float
    """Interval of the precision (95 %)."""
    alarm: bool
    text: str
    """All of it in words."""
    expected_precision: float | None = None
    """What the card says of the class, or the first draws; None: nothing to compare."""
    expected_from: str = ""
    """``card`` or ``first draws``."""
    relative_recall: tuple[float, float, float] | None = None
    """Of calls that the run found, the share that is shown, and its interval."""
    recall: Recall | None = None
    """Against annotations."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        recall = None if self.recall is None else self.recall.share
        return vars(self) | {"recall": recall}


def quality_of(
    place: Shelf, *, recalls: Mapping[str, Recall] | None = None
) -> tuple[Row, ...]:
    """Return what reviews say of each class of a place.

    Parameters
    ----------
    recalls
        Against annotations, by class; see `seacall.review.marked.recalls_of`.
    """
    columns, book = place.book()
    drawn = drawn_by_label(place, columns, book)
    lowest = place.notebook.thresholds()
    shown = place.shown(columns)
    rows = []
    # A class that was annotated and never detected is the worst of all.
    labels = dict.fromkeys([*columns.labels, *(recalls or ())])
    for code, label in enumerate(labels):
        mine = columns.label == code
        every = drawn.get(label, Drawn((), (), ()))
        rows.append(
            _row(
                label,
                every,
                lowest.get(label, 0.0),
                expected=_card_says(place, label),
                counts=(
                    int((mine & shown).sum()),
                    int((mine & (book.state >= 0)).sum()),
                ),
                alarm_at=FALSE_ALARM / len(labels),
                recall=(recalls or {}).get(label),
            )
        )
    return tuple(rows)


def agreement_json(place: Shelf) -> dict[str, Any]:
    """Return how far a place's reviewers agree."""
    return agreement_of(place.book()[1].at.values()).as_json()


def drawn_by_label(place: Shelf, columns: Columns, book: Book) -> dict[str, Drawn]:
    """Return what chance drew, by class."""
    places: dict[str, list[int]] = {}
    for at in picked_places(place, columns):
        places.setdefault(columns.labels[columns.label[at]], []).append(at)
    whole = set()
    for code, label in enumerate(columns.labels):
        mine = np.flatnonzero(columns.label == code)
        if len(mine) and (book.state[mine] >= 0).all():
            places[label] = mine.tolist()
            whole.add(label)
    return {
        label: _drawn(columns, book, some, whole=label in whole)
        for label, some in places.items()
    }


def _drawn(
    columns: Columns, book: Book, places: Sequence[int], *, whole: bool
) -> Drawn:
    judged = [at for at in places if at in book.at]
    clear = [at for at in judged if book.settled(at) not in ("unsure", "disputed")]
    clear.sort(key=lambda at: min(one.number for one in book.at[at]))
    return Drawn(
        tuple(book.settled(at) == "accepted" for at in clear),
        tuple(
            (int(columns.source[at]), int(columns.start_s[at] // _CLUSTER_S))
            for at in clear
        ),
        tuple(float(columns.score[at]) for at in clear),
        len(judged) - len(clear),
        len(places) - len(judged),
        whole,
    )


def _card_says(place: Shelf, label: str) -> float | None:
    """Return the precision that a class's threshold was chosen for, if it is that."""
    card = place.card
    if card is None or label not in card.thresholds:
        return None
    others = any(text.rpartition("=")[0] in ("", label) for text in place.asked)
    return None if others else card.target_precision


def _row(
    label: str,
    every: Drawn,
    lowest: float,
    *,
    expected: float | None,
    counts: tuple[int, int],
    alarm_at: float,
    recall: Recall | None,
) -> Row:
    drawn = every.from_score(lowest)
    low, high = drawn.interval()
    expected_now, source, alarm = _compared(drawn, expected, alarm_at)
    row = Row(
        label,
        n=counts[0],
        n_reviewed=counts[1],
        n_drawn=len(drawn.good),
        precision=drawn.share,
        low=low,
        high=high,
        alarm=alarm,
        text="",
        expected_precision=expected_now,
        expected_from=source,
        relative_recall=_kept_share(every, lowest),
        recall=recall,
    )
    return Row(**(vars(row) | {"text": words(row, drawn)}))


def _compared(
    drawn: Drawn, expected: float | None, alarm_at: float
) -> tuple[float | None, str, bool]:
    """Return what precision is expected, who says so, and whether it is missed."""
    if expected is not None:
        alarm = dropped(
            drawn.good, drawn.clusters, expected=expected, false_alarm=alarm_at
        )
        return expected, "card", alarm
    first, later = drawn.good[:REFERENCE], drawn.good[REFERENCE:]
    if len(first) < REFERENCE or not later:
        return None, "", False
    # Half of the error for the reference, half for what follows: their sum counts.
    effect = design_effect(first, drawn.clusters[:REFERENCE])
    n_good, n = sum(first) / effect, REFERENCE / effect
    least, _ = share_interval(n_good, n, confidence=1 - alarm_at)
    alarm = dropped(
        later,
        drawn.clusters[REFERENCE:],
        expected=least,
        false_alarm=alarm_at / 2,
    )
    return sum(first) / REFERENCE, "first draws", alarm


def _kept_share(every: Drawn, lowest: float) -> tuple[float, float, float] | None:
    """Return which share of the calls that were found reaches a threshold."""
    below = [score < lowest for score in every.scores]
    calls = [not low for low, good in zip(below, every.good, strict=True) if good]
    if not any(below) or not calls:
        return None
    return sum(calls) / len(calls), *share_interval(sum(calls), len(calls))


def words(row: Row, drawn: Drawn) -> str:
    """Say in words what a row means."""
    said = [_of_precision(row, drawn)]
    if drawn.n_unclear:
        said.append(f"{drawn.n_unclear} unsure or disputed, left out")
    if drawn.n_waiting:
        said.append(f"{drawn.n_waiting} drawn and not judged")
    if row.relative_recall is not None:
        share, low, high = row.relative_recall
        said.append(f"{share:.0%} ({low:.0%} to {high:.0%}) of calls found are shown")
    if row.recall is not None:
        said.append(row.recall.text)
    return "; ".join(said)


def _of_precision(row: Row, drawn: Drawn) -> str:
    if not row.n_reviewed:
        return "nothing judged yet"
    if row.precision is None:
        return (
            f"{row.n_reviewed} judged, none drawn by chance: says nothing of precision"
        )
    how = "(all there are)" if drawn.whole else "drawn by chance"
    text = (
        f"{sum(drawn.good)} of {row.n_drawn} {how} were right: precision "
        f"{row.low:.0%} to {row.high:.0%}"
    )
    if row.n_drawn < FEWEST:
        text += ", too few to tell"
    if row.alarm:
        return (
            f"{text}; below the {row.expected_precision:.0%} of the "
            f"{row.expected_from}, and not by chance"
        )
    if row.expected_precision is not None:
        text += f"; {row.expected_precision:.0%} expected ({row.expected_from})"
    return text

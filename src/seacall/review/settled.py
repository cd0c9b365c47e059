"""Which detections verdicts belong to, and what follows where reviewers agree or not.

A verdict belongs to the detection of the same source, channel and label that starts at
the same millisecond. Where thresholds moved and boundaries with them, to the one that
shares more than half of the time that either covers: there is never more than one.
Else an acceptance goes over to a detection that holds all of what was accepted, and a
rejection or correction to those that lie wholly in what was rejected: what was heard
says nothing else of what was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.review.columns import Columns
from seacall.review.nouns import SETTLED, WAITING, Settled, Verdict

_ROUNDING_S = 0.0015
"""Starts are kept to the millisecond."""
_CODES: dict[str, int] = {name: k for k, name in enumerate(SETTLED)}
_LEAST_SHARED = 0.5
"""Of the time that either covers: above it no second one can share as much."""


@dataclass(frozen=True, eq=False)
class Book:
    """Verdicts, each at the detections that it belongs to."""

    at: dict[int, tuple[Verdict, ...]]
    """By place in the columns: the last of each reviewer."""
    state: NDArray[np.int8]
    """Number in `SETTLED` of each detection; -1: nobody judged it."""
    new_labels: dict[int, str]
    """What those are that were corrected, by place."""
    lost: tuple[Verdict, ...]
    """Verdicts on what is no longer detected."""

    def settled(self, at: int) -> Settled | None:
        """Return what is settled of a detection."""
        code = int(self.state[at])
        return None if code < 0 else SETTLED[code]

    def has(self, settled: str) -> NDArray[np.bool_]:
        """Say of which detections something is settled, or nothing (``waiting``)."""
        code = -1 if settled == WAITING else _CODES[settled]
        return np.equal(self.state, code)


Key = tuple[str, int, str, int]


def book_of(
    columns: Columns,
    verdicts: Iterable[Verdict],
    *,
    known: dict[Key, int] | None = None,
) -> Book:
    """Put verdicts to detections.

    Parameters
    ----------
    known
        Places of targets that were found before, and stay; is added to.
    """
    known = {} if known is None else known
    by_place: dict[int, dict[str, Verdict]] = {}
    lost: list[Verdict] = []
    for one in verdicts:
        places = _known_places(columns, one, known)
        if not places:
            lost.append(one)
        for place in places:
            said = by_place.setdefault(place, {})
            if one.reviewer not in said or one.number > said[one.reviewer].number:
                said[one.reviewer] = one
    state = np.full(len(columns), -1, np.int8)
    new_labels: dict[int, str] = {}
    for place, said in by_place.items():
        settled, label = settle(list(said.values()))
        state[place] = SETTLED.index(settled)
        if label:
            new_labels[place] = label
    at = {place: tuple(said.values()) for place, said in by_place.items()}
    return Book(at, state, new_labels, tuple(lost))


def _known_places(columns: Columns, one: Verdict, known: dict[Key, int]) -> list[int]:
    key = one.target.key
    if key not in known:
        exact = columns.at_key(key)
        if exact is None:
            return places_of(columns, one)
        known[key] = exact
    return [known[key]]


def settle(verdicts: Sequence[Verdict]) -> tuple[Settled, str]:
    """Say what verdicts come to, and the label of a correction.

    Whoever is unsure has no say where others are sure. Those who are sure must all say
    the same; else it is disputed, until one of them changes his mind.

    Parameters
    ----------
    verdicts
        Of one detection, one of each reviewer; at least one.
    """
    said = {(one.answer, one.label) for one in verdicts if one.answer != "unsure"}
    if not said:
        return "unsure", ""
    if len(said) > 1:
        return "disputed", ""
    ((answer, label),) = said
    if answer == "correct":
        return "corrected", label
    return ("accepted" if answer == "accept" else "rejected"), ""


def places_of(columns: Columns, verdict: Verdict) -> list[int]:
    """Return where the detections are that a verdict belongs to."""
    target = verdict.target
    near = columns.alike(target)
    if not len(near):
        return []
    starts, ends = columns.start_s[near], columns.end_s[near]
    same = np.flatnonzero(np.abs(starts - target.start_s) < _ROUNDING_S)
    if len(same):
        return [int(near[same[0]])]
    shared = np.minimum(ends, target.end_s) - np.maximum(starts, target.start_s)
    covered = np.maximum(ends, target.end_s) - np.minimum(starts, target.start_s)
    alike = np.flatnonzero(shared > _LEAST_SHARED * covered)
    if len(alike):
        return [int(near[alike[0]])]
    length_s = target.end_s - target.start_s
    if verdict.answer == "accept":
        held = shared >= length_s - _ROUNDING_S
    elif verdict.answer in ("reject", "correct"):
        held = shared >= ends - starts - _ROUNDING_S
    else:
        return []
    return [int(place) for place in near[held & (shared > 0)]]

"""Detections as columns, so that hundreds of thousands are filtered in no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.review.nouns import Query, Target

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NO_TIME = np.iinfo(np.int64).min
"""In place of a time that is not known."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Detections, each column of shape ``(n,)``."""

    id: Ints
    label: Ints
    """Number in ``labels``."""
    source: Ints
    """Number in ``sources`` and in ``names``."""
    channel: Ints
    start_us: Ints
    """`NO_TIME`: not known."""
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    score: NDArray[np.float64]
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    """What sources are known by."""
    names: tuple[str, ...]
    """What sources are called; several may share a name."""
    details: Sequence[Any] = ()
    """What the place knows of each besides; empty: it looks elsewhere."""

    def __len__(self) -> int:
        return len(self.id)

    def target(self, at: int) -> Target:
        """Return the one at a place as what a verdict is about."""
        start_us = int(self.start_us[at])
        return Target(
            source=self.sources[self.source[at]],
            channel=int(self.channel[at]),
            label=self.labels[self.label[at]],
            start_s=float(self.start_s[at]),
            end_s=float(self.end_s[at]),
            start_us=None if start_us == NO_TIME else start_us,
            score=float(self.score[at]),
        )

    @cached_property
    def by_time(self) -> Ints:
        """Places in order of time; what has no date comes last, source by source."""
        dated = self.start_us != NO_TIME
        if dated.all():  # quick where it is in order already
            return np.argsort(self.start_us, kind="stable")
        return np.lexsort((self.id, self.start_s, self.source, self.start_us, ~dated))

    @cached_property
    def by_score(self) -> Ints:
        """Places in rising order of scores, equal ones in order of time."""
        order = self.by_time
        return order[np.argsort(self.score[order], kind="stable")]

    @cached_property
    def _by_id(self) -> Ints:
        return np.argsort(self.id, kind="stable")

    def place_of(self, number: int) -> int:
        """Return where an id is; a KeyError if it is nowhere."""
        if len(self):
            k = int(np.searchsorted(self.id, number, sorter=self._by_id))
            if k < len(self) and self.id[self._by_id[k]] == number:
                return int(self._by_id[k])
        raise KeyError(number)

    def has(self, number: int) -> bool:
        """Tell whether there is a detection of that id."""
        try:
            self.place_of(number)
        except KeyError:
            return False
        return True

    @cached_property
    def _grouped(self) -> tuple[Ints, dict[tuple[int, int, int], tuple[int, int]]]:
        """Places by source, channel, label and start; where each group lies in that."""
        order = np.lexsort((self.start_s, self.label, self.channel, self.source))
        if not len(order):
            return order, {}
        keys = np.stack([self.source, self.channel, self.label])[:, order]
        new = np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)]
        begins = np.flatnonzero(new)
        ends = np.r_[begins[1:], len(order)]
        rows = zip(keys[:, begins].T.tolist(), begins, ends, strict=True)
        return order, {(s, c, g): (int(a), int(b)) for (s, c, g), a, b in rows}

    @cached_property
    def _numbers(self) -> tuple[dict[str, int], dict[str, int]]:
        sources = {name: k for k, name in enumerate(self.sources)}
        return sources, {name: k for k, name in enumerate(self.labels)}

    def alike(self, target: Target) -> Ints:
        """Return places of the same source, channel and label, by their start."""
        return self.alike_key(target.key)

    def alike_key(self, key: tuple[str, int, str, int]) -> Ints:
        """Return the same of a target's key."""
        sources, labels = self._numbers
        source, label = sources.get(key[0], -1), labels.get(key[2], -1)
        order, groups = self._grouped
        begin, end = groups.get((source, key[1], label), (0, 0))
        return order[begin:end]

    def at_key(self, key: tuple[str, int, str, int]) -> int | None:
        """Return the place of the detection with a target's key, if there is one."""
        near = self.alike_key(key)
        off = np.abs(self.start_s[near] * 1000 - key[3])
        return int(near[off.argmin()]) if len(near) and off.min() < 1.5 else None


_NO_INTS, _NO_FLOATS = np.empty(0, np.int64), np.empty(0, np.float64)

NOTHING = Columns(
    id=_NO_INTS,
    label=_NO_INTS,
    source=_NO_INTS,
    channel=_NO_INTS,
    start_us=_NO_INTS,
    start_s=_NO_FLOATS,
    end_s=_NO_FLOATS,
    score=_NO_FLOATS,
    labels=(),
    sources=(),
    names=(),
)
"""No detections at all."""


def fitting(columns: Columns, query: Query) -> Bools:
    """Say which detections a query's filters let through, but for verdicts'."""
    good = columns.score >= query.min_score
    if query.label is not None:
        good &= columns.label == _number(columns.labels, query.label)
    if query.source is not None:
        part = query.source.casefold()
        same = [k for k, name in enumerate(columns.names) if part in name.casefold()]
        good &= np.isin(columns.source, same)
    if query.since_us is not None:
        good &= columns.start_us >= max(query.since_us, NO_TIME + 1)
    if query.until_us is not None:
        good &= (columns.start_us < query.until_us) & (columns.start_us != NO_TIME)
    return good


def ordered(columns: Columns, good: Bools, query: Query) -> Ints:
    """Return places of those that are good, in order."""
    order = columns.by_score if query.order == "score" else columns.by_time
    return chosen(order, good)[:: -1 if query.desc else 1]


def chosen(order: Ints, good: Bools) -> Ints:
    """Return those of an order that are good."""
    return order[good[order]]


def _number(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1

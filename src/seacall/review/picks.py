"""Choose what to look at next: the doubtful, of the class that was reviewed least."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seacall.review.columns import Bools, Columns, Ints
from seacall.review.settled import Book

Floats = NDArray[np.float64]


def next_first(
    columns: Columns,
    book: Book,
    good: Bools,
    *,
    reviewer: str,
    thresholds: Mapping[str, float],
    double: bool = False,
) -> Ints:
    """Return places in the order in which they are best looked at.

    First what nobody judged: in turn from each class, beginning with the one that was
    reviewed least; within a class in turn from each source; of a source that which
    lies closest to the class's threshold, where a verdict tells most. Then what others
    judged and the reviewer did not; what the reviewer judged is not there.

    Parameters
    ----------
    double
        What others judged comes first.
    """
    mine = [k for k, said in book.at.items() if _has(said, reviewer)]
    open_ = good.copy()
    open_[mine] = False
    places = np.flatnonzero(open_)
    if not len(places):
        return places
    label, source = columns.label[places], columns.source[places]
    lowest = np.array([thresholds.get(name, 0.5) for name in columns.labels])
    doubt = np.abs(columns.score[places] - lowest[label])
    seen = book.state[places] >= 0
    others = ~seen if double else seen
    n_done = np.zeros(len(columns.labels), np.int64)
    for place in book.at:
        n_done[columns.label[place]] += 1
    turn = _turns(np.stack([others, label, source]), doubt)
    rank = _turns(np.stack([others, label]), turn + _small(doubt))
    # A class of which ten were reviewed has had its first ten turns.
    order = np.lexsort((doubt, rank + n_done[label], others))
    return np.asarray(places[order], np.int64)


def _has(said: tuple[object, ...], reviewer: str) -> bool:
    return any(getattr(one, "reviewer", None) == reviewer for one in said)


def _small(values: Floats) -> Floats:
    """Squeeze values into 0 to 1 in the same order: they decide between equals."""
    return values / (1 + values)


def _turns(groups: Ints, values: Floats) -> Ints:
    """Return the rank of each value in its group, from 0; shape ``(n,)``.

    Parameters
    ----------
    groups
        What groups are told apart by, shape ``(n_keys, n)``.
    """
    order = np.lexsort((values, *groups[::-1]))
    keys = groups[:, order]
    new = np.r_[True, (np.diff(keys.astype(np.int64), axis=1) != 0).any(axis=0)]
    begins = np.flatnonzero(new)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(
        begins, np.diff(np.r_[begins, len(order)])
    )
    return ranks

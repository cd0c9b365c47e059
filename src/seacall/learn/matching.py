"""Match detections with annotations one to one, by how far they lie on one another.

Were a detection allowed to answer two annotations, or two detections one, there could
be more hits than annotations. Here the hits are the edges of a largest matching of a
bipartite graph whose edges are the pairs that overlap enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Two sets of stretches, and which of them overlap."""

    first: IntArray
    """Number of the stretch in the first set, shape ``(n,)``."""
    second: IntArray
    """Number in the second set."""
    shared_s: FloatArray
    """How long both are, s; above 0."""
    iou: FloatArray
    """Intersection over union: what both share over what either covers, 0 to 1."""

    def only(self, mask: BoolArray) -> Pairs:
        """Return some of them."""
        return Pairs(
            self.first[mask], self.second[mask], self.shared_s[mask], self.iou[mask]
        )


def overlapping(first: FloatArray, second: FloatArray) -> Pairs:
    """Find all pairs that overlap, in time that grows with their number.

    Parameters
    ----------
    first, second
        Start and end of each stretch, s, shapes ``(n, 2)`` and ``(m, 2)``; in any
        order, and they may overlap within a set.

    Examples
    --------
    >>> pairs = overlapping(np.array([[0.0, 2.0]]), np.array([[1.0, 4.0], [5.0, 6.0]]))
    >>> pairs.second.tolist(), pairs.iou.tolist()
    ([0], [0.25])
    """
    order = np.argsort(second[:, 0], kind="stable")
    starts = second[order, 0]
    # All before ``low`` end too early, all from ``high`` on begin too late.
    reached = np.maximum.accumulate(second[order, 1])
    low = np.searchsorted(reached, first[:, 0], side="right")
    high = np.maximum(np.searchsorted(starts, first[:, 1], side="left"), low)
    count = high - low
    i = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    j = order[np.repeat(low, count) + within]
    ends = np.minimum(first[i, 1], second[j, 1])
    shared = ends - np.maximum(first[i, 0], second[j, 0])
    whole = np.diff(first).ravel()[i] + np.diff(second).ravel()[j] - shared
    found = shared > 0
    iou = shared[found] / whole[found]
    return Pairs(i[found], j[found], shared[found], iou)


def hits_in_order(pairs: Pairs, *, n_first: int, n_second: int) -> BoolArray:
    """Say which detections are hits if they come one after another, the surest first.

    A detection is a hit if, with it, one more annotation can be matched than before.
    Who was a hit remains one (his partner may change), so the first k hold as many
    hits as a largest matching of the first k: one pass gives all thresholds exactly
    (augmenting paths; Kuhn 1955, "The Hungarian method").

    Parameters
    ----------
    pairs
        Detections (first), in falling order of their scores, and annotations (second)
        that may answer each other.

    Returns
    -------
    hits
        Shape ``(n_first,)``.
    """
    options: list[list[int]] = [[] for _ in range(n_first)]
    # Of several annotations the one that fits best is tried first.
    for k in np.argsort(-pairs.iou, kind="stable"):
        options[pairs.first[k]].append(int(pairs.second[k]))
    owner = [-1] * n_second
    return np.array([_augmented(k, options, owner) for k in range(n_first)], dtype=bool)


def _augmented(start: int, options: Sequence[list[int]], owner: list[int]) -> bool:
    """Find room for one more by asking others to move; a walk without recursion."""
    asked_by: dict[int, int] = {}
    """Who asked for an annotation, by its number."""
    held: dict[int, int] = {}
    """What each of those that were asked to move holds."""
    waiting = [start]
    while waiting:
        asking = waiting.pop()
        for wanted in options[asking]:
            if wanted in asked_by:
                continue
            asked_by[wanted] = asking
            holder = owner[wanted]
            if holder < 0:
                _move(wanted, asked_by, held, owner)
                return True
            held[holder] = wanted
            waiting.append(holder)
    return False


def _move(
    free: int, asked_by: dict[int, int], held: dict[int, int], owner: list[int]
) -> None:
    """Let everyone on the way to a free annotation move on by one."""
    place: int | None = free
    while place is not None:
        mover = asked_by[place]
        owner[place] = mover
        place = held.get(mover)


def best_pairs(pairs: Pairs, *, n_first: int) -> IntArray:
    """Return the largest matching, and of several the one with the highest sum of IoU.

    Returns
    -------
    partner
        For each of the first its number in the second set, -1: none; ``(n_first,)``.
    """
    partner = np.full(n_first, -1, dtype=np.int64)
    if not len(pairs.first):
        return partner
    rows, row = np.unique(pairs.first, return_inverse=True)
    columns, column = np.unique(pairs.second, return_inverse=True)
    n, m = len(rows), len(columns)
    # A place of its own for each detection, dearer than any way to match one more:
    # then a full matching exists, and the cheapest leaves as few alone as can be.
    cost = np.r_[2 - pairs.iou, np.full(n, 2.0 * (n + 1))]
    places = (np.r_[row, np.arange(n)], np.r_[column, m + np.arange(n)])
    graph = coo_array((cost, places), shape=(n, m + n)).tocsr()
    at, to = min_weight_full_bipartite_matching(graph)
    matched = to < m
    partner[rows[at[matched]]] = columns[to[matched]]
    return partner

"""Stretches of time in a recording: joined, cut, measured, laid out in windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

TOUCHING_S = 1e-6
"""Stretches closer than this are one: times are written with six digits."""


def as_stretches(pairs: Iterable[tuple[float, float]]) -> FloatArray:
    """Return pairs of start and end, s, as an array ``(n, 2)``, also where n is 0."""
    return np.asarray(list(pairs), dtype=np.float64).reshape(-1, 2)


def joined(stretches: FloatArray) -> FloatArray:
    """Return the same time as stretches that are in order and do not touch.

    Examples
    --------
    >>> joined(as_stretches([(5, 7), (0, 2), (1, 3)])).tolist()
    [[0.0, 3.0], [5.0, 7.0]]
    """
    found = stretches[stretches[:, 1] > stretches[:, 0]]
    if not len(found):
        return as_stretches([])
    found = found[np.argsort(found[:, 0], kind="stable")]
    reached = np.maximum.accumulate(found[:, 1])
    begins = np.r_[True, found[1:, 0] > reached[:-1] + TOUCHING_S]
    ends = np.r_[begins[1:], True]
    return np.column_stack([found[begins, 0], reached[ends]])


def common(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the time that lies in both."""
    return _chosen(a, b, np.logical_and)


def without(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the time of ``a`` that does not lie in ``b``."""
    return _chosen(a, b, lambda in_a, in_b: in_a & ~in_b)


def _chosen(
    a: FloatArray, b: FloatArray, keep: Callable[[BoolArray, BoolArray], BoolArray]
) -> FloatArray:
    # Between two neighbouring edges nothing changes: ask in the middle.
    a, b = joined(a), joined(b)
    edges = np.unique(np.concatenate([a.ravel(), b.ravel()]))
    cells = np.column_stack([edges[:-1], edges[1:]])
    middle = cells.mean(axis=1)
    return joined(cells[keep(_inside(middle, a), _inside(middle, b))])


def _inside(times: FloatArray, stretches: FloatArray) -> BoolArray:
    # In order and apart: an odd number of edges lies before a time inside.
    found: BoolArray = np.searchsorted(stretches.ravel(), times) % 2 == 1
    return found


def length_s(stretches: FloatArray) -> float:
    """Return how long they are together, time that lies in two counted once."""
    return float(np.diff(joined(stretches)).sum())


def shared_s(stretches: FloatArray, other: FloatArray) -> FloatArray:
    """Return how much of each stretch lies in ``other``, s, shape ``(n,)``.

    Examples
    --------
    >>> shared_s(as_stretches([(0, 4), (8, 9)]), as_stretches([(1, 2), (3, 8)]))
    array([2., 0.])
    """
    whole = joined(other)
    if not len(whole):
        return np.zeros(len(stretches))
    # Seconds of ``other`` before a time: a line that rises inside its stretches.
    lengths = np.diff(whole).ravel()
    before = np.column_stack([np.cumsum(lengths) - lengths, np.cumsum(lengths)])
    at = np.interp(stretches, whole.ravel(), before.ravel())
    return np.asarray(at[:, 1] - at[:, 0])


def windows(stretches: FloatArray, window_s: float) -> FloatArray:
    """Lay windows end to end, beginning anew at the start of each stretch.

    The last one of a stretch is shorter, and dropped if it has not half the length.

    Examples
    --------
    >>> windows(as_stretches([(0, 8), (10, 14)]), 3).tolist()
    [[0.0, 3.0], [3.0, 6.0], [6.0, 8.0], [10.0, 13.0]]
    """
    found = []
    for start, end in joined(stretches):
        edges = np.r_[np.arange(start, end - TOUCHING_S, window_s), end]
        laid = np.column_stack([edges[:-1], edges[1:]])
        found.append(laid[np.diff(laid).ravel() >= window_s / 2 - TOUCHING_S])
    return np.concatenate(found) if found else as_stretches([])

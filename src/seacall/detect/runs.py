"""Which clips of a class make a detection: runs in time, k of n, gaps, shortest length.

Whatever a clip's score means has been decided before; here a clip *starts* a detection,
or *holds* one, or neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.detection import DetectSettings

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

SECOND_US = 1_000_000
SAME_US = 1_000
"""Times that differ by less are the same: a clip's end and the next one's start are
rounded apart, and a clip holds a whole number of samples."""


def microseconds(seconds: float) -> int:
    """Return whole microseconds: sums of them do not drift."""
    return round(seconds * SECOND_US)


@dataclass(frozen=True)
class Timeline:
    """When the clips of a segment were heard; neither column ever goes back."""

    starts_us: Ints
    """Shape ``(n,)``."""
    ends_us: Ints
    """Not beyond the segment, as a padded clip is; shape ``(n,)``."""

    def hop_us(self) -> int:
        """Return the time from one clip's start to the next."""
        steps = np.diff(self.starts_us)
        steps = steps[steps > SAME_US]
        return int(steps.min()) if len(steps) else 0

    def begins(self, rows: Ints, *, max_gap_us: int) -> Ints:
        """Return where runs of clips begin, as indices of ``rows``.

        A clip belongs to the run before it if no more than ``max_gap_us`` lies between.
        """
        gaps = self.starts_us[rows[1:]] - self.ends_us[rows[:-1]]
        first = np.zeros(min(1, len(rows)), np.int64)
        return np.append(first, np.flatnonzero(gaps > max_gap_us + SAME_US) + 1)


def merged(
    starting: Bools, holding: Bools, timeline: Timeline, *, settings: DetectSettings
) -> tuple[Ints, Ints]:
    """Merge clips of one class into detections.

    Parameters
    ----------
    starting, holding
        Which clips start a detection, and which may belong to one: those and others.
        Shape ``(n,)``.

    Returns
    -------
    rows, begins
        Clips that belong to detections, in order, and where each detection begins among
        them.
    """
    starts = np.flatnonzero(starting)
    if settings.k_of_n is not None:
        k, n = settings.k_of_n
        hop = timeline.hop_us()
        starts = confirmed(starts, timeline.starts_us, k=k, n=n, hop_us=hop)
    rows = np.flatnonzero(holding)
    run_of = _run_of(timeline.begins(rows, max_gap_us=0), len(rows))
    rows = rows[np.isin(run_of, run_of[np.isin(rows, starts, kind="table")])]
    max_gap_us = microseconds(settings.max_gap_s)
    begins = timeline.begins(rows, max_gap_us=max_gap_us)
    lasts = np.append(begins[1:], len(rows))[: len(begins)] - 1
    length = timeline.ends_us[rows[lasts]] - timeline.starts_us[rows[begins]]
    long = length > microseconds(settings.min_duration_s) - SAME_US
    rows = rows[long[_run_of(begins, len(rows))]]
    return rows, timeline.begins(rows, max_gap_us=max_gap_us)


def confirmed(rows: Ints, starts_us: Ints, *, k: int, n: int, hop_us: int) -> Ints:
    """Return those of some clips that are among ``k`` out of ``n`` in a row.

    Parameters
    ----------
    rows
        Clips that reach their threshold, in order.
    starts_us
        When all clips start. Clips that are missing count as below the threshold.
    hop_us
        From one clip's start to the next.

    Examples
    --------
    >>> starts = np.arange(10) * 5
    >>> confirmed(np.array([0, 3, 5, 9]), starts, k=2, n=3, hop_us=5).tolist()
    [3, 5]
    """
    at = starts_us[rows]
    # If any n in a row hold k of them, so do the n that begin with the first of these.
    until = at + (n - 1) * hop_us + hop_us // 4  # starts are rounded
    after = np.searchsorted(at, until, side="right")
    enough = after - np.arange(len(rows)) >= k
    change = np.zeros(len(rows) + 1, np.int64)
    np.add.at(change, np.flatnonzero(enough), 1)
    np.add.at(change, after[enough], -1)
    return rows[np.cumsum(change[:-1]) > 0]


def _run_of(begins: Ints, n_rows: int) -> Ints:
    """Return the number of the run that each row belongs to, shape ``(n_rows,)``."""
    marks = np.zeros(n_rows, np.int64)
    marks[begins[1:]] = 1
    return np.cumsum(marks)

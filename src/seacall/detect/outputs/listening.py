"""Count what was heard and detected in each hour: behind presence and timeline.

All times are whole microseconds, so that sums are exact and nothing drifts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from seacall.detect.outputs.values import in_order
from seacall.events import Detection, Searched

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Stretch = tuple[int, int]
"""Start and end, us."""


@dataclass(frozen=True)
class Bins:
    """Time heard, and time with each species, in bins of equal width."""

    width_us: int
    effort: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Time heard in each bin, us; a bin in which nobody listened is not there."""
    calls: dict[str, dict[int, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    """Time heard with detections, us, by label and bin."""
    begins: dict[str, dict[int, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    """Detections that start in a bin, by label and bin."""

    def add(self, heard: Heard) -> None:
        """Count a recording."""
        _spread(heard.stretches, self.width_us, self.effort)
        for label, stretches in heard.calls.items():
            _spread(stretches, self.width_us, self.calls[label])
        for label, moments in heard.begins.items():
            counts = self.begins[label]
            for moment in moments:
                counts[moment // self.width_us] += 1

    def merge(self, other: Bins) -> None:
        """Add what another one counted; its bins may be narrower, by a whole factor."""
        factor = self.width_us // other.width_us
        for b, time_us in other.effort.items():
            self.effort[b // factor] += time_us
        for mine, theirs in ((self.calls, other.calls), (self.begins, other.begins)):
            for label, counts in theirs.items():
                for b, value in counts.items():
                    mine[label][b // factor] += value


def merged(parts: Iterable[Bins], width_us: int) -> Bins:
    """Add up what several counted, in bins of a width that theirs divide."""
    total = Bins(width_us)
    for bins in parts:
        total.merge(bins)
    return total


@dataclass(frozen=True)
class Heard:
    """What was heard of one recording, and the species in it."""

    stretches: Sequence[Stretch]
    calls: dict[str, list[Stretch]]
    """Heard stretches with a species: they never overlap."""
    begins: dict[str, list[int]]
    """When each detection starts."""


def heard_of(searched: Searched, found: Iterable[Detection]) -> Heard:
    """Return what was heard, in time since the recording's first sample.

    Detections of a label that overlap, in two channels say, are counted as time once.
    """
    stretches = joined((_us(a), _us(b)) for a, b in searched.heard)
    by_label: dict[str, list[Stretch]] = defaultdict(list)
    begins: dict[str, list[int]] = defaultdict(list)
    for d in in_order(found):
        by_label[d.label].append((_us(d.start_s), _us(d.end_s)))
        begins[d.label].append(_us(d.start_s))
    calls = {label: overlap(joined(s), stretches) for label, s in by_label.items()}
    return Heard(stretches, calls, dict(begins))


def is_dated(searched: Searched) -> bool:
    """Say whether it is known when a recording was made."""
    return bool(searched.segments) and all(s.start for s in searched.segments)


def in_utc(heard: Heard, searched: Searched) -> Heard:
    """Move what was heard to when it was recorded, in us since 1970.

    A recording with a duty cycle falls apart: time does not run on between its
    segments.
    """
    if searched.recording is None:
        return Heard([], {}, {})
    rate = searched.recording.sample_rate
    moves: list[tuple[Stretch, int]] = []
    for segment in searched.segments:
        first = segment.first_sample * SECOND_US // rate
        last = (segment.first_sample + segment.n_samples) * SECOND_US // rate
        if segment.start is not None:
            start = (segment.start - EPOCH) // timedelta(microseconds=1)
            moves.append(((first, last), start - first))
    calls = {label: _moved(s, moves) for label, s in heard.calls.items()}
    begins = {label: _dated(m, moves) for label, m in heard.begins.items()}
    return Heard(_moved(heard.stretches, moves), calls, begins)


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Join stretches that touch or overlap; the result is in order.

    Examples
    --------
    >>> joined([(5, 9), (0, 2), (2, 3), (6, 7)])
    [(0, 3), (5, 9)]
    """
    result: list[Stretch] = []
    for start, end in sorted(stretches):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        elif end > start:
            result.append((start, end))
    return result


def overlap(one: Sequence[Stretch], other: Sequence[Stretch]) -> list[Stretch]:
    """Return what lies in both; both are in order and do not overlap themselves.

    Examples
    --------
    >>> overlap([(0, 4), (6, 9)], [(3, 7)])
    [(3, 4), (6, 7)]
    """
    result: list[Stretch] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start = max(one[i][0], other[j][0])
        end = min(one[i][1], other[j][1])
        if start < end:
            result.append((start, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return result


def _moved(
    stretches: Sequence[Stretch], moves: Sequence[tuple[Stretch, int]]
) -> list[Stretch]:
    return [
        (start + by, end + by)
        for segment, by in moves
        for start, end in overlap(stretches, [segment])
    ]


def _dated(moments: Sequence[int], moves: Sequence[tuple[Stretch, int]]) -> list[int]:
    return [
        next((m + by for (a, b), by in moves if a <= m < b), m + moves[-1][1])
        for m in moments
    ]


def _spread(stretches: Iterable[Stretch], width_us: int, into: dict[int, int]) -> None:
    for start, end in stretches:
        for b, time_us in split(start, end, width_us):
            into[b] += time_us


def split(start: int, end: int, width_us: int) -> Iterator[tuple[int, int]]:
    """Divide a stretch among the bins that it lies in.

    Examples
    --------
    >>> list(split(5, 25, 10))
    [(0, 5), (1, 10), (2, 5)]
    """
    while start < end:
        b = start // width_us
        stop = min(end, (b + 1) * width_us)
        yield b, stop - start
        start = stop


def _us(time_s: float) -> int:
    return round(time_s * SECOND_US)

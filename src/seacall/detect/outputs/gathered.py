"""What the timeline is made of, gathered recording by recording in little memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from seacall.detect.outputs.listening import (
    EPOCH,
    HOUR_US,
    SECOND_US,
    Bins,
    Heard,
    in_utc,
    merged,
)
from seacall.events import Searched

FINEST = ((SECOND_US, 2 * HOUR_US), (60 * SECOND_US, 8 * 24 * HOUR_US))
"""Width of the bins that are counted, and up to which length of time; then hours."""
MOST_COLUMNS = 400
MOST_FILES = 40


@dataclass
class Gathered:
    """What was heard, by hour and folder, and of recordings without a date."""

    hours: dict[str, Bins] = field(default_factory=dict)
    """By folder, in UTC."""
    fine: dict[str, Bins] = field(default_factory=dict)
    """The same in narrower bins, as long as the recordings are close enough for it."""
    fine_us: int = SECOND_US
    undated: dict[str, tuple[int, Bins]] = field(default_factory=dict)
    """Name, length in us, and what was heard of recordings without a date."""
    n_undated: int = 0
    _first: int | None = None
    _last: int | None = None

    def add(self, searched: Searched, heard: Heard, *, folder: str) -> None:
        """Count a recording whose date is known."""
        dated = in_utc(heard, searched)
        if not dated.stretches:
            return
        self.hours.setdefault(folder, Bins(HOUR_US)).add(dated)
        edges = [edge for stretch in dated.stretches for edge in stretch]
        self._first = min(edges + ([] if self._first is None else [self._first]))
        self._last = max(edges + ([] if self._last is None else [self._last]))
        self._widen(self._last - self._first)
        if self.fine_us < HOUR_US:
            self.fine.setdefault(folder, Bins(self.fine_us)).add(dated)

    def _widen(self, span_us: int) -> None:
        """Make the finer bins wider where there would be too many of them."""
        width_us = next((w for w, longest in FINEST if span_us <= longest), HOUR_US)
        if width_us == HOUR_US:
            self.fine.clear()
        elif width_us > self.fine_us:
            self.fine = {f: merged([b], width_us) for f, b in self.fine.items()}
        self.fine_us = max(width_us, self.fine_us)

    def add_undated(self, name: str, heard: Heard) -> None:
        """Count a recording whose date is not known; the first with calls are drawn."""
        if not heard.stretches:
            return
        self.n_undated += 1
        silent = [n for n, (_, bins) in self.undated.items() if not bins.calls]
        if len(self.undated) >= MOST_FILES:
            if not heard.calls or not silent:
                return
            del self.undated[silent[-1]]
        length_us = heard.stretches[-1][1]
        # Widths are powers of two, so that those of all recordings fit one another.
        finest = max(length_us / SECOND_US / MOST_COLUMNS, 1 / 16)
        bins = Bins(round(2 ** math.ceil(math.log2(finest)) * SECOND_US))
        bins.add(heard)
        self.undated[name] = (length_us, bins)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last sample were heard, in UTC."""
        if self._first is None or self._last is None:
            return None
        return _moment(self._first), _moment(self._last)


def _moment(time_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_us)

"""Times, frequencies, scores and names as they stand in tables."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from seacall.events import Detection, Recording, Searched

MISSING = "NA"
"""In tables whose readers want every cell filled; R and pandas know it."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What some reader takes for the end of a cell or of a line."""


NONE = Fraction(0)


def in_order(found: Iterable[Detection]) -> list[Detection]:
    """Sort detections of a recording: by start, and always the same way."""
    return sorted(found, key=lambda d: (d.start_s, d.end_s, d.label, d.channel))


def was_heard(searched: Searched) -> bool:
    """Say whether a recording may have a file of its own.

    One without rows says that nothing was found: not of what nobody listened to.
    """
    return searched.recording is not None and bool(
        searched.heard or not searched.failure
    )


def length_s(recording: Recording | None) -> Fraction:
    """Return a recording's true length, s; 0 if it could not be opened.

    Exact, so that the sum over a hundred thousand files is: of 44,100 Hz no length has
    a finite number of decimals.
    """
    if recording is None:
        return Fraction(0)
    return Fraction(recording.n_samples, recording.sample_rate)


@dataclass(frozen=True)
class Axis:
    """Where a recording lies on an axis of time, for its detections to be put there.

    Rounding leads neither before the recording's first sample nor behind its last: a
    reader would look for the first in the recording before, and refuse the second.
    """

    whole: int
    part: float
    """When it starts, us, and what is left of a microsecond."""
    first: int
    last: int
    """The first and the last whole microsecond that lie in it."""

    @classmethod
    def of(cls, recording: Recording | None, *, before_s: Fraction = NONE) -> Axis:
        """Put a recording ``before_s`` after the axis's zero."""
        begin = before_s * 1_000_000
        whole, first = math.floor(begin), math.ceil(begin)
        last = math.floor(begin + length_s(recording) * 1_000_000)
        if recording is None:
            return cls(whole, float(begin - whole), first, sys.maxsize)
        return cls(whole, float(begin - whole), first, max(first, last))

    def stretch_us(self, detection: Detection) -> tuple[int, int]:
        """Return a detection's start and end on the axis, in whole microseconds."""
        begin = self.whole + round(self.part + detection.start_s * 1_000_000)
        end = self.whole + round(self.part + detection.end_s * 1_000_000)
        end = min(end, self.last)
        return min(max(begin, self.first), end), end


def seconds(time_us: int) -> str:
    """Write microseconds as seconds, always with decimals and never with an exponent.

    Examples
    --------
    >>> seconds(606_700_000), seconds(0)
    ('606.700000', '0.000000')
    """
    whole, rest = divmod(time_us, 1_000_000)
    return f"{whole}.{rest:06d}"


def band_hz(detection: Detection, recording: Recording | None) -> tuple[float, float]:
    """Return low and high frequency, Hz, not above half the recording's rate."""
    highest = math.inf if recording is None else recording.sample_rate / 2
    low_hz, high_hz = (
        min(max(value, 0.0), highest) if math.isfinite(value) else fallback
        for value, fallback in ((detection.low_hz, 0.0), (detection.high_hz, highest))
    )
    return min(low_hz, high_hz), high_hz


def finite(value: float | None) -> float | None:
    """Return a measure, or None if there is no number."""
    return value if value is not None and math.isfinite(value) else None


def ends(detection: Detection) -> tuple[datetime | None, datetime | None]:
    """Return when a detection starts and ends, in UTC; None: not known."""
    if detection.start is None:
        return None, None
    start = detection.start.astimezone(UTC)
    return start, start + timedelta(seconds=detection.end_s - detection.start_s)


def iso(moment: datetime | None) -> str | None:
    """Write a moment as ISO 8601 in UTC, with microseconds.

    Examples
    --------
    >>> iso(datetime(2019, 5, 1, 19, 8, tzinfo=UTC))
    '2019-05-01T19:08:00.000000Z'
    """
    if moment is None:
        return None
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{plain.isoformat(timespec='microseconds')}Z"


def start_of(searched: Searched) -> datetime | None:
    """Return when a recording's first sample was recorded, in UTC, if it is known."""
    for segment in searched.segments:
        if segment.start is not None and searched.recording is not None:
            before_s = segment.first_sample / searched.recording.sample_rate
            return segment.start.astimezone(UTC) - timedelta(seconds=before_s)
    return None


def cell(text: str) -> str:
    r"""Write text so that it stays one cell: no tab, no new line, never empty.

    Examples
    --------
    >>> cell("a tab\tand a line\n.wav")
    'a tab and a line .wav'
    """
    plain = CONTROL.sub(" ", text)
    # A quote at the beginning would make readers take all up to the next one.
    plain = f"'{plain[1:]}" if plain.startswith('"') else plain
    return plain if plain.strip() else MISSING

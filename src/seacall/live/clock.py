"""Compare a stream's samples with the clock: stalls, and senders whose clock drifts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

_WINDOW_S = 60.0
_LARGEST_S = 1.0
"""Sound that is further from the clock than so gets a new segment with a new time."""
_LARGEST_DRIFT = 2e-3
"""No converter's clock is worse; what is worse is something else."""
_BEGIN_S = 180.0
"""Servers send what they have stored first."""


@dataclass(frozen=True)
class Off:
    """A stream's time is not the clock's any more."""

    kind: Literal["gap", "note"]
    text: str


class StreamClock:
    """Follows how far the samples of a segment lie behind the clock.

    Parameters
    ----------
    start
        When its first sample was recorded.
    sample_rate
        Hz.
    now
        The clock.
    """

    def __init__(
        self,
        start: datetime,
        sample_rate: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._start, self._rate, self._now = start, sample_rate, now
        self._window_ends = now() + timedelta(seconds=_WINDOW_S)
        self._least_s = float("inf")
        self.lag_s = 0.0
        """Of the last samples."""

    def arrived(self, n_samples: int) -> Off | None:
        """Take how many samples there are now; return what is wrong.

        The least lag of a minute counts: bursts are the way of networks.
        """
        now = self._now()
        length_s = n_samples / self._rate
        self.lag_s = (now - self._start).total_seconds() - length_s
        self._least_s = min(self._least_s, self.lag_s)
        if now < self._window_ends:
            return None
        least_s, self._least_s = self._least_s, float("inf")
        self._window_ends = now + timedelta(seconds=_WINDOW_S)
        if abs(least_s) <= _LARGEST_S:
            return None
        return _in_words(least_s, length_s)


def _in_words(least_s: float, length_s: float) -> Off:
    if least_s < 0 and length_s < _BEGIN_S:
        return Off("note", f"began with {-least_s:.1f} s of stored sound")
    if abs(least_s) <= _LARGEST_DRIFT * length_s:
        ppm = -1e6 * least_s / length_s
        return Off("note", f"clock drift: the sender's clock runs {ppm:+.0f} ppm")
    if least_s > 0:
        return Off("gap", f"the clock went on by {least_s:.1f} s without sound")
    return Off("gap", f"{-least_s:.1f} s more sound than time: doubled, or stored")

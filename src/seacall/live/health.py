"""Tell whether a source is well: states that begin and end with hysteresis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.live.levels import Second
from seacall.live.settings import HealthSettings

Floats = NDArray[np.float64]

STATES = ("late", "silent", "clipped", "hum", "dead")
_WINDOW_S = 10
"""Seconds of which the quiet quarter is the noise floor."""
_ENOUGH = 180
"""Windows of history, half an hour, before anything can be called dead."""
_MADS = 6.0
_TO_SIGMA = 1.4826
"""A median absolute deviation is so much less than a standard deviation."""


@dataclass(frozen=True)
class Turn:
    """A state began or ended."""

    kind: str
    on: bool
    text: str


class Latch:
    """A state that is on after so long of bad, and off after so long of good.

    Parameters
    ----------
    on_s, off_s
        Seconds without a break.
    """

    def __init__(self, on_s: float, off_s: float) -> None:
        self._needs_s = {False: on_s, True: off_s}
        self._against_s = 0.0
        self.on = False

    def update(self, bad: bool, passed_s: float = 1.0) -> bool:
        """Take what is so since the last call; tell whether the state turned."""
        if bad == self.on:
            self._against_s = 0.0
            return False
        self._against_s += passed_s
        if self._against_s < self._needs_s[self.on]:
            return False
        self.on, self._against_s = bad, 0.0
        return True


class NoiseFloor:
    """The noise of a channel in octaves, beside its own history.

    The floor is the quiet quarter of ten seconds; its history is described by median
    and median absolute deviation, which calls and ships hardly move. What is dead does
    not become history.

    Parameters
    ----------
    history_h
        How far it reaches back, hours.
    """

    def __init__(self, history_h: float) -> None:
        self._most = max(1, int(history_h * 3600 / _WINDOW_S))
        self._history = np.empty((0, 0), np.float32)
        self._n_windows = 0
        self._seconds: list[Floats] = []
        self.is_dead = False
        self.drop_db = 0.0
        """Of the middle octave, below its median."""

    def add(self, octaves_db: Floats, *, dead_db: float) -> None:
        """Take a second."""
        self._seconds.append(octaves_db)
        if len(self._seconds) < _WINDOW_S:
            return
        floor = np.quantile(np.stack(self._seconds), 0.25, axis=0)
        self._seconds.clear()
        self.is_dead = self._compare(floor, dead_db)
        if not self.is_dead:
            self._remember(floor)

    def _remember(self, floor: Floats) -> None:
        """Keep a window; the oldest goes where there is no room."""
        if self._history.shape[1] != len(floor):
            self._history = np.empty((self._most, len(floor)), np.float32)
            self._n_windows = 0
        self._history[self._n_windows % self._most] = floor
        self._n_windows += 1

    def _compare(self, floor: Floats, dead_db: float) -> bool:
        if self._n_windows < _ENOUGH or self._history.shape[1] != len(floor):
            return False
        history = self._history[: self._n_windows]
        usual = np.median(history, axis=0)
        spread = np.median(np.abs(history - usual), axis=0) * _TO_SIGMA
        drop = usual - floor
        self.drop_db = float(np.median(drop))
        return bool(np.mean(drop > np.maximum(dead_db, _MADS * spread)) > 0.5)


class Health:
    """How one source is.

    Parameters
    ----------
    settings
        What is wrong, and for how long.
    """

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        off_s = settings.recovered_s
        self._latches = {
            "late": Latch(0.0, min(off_s, 5.0)),
            "silent": Latch(settings.silent_s, off_s),
            "clipped": Latch(settings.clipped_s, off_s),
            "hum": Latch(settings.hum_s, off_s),
            "dead": Latch(settings.dead_s, off_s),
        }
        self._floor = NoiseFloor(settings.history_h)
        self.last: Second | None = None
        """The second that was measured last."""

    @property
    def states(self) -> list[str]:
        """What is wrong now."""
        return [kind for kind, latch in self._latches.items() if latch.on]

    def second(self, one: Second) -> Iterator[Turn]:
        """Take what was measured of a second; yield what turned."""
        settings = self._settings
        self.last = one
        silent = one.level_db < settings.silent_db
        self._floor.add(one.octaves_db, dead_db=settings.dead_db)
        yield from self._turn("silent", silent, f"level {one.level_db:.0f} dBFS")
        yield from self._turn(
            "clipped",
            one.clipped > settings.clipped_share,
            f"{one.clipped:.2%} of the samples at full scale",
        )
        yield from self._turn(
            "hum",
            one.hum_db > settings.hum_db and not silent,
            f"lines of {one.mains_hz} Hz stand out by {one.hum_db:.0f} dB",
        )
        yield from self._turn(
            "dead",
            self._floor.is_dead,
            f"noise {self._floor.drop_db:.0f} dB below its history",
        )

    def waited(self, without_s: float, passed_s: float) -> Iterator[Turn]:
        """Take how long there has been no sound, or how old it is.

        Parameters
        ----------
        without_s
            Without sound, or behind the clock, s.
        passed_s
            Since the last call, s.
        """
        bad = without_s > self._settings.late_s
        yield from self._turn("late", bad, f"{without_s:.0f} s", passed_s)

    def _turn(
        self, kind: str, bad: bool, text: str, passed_s: float = 1.0
    ) -> Iterator[Turn]:
        latch = self._latches[kind]
        if latch.update(bad, passed_s):
            yield Turn(kind, latch.on, text if latch.on else "well again")

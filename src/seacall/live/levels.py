"""Measure each second of a channel: level, clipping, hum, the noise in octaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

FLOOR_DB = -200.0
FULL_SCALE = 0.9995
"""16-bit converters end at 1 - 2^-15, and some a few steps before."""
MAINS_HZ = (50, 60)
_LINES = 8
_STRONGEST = 3
"""Hum is as strong as the third strongest of the lines: calls may lie on one."""
_LOWEST_HZ = 16.0


@dataclass(frozen=True)
class Second:
    """What was measured of a second."""

    level_db: float
    """Root mean square about the mean, dBFS."""
    peak: float
    """Largest sample, 1 is full scale."""
    clipped: float
    """Share of samples at full scale."""
    hum_db: float
    """How far lines at multiples of 50 or 60 Hz stand out."""
    mains_hz: int
    """Which of them."""
    octaves_db: Floats
    """Power in octaves from 16 Hz on, dBFS."""


class Seconds:
    """Cuts samples into seconds and measures each.

    Parameters
    ----------
    sample_rate
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._parts: list[Float32] = []
        self._n = 0

    def push(self, y: Float32) -> Iterator[Second]:
        """Take samples, shape ``(n,)``; yield what was measured of each second."""
        self._parts.append(y)
        self._n += len(y)
        if self._n < self._rate:
            return
        joined = np.concatenate(self._parts)
        n_whole = len(joined) - len(joined) % self._rate
        self._parts = [joined[n_whole:].copy()]
        self._n = len(joined) - n_whole
        for begin in range(0, n_whole, self._rate):
            yield measured(joined[begin : begin + self._rate], self._rate)


def measured(y: Float32, sample_rate: int) -> Second:
    """Measure one second of samples, shape ``(sample_rate,)``."""
    centred = y.astype(np.float64)
    centred -= centred.mean()
    power = float(np.mean(centred**2))
    # Hann, scaled so that the sum over all lines is the mean square: 3/8 is the
    # window's own power.
    spectrum = np.abs(np.fft.rfft(centred * _hann(len(y)))) ** 2
    spectrum *= 2 / (0.375 * len(y) ** 2)
    hums = [_hum_db(spectrum, mains) for mains in MAINS_HZ]
    best = int(np.argmax(hums))
    return Second(
        level_db=_db(power),
        peak=float(np.abs(y).max()),
        clipped=float(np.mean(np.abs(y) >= FULL_SCALE)),
        hum_db=hums[best],
        mains_hz=MAINS_HZ[best],
        octaves_db=np.array([_db(float(p)) for p in _octaves(spectrum)]),
    )


@lru_cache(maxsize=8)
def _hann(n: int) -> Floats:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n), np.float64)


def _hum_db(spectrum: Floats, mains_hz: int) -> float:
    """Return how far the lines stand out from what lies 5 to 20 Hz beside them."""
    found = []
    for k in range(1, _LINES + 1):
        at = k * mains_hz  # lines are 1 Hz apart
        if at + 20 >= len(spectrum):
            break
        beside = np.r_[spectrum[at - 20 : at - 4], spectrum[at + 5 : at + 21]]
        line = spectrum[at - 1 : at + 2].max()
        found.append(_db(float(line)) - _db(float(np.median(beside))))
    return sorted(found)[-_STRONGEST] if len(found) >= _STRONGEST else 0.0


def _octaves(spectrum: Floats) -> Floats:
    """Return the power in each octave, from 16 Hz to half the rate."""
    n = max(1, int(np.log2(len(spectrum) / _LOWEST_HZ)))
    begins = (_LOWEST_HZ * 2.0 ** np.arange(n)).astype(int)
    sums = np.add.reduceat(spectrum, begins)
    return np.asarray(sums, np.float64)


def _db(power: float) -> float:
    return float(10 * np.log10(max(power, 10 ** (FLOOR_DB / 10))))

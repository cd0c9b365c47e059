"""Measure where a recording's band ends: what a recorder leaves behind in its files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from seacall.audio import io

ABOVE_FLOOR_DB = 20.0
"""An anti-alias filter or an MP3 encoder falls by 40 dB and more; the spectrum of the
sea, and of most calls, falls more slowly from one third of an octave to the next."""
_FLOOR_SHARE = 0.05
_SEGMENT = 1_024
_PER_OCTAVE = 3


def band_edge_hz(
    y: NDArray[np.float32], *, sample_rate: int, above_floor_db: float = ABOVE_FLOOR_DB
) -> float:
    """Return the highest frequency at which a spectrum stands above its floor.

    The floor is the level that the lowest twentieth of the mean spectrum stays below:
    behind a filter's edge, what rounding to 16 bits leaves.

    Parameters
    ----------
    y
        Waveform, shape ``(n,)``, native rate.
    above_floor_db
        What counts as above the floor, dB.

    Returns
    -------
    edge
        Hz; the Nyquist frequency if nothing stands above the floor: noise that fills
        the whole band, or silence.
    """
    n = min(_SEGMENT, len(y))
    hz, power = welch(y.astype(np.float64), sample_rate, nperseg=n, detrend="constant")
    # Digital silence has no logarithm; 1e-20 lies far below a 24-bit file's last bit.
    level_db = 10 * np.log10(np.maximum(power, 1e-20))
    floor_db = np.quantile(level_db, _FLOOR_SHARE)
    above = np.flatnonzero(level_db > floor_db + above_floor_db)
    return float(hz[above[-1]]) if len(above) else sample_rate / 2


def edge_bin(edge_hz: float) -> int:
    """Return the third of an octave that a band edge lies in, 0 around 1 kHz.

    Examples
    --------
    >>> edge_bin(1_000.0), edge_bin(8_000.0), edge_bin(7_800.0)
    (0, 9, 9)
    """
    return round(_PER_OCTAVE * math.log2(max(edge_hz, 1.0) / 1_000))


def file_edge_bin(path: Path, *, duration_s: float, channel: int | None = None) -> int:
    """Measure the start of a recording, as long as a clip, and return its `edge_bin`.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    max_length = round(duration_s * io.probe(path).sample_rate)
    y, sample_rate = io.read(path, channel=channel, max_length=max_length)
    return edge_bin(band_edge_hz(y, sample_rate=sample_rate))

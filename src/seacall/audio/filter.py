"""Band-pass a recording as it is read, with the filter's state carried along."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

ORDER = 4
"""Order of the Butterworth prototype; a band-pass has twice as many poles."""

_FLOAT32_MIN_SHARE = 0.01
"""Lower edges below this share of the sample rate need float64: the poles lie so near
to z = 1 that float32 state loses digits. Above it the loss stays below 1e-4 of the
signal that passes, also where the recorder has an offset."""


def band_edges(
    *, sample_rate: int, band_hz: tuple[float, float]
) -> tuple[float, float]:
    """Fit a pass band to what a recording can hold.

    The upper edge stays below the Nyquist frequency. The lower edge is at most a
    quarter of the sample rate, so that a slow recorder's upper octave passes instead
    of nothing; the band energy ratio of the features follows the same rule.

    Returns
    -------
    low_hz, high_hz
        With ``0 < low_hz < high_hz < sample_rate / 2``.

    Examples
    --------
    >>> band_edges(sample_rate=96_000, band_hz=(3_000, 19_000))
    (3000, 19000)
    >>> band_edges(sample_rate=8_000, band_hz=(3_000, 19_000))
    (2000.0, 3920.0)
    """
    low_hz, high_hz = band_hz
    return min(low_hz, sample_rate / 4), min(high_hz, 0.49 * sample_rate)


class BandPass:
    """Causal Butterworth band-pass that goes through a recording block by block.

    The result does not depend on how the recording is cut into blocks. The state
    starts as if the first sample had lasted for ever, so that an offset of the
    recorder makes no click at the start.

    Parameters
    ----------
    sample_rate
        Rate of the recording, Hz.
    band_hz
        Edges as asked for; see :func:`band_edges` for what is made of them.
    """

    def __init__(self, *, sample_rate: int, band_hz: tuple[float, float]) -> None:
        self._sos, self._settled = _design(sample_rate, band_hz)
        self._state: Any = None

    def process(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter the next block, shape ``(n,)``; returns the same shape."""
        if len(y) == 0:
            return y
        if self._state is None:
            self._state = self._settled * y[0]
        filtered: NDArray[Any]
        filtered, self._state = signal.sosfilt(
            self._sos, y.astype(self._sos.dtype, copy=False), zi=self._state
        )
        return filtered.astype(np.float32, copy=False)


@lru_cache(maxsize=32)
def _design(sample_rate: int, band_hz: tuple[float, float]) -> tuple[Any, Any]:
    """Return second-order sections and their state after a long constant one.

    Untyped, since scipy's stubs know the filter in float64 only.
    """
    edges = band_edges(sample_rate=sample_rate, band_hz=band_hz)
    sos = signal.butter(ORDER, edges, btype="bandpass", fs=sample_rate, output="sos")
    exact = edges[0] < _FLOAT32_MIN_SHARE * sample_rate
    dtype = np.float64 if exact else np.float32
    return sos.astype(dtype), signal.sosfilt_zi(sos).astype(dtype)

"""Band-pass a recording as it is read, with the filter's state carried along."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio.fast import kernels

Float32 = NDArray[np.float32]

ORDER = 4
"""Order of the Butterworth prototype; a band-pass has twice as many poles."""

_FLOAT32_MIN_SHARE = 0.01
"""Lower edges below this share of the sample rate need float64: the poles lie so near
to z = 1 that float32 state loses digits. Above it the loss stays below 1e-4 of the
signal that passes, also where the recorder has an offset."""

_FORGOTTEN = 1e-9
"""Share of its peak below which an impulse response is over: less than rounding."""
_LONGEST_MEMORY = 2_048
"""Samples; the compiled filter begins so far ahead at most."""


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

    With the compiled kernels samples are filtered as soon as a block of them has come
    together; without, at once.

    Parameters
    ----------
    sample_rate
        Rate of the recording, Hz.
    band_hz
        Edges as asked for; see :func:`band_edges` for what is made of them.
    """

    def __init__(self, *, sample_rate: int, band_hz: tuple[float, float]) -> None:
        self._design = _design(sample_rate, band_hz)
        self._state: Any = None
        self._in_lanes = kernels("cascade") if self._design.warm_up else None
        self._pending: list[Float32] = []

    def process(self, y: Float32) -> Float32:
        """Filter the next block, shape ``(n,)``; the output may lag behind."""
        if self._in_lanes is None:
            return self._at_once(y)
        self._pending.append(y)
        if sum(map(len, self._pending)) < self._in_lanes.BLOCK:
            return np.empty(0, np.float32)
        waiting = np.concatenate(self._pending)
        n = len(waiting) - len(waiting) % self._in_lanes.BLOCK
        self._pending = [waiting[n:]]
        return self._blocks(waiting[:n])

    def finish(self) -> Float32:
        """Return what is left after the last block."""
        waiting = np.concatenate([np.empty(0, np.float32), *self._pending])
        self._pending = []
        if len(waiting) == 0 or self._in_lanes is None:
            return waiting
        padding = np.zeros(-len(waiting) % self._in_lanes.BLOCK, np.float32)
        return self._blocks(np.concatenate([waiting, padding]))[: len(waiting)]

    def _at_once(self, y: Float32) -> Float32:
        if len(y) == 0:
            return y
        if self._state is None:
            self._state = self._design.settled * y[0]
        filtered: NDArray[Any]
        filtered, self._state = _signal().sosfilt(
            self._design.sos,
            y.astype(self._design.sos.dtype, copy=False),
            zi=self._state,
        )
        return filtered.astype(np.float32, copy=False)

    def _blocks(self, y: Float32) -> Float32:
        """Filter whole blocks; the state is the end of the block before."""
        compiled: Any = self._in_lanes
        design = self._design
        if self._state is None:
            self._state = np.full(compiled.STRETCH, y[0], np.float32)
        joined = np.concatenate([self._state, y], dtype=np.float32)
        out = np.empty(len(y), np.float32)
        for start in range(0, len(y), compiled.BLOCK):
            block = joined[start : start + compiled.STRETCH + compiled.BLOCK]
            compiled.filtered(
                block,
                design.sos,
                design.settled,
                design.warm_up,
                out[start : start + compiled.BLOCK],
            )
        self._state = joined[-compiled.STRETCH :]
        return out


def impulse_response(
    sample_rate: int, band_hz: tuple[float, float], *, forgotten: float
) -> NDArray[np.float64]:
    """Return the band-pass's response to one sample, without its end.

    Parameters
    ----------
    forgotten
        Share of the largest value; after the last one that reaches it all is left out.
    """
    edges = band_edges(sample_rate=sample_rate, band_hz=band_hz)
    sos = _signal().butter(ORDER, edges, btype="bandpass", fs=sample_rate, output="sos")
    # The lower edge decides: it rings for some dozens of its periods.
    impulse = np.zeros(64 + int(64 * sample_rate / edges[0]))
    impulse[0] = 1.0
    response: NDArray[np.float64] = _signal().sosfilt(sos, impulse)
    heard = np.flatnonzero(np.abs(response) > forgotten * np.abs(response).max())
    return response[: int(heard[-1]) + 1]


@dataclass(frozen=True)
class _Design:
    """A band-pass; untyped, since scipy's stubs know the filter in float64 only."""

    sos: Any
    """Second-order sections, shape ``(4, 6)``."""
    settled: Any
    """Their state after a long constant 1, shape ``(4, 2)``."""
    warm_up: int
    """Samples after which it has forgotten; 0: too many, or float32 is too coarse."""


@lru_cache(maxsize=32)
def _design(sample_rate: int, band_hz: tuple[float, float]) -> _Design:
    edges = band_edges(sample_rate=sample_rate, band_hz=band_hz)
    sos = _signal().butter(ORDER, edges, btype="bandpass", fs=sample_rate, output="sos")
    exact = edges[0] < _FLOAT32_MIN_SHARE * sample_rate
    dtype = np.float64 if exact else np.float32
    settled = _signal().sosfilt_zi(sos)
    warm_up = 0 if exact else _memory_length(sos)
    return _Design(sos.astype(dtype), settled.astype(dtype), warm_up)


def _memory_length(sos: Any) -> int:
    """Return how many samples an impulse is heard for; 0 if longer than looked for."""
    impulse = np.zeros(2 * _LONGEST_MEMORY)
    impulse[0] = 1.0
    response = np.abs(_signal().sosfilt(sos, impulse))
    heard = np.flatnonzero(response > _FORGOTTEN * response.max())
    length = int(heard[-1]) + 1
    return length if length <= _LONGEST_MEMORY else 0


def _signal() -> Any:
    """Load scipy's filters where a profile has one: they take a second and 47 MB."""
    from scipy import signal

    return signal

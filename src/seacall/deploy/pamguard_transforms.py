"""What PAMGuard makes of a segment of sound before a model sees it.

By the sources of PAMGuard's deep learning library (jpamutils ``AudioData``,
``WavInterpolator``): samples are kept as 16-bit integers, rounded down, before and
after resampling; ``load_audio_scipy`` resamples each segment alone by its Fourier
transform, as `scipy.signal.resample` does, as if the segment repeated itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

FULL_SCALE = 32_768
"""Of 16 bits, whatever the recording has."""


def kept_samples(y: NDArray[Any]) -> Int32:
    """Return samples as PAMGuard keeps them: rounded down to 16 bits, clipped."""
    rounded = np.floor(np.asarray(y, np.float64) * FULL_SCALE)
    return np.clip(rounded, -FULL_SCALE, FULL_SCALE - 1).astype(np.int32)


def segment_length(*, size_ms: float, sample_rate: int) -> int:
    """Return the samples of a segment of the package's default length."""
    return int(size_ms * sample_rate / 1000)


def load_audio_scipy(y: NDArray[Any], *, rate_in: int, rate_out: int) -> Float32:
    """Return a segment as the transform ``load_audio_scipy`` hands it on.

    Parameters
    ----------
    y
        Segment as PAMGuard's sound acquisition gives it, ``(n_samples,)``, full scale.
    rate_in, rate_out
        Hz.

    Returns
    -------
    waveform
        Shape ``(ceil(n_samples * rate_out / rate_in),)``, or a sample more: the ratio
        is computed in single precision.
    """
    samples = kept_samples(y)
    if rate_in != rate_out:
        ratio = float(np.float32(rate_out) / np.float32(rate_in))
        n_samples = int(np.ceil(len(samples) * ratio))
        samples = kept_samples(signal.resample(samples / FULL_SCALE, n_samples))
    return (samples / FULL_SCALE).astype(np.float32)

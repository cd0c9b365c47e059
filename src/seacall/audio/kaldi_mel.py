"""EfficientAT's front end: from 32 kHz waveform to normalised Kaldi log-mel."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
import scipy.signal
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from seacall.errors import AudioError

# The recipe that the published network was trained with, and takes no other:
# https://github.com/fschmid56/EfficientAT (models/preprocess.py, MIT).
SAMPLE_RATE = 32_000
"""The only rate that the network knows, Hz."""
N_MELS = 128
"""Kaldi mel bands."""
HOP_LENGTH = 320
"""Step between frames, samples: 10 ms."""
_WIN_LENGTH = 800
_N_FFT = 1_024
_FMIN, _FMAX = 0.0, 15_000.0
_PREEMPHASIS = np.float32(0.97)
_LOG_OFFSET = np.float32(1e-5)
_SHIFT, _SCALE = np.float32(4.5), np.float32(5.0)

# The padding mirrors half a window, and the pre-emphasis takes one sample.
MIN_LENGTH = _WIN_LENGTH // 2 + 2
"""Shortest waveform that has a log-mel, samples."""

# 64 frames keep window, spectrum and power (0.9 MB) within the cache of one core;
# a 10 s clip in one piece takes more than twice as long.
_CHUNK_FRAMES = 64


def efficientat_log_mel(
    y: ArrayLike, *, sample_rate: int = SAMPLE_RATE
) -> NDArray[np.float32]:
    """Return the log-mel that EfficientAT was trained on.

    Pre-emphasis, power spectrum of centred frames (symmetric Hann window of 25 ms
    every 10 ms), 128 Kaldi mel bands from 0 to 15 kHz, natural logarithm, and the
    fixed normalisation ``(x + 4.5) / 5``.

    Parameters
    ----------
    y
        Waveform, shape ``(n_samples,)``, full scale +-1, ``n_samples >= 402``.
    sample_rate
        Rate of ``y``, Hz; must be 32,000.

    Returns
    -------
    ndarray
        Shape ``(128, n_frames)`` with ``n_frames = 1 + (n_samples - 1) // 320``;
        about -1.4 in silence, about 1 for loud sound. 10 s give 1,000 frames.

    Raises
    ------
    ValueError
        If ``y`` is not one channel, or the rate is another.
    AudioError
        If ``y`` is shorter than 402 samples.

    References
    ----------
    Schmid, Koutini, Widmer (2023), "Efficient Large-Scale Audio Tagging Via
    Transformer-to-CNN Knowledge Distillation", ICASSP.

    Examples
    --------
    >>> efficientat_log_mel(np.zeros(320_000)).shape
    (128, 1000)
    """
    frames = _frames(_emphasised(_checked(y, sample_rate)))
    n_frames = frames.shape[1]
    log_mel = np.empty((N_MELS, n_frames), dtype=np.float32)
    bands, window = _mel_bands(), _window()
    for first in range(0, n_frames, _CHUNK_FRAMES):
        chunk = slice(first, first + _CHUNK_FRAMES)
        log_mel[:, chunk] = bands @ _power(frames[:, chunk] * window)
    log_mel += _LOG_OFFSET
    np.log(log_mel, out=log_mel)
    log_mel += _SHIFT
    log_mel /= _SCALE
    return log_mel


def _checked(y: ArrayLike, sample_rate: int) -> NDArray[np.float32]:
    y = np.asarray(y, dtype=np.float32)
    if y.ndim != 1:
        raise ValueError(
            f"y has shape {y.shape}, and one channel is needed; "
            "mix the channels or pass them one by one"
        )
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"sample_rate={sample_rate}, and EfficientAT takes {SAMPLE_RATE} Hz only; "
            "resample y first"
        )
    if len(y) < MIN_LENGTH:
        raise AudioError(
            f"the clip holds {len(y)} samples, and its log-mel needs at least "
            f"{MIN_LENGTH} at {SAMPLE_RATE} Hz; use a longer clip, or pad or tile it"
        )
    return y


def _emphasised(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``y[n] - 0.97 y[n-1]``, one sample shorter (the first has no before)."""
    return y[1:] - _PREEMPHASIS * y[:-1]


def _frames(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a view of the mirrored waveform, shape ``(800, n_frames)``.

    The published code pads the 800-sample window with 112 zeros on either side, to
    the 1,024 samples of the transform, and mirrors 512 samples at the ends. Those
    zeros only turn the phase, which the power forgets: so mirror 400 samples, cut
    frames of 800 and let the transform append all 224 zeros behind them.
    """
    mirrored = np.pad(y, _WIN_LENGTH // 2, mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(mirrored, _WIN_LENGTH)
    # Time runs down the columns: so the transform vectorises over frames, and the
    # bands multiply its result without a copy.
    return views[::HOP_LENGTH].T


def _power(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the power spectrum below the Nyquist bin, shape ``(512, n_frames)``."""
    spectrum = scipy.fft.rfft(frames, _N_FFT, axis=0)[:-1]
    power: NDArray[np.float32] = spectrum.real**2 + spectrum.imag**2
    return power


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    """Return the symmetric Hann window as a column."""
    window = scipy.signal.windows.hann(_WIN_LENGTH, sym=True).astype(np.float32)
    window.setflags(write=False)
    return window[:, np.newaxis]


@lru_cache(maxsize=1)
def _mel_bands() -> scipy.sparse.csr_array[Any]:
    """Return Kaldi's triangular bands, shape ``(128, 512)``, sparse: 947 weights.

    Kaldi's triangles have straight sides over mel, not over Hz, and peak at 1:
    with edges e_b = mel(fmin) + b * step, the weight of frequency f in band b is
    min((mel(f) - e_b) / step, (e_b+2 - mel(f)) / step), and never below 0.
    """
    step = (_mel(_FMAX) - _mel(_FMIN)) / (N_MELS + 1)
    left = _mel(_FMIN) + step * np.arange(N_MELS)[:, np.newaxis]
    mel = _mel(np.arange(_N_FFT // 2) * (SAMPLE_RATE / _N_FFT))
    rise = (mel - left) / step
    bands = np.maximum(0.0, np.minimum(rise, 2.0 - rise))
    return scipy.sparse.csr_array(bands.astype(np.float32))


def _mel(hz: float | NDArray[np.floating]) -> Any:
    """Return HTK mel with Kaldi's constant, 1127 instead of 2595 / ln 10."""
    return 1_127.0 * np.log1p(np.asarray(hz) / 700.0)

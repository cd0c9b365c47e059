"""The 18 numbers beside the log-mel: what a person would measure in a clip.

Each follows librosa's default definition (librosa 0.11, McFee et al. 2015) and is the
mean over frames. They are computed together from one Fourier transform, in float32,
by compiled kernels where they are at hand (``fast``) and else by NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from seacall.audio.fast import FrameLayout, band_tables, frame_layout, kernels
from seacall.audio.framing import frame
from seacall.audio.logmel import (
    BandMatrix,
    periodic_hann,
    power_spectra,
    triangles,
)

Float32 = NDArray[np.float32]

N_FFT = 2_048
HOP_LENGTH = 512
N_MELS = 128
N_MFCC = 13
ROLLOFF_SHARE = 0.85
"""Share of the summed magnitude below the roll-off frequency."""

FEATURE_NAMES = (
    "spectral_centroid",
    "rms_energy",
    "zero_crossing_rate",
    "spectral_rolloff",
    "band_energy_ratio",
    *(f"mfcc_{k}" for k in range(1, N_MFCC + 1)),
)
"""Order of the features everywhere: Hz, full scale, 1, Hz, 1, then dB-based MFCCs."""

FEATURE_FACTORS = np.array(
    [1000, 1, 0.01, 1000, 1, 500, 200, 50, 10, 5, 20, 2, 20, 10, 10, 10, 5, 5],
    np.float32,
)
"""Divisors that bring each feature to about one: the original description's."""

_ROLLOFF_GROUP = 32
_N_SUMS = 3
_AMIN = np.float32(1e-10)  # librosa.power_to_db: smallest power
_TOP_DB = np.float32(80.0)  # librosa.power_to_db: range below the loudest
_DB = np.float32(10 / np.log(10))  # a natural logarithm of power in dB
_ZERO = np.float32(1e-10)  # librosa.zero_crossings: what is smaller counts as zero


def features(y: Float32, *, sample_rate: int) -> Float32:
    """Compute the 18 features of a clip.

    Parameters
    ----------
    y
        Mono waveform as the network sees it: filtered, resampled, fitted; shape
        ``(n_samples,)`` with at least one sample.
    sample_rate
        Hz.

    Returns
    -------
    features
        Raw values in the order of :data:`FEATURE_NAMES`, shape ``(18,)``. Silence
        gives finite numbers.

    Examples
    --------
    >>> t = np.arange(80_000, dtype=np.float32) / 16_000
    >>> values = features(np.sin(2 * np.pi * 4_000 * t), sample_rate=16_000)
    >>> dict(zip(FEATURE_NAMES, values.round(2).tolist()))["zero_crossing_rate"]
    0.5
    """
    found = _compiled_sums(y, sample_rate) if kernels() else None
    sums, hops = found or (_sums(y, sample_rate), _hops(y))
    n_frames = len(sums.mel)
    rms, crossings = _mean_rms(hops, n_frames), _mean_crossing_rate(hops, n_frames)
    centroid, rolloff, band_ratio = _spectral_features(sums, sample_rate=sample_rate)
    values = [centroid, rms, crossings, rolloff, band_ratio]
    return np.concatenate([np.array(values, np.float32), _mean_mfcc(sums.mel)])


def normalise_features(values: Float32) -> Float32:
    """Divide raw features, shape ``(..., 18)``, by :data:`FEATURE_FACTORS`.

    The networks do this themselves: tables and function arguments hold raw values.
    """
    return values / FEATURE_FACTORS


def feature_band(sample_rate: int) -> tuple[float, float]:
    """Return the band, Hz, whose share of the magnitude is ``band_energy_ratio``."""
    return min(3_000.0, sample_rate / 4), min(19_000.0, sample_rate / 2 - 1_000)


@dataclass(frozen=True)
class _Sums:
    """What is left of each frame's spectrum."""

    mel: Float32
    """Power in mel bands, shape ``(n_frames, 128)``."""
    magnitude: Float32
    """Sums of magnitudes: all, those in band, those times Hz; ``(n_frames, 3)``."""
    rolloff_bins: Float32
    """First bin at which the running sum reaches 85 %, shape ``(n_frames,)``."""


@dataclass(frozen=True)
class _Hops:
    """What is left of each hop of 512 samples of the padded waveform."""

    energy: NDArray[Any]
    """Sum of squares, shape ``(n_hops,)``."""
    crossings: NDArray[Any]
    """Sign changes from a sample to the next, both within the hop."""
    opening: NDArray[Any]
    """1 where the sign changes from the hop before to this one."""


def _spectral_features(sums: _Sums, *, sample_rate: int) -> tuple[float, float, float]:
    total, in_band, moment = sums.magnitude.T
    centroid = np.divide(moment, total, out=np.zeros_like(total), where=total > 0)
    all_magnitude = float(total.sum(dtype=np.float64))
    band_ratio = float(in_band.sum(dtype=np.float64)) / (all_magnitude or 1.0)
    rolloff = float(sums.rolloff_bins.mean()) * sample_rate / N_FFT
    return float(centroid.mean()), rolloff, band_ratio


def _sums(y: Float32, sample_rate: int) -> _Sums:
    padded = np.pad(y, N_FFT // 2)
    frames = frame(padded, frame_length=N_FFT, hop_length=HOP_LENGTH)
    weights = _magnitude_weights(sample_rate)
    mel = np.empty((len(frames), N_MELS), np.float32)
    sums = np.empty((len(frames), weights.shape[1]), np.float32)
    rolloff_bins = np.empty(len(frames), np.float32)
    done = 0
    for power in power_spectra(frames, n_fft=N_FFT):
        rows = slice(done, done + len(power))
        _mel_bands(sample_rate).apply(power, out=mel[rows])
        magnitude = np.sqrt(power, out=power)
        np.matmul(magnitude, weights, out=sums[rows])
        rolloff_bins[rows] = _rolloff_bins(magnitude, sums[rows, _N_SUMS:])
        done += len(power)
    return _Sums(mel, sums[:, :_N_SUMS], rolloff_bins)


def _hops(y: Float32) -> _Hops:
    steps = _in_steps(np.pad(y, N_FFT // 2))
    negative = y < -_ZERO
    changes = np.zeros(len(y) + N_FFT, bool)
    # librosa repeats the first and last sample at the ends: nothing crosses there.
    changes[N_FFT // 2 + 1 : N_FFT // 2 + len(y)] = negative[1:] != negative[:-1]
    crossings = _in_steps(changes)
    return _Hops(
        energy=np.einsum("ij,ij->i", steps, steps),
        crossings=np.count_nonzero(crossings[:, 1:], axis=1),
        opening=crossings[:, 0].astype(np.float64),
    )


def _in_steps(padded: NDArray[Any]) -> NDArray[Any]:
    """Cut into steps of one hop, shape ``(n_steps, 512)``."""
    n_steps = len(padded) // HOP_LENGTH
    return padded[: n_steps * HOP_LENGTH].reshape(n_steps, HOP_LENGTH)


def _compiled_sums(y: Float32, sample_rate: int) -> tuple[_Sums, _Hops] | None:
    """Compute the same as :func:`_sums` and :func:`_hops`."""
    layout = _layout()
    if layout is None:
        return None
    n_frames = 1 + len(y) // HOP_LENGTH
    n_more = layout.columns[2]  # the last frames, and those that fill up sixteen
    out = np.empty((n_frames, N_MELS + _N_SUMS + 1), np.float32)
    hops = np.zeros((4, n_frames + n_more), np.float32)
    kernels().feature_sums(
        np.ascontiguousarray(y, np.float32),  # kernels read memory as it lies there
        layout.columns,
        layout.transform,
        _mel_tables(sample_rate),
        np.ascontiguousarray(_magnitude_weights(sample_rate)[:, 1:_N_SUMS].T),
        (ROLLOFF_SHARE, _ZERO),
        out,
        hops,
    )
    sums = _Sums(out[:, :N_MELS], out[:, N_MELS:-1], out[:, -1])
    return sums, _from_signs(y, *hops)


def _from_signs(
    y: Float32, energy: Float32, crossings: Float32, first: Float32, last: Float32
) -> _Hops:
    """Take out the sign changes between the waveform and the zeros around it."""
    opening = np.abs(first - np.concatenate([first[:1], last[:-1]]))
    before = N_FFT // 2
    opening[before // HOP_LENGTH] = 0.0
    hop, within = divmod(before + len(y), HOP_LENGTH)
    if y[-1] < -_ZERO and hop < len(opening):
        (crossings if within else opening)[hop] -= 1.0
    return _Hops(energy, crossings, opening)


@lru_cache(maxsize=1)
def _layout() -> FrameLayout | None:
    return frame_layout(
        periodic_hann(N_FFT), n_fft=N_FFT, hop_length=HOP_LENGTH, lead=N_FFT // 2
    )


@lru_cache(maxsize=8)
def _magnitude_weights(sample_rate: int) -> Float32:
    """Columns that sum a magnitude spectrum, all in one matrix product.

    All of it, what is in band, all times frequency; then groups of neighbouring bins,
    without the last bin, which fills no group.
    """
    bins = np.arange(1 + N_FFT // 2)
    hz = bins * sample_rate / N_FFT
    low_hz, high_hz = feature_band(sample_rate)
    columns = [np.ones_like(hz), (hz >= low_hz) & (hz <= high_hz), hz]
    groups = [bins // _ROLLOFF_GROUP == g for g in range(N_FFT // 2 // _ROLLOFF_GROUP)]
    return np.stack([*columns, *groups], axis=1).astype(np.float32)


def _rolloff_bins(magnitude: Float32, group_sums: Float32) -> NDArray[np.intp]:
    """Return, for each frame, the first bin at which the running sum reaches 85 %.

    A running sum over all bins would take longer than the Fourier transform. The sums
    of groups tell the group; the running sum is then needed in that group alone.
    """
    until = np.cumsum(group_sums, axis=1)
    threshold = np.float32(ROLLOFF_SHARE) * (until[:, -1] + magnitude[:, -1])
    # Where rounding or the last bin leaves no group, the last one is taken.
    group = np.minimum((until < threshold[:, None]).sum(axis=1), until.shape[1] - 1)
    frame_number = np.arange(len(magnitude))
    before = np.where(group > 0, until[frame_number, group - 1], np.float32(0))
    groups = magnitude[:, :-1].reshape(len(magnitude), -1, _ROLLOFF_GROUP)
    running = np.cumsum(groups[frame_number, group], axis=1) + before[:, None]
    within = (running < threshold[:, None]).sum(axis=1)
    bins: NDArray[np.intp] = group * _ROLLOFF_GROUP + within
    return bins


def _mean_mfcc(mel: Float32) -> Float32:
    """Return the mean MFCCs, shape ``(13,)``, of mel power, shape ``(n_frames, 128)``.

    The cosine transform is linear, so that of the mean is the mean of those.
    """
    log_power = np.maximum(mel, _AMIN)
    np.log(log_power, out=log_power)  # four times faster than log10
    np.maximum(log_power, log_power.max() - _TOP_DB / _DB, out=log_power)
    mean_db = _DB * log_power.mean(axis=0, dtype=np.float64)
    mfcc: Float32 = fft.dct(mean_db, type=2, norm="ortho")[:N_MFCC].astype(np.float32)
    return mfcc


@lru_cache(maxsize=8)
def _mel_bands(sample_rate: int) -> BandMatrix:
    """Build librosa's default filter bank: 128 Slaney bands up to half the rate."""
    edges_hz = slaney_edges_hz(sample_rate)
    bins_hz = np.arange(1 + N_FFT // 2) * sample_rate / N_FFT
    area_one = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return BandMatrix(triangles(bins_hz, edges_hz) * area_one)


def slaney_edges_hz(sample_rate: int) -> NDArray[np.float64]:
    """Return the edges of librosa's 128 bands, Hz, shape ``(130,)``."""
    top = float(_hz_to_slaney(np.array(sample_rate / 2)))
    return _slaney_to_hz(np.linspace(0.0, top, N_MELS + 2))


@lru_cache(maxsize=8)
def _mel_tables(sample_rate: int) -> tuple[Any, ...]:
    return band_tables(_mel_bands(sample_rate).weights)


# Slaney's mel scale (Auditory Toolbox, 1998): linear, 200/3 Hz a mel, up to 1 kHz,
# then logarithmic, 27 mels for a factor of 6.4.
_HZ_PER_MEL = 200.0 / 3
_KNEE_HZ = 1_000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def _hz_to_slaney(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _KNEE_MEL + np.log(np.maximum(hz, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(hz < _KNEE_HZ, hz / _HZ_PER_MEL, above)


def _slaney_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _KNEE_HZ * np.exp(_LOG_STEP * np.maximum(mel - _KNEE_MEL, 0.0))
    return np.where(mel < _KNEE_MEL, mel * _HZ_PER_MEL, above)


# RMS and zero crossings need sums over frames of 2048 samples, 512 apart: four sums
# over hops of 512 each, shared by neighbouring frames.
_STEPS = N_FFT // HOP_LENGTH


def _mean_rms(hops: _Hops, n_frames: int) -> float:
    """Return the mean over frames of the root mean square, full scale."""
    energy = _frame_sums(hops.energy, n_frames)
    return float(np.sqrt(energy / N_FFT).mean())


def _mean_crossing_rate(hops: _Hops, n_frames: int) -> float:
    """Return the mean over frames of sign changes per sample, 0 to 1.

    A frame's own first sample has no predecessor in the frame.
    """
    counts = _frame_sums(hops.crossings + hops.opening, n_frames)
    counts -= hops.opening[:n_frames]
    return float(counts.mean() / N_FFT)


def _frame_sums(per_hop: NDArray[Any], n_frames: int) -> NDArray[np.float64]:
    """Add the sums over hops up to sums over frames, shape ``(n_frames,)``."""
    sums = np.zeros(n_frames)
    for step in range(_STEPS):
        sums += per_hop[step : step + n_frames]
    return sums

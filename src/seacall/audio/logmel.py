"""Waveform to log-mel patches: the only place where it is computed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from seacall.audio.fast import FrameLayout, band_tables, frame_layout, kernels
from seacall.audio.framing import frame
from seacall.config import Profile

Float32 = NDArray[np.float32]

_CHUNK_SAMPLES = 131_072
"""Samples transformed at once: 0.5 MB of float32, so that it stays in the L2 cache."""


def log_mel(y: Float32, profile: Profile) -> Float32:
    """Compute the log-mel patches of a clip.

    Parameters
    ----------
    y
        Mono waveform at ``profile.sample_rate``, shape ``(n_samples,)``.
    profile
        The front end's settings.

    Returns
    -------
    patches
        Shape ``(n_patches, 96, 64)``: time first, then mel bands from low to high.
        Frames that fill no whole patch are dropped.

    Raises
    ------
    ValueError
        If ``y`` is shorter than one patch.
    """
    n_samples = len(y)
    need = profile.win_length + (profile.n_frames - 1) * profile.hop_length
    if n_samples < need:
        raise ValueError(f"need {need} samples for one patch, got {n_samples}")
    n_frames = 1 + (n_samples - profile.win_length) // profile.hop_length
    n_patches = n_frames // profile.n_frames
    n_frames = n_patches * profile.n_frames
    layout = _layout(profile) if kernels() else None
    if layout:
        mel = _compiled_sums(y, layout, n_frames, profile)
    else:
        mel = _sums(y, n_frames, profile)
    mel += np.float32(profile.log_offset)
    np.log(mel, out=mel)
    if profile.background == "removed":
        mel -= mel.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mel.reshape(n_patches, profile.n_frames, profile.n_mels)


def _sums(y: Float32, n_frames: int, profile: Profile) -> Float32:
    """Sum spectra over mel bands, shape ``(n_frames, n_mels)``."""
    frames = frame(y, frame_length=profile.win_length, hop_length=profile.hop_length)
    frames = frames[:n_frames]
    mel = np.empty((n_frames, profile.n_mels), np.float32)
    filters = mel_filters(profile)
    dtype = np.float64 if profile.precision == "double" else np.float32
    done = 0
    for power in power_spectra(frames, n_fft=profile.n_fft, dtype=dtype):
        spectrum = np.sqrt(power) if profile.spectrum == "magnitude" else power
        filters.apply(spectrum, out=mel[done : done + len(power)])
        done += len(power)
    return mel


def _compiled_sums(
    y: Float32, layout: FrameLayout, n_frames: int, profile: Profile
) -> Float32:
    """Compute the same as :func:`_sums`."""
    mel = np.empty((n_frames, profile.n_mels), np.float32)
    magnitude = profile.spectrum == "magnitude"
    bands = _band_tables(profile)
    y = np.ascontiguousarray(y, np.float32)  # kernels read memory as it lies there
    kernels().mel_sums(y, layout.columns, layout.transform, bands, magnitude, mel)
    return mel


@lru_cache(maxsize=8)
def _layout(profile: Profile) -> FrameLayout | None:
    if profile.precision == "double":
        return None
    return frame_layout(
        periodic_hann(profile.win_length),
        n_fft=profile.n_fft,
        hop_length=profile.hop_length,
    )


@lru_cache(maxsize=8)
def _band_tables(profile: Profile) -> tuple[Any, ...]:
    return band_tables(mel_filters(profile).weights)


def power_spectra(
    frames: Float32, *, n_fft: int, dtype: type[np.floating[Any]] = np.float32
) -> Iterator[NDArray[Any]]:
    """Window frames and yield their power spectra, a cacheful at a time.

    Parameters
    ----------
    frames
        Shape ``(n_frames, win_length)``.
    n_fft
        Length of the transform; frames are padded with zeros at their end.
    dtype
        Precision to compute in.

    Yields
    ------
    power
        Squared magnitudes, shape ``(<= chunk, 1 + n_fft // 2)``.
    """
    window = periodic_hann(frames.shape[1]).astype(dtype)
    step = max(1, _CHUNK_SAMPLES // n_fft)
    # Filled anew for each chunk: fresh memory costs more than the multiplication.
    windowed = np.zeros((min(step, len(frames)), n_fft), dtype)
    for start in range(0, len(frames), step):
        chunk = frames[start : start + step]
        part = windowed[: len(chunk)]
        np.multiply(chunk, window, out=part[:, : frames.shape[1]])
        spectra = fft.rfft(part, axis=1)
        parts = spectra.view(dtype)
        np.square(parts, out=parts)
        yield parts[:, 0::2] + parts[:, 1::2]


@lru_cache(maxsize=8)
def periodic_hann(length: int) -> NDArray[np.float64]:
    """Return the periodic Hann window, shape ``(length,)``."""
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(
        2 * np.pi * np.arange(length) / length
    )
    return window


class BandMatrix:
    """A filter bank as few dense blocks: each band sees its own stretch of bins only.

    A mel matrix is nearly empty. Cutting it into groups of neighbouring bands and
    leaving out the bins that a group does not see makes the product several times
    cheaper than the full one.

    Parameters
    ----------
    weights
        Filter bank, shape ``(n_bins, n_bands)``.
    n_group
        Bands in one block.
    """

    def __init__(self, weights: NDArray[np.float64], *, n_group: int = 8) -> None:
        self.weights = weights.astype(np.float32)
        self._blocks: list[tuple[slice, slice, Float32]] = []
        for first in range(0, weights.shape[1], n_group):
            bands = slice(first, first + n_group)
            seen = np.flatnonzero(weights[:, bands].any(axis=1))
            bins = slice(seen[0], seen[-1] + 1) if len(seen) else slice(0, 0)
            block = np.ascontiguousarray(self.weights[bins, bands])
            self._blocks.append((bins, bands, block))

    def apply(self, spectra: NDArray[Any], *, out: Float32) -> None:
        """Write ``spectra @ weights``, shape ``(n_frames, n_bands)``, into ``out``."""
        for bins, bands, block in self._blocks:
            out[:, bands] = spectra[:, bins] @ block


@lru_cache(maxsize=8)
def mel_filters(profile: Profile) -> BandMatrix:
    """Build the profile's mel filter bank.

    Triangles on the HTK mel scale, peak 1. They rise and fall linearly in Hz (as in
    librosa and torchaudio) or linearly in mel (as in AudioSet's front end).
    """
    mel_edges = np.linspace(
        hz_to_mel(profile.fmin), hz_to_mel(profile.fmax), profile.n_mels + 2
    )
    bins_hz = np.arange(1 + profile.n_fft // 2) * profile.sample_rate / profile.n_fft
    if profile.mel_triangles == "mel":
        weights = triangles(hz_to_mel(bins_hz), mel_edges)
        weights[0] = 0.0  # AudioSet's front end drops the offset
    else:
        weights = triangles(bins_hz, mel_to_hz(mel_edges))
    return BandMatrix(weights)


def triangles(
    bins: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return triangular bands between neighbouring edges, shape ``(n_bins, n_bands)``.

    Band ``k`` rises from ``edges[k]`` to 1 at ``edges[k + 1]`` and falls to zero at
    ``edges[k + 2]``.
    """
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins[:, None] - low) / (centre - low)
    fall = (high - bins[:, None]) / (high - centre)
    return np.maximum(0.0, np.minimum(rise, fall))


def hz_to_mel(hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert Hz to HTK mel: ``1127 ln(1 + f / 700)`` (O'Shaughnessy 1987)."""
    return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert HTK mel to Hz."""
    return 700.0 * np.expm1(mel / 1127.0)

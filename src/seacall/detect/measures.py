"""Measure clips: how loud, how far something stands out, between which frequencies."""

from __future__ import annotations

from functools import lru_cache
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from seacall.audio.logmel import hz_to_mel, mel_to_hz
from seacall.config import Profile

Float32 = NDArray[np.float32]

FLOOR_DB = -200.0
"""Level of silence, and the lowest that is given: 24 bits end at -146 dB."""
_CHUNK_SAMPLES = 65_536
"""Samples that are summed up at once: 256 KB, so that they stay in the L2 cache."""
_DROWNED = 0.01
"""A sound that has less than this share of the power is too weak for the quick way: in
float32 the sums are good to a millionth."""
_BLOCK_FRAMES = 15
"""Averaged before anything is compared, 150 ms: a cell of 10 ms is mostly chance."""
_BACKGROUND = 0.25
"""Share of a clip's blocks that is quieter than its background, in each band: calls may
fill three quarters of a clip."""
_BAND_DB = 10.0
"""The band of an event ends where its strongest part has fallen by so much."""
_NOISE_DB = 6.0
"""Steady noise stands out by less (white noise of 5 s: by 3 to 5 dB, by chance)."""


class ClipMeasures(TypedDict):
    """What was measured of clips: columns of a `ClipTable`, each of shape ``(n,)``."""

    level_db: Float32
    """Root mean square about the mean, dB re full scale; `FLOOR_DB` at least."""
    snr_db: Float32
    """How far the loudest 150 ms of any band stands out from the band's background."""
    low_hz: Float32
    high_hz: Float32
    """Edges of the bands that stand out nearly as far."""


def clip_measures(
    y: Float32, log_mel: Float32, profile: Profile, *, sample_rate: int | None = None
) -> ClipMeasures:
    """Measure a batch of clips.

    Parameters
    ----------
    y
        Conditioned clips, shape ``(n, clip_length)``.
    log_mel
        Their patches, shape ``(n, n_patches, n_frames, n_mels)``.
    sample_rate
        Of the recording, Hz. Bands above half of it hold nothing, so that the seams of
        a clip that was filled up by repeating would stand out far there. None: all
        bands count.
    """
    peaks = _peaks_db(log_mel, profile)
    if sample_rate is not None:
        peaks = peaks[:, : _n_bands_below(sample_rate / 2, profile)]
    strongest = peaks.max(axis=1)
    low_hz, high_hz = _bands(peaks, strongest, profile)
    return ClipMeasures(
        level_db=_levels_db(y), snr_db=strongest, low_hz=low_hz, high_hz=high_hz
    )


def _levels_db(y: Float32) -> Float32:
    lowest = 10 ** (FLOOR_DB / 10)
    return np.asarray(10 * np.log10(np.maximum(_powers(y), lowest)), np.float32)


def _powers(y: Float32) -> NDArray[np.float64]:
    """Return mean squares about the mean, shape ``(n,)``: an offset is no sound.

    Sums of a cacheful at a time, of which each sample is fetched once. Their difference
    is only good where the offset does not drown the sound; there it is done anew.
    """
    ones = np.ones(_CHUNK_SAMPLES, np.float32)
    square, mean = np.zeros(len(y)), np.zeros(len(y))
    for k, clip in enumerate(y):
        for start in range(0, len(clip), _CHUNK_SAMPLES):
            part = clip[start : start + _CHUNK_SAMPLES]
            square[k] += np.dot(part, part) / len(clip)
            mean[k] += np.dot(part, ones[: len(part)]) / len(clip)
    power = square - mean**2
    drowned = power < _DROWNED * square
    power[drowned] = y[drowned].var(axis=1, dtype=np.float64)
    return power


def _peaks_db(log_mel: Float32, profile: Profile) -> Float32:
    """Return how far each band's loudest block stands out, shape ``(n, n_mels)``."""
    n, n_patches, n_frames, n_mels = log_mel.shape
    factor = 2 if profile.spectrum == "magnitude" else 1
    frames = log_mel.reshape(n, n_patches * n_frames, n_mels)
    n_blocks = frames.shape[1] // _BLOCK_FRAMES
    frames = frames[:, : n_blocks * _BLOCK_FRAMES]
    power = np.exp(frames * np.float32(factor))
    blocks = power.reshape(n, n_blocks, _BLOCK_FRAMES, n_mels).mean(axis=2)
    k = int(_BACKGROUND * (n_blocks - 1))
    background = np.partition(blocks, k, axis=1)[:, k]
    return np.asarray(10 * np.log10(blocks.max(axis=1) / background), np.float32)


def _bands(
    peaks: Float32, strongest: Float32, profile: Profile
) -> tuple[Float32, Float32]:
    """Return the lowest and the highest edge of the bands that stand out."""
    edges = band_edges(profile)
    lowest = np.maximum(strongest - _BAND_DB, _NOISE_DB)
    # Where nothing stands out nobody knows where the sound is: all of them.
    inside = (peaks >= lowest[:, None]) | (strongest < _NOISE_DB)[:, None]
    first = inside.argmax(axis=1)
    last = inside.shape[1] - inside[:, ::-1].argmax(axis=1)
    return edges[first], edges[last]


def _n_bands_below(nyquist_hz: float, profile: Profile) -> int:
    """Return how many bands have their middle below, but at least one."""
    edges = band_edges(profile)
    middles = (edges[:-1] + edges[1:]) / 2
    return max(1, int(np.searchsorted(middles, nyquist_hz)))


@lru_cache(maxsize=8)
def band_edges(profile: Profile) -> Float32:
    """Return where one mel band ends and the next begins, ``(n_mels + 1,)``, Hz.

    Neighbouring triangles cross half way between their peaks.
    """
    mel = np.linspace(
        hz_to_mel(profile.fmin), hz_to_mel(profile.fmax), profile.n_mels + 2
    )
    points = mel if profile.mel_triangles == "mel" else mel_to_hz(mel)
    middle = (points[:-1] + points[1:]) / 2
    hz = mel_to_hz(middle) if profile.mel_triangles == "mel" else middle
    return np.asarray(hz, np.float32)

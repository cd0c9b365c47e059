"""Every test recording is made here: short, exact, and known in advance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from seacall.audio.synth import (
    Call,
    Clicks,
    Tone,
    click_train,
    contour_hz,
    render,
    sweep,
)

__all__ = [
    "Call",
    "Clicks",
    "Tone",
    "chirp",
    "click_train",
    "contour_hz",
    "impulse",
    "noise",
    "render",
    "silence",
    "sweep",
    "tone",
    "write_wav",
]

FloatArray = npt.NDArray[np.float64]


def silence(*, sample_rate: int = 48_000, duration_s: float = 1.0) -> FloatArray:
    return np.zeros(round(duration_s * sample_rate))


def tone(
    hz: float = 1_000.0,
    *,
    sample_rate: int = 48_000,
    duration_s: float = 1.0,
    amplitude: float = 0.5,
) -> FloatArray:
    t = np.arange(round(duration_s * sample_rate)) / sample_rate
    return np.asarray(amplitude * np.sin(2 * np.pi * hz * t))


def noise(
    *,
    sample_rate: int = 48_000,
    duration_s: float = 1.0,
    sigma: float = 0.1,
    seed: int = 0,
) -> FloatArray:
    """White and Gaussian."""
    rng = np.random.default_rng(seed)
    return np.asarray(sigma * rng.standard_normal(round(duration_s * sample_rate)))


def chirp(
    start_hz: float = 2_000.0,
    end_hz: float = 8_000.0,
    *,
    sample_rate: int = 48_000,
    duration_s: float = 1.0,
    amplitude: float = 0.5,
) -> FloatArray:
    """Frequency that moves in a straight line from start to end."""
    t = np.arange(round(duration_s * sample_rate)) / sample_rate
    slope = (end_hz - start_hz) / duration_s
    return np.asarray(amplitude * np.sin(2 * np.pi * (start_hz + slope * t / 2) * t))


def impulse(
    at_s: float = 0.5, *, sample_rate: int = 48_000, duration_s: float = 1.0
) -> FloatArray:
    y = silence(sample_rate=sample_rate, duration_s=duration_s)
    y[round(at_s * sample_rate)] = 1.0
    return y


def write_wav(
    path: Path,
    y: npt.ArrayLike,
    sample_rate: int = 48_000,
    subtype: str = "PCM_16",
    n_channels: int = 1,
) -> Path:
    """Write ``y`` (samples,) to each channel, or (samples, channels) as it is."""
    samples = np.asarray(y)
    if samples.ndim == 1 and n_channels > 1:
        samples = np.repeat(samples[:, None], n_channels, axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, sample_rate, subtype=subtype)
    return path

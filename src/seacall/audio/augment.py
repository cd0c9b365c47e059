"""Vary a clip's waveform: another animal, another place, another recorder.

Each change is a function of its own, free of chance; :mod:`seacall.audio.vary` chooses.
All of them keep the clip's length and rate. The clip is taken as a circle: what a
filter rings out beyond its end comes back at its start.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.interpolate import PchipInterpolator

from seacall.audio.framing import fit_clip
from seacall.audio.resample import Resampler

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def change_speed(
    y: Float32,
    *,
    factor: float,
    sample_rate: int,
    fit: Literal["pad", "tile"] = "tile",
) -> Float32:
    """Play a clip faster or slower; its frequencies are multiplied by the factor.

    Parameters
    ----------
    y
        Shape ``(n,)``.
    factor
        2 is twice as fast and an octave higher.
    fit
        What fills the clip up where it has become shorter.
    """
    played = _resampled(y, sample_rate, max(1, round(sample_rate / factor)))
    return fit_clip(played, length=len(y), fit=fit)


def shift(y: Float32, *, by_s: float, sample_rate: int) -> Float32:
    """Move a clip later by some seconds; its end comes back at its start."""
    return np.roll(y, round(by_s * sample_rate))


def echo(
    y: Float32, *, echoes: tuple[tuple[float, float], ...], sample_rate: int
) -> Float32:
    """Add echoes, without changing the clip's power.

    Parameters
    ----------
    echoes
        (delay in s, factor) of each, beside the direct sound.
    """
    response = np.zeros(len(y))
    response[0] = 1.0
    for delay_s, factor in echoes:
        response[round(delay_s * sample_rate) % len(y)] += factor
    dry = y.astype(np.float64)
    wet = fft.irfft(fft.rfft(dry) * fft.rfft(response), len(y))
    power = float(np.mean(wet**2))
    gain = np.sqrt(float(np.mean(dry**2)) / power) if power > 0 else 1.0
    return np.asarray(gain * wet, np.float32)


def mix_at_snr(y: Float32, background: Float32, *, snr_db: float) -> Float32:
    """Add a background at a ratio of the two mean powers, in dB.

    Parameters
    ----------
    y, background
        Both of shape ``(n,)``. Where one of them is silent there is no such ratio, and
        ``y`` comes back as it is.
    """
    own = float(np.mean(np.square(y, dtype=np.float64)))
    other = float(np.mean(np.square(background, dtype=np.float64)))
    if own == 0.0 or other == 0.0:
        return y
    gain = np.sqrt(own / other) * 10.0 ** (-snr_db / 20.0)
    return np.asarray(y + gain * background, np.float32)


def equalise(y: Float32, *, hz: Float64, gain_db: Float64, sample_rate: int) -> Float32:
    """Bend a clip's spectrum along a smooth curve.

    Parameters
    ----------
    hz, gain_db
        Points of the curve, at ascending frequencies. Between them it is interpolated
        over the logarithm of frequency without overshoot (Fritsch and Carlson 1980), so
        that no gain leaves the range of ``gain_db``; outside them it is level.
    """
    found = np.clip(fft.rfftfreq(len(y), 1.0 / sample_rate), hz[0], hz[-1])
    # The interpolation divides by the steps between gains: a step that nobody hears
    # must be none, or the smallest floats overflow there.
    gain_db = np.round(gain_db, 6)
    curve_db = PchipInterpolator(np.log(hz), gain_db)(np.log(found))
    return _filtered(y, 10.0 ** (curve_db / 20.0))


def band_limit(
    y: Float32,
    *,
    low_hz: float | None,
    high_hz: float | None,
    roll_off_octaves: float,
    sample_rate: int,
) -> Float32:
    """Keep a band; outside of it the gain falls to nothing.

    Parameters
    ----------
    low_hz, high_hz
        Edges of the band, Hz, inside which nothing changes; None: no edge.
    roll_off_octaves
        Way from an edge to nothing, over which the gain is half a period of a cosine.
    """
    hz = np.maximum(fft.rfftfreq(len(y), 1.0 / sample_rate), 1e-3)
    gain = np.ones(len(hz))
    if high_hz is not None:
        gain *= _falling(np.log2(hz / high_hz) / roll_off_octaves)
    if low_hz is not None:
        gain *= _falling(np.log2(low_hz / hz) / roll_off_octaves)
    return _filtered(y, gain)


def through_rate(y: Float32, *, rate_hz: float, sample_rate: int) -> Float32:
    """Resample to a lower rate and back; a rate that is not lower changes nothing."""
    rate = round(rate_hz)
    if rate >= sample_rate:
        return y
    back = _resampled(_resampled(y, sample_rate, rate), rate, sample_rate)
    return fit_clip(back, length=len(y), fit="pad")


def amplify(y: Float32, *, gain_db: float) -> Float32:
    """Change a clip's level."""
    return np.asarray(y * np.float32(10.0 ** (gain_db / 20.0)))


def _falling(way: Float64) -> Float64:
    """Fall from 1 at 0 to 0 at 1 on the way."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(way, 0.0, 1.0)))


def _filtered(y: Float32, gain: Float64) -> Float32:
    # float64: rounding in float32 would fill an emptied band at -140 dB.
    spectrum = fft.rfft(y.astype(np.float64)) * gain
    return np.asarray(fft.irfft(spectrum, len(y)), np.float32)


def _resampled(y: Float32, rate_in: int, rate_out: int) -> Float32:
    resampler = Resampler(rate_in=rate_in, rate_out=rate_out)
    return np.concatenate([resampler.process(y), resampler.finish()])

"""Add what old, moving or captive recorders add: hiss, hum, flow, flutter, echoes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.signal import oaconvolve

from seacall.audio.sea import noise_hz, shaped_noise
from seacall.audio.synth import FloatArray, Tone, render


@dataclass(frozen=True)
class Chain:
    """What lies between a hydrophone and a file, beside the response of the recorder.

    Levels of noises are relative to the root mean square of the noise that is there
    already, dB; None: there is none of it.
    """

    hiss_db: float | None = None
    """Tape hiss: white, rising by 3 dB per octave above 2 kHz."""
    hum_db: float | None = None
    """Mains hum."""
    hum_hz: float = 60.0
    """Its fundamental: 50 or 60 Hz."""
    flow_db: float | None = None
    """Noise of the water along a moving hydrophone."""
    flow_slope_db: float = -9.0
    """Its slope, dB per octave: -6 to -12 (Strasberg 1979, J. Acoust. Soc. Am. 66)."""
    reverberation_s: float = 0.0
    """Time in which the echoes of a pool fall by 60 dB; 0: open water."""
    echoes_db: float = 0.0
    """Energy of these echoes against the direct sound."""
    flutter: float = 0.0
    """Largest deviation of the tape's speed, as a part of it."""
    flutter_hz: float = 3.0
    """How often the speed goes up and down in a second."""
    drive: float = 0.0
    """Overload of the tape: peaks this many times its knee; 0: none."""
    seed: int = 0
    """Of the pool's echoes, which stay the same."""


def with_chain_noise(
    rng: np.random.Generator, noise: FloatArray, chain: Chain, *, sample_rate: int
) -> FloatArray:
    """Add hiss, hum and flow noise.

    Parameters
    ----------
    rng
        Source of the noises.
    noise
        What the recorder hears and makes; shape (samples,).
    chain
        What is added, relative to it.
    sample_rate
        Hz.
    """
    hz = noise_hz(len(noise), sample_rate=sample_rate)
    octaves = np.log2(np.maximum(hz, 5.0) / 2_000.0)
    shapes = [
        (chain.hiss_db, 3.0 * np.maximum(octaves, 0.0)),
        (chain.flow_db, chain.flow_slope_db * octaves),
    ]
    y = noise.copy()
    for level_db, spectrum_db in shapes:
        if level_db is not None:
            part = shaped_noise(rng, spectrum_db, len(y), sample_rate=sample_rate)
            y += _at_level(part, noise, level_db)
    if chain.hum_db is not None:
        y += _at_level(_hum(rng, len(y), chain, sample_rate), noise, chain.hum_db)
    return y


def _hum(
    rng: np.random.Generator, n: int, chain: Chain, sample_rate: int
) -> FloatArray:
    """Mains and its first eight multiples; odd ones are stronger."""
    levels_db = [-3.0 * k - (6.0 if k % 2 else 0.0) for k in range(8)]
    scatter = rng.normal(0.0, 3.0, size=8)
    tone = Tone(
        n / sample_rate,
        (chain.hum_hz, chain.hum_hz),
        harmonics_db=tuple(float(v) for v in levels_db + scatter),
    )
    return render((tone,), sample_rate=sample_rate, duration_s=n / sample_rate)


def _at_level(part: FloatArray, noise: FloatArray, level_db: float) -> FloatArray:
    power = float(np.mean(part**2))
    if power == 0.0:
        return part
    return np.asarray(
        part * np.sqrt(np.mean(noise**2) / power) * 10.0 ** (level_db / 20.0)
    )


def reverberate(y: FloatArray, chain: Chain, *, sample_rate: int) -> FloatArray:
    """Add a pool's echoes: noise that decays exponentially, the same for each call.

    Energy falls by 60 dB in the reverberation time T, so amplitude goes as
    exp(-3 ln(10) t / T) (Sabine's law; Kuttruff 2009, *Room Acoustics*, section 5.1).
    """
    if chain.reverberation_s <= 0.0:
        return y
    n = min(round(chain.reverberation_s * sample_rate), len(y))
    t = np.arange(1, n + 1) / sample_rate
    tail = np.random.default_rng(chain.seed).standard_normal(n)
    tail *= np.exp(-3.0 * np.log(10.0) / chain.reverberation_s * t)
    tail *= 10.0 ** (chain.echoes_db / 20.0) / np.sqrt(np.sum(tail**2))
    response = np.concatenate([[1.0], tail])  # the direct sound, then echoes
    return np.asarray(oaconvolve(y, response)[: len(y)])


def play_back(y: FloatArray, chain: Chain, *, sample_rate: int) -> FloatArray:
    """Play a tape: uneven speed, then peaks that are pressed flat.

    Parameters
    ----------
    y
        Shape (samples,), any scale; what the tape holds.
    chain
        Its flutter and drive.
    sample_rate
        Hz.

    Returns
    -------
    array of the shape of ``y``
        A speed of 1 + d sin(2 pi f t) puts the sound of moment t + d (1 - cos(2 pi f
        t)) / (2 pi f) at t; beyond the end the tape repeats its last sample.
    """
    if chain.flutter > 0.0:
        turn = 2.0 * np.pi * chain.flutter_hz
        t = np.arange(len(y)) / sample_rate
        ahead_s = chain.flutter * (1.0 - np.cos(turn * t)) / turn
        moments = (t + ahead_s) * sample_rate
        y = np.asarray(map_coordinates(y, moments[None], order=3, mode="nearest"))
    peak = float(np.abs(y).max(initial=0.0))
    if chain.drive > 0.0 and peak > 0.0:
        y = np.asarray(np.tanh(y * (chain.drive / peak)) * (peak / chain.drive))
    return y

"""Choose pulsed calls: clicks so fast that they are heard, and seen, as tones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seacall.audio.calls import Animal, log_uniform
from seacall.audio.synth import FloatArray, Tone
from seacall.audio.whistles import log_normal


@dataclass(frozen=True)
class PulsedStyle:
    """A species' pulsed calls.

    A train of pulses at rate r has lines at all multiples of r (Watkins 1968, in
    *Marine Bio-Acoustics* 2, 15-43): the interval between the lines is the pulse rate,
    and the spectrum of one pulse is their envelope.
    """

    share: float
    """Of the bouts that hold tones at all."""
    rate_hz: tuple[float, float]
    """Slowest and fastest pulse rate."""
    formant_hz: tuple[float, float]
    """Where the envelope of the lines peaks: lowest, highest."""
    duration_s: tuple[float, float]
    """Mean, standard deviation."""
    second_voice: float = 0.0
    """Share of animals with a second, higher voice over their calls."""


def choose_pulsed(
    rng: np.random.Generator, style: PulsedStyle, *, animal: Animal
) -> Tone:
    """Choose one pulsed call: a rate that steps and bends, under a fixed envelope."""
    rate_hz = animal.pitch * log_uniform(rng, *style.rate_hz)
    knots_hz = _stepped(rng, rate_hz, style.rate_hz)
    formant_hz = animal.pitch * log_uniform(rng, *style.formant_hz)
    duration_s = animal.tempo * log_normal(rng, style.duration_s)
    levels_db = formant_levels(rng, float(np.mean(knots_hz)), formant_hz)
    return Tone(float(np.clip(duration_s, 0.1, 2.5)), knots_hz, harmonics_db=levels_db)


def _stepped(
    rng: np.random.Generator, rate_hz: float, limits_hz: tuple[float, float]
) -> tuple[float, ...]:
    """Rates that hold, then shift by up to half an octave, one to three times."""
    knots: list[float] = []
    for _ in range(int(rng.integers(2, 5))):
        knots += [rate_hz, rate_hz * float(np.exp(rng.normal(0.0, 0.06)))]
        rate_hz = knots[-1] * 2.0 ** float(rng.uniform(-0.5, 0.5))
        rate_hz = float(np.clip(rate_hz, *limits_hz))
    return tuple(knots)


def formant_levels(
    rng: np.random.Generator,
    rate_hz: float,
    formant_hz: float,
    *,
    octaves: float = 0.7,
    n_most: int = 40,
) -> tuple[float, ...]:
    """Return levels of the lines of a pulsed call, dB; the strongest has 0.

    Parameters
    ----------
    rng
        Scatters each line by 2 dB.
    rate_hz
        Distance of the lines, and frequency of the first.
    formant_hz
        Peak of their envelope.
    octaves
        Half width of the envelope, at 6 dB below its peak.
    n_most
        Lines above this number are left out: far beyond the envelope.
    """
    n = int(np.clip(np.ceil(formant_hz * 2.0 ** (2 * octaves) / rate_hz), 3, n_most))
    away: FloatArray = np.log2(np.arange(1, n + 1) * rate_hz / formant_hz) / octaves
    # The low side falls more slowly: lines down to the pulse rate itself are seen.
    fall_db = np.where(away < 0, 4.0 * np.abs(away), 6.0 * away**2)
    levels_db = -fall_db + rng.normal(0.0, 2.0, size=n)
    return tuple(float(v) for v in levels_db - levels_db.max())

"""Choose one call of each type at random; :mod:`seacall.audio.synth` renders it.

The figures are rounded from handbooks (Au and Hastings 2008, *Principles of Marine
Bioacoustics*, chapters 10-11; Richardson et al. 1995, *Marine Mammals and Noise*,
chapter 7). They make calls that a listener recognises; they stand for no population.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seacall.audio.synth import Clicks, FloatArray, Tone


@dataclass(frozen=True)
class Animal:
    """What one individual keeps from call to call."""

    pitch: float = 1.0
    """Factor on every frequency."""
    tempo: float = 1.0
    """Factor on every duration and interval."""
    signature: int = 0
    """Seed of its own contours: signature whistles, dialect calls, song themes."""

    def own(self) -> np.random.Generator:
        """Return a generator that gives this animal the same choices every time."""
        return np.random.default_rng(self.signature)


def choose_animal(rng: np.random.Generator) -> Animal:
    """Choose an individual: about 8 % spread of pitch, 12 % of tempo."""
    return Animal(
        pitch=float(np.exp(rng.normal(0.0, 0.08))),
        tempo=float(np.exp(rng.normal(0.0, 0.12))),
        signature=int(rng.integers(2**31)),
    )


def choose_echolocation(
    rng: np.random.Generator, *, centre_hz: float, interval_s: float, duration_s: float
) -> Clicks:
    """Choose a train of sharp clicks whose interval drifts as the animal closes in."""
    n = max(int(duration_s / interval_s), 3)
    drift = np.linspace(0.0, rng.normal(0.0, 0.3), n)
    steps = interval_s * np.exp(drift + rng.normal(0.0, 0.03, size=n))
    return Clicks(_times(steps), centre_hz, centre_hz * rng.uniform(0.8, 1.1))


def choose_burst_pulse(
    rng: np.random.Generator, *, centre_hz: float, duration_s: tuple[float, float]
) -> Clicks:
    """Choose clicks at 150-600 a second: heard as a buzz, seen as close harmonics."""
    length_s, rate_hz = uniform(rng, duration_s), rng.uniform(150.0, 600.0)
    n = max(int(length_s * rate_hz), 8)
    glide = np.linspace(rng.normal(0.0, 0.2), rng.normal(0.0, 0.2), n)
    steps = np.exp(glide) / rate_hz
    return Clicks(_times(steps), centre_hz, centre_hz * rng.uniform(0.5, 0.9))


def choose_noisy_call(
    rng: np.random.Generator, *, centre_hz: float, duration_s: tuple[float, float]
) -> Clicks:
    """Choose a call without pitch: pulses at random moments, 800 a second."""
    length_s = uniform(rng, duration_s)
    n = max(int(800.0 * length_s), 20)
    times_s = np.sort(rng.uniform(0.0, length_s, n))
    bandwidth_hz = centre_hz * rng.uniform(0.5, 1.2)
    return Clicks(tuple(float(t) for t in times_s), centre_hz, bandwidth_hz)


def choose_slow_clicks(
    rng: np.random.Generator,
    *,
    pitch: float,
    interval_s: float,
    pulse_interval_s: float,
    duration_s: float,
) -> Clicks:
    """Choose a sperm whale's usual clicks: every 0.4-1.2 s, each of several pulses.

    The pulses of one click lie twice the length of the spermaceti organ apart
    (Norris and Harvey 1972): 3-7 ms, the same for all clicks of one whale.
    """
    n = max(int(duration_s / interval_s), 1)
    steps = interval_s * np.exp(rng.normal(0.0, 0.05, size=n))
    centre_hz = pitch * rng.uniform(5_000.0, 9_000.0)
    return Clicks(
        _times(steps),
        centre_hz,
        1.2 * centre_hz,
        n_pulses=int(rng.integers(2, 5)),
        pulse_interval_s=pulse_interval_s,
        pulse_decay_db=rng.uniform(4.0, 8.0),
    )


def choose_coda(
    rng: np.random.Generator, *, pitch: float, tempo: float, pulse_interval_s: float
) -> Clicks:
    """Choose a sperm whale's coda: 4-8 clicks in a rhythm of its clan."""
    steps = np.full(rng.integers(4, 9), tempo * rng.uniform(0.12, 0.28))
    if rng.random() < 0.5:
        steps[-2] *= 2.0  # the "n + 1" codas: a pause before the last click
    centre_hz = pitch * rng.uniform(4_000.0, 7_000.0)
    return Clicks(_times(steps), centre_hz, centre_hz, 3, pulse_interval_s, 4.0)


def choose_up_call(rng: np.random.Generator, *, pitch: float, tempo: float) -> Tone:
    """Choose a right whale's contact call: from 60-95 up to 150-215 Hz in 1 s."""
    start_hz = pitch * rng.uniform(60.0, 95.0)
    end_hz = pitch * rng.uniform(150.0, 215.0)
    # Flat at first, then bending upwards.
    bend_hz = start_hz * (end_hz / start_hz) ** rng.uniform(0.2, 0.4)
    overtones = (0.0, -15.0, -24.0) if rng.random() < 0.5 else (0.0, -20.0)
    knots_hz = (float(start_hz), float(bend_hz), float(end_hz))
    return Tone(tempo * rng.uniform(0.7, 1.2), knots_hz, harmonics_db=overtones)


def choose_moan(
    rng: np.random.Generator,
    *,
    low_hz: float,
    high_hz: float,
    duration_s: tuple[float, float],
) -> Tone:
    """Choose a low tonal call with overtones, constant or slowly bent, often rough."""
    centre_hz = log_uniform(rng, low_hz, high_hz)
    bend = np.exp(rng.normal(0.0, 0.12, size=3))
    return Tone(
        uniform(rng, duration_s),
        tuple(float(np.clip(centre_hz * b, low_hz, high_hz)) for b in bend),
        harmonics_db=harmonic_levels(
            rng, n=int(rng.integers(3, 7)), fall_db=(3.0, 8.0)
        ),
        vibrato_hz=rng.uniform(2.0, 6.0),
        vibrato_depth=rng.uniform(0.0, 0.03),
        pulse_hz=rng.uniform(15.0, 40.0) if rng.random() < 0.35 else 0.0,
    )


def choose_trill(rng: np.random.Generator, *, pitch: float, duration_s: float) -> Tone:
    """Choose a bearded seal's trill: a slow, warbling fall from 2-5 kHz."""
    start_hz = pitch * rng.uniform(2_200.0, 4_800.0)
    # A longer trill ends lower; it falls at about one octave in 1.5-3 s.
    octaves = min(duration_s / rng.uniform(1.5, 3.0), 3.0)
    bend_hz = start_hz * 2.0 ** (-octaves * rng.uniform(0.35, 0.6))
    return Tone(
        duration_s,
        (start_hz, bend_hz, start_hz * 2.0**-octaves),
        vibrato_hz=rng.uniform(3.0, 7.0),
        vibrato_depth=rng.uniform(0.06, 0.14),
    )


def choose_knocks(rng: np.random.Generator, *, pitch: float, tempo: float) -> Clicks:
    """Choose a walrus's knocks: dull, 4-20 of them, slowly quickening."""
    n = int(rng.integers(4, 21))
    steps = tempo * rng.uniform(0.09, 0.25) * np.linspace(1.0, rng.uniform(0.5, 1.0), n)
    centre_hz = pitch * rng.uniform(450.0, 1_100.0)
    return Clicks(_times(steps), centre_hz, 0.9 * centre_hz)


def choose_bell(rng: np.random.Generator, *, pitch: float) -> Tone:
    """Choose a walrus's bell: a pure, constant tone after the knocks."""
    hz = pitch * rng.uniform(450.0, 800.0)
    return Tone(rng.uniform(0.6, 1.4), (hz, 0.98 * hz), gain_db=-8.0)


def varied(rng: np.random.Generator, tone: Tone) -> Tone:
    """Say the same tone again: 3 % other frequencies, 6 % other length."""
    jitter = np.exp(rng.normal(0.0, 0.03, size=len(tone.knots_hz)))
    return replace(
        tone,
        duration_s=tone.duration_s * float(np.exp(rng.normal(0.0, 0.06))),
        knots_hz=tuple(
            f * float(j) for f, j in zip(tone.knots_hz, jitter, strict=True)
        ),
        gain_db=float(rng.uniform(-4.0, 0.0)),
    )


def harmonic_levels(
    rng: np.random.Generator, *, n: int, fall_db: tuple[float, float]
) -> tuple[float, ...]:
    """Levels of n harmonics that fall by so much each, with 2 dB of scatter."""
    fall = uniform(rng, fall_db)
    scatter = rng.normal(0.0, 2.0, size=n)
    return tuple(float(-k * fall + scatter[k]) for k in range(n))


def _times(steps_s: FloatArray) -> tuple[float, ...]:
    """Place moments from 0 on, the given steps apart; the last step is unused."""
    return (0.0, *(float(t) for t in np.cumsum(steps_s)[:-1]))


def uniform(rng: np.random.Generator, edges: tuple[float, float]) -> float:
    """Choose a number that is evenly spread between two edges."""
    return float(rng.uniform(*edges))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Choose a number whose logarithm is evenly spread."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))

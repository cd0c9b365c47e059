"""Draw the noise of the sea: wind, traffic, rain, shrimps, a ship close by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from seacall.audio.synth import Clicks, FloatArray, Tone, render


@dataclass(frozen=True)
class Sea:
    """The weather and the traffic over a hydrophone."""

    wind_m_s: float = 5.0
    shipping: float = 0.5
    """Distant traffic: 0 none, 1 dense."""
    rain_db: float | None = None
    """Level of rain at its peak, dB re 1 uPa^2/Hz; None: dry. Heavy rain: 80."""
    snaps_per_s: float = 0.0
    """Snapping shrimps, clicks per second."""


@dataclass(frozen=True)
class Ship:
    """A ship that passes close by."""

    level_db: float
    """Level of its noise at 100 Hz at the hydrophone, dB re 1 uPa^2/Hz."""
    blade_hz: float
    """Propeller blades passing per second: the beat of its cavitation noise."""
    firing_hz: float
    """Engine strokes per second: its tones are multiples of it."""
    beat_depth: float = 0.5
    """Of the cavitation noise, 0-1."""


def wenz_db(hz: npt.ArrayLike, *, wind_m_s: float, shipping: float) -> FloatArray:
    """Spectrum level of the ambient noise of the sea.

    Parameters
    ----------
    hz
        Frequencies, Hz; below 1 Hz as at 1 Hz.
    wind_m_s
        Wind speed, m/s.
    shipping
        0 (none) to 1 (dense).

    Returns
    -------
    array of the shape of ``hz``, dB re 1 uPa^2/Hz
        The power sum of turbulence, shipping, wind and thermal noise, each with f in
        kHz (Coates 1990, *Underwater Acoustic Systems*, after the curves of Wenz 1962,
        as given by Stojanovic 2007, equation 7)::

            turbulence   17 - 30 log f
            shipping     40 + 20 (s - 0.5) + 26 log f - 60 log(f + 0.03)
            wind         50 + 7.5 sqrt(w) + 20 log f - 40 log(f + 0.4)
            thermal     -15 + 20 log f

    Examples
    --------
    >>> float(wenz_db(10_000.0, wind_m_s=5.0, shipping=0.5).round(1))
    46.1
    """
    khz = np.maximum(np.asarray(hz, dtype=float), 1.0) / 1000.0
    log = np.log10
    parts = (
        17.0 - 30.0 * log(khz),
        40.0 + 20.0 * (shipping - 0.5) + 26.0 * log(khz) - 60.0 * log(khz + 0.03),
        50.0 + 7.5 * np.sqrt(wind_m_s) + 20.0 * log(khz) - 40.0 * log(khz + 0.4),
        -15.0 + 20.0 * log(khz),
    )
    return np.asarray(10.0 * log(sum(10.0 ** (part / 10.0) for part in parts)))


def rain_spectrum_db(hz: npt.ArrayLike, *, peak_db: float) -> FloatArray:
    """Spectrum level of rain on the sea, dB re 1 uPa^2/Hz.

    Nearly flat, with the 15 kHz peak that the bubbles of small drops ring at (Nystuen
    1986, J. Acoust. Soc. Am. 79, 972-982): 8 dB high, half an octave to either side;
    below 1 kHz it falls by 6 dB per octave.
    """
    octaves = np.log2(np.maximum(np.asarray(hz, dtype=float), 1.0) / 15_000.0)
    bump = 8.0 * np.exp(-0.5 * (octaves / 0.5) ** 2)
    fall = 6.0 * np.minimum(octaves - np.log2(1_000.0 / 15_000.0), 0.0)
    return np.asarray(peak_db - 8.0 + bump + fall)


def shaped_noise(
    rng: np.random.Generator, spectrum_db: FloatArray, n: int, *, sample_rate: int
) -> FloatArray:
    """Draw Gaussian noise of a given spectrum.

    Parameters
    ----------
    rng
        Source of the noise.
    spectrum_db
        One-sided spectrum level at the frequencies of :func:`noise_hz`, dB re 1 unit^2
        per Hz.
    n
        Samples.
    sample_rate
        Hz.

    Returns
    -------
    array of shape (n,)
    """
    n_fft = fft.next_fast_len(n, real=True)
    # A one-sided density S needs E|Y_k|^2 = S fs n / 2, half of it in each part.
    scale = np.sqrt(10.0 ** (spectrum_db / 10.0) * sample_rate * n_fft / 4.0)
    parts = rng.standard_normal((2, len(scale)))
    spectrum = scale * (parts[0] + 1j * parts[1])
    spectrum[0] = 0.0  # no pressure offset
    return np.asarray(fft.irfft(spectrum, n_fft)[:n])


def noise_hz(n: int, *, sample_rate: int) -> FloatArray:
    """Return the frequencies at which :func:`shaped_noise` takes its spectrum, Hz."""
    n_fft = fft.next_fast_len(n, real=True)
    return np.asarray(fft.rfftfreq(n_fft, 1.0 / sample_rate))


def sea_noise(
    rng: np.random.Generator, sea: Sea, *, sample_rate: int, duration_s: float
) -> FloatArray:
    """Draw the pressure of the sea's ambient noise, uPa, shape (samples,)."""
    n = round(duration_s * sample_rate)
    hz = noise_hz(n, sample_rate=sample_rate)
    # Below 5 Hz the formula rises without end, and no hydrophone follows it.
    level_db = wenz_db(
        np.maximum(hz, 5.0), wind_m_s=sea.wind_m_s, shipping=sea.shipping
    )
    if sea.rain_db is not None:
        level_db = (
            np.logaddexp2(
                level_db / 3.0103, rain_spectrum_db(hz, peak_db=sea.rain_db) / 3.0103
            )
            * 3.0103
        )
    y = shaped_noise(rng, level_db, n, sample_rate=sample_rate)
    for snap in _choose_snaps(rng, sea.snaps_per_s, duration_s=duration_s):
        y += render((snap,), sample_rate=sample_rate, duration_s=duration_s)
    return y


def _choose_snaps(
    rng: np.random.Generator, per_s: float, *, duration_s: float
) -> list[Clicks]:
    """Shrimps near and far: peak pressures of 105-130 dB re 1 uPa, in six groups."""
    snaps = []
    for _ in range(6):
        times_s = np.sort(
            rng.uniform(0.0, duration_s, rng.poisson(per_s * duration_s / 6))
        )
        gain_db = rng.uniform(105.0, 130.0)
        if len(times_s):
            snaps.append(
                Clicks(tuple(times_s.tolist()), 7_000.0, 9_000.0, gain_db=gain_db)
            )
    return snaps


def ship_noise(
    rng: np.random.Generator, ship: Ship, *, sample_rate: int, duration_s: float
) -> FloatArray:
    """Draw the pressure of a ship's noise, uPa, shape (samples,).

    Cavitation: flat up to 100 Hz, then 6 dB per octave down (Ross 1976, *Mechanics of
    Underwater Noise*, chapter 8), beating with the blades. Machinery: tones at the
    first ten multiples of the firing rate, 15 dB above it and falling.
    """
    n = round(duration_s * sample_rate)
    t = np.arange(n) / sample_rate
    hz = noise_hz(n, sample_rate=sample_rate)
    level_db = ship.level_db - 20.0 * np.log10(np.maximum(hz / 100.0, 1.0))
    beat = 1.0 + ship.beat_depth * np.cos(2 * np.pi * ship.blade_hz * t)
    y = beat * shaped_noise(rng, level_db, n, sample_rate=sample_rate)
    tones = tuple(
        Tone(
            duration_s,
            (k * ship.firing_hz, k * ship.firing_hz),
            gain_db=ship.level_db + 15.0 - 2.0 * k + float(rng.normal(0.0, 4.0)),
        )
        for k in range(1, 11)
    )
    return y + render(tones, sample_rate=sample_rate, duration_s=duration_s)

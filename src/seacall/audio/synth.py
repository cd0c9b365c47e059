"""Render underwater calls whose start, frequency and rhythm are known.

A call is a tuple of units, and a unit is a plain description in seconds, hertz and
decibels. Nothing here is random: :mod:`seacall.audio.repertoire` chooses, this renders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.interpolate import PchipInterpolator

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tone:
    """A unit with a frequency contour: whistle, moan, up-call, trill, pulsed call."""

    duration_s: float
    knots_hz: tuple[float, ...]
    """Frequency at equally spaced moments from start to end; at least two."""
    start_s: float = 0.0
    """Seconds from the first sample of what it is rendered into."""
    harmonics_db: tuple[float, ...] = (0.0,)
    """Level of the fundamental, then of each overtone, dB."""
    vibrato_hz: float = 0.0
    """Rate of a sine modulation of the frequency, Hz."""
    vibrato_depth: float = 0.0
    """Its peak deviation, as a part of the frequency."""
    pulse_hz: float = 0.0
    """Rate of pulses that chop the tone (they show as sidebands), Hz; 0: none."""
    gain_db: float = 0.0

    @property
    def end_s(self) -> float:
        """Seconds from the same origin as ``start_s``."""
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class Clicks:
    """A unit of short pulses: echolocation, slow clicks, burst pulses, knocks."""

    times_s: tuple[float, ...]
    """Moment of each click's peak, ascending; at least one."""
    centre_hz: float
    bandwidth_hz: float
    """Between the two half-power points of a click's spectrum."""
    n_pulses: int = 1
    """Pulses in one click: a sperm whale's sound bounces inside its head."""
    pulse_interval_s: float = 0.0
    """Between the pulses of one click."""
    pulse_decay_db: float = 0.0
    """How much weaker each pulse is than the one before."""
    gain_db: float = 0.0

    @property
    def start_s(self) -> float:
        """Peak of the first click."""
        return self.times_s[0]

    @property
    def end_s(self) -> float:
        """Last moment at which the last click is above its half-power level."""
        inside = (self.n_pulses - 1) * self.pulse_interval_s
        return self.times_s[-1] + inside + 1.0 / self.bandwidth_hz


Unit = Tone | Clicks
Call = tuple[Unit, ...]


def sweep(
    start_hz: float, end_hz: float, *, duration_s: float, start_s: float = 0.0
) -> Tone:
    """Describe a plain whistle that slides from one frequency to another."""
    return Tone(duration_s, (start_hz, end_hz), start_s=start_s)


def click_train(
    interval_s: float,
    *,
    n_clicks: int,
    centre_hz: float,
    bandwidth_hz: float,
    start_s: float = 0.0,
) -> Clicks:
    """Describe evenly spaced clicks."""
    times_s = tuple(start_s + i * interval_s for i in range(n_clicks))
    return Clicks(times_s, centre_hz, bandwidth_hz)


def shifted(unit: Unit, by_s: float) -> Unit:
    """Return the same unit, later by so many seconds."""
    if isinstance(unit, Tone):
        return replace(unit, start_s=unit.start_s + by_s)
    return replace(unit, times_s=tuple(t + by_s for t in unit.times_s))


def span_s(call: Call) -> tuple[float, float]:
    """Return start of the first unit and end of the last, s."""
    return min(u.start_s for u in call), max(u.end_s for u in call)


def band_hz(call: Call) -> tuple[float, float]:
    """Return the band that holds nearly all of the call's energy, Hz.

    Of a tone: its contour with every harmonic less than 12 dB below the strongest,
    and the sidebands of its pulses. Of clicks: twice the half-power band.
    """
    bands = [_unit_band_hz(unit) for unit in call]
    return min(low for low, _ in bands), max(high for _, high in bands)


def _unit_band_hz(unit: Unit) -> tuple[float, float]:
    if isinstance(unit, Clicks):
        half = unit.bandwidth_hz
        return max(unit.centre_hz - half, 10.0), unit.centre_hz + half
    floor_db = max(unit.harmonics_db) - 12.0
    heard = [k for k, db in enumerate(unit.harmonics_db, start=1) if db > floor_db]
    # 5 % to either side, and the main lobe of a tone so short.
    swing = 1.05 * (1.0 + unit.vibrato_depth)
    lobe = 2.0 / unit.duration_s + 2.0 * unit.pulse_hz
    low = min(unit.knots_hz) * heard[0] / swing - lobe
    return max(low, 10.0), max(unit.knots_hz) * heard[-1] * swing + lobe


def contour_hz(tone: Tone, t: FloatArray) -> FloatArray:
    """Return a tone's frequency at moments counted from its own start.

    Parameters
    ----------
    tone
        The description.
    t
        Moments in [0, ``tone.duration_s``], s, ascending.

    Returns
    -------
    array of the shape of ``t``, Hz
        The knots are joined in log frequency by a monotone cubic (Fritsch and Carlson
        1980): smooth, as a whistle is, and never outside its neighbours.
    """
    moments = np.linspace(0.0, tone.duration_s, len(tone.knots_hz))
    # A contour bends within tens of milliseconds: one point each 1 ms is enough,
    # and keeps the cubic out of the loop over samples.
    grid = np.linspace(0.0, tone.duration_s, 2 + int(tone.duration_s * 1000))
    smooth = PchipInterpolator(moments, np.log(np.asarray(tone.knots_hz)))(grid)
    hz = np.exp(np.interp(t, grid, smooth))
    vibrato = np.sin(2 * np.pi * tone.vibrato_hz * t)
    return np.asarray(hz * (1.0 + tone.vibrato_depth * vibrato))


def render(call: Call, *, sample_rate: int, duration_s: float) -> FloatArray:
    """Render a call into silence.

    Parameters
    ----------
    call
        Units; their times count from the first sample of the result. What lies
        after its end is cut off.
    sample_rate
        Hz. Nothing aliases: what would lie above half of it is left out.
    duration_s
        Length of the result, s.

    Returns
    -------
    array of shape (samples,)
        A unit of 0 dB has tones of amplitude 1 and clicks of peak 1 (where the sample
        rate holds their whole band).

    Examples
    --------
    >>> call = (sweep(5000.0, 9000.0, duration_s=0.5, start_s=0.2),)
    >>> render(call, sample_rate=48_000, duration_s=1.0).shape
    (48000,)
    """
    y = np.zeros(round(duration_s * sample_rate))
    for unit in call:
        if isinstance(unit, Tone):
            _add_tone(y, unit, sample_rate=sample_rate)
        else:
            _add_clicks(y, unit, sample_rate=sample_rate)
    return y


def _add_tone(y: FloatArray, tone: Tone, *, sample_rate: int) -> None:
    first = round(tone.start_s * sample_rate)
    n = min(round(tone.duration_s * sample_rate), len(y) - first)
    if n <= 0:
        return
    t = np.arange(n) / sample_rate
    hz = contour_hz(tone, t)
    phase = 2 * np.pi * np.cumsum(hz) / sample_rate
    unit = np.zeros(n)
    for k, level_db in enumerate(tone.harmonics_db, start=1):
        # Fades out over the last tenth below half the sample rate: no aliases.
        below = np.clip((0.5 * sample_rate - k * hz) / (0.05 * sample_rate), 0.0, 1.0)
        if below.any():
            unit += 10 ** (level_db / 20) * below * np.sin(k * phase)
    if tone.pulse_hz > 0:
        unit *= (0.5 + 0.5 * np.cos(2 * np.pi * tone.pulse_hz * t)) ** 2
    unit *= _envelope(t, tone.duration_s) * 10 ** (tone.gain_db / 20)
    y[first : first + n] += unit


def _envelope(t: FloatArray, duration_s: float) -> FloatArray:
    """Rise and fall over a tenth of the unit, 5 to 80 ms, as raised cosines."""
    fade_s = min(max(0.1 * duration_s, 0.005), 0.08)
    edge = np.clip(np.minimum(t, duration_s - t) / fade_s, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * edge))


def _add_clicks(y: FloatArray, clicks: Clicks, *, sample_rate: int) -> None:
    pulse = np.arange(clicks.n_pulses)
    times_s = np.add.outer(clicks.times_s, pulse * clicks.pulse_interval_s).ravel()
    gains_db = np.tile(
        clicks.gain_db - pulse * clicks.pulse_decay_db, len(clicks.times_s)
    )
    n = _click_length(clicks, sample_rate=sample_rate)
    first = np.floor(times_s * sample_rate).astype(int)
    # The peak goes to the middle of the n samples, at its exact moment between samples:
    # a delay by d samples is a factor exp(-2 pi i f d) in the spectrum.
    delay = times_s * sample_rate - first + n // 2
    spectrum = _click_spectrum(clicks, n, sample_rate=sample_rate)
    turn = np.exp(-2j * np.pi * np.outer(delay, np.arange(n // 2 + 1) / n))
    waves = fft.irfft(spectrum * turn, n) * (10 ** (gains_db / 20))[:, None]
    index = first[:, None] - n // 2 + np.arange(n)
    inside = (index >= 0) & (index < len(y))
    np.add.at(y, index[inside], waves[inside])


def _click_length(clicks: Clicks, *, sample_rate: int) -> int:
    """Count the samples that hold a click: 12 sigma of its envelope, at least 64."""
    # |X(f)|^2 = exp(-(2 pi sigma (f - fc))^2) is one half at f - fc = bandwidth / 2.
    sigma_s = np.sqrt(np.log(2.0)) / (np.pi * clicks.bandwidth_hz)
    length = max(int(12 * sigma_s * sample_rate), 64)
    return 2 * fft.next_fast_len((length + 1) // 2, real=True)


def _click_spectrum(clicks: Clicks, n: int, *, sample_rate: int) -> FloatArray:
    """Gaussian around the centre, scaled to a wave of peak 1, without aliases."""
    hz = np.arange(n // 2 + 1) * sample_rate / n
    offset = (hz - clicks.centre_hz) / (clicks.bandwidth_hz / 2)
    # 10 log10(gain^2) = -3 dB at offset 1. The area of the whole bell, bins apart by
    # sample_rate / n, makes the peak of the wave; irfft divides by n and counts the
    # negative half too.
    gain = np.exp(-0.5 * np.log(2.0) * offset**2)
    area_hz = clicks.bandwidth_hz * np.sqrt(np.pi / (2.0 * np.log(2.0)))
    below = np.clip((0.5 * sample_rate - hz) / (0.05 * sample_rate), 0.0, 1.0)
    gain = gain * below * np.clip(hz / 10.0, 0.0, 1.0)
    return np.asarray(gain * 0.5 * sample_rate / area_hz)

"""Follow a call from the animal into a file: echoes, recorder, mix with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from seacall.audio.synth import FloatArray

SPEED_OF_SOUND_M_S = 1_500.0
"""Near 10 degrees C, at the surface."""


@dataclass(frozen=True)
class Recorder:
    """An instrument's fixed response, from pressure to file."""

    high_pass_hz: float
    """Second-order Butterworth corner."""
    low_pass_hz: float
    """Fourth-order Butterworth corner, the anti-alias filter."""
    tilt_db_per_octave: float = 0.0
    """Slope of its sensitivity, around 1 kHz."""
    resonances: tuple[tuple[float, float, float], ...] = ()
    """Housing and mooring: (frequency in Hz, Q, gain in dB) of each."""
    self_noise_db: float = 30.0
    """White electronic noise, dB re 1 uPa^2/Hz."""
    full_scale_db: float = 150.0
    """Pressure of a full-scale sample, dB re 1 uPa."""


def image_paths(
    *,
    range_m: float,
    source_depth_m: float,
    receiver_depth_m: float,
    water_depth_m: float,
    bottom_loss_db: float = 8.0,
) -> tuple[tuple[float, float], ...]:
    """Find the direct path and its first echoes by mirrored sources.

    Each echo comes straight from an image of the source, mirrored at the surface (which
    turns the sound's sign, as the pressure there is zero), at the bottom, or at both;
    see Brekhovskikh and Lysanov 2003, *Fundamentals of Ocean Acoustics*, section 1.1.

    Returns
    -------
    tuple of (delay in s, factor)
        Relative to the direct path, which is the first: (0, 1). Then surface, bottom,
        surface and bottom, bottom and surface. Factors hold spherical spreading.
    """
    bottom = 10.0 ** (-bottom_loss_db / 20.0)
    depths_and_factors = (
        (source_depth_m, 1.0),
        (-source_depth_m, -1.0),
        (2 * water_depth_m - source_depth_m, bottom),
        (2 * water_depth_m + source_depth_m, -bottom),
        (source_depth_m - 2 * water_depth_m, -bottom),
    )
    lengths_m = [
        float(np.hypot(range_m, depth - receiver_depth_m))
        for depth, _ in depths_and_factors
    ]
    return tuple(
        ((length - lengths_m[0]) / SPEED_OF_SOUND_M_S, factor * lengths_m[0] / length)
        for length, (_, factor) in zip(lengths_m, depths_and_factors, strict=True)
    )


def thorp_db_per_km(hz: npt.ArrayLike) -> FloatArray:
    """Absorption of sound in sea water, dB/km (Thorp 1967, in Brekhovskikh's form)."""
    khz2 = (np.asarray(hz, dtype=float) / 1000.0) ** 2
    return np.asarray(
        0.11 * khz2 / (1.0 + khz2)
        + 44.0 * khz2 / (4_100.0 + khz2)
        + 2.75e-4 * khz2
        + 0.003
    )


def propagate(
    y: FloatArray,
    *,
    sample_rate: int,
    paths: tuple[tuple[float, float], ...],
    range_m: float = 0.0,
) -> FloatArray:
    """Add echoes, and take away what the water absorbs on the way.

    Parameters
    ----------
    y
        Shape (samples,).
    sample_rate
        Hz.
    paths
        (delay in s, factor) of each, as from :func:`image_paths`; a delay is rounded
        to whole samples.
    range_m
        Length of the way, for the absorption.

    Returns
    -------
    array of the shape of ``y``
        Echoes that arrive after its end are lost.
    """
    echoes = np.zeros_like(y)
    for delay_s, factor in paths:
        later = round(delay_s * sample_rate)
        if later < len(y):
            echoes[later:] += factor * y[: len(y) - later]
    n_fft = fft.next_fast_len(len(y) + 64, real=True)
    loss_db = thorp_db_per_km(fft.rfftfreq(n_fft, 1.0 / sample_rate)) * range_m / 1e3
    spectrum = fft.rfft(echoes, n_fft) * np.exp(-np.log(10.0) / 20.0 * loss_db)
    return np.asarray(fft.irfft(spectrum, n_fft)[: len(y)])


def recorder_response(hz: FloatArray, recorder: Recorder) -> npt.NDArray[np.complex128]:
    """Return a recorder's complex gain at frequencies in Hz, in analogue form."""
    # With u = f / corner, Butterworth is 1 / (1 + sqrt(2) iu - u^2) for order 2, and
    # two such factors with 1 / Q = 0.7654 and 1.8478 for order 4. One division at the
    # end costs a fifth of one for each factor.
    above = -((hz / recorder.high_pass_hz) ** 2).astype(complex)
    below = _resonator(hz / recorder.high_pass_hz, np.sqrt(2.0))
    for width in (0.7654, 1.8478):
        below *= _resonator(hz / recorder.low_pass_hz, width)
    for centre_hz, q, gain_db in recorder.resonances:
        u = hz / centre_hz
        above *= _resonator(u, 10.0 ** (gain_db / 20.0) / q)
        below *= _resonator(u, 1.0 / q)
    octaves = np.log2(np.maximum(hz, 10.0) / 1_000.0)
    tilt = np.exp(np.log(10.0) / 20.0 * recorder.tilt_db_per_octave * octaves)
    return np.asarray(above / below * tilt)


def _resonator(u: FloatArray, width: float) -> npt.NDArray[np.complex128]:
    value = np.empty(len(u), dtype=complex)
    value.real = 1.0 - u * u
    value.imag = width * u
    return value


def record(y: FloatArray, recorder: Recorder, *, sample_rate: int) -> FloatArray:
    """Turn pressure in uPa into samples; full scale is 1, and nothing clips yet.

    Parameters
    ----------
    y
        Shape (..., samples): several at once share the work.
    recorder
        Its response.
    sample_rate
        Hz.
    """
    # A tenth of a second of zeros behind it: the response rings out there, and does
    # not wrap round to the start.
    n = y.shape[-1]
    n_fft = fft.next_fast_len(n + sample_rate // 10, real=True)
    gain = recorder_response(fft.rfftfreq(n_fft, 1.0 / sample_rate), recorder)
    gain *= 10.0 ** (-recorder.full_scale_db / 20.0)
    return np.asarray(fft.irfft(fft.rfft(y, n_fft) * gain, n_fft)[..., :n])


def self_noise(
    rng: np.random.Generator, recorder: Recorder, n: int, *, sample_rate: int
) -> FloatArray:
    """Draw a recorder's own white noise, in samples of full scale 1, shape (n,)."""
    density_db = recorder.self_noise_db - recorder.full_scale_db
    sigma = np.sqrt(10.0 ** (density_db / 10.0) * sample_rate / 2.0)
    return np.asarray(sigma * rng.standard_normal(n))


def snr_db(
    call: FloatArray,
    noise: FloatArray,
    *,
    sample_rate: int,
    span_s: tuple[float, float],
    band_hz: tuple[float, float],
) -> float:
    """Measure the signal-to-noise ratio of a call, as this project defines it.

    The mean power of the call over that of the noise, both between the call's start
    and end (pauses between its units count) and within the call's band, in dB. Clicks
    are short: at 0 dB their peaks stand 20 to 30 dB above the noise.

    Parameters
    ----------
    call, noise
        Each alone, as recorded; shape (samples,).
    sample_rate
        Hz.
    span_s
        Start and end of the call; what lies outside the arrays is left out.
    band_hz
        Edges of the call's band; above half the sample rate there is nothing to count.

    Raises
    ------
    ValueError
        If no sample lies in the span, or no frequency in the band, or either is silent.
    """
    powers = [
        _band_power(y, sample_rate=sample_rate, span_s=span_s, band_hz=band_hz)
        for y in (call, noise)
    ]
    if min(powers) <= 0.0:
        raise ValueError(
            f"call or noise is silent in {span_s} s, {band_hz} Hz; "
            "the ratio needs some power of both"
        )
    return float(10.0 * np.log10(powers[0] / powers[1]))


def _band_power(
    y: FloatArray,
    *,
    sample_rate: int,
    span_s: tuple[float, float],
    band_hz: tuple[float, float],
) -> float:
    first, last = (round(s * sample_rate) for s in span_s)
    part = y[max(first, 0) : last]
    # Zeros at the end change no energy, and keep the transform fast.
    n_fft = fft.next_fast_len(max(len(part), 2), real=True)
    power = np.abs(fft.rfft(part, n_fft)) ** 2
    hz = fft.rfftfreq(n_fft, 1.0 / sample_rate)
    return float(power[(hz >= band_hz[0]) & (hz <= band_hz[1])].sum())


def call_gain(
    call: FloatArray,
    noise: FloatArray,
    *,
    sample_rate: int,
    span_s: tuple[float, float],
    band_hz: tuple[float, float],
    target_db: float,
) -> float:
    """Find the factor on a call that makes :func:`snr_db` the target.

    ``call_gain(...) * call + noise`` is the mix.
    """
    now_db = snr_db(
        call, noise, sample_rate=sample_rate, span_s=span_s, band_hz=band_hz
    )
    return float(10.0 ** ((target_db - now_db) / 20.0))

"""What each change does to a clip, measured by the laws of physics."""

from __future__ import annotations

import numpy as np
import pytest
import sounds
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seacall.audio.augment import (
    amplify,
    band_limit,
    change_speed,
    echo,
    equalise,
    mix_at_snr,
    shift,
    through_rate,
)

RATE = 16_000


def power(y: np.ndarray) -> float:
    return float(np.mean(np.square(y, dtype=np.float64)))


def spectrum_db(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    level = np.abs(np.fft.rfft(y.astype(np.float64))) + 1e-12
    return np.fft.rfftfreq(len(y), 1 / RATE), 20 * np.log10(level)


def white(seed: int = 0) -> np.ndarray:
    return sounds.noise(sample_rate=RATE, seed=seed).astype(np.float32)


def tone(hz: float) -> np.ndarray:
    return sounds.tone(hz, sample_rate=RATE).astype(np.float32)


def strongest_hz(y: np.ndarray) -> float:
    hz, level = spectrum_db(y)
    return float(hz[np.argmax(level)])


# ------------------------------------------------------------------ band limit


@pytest.mark.parametrize("roll_off", [0.1, 0.5, 1.0])
def test_a_band_limited_clip_has_no_energy_beyond_the_roll_off(roll_off):
    y = white()
    found = band_limit(
        y, low_hz=400.0, high_hz=2_000.0, roll_off_octaves=roll_off, sample_rate=RATE
    )
    hz, before = spectrum_db(y)
    _, after = spectrum_db(found)
    gone = (hz > 2_000 * 2**roll_off) | (hz < 400 / 2**roll_off)
    # What is left is the rounding of the samples to float32.
    assert np.all(after[gone] < before.max() - 120)


def test_a_band_limited_clip_is_untouched_inside_its_band():
    y = white()
    found = band_limit(
        y, low_hz=400.0, high_hz=2_000.0, roll_off_octaves=0.5, sample_rate=RATE
    )
    inside = (np.fft.rfftfreq(len(y), 1 / RATE) >= 400) & (
        np.fft.rfftfreq(len(y), 1 / RATE) <= 2_000
    )
    np.testing.assert_allclose(
        np.fft.rfft(found)[inside], np.fft.rfft(y)[inside], atol=1e-4
    )


def test_the_gain_is_a_half_in_the_middle_of_the_roll_off():
    hz = 2_000 * 2**0.25
    y = tone(hz)
    found = band_limit(
        y, low_hz=None, high_hz=2_000.0, roll_off_octaves=0.5, sample_rate=RATE
    )
    middle = slice(4_000, 12_000)  # no whole number of periods: the ends ring
    assert power(found[middle]) == pytest.approx(0.25 * power(y[middle]), rel=0.01)


def test_a_band_without_edges_is_the_clip():
    y = white()
    same = band_limit(
        y, low_hz=None, high_hz=None, roll_off_octaves=1.0, sample_rate=RATE
    )
    np.testing.assert_allclose(same, y, atol=1e-7)


# ------------------------------------------------------------------ sample rate


def test_a_clip_that_went_through_a_lower_rate_has_nothing_above_its_half():
    found = through_rate(white(), rate_hz=6_000.0, sample_rate=RATE)
    # The window keeps the cut at the clip's ends from leaking over the spectrum.
    hz, level = spectrum_db(found * np.hanning(len(found)))
    below, above = level[(hz > 200) & (hz < 2_500)], level[hz > 3_200]
    assert np.median(below) - np.median(above) > 60


def test_a_tone_below_half_the_lower_rate_survives_where_it_was():
    y = tone(1_000.0)
    found = through_rate(y, rate_hz=6_000.0, sample_rate=RATE)
    np.testing.assert_allclose(found[1_000:-1_000], y[1_000:-1_000], atol=1e-3)


@pytest.mark.parametrize("rate_hz", [16_000.0, 20_000.0])
def test_a_rate_that_is_not_lower_changes_nothing(rate_hz):
    y = white()
    assert through_rate(y, rate_hz=rate_hz, sample_rate=RATE) is y


# ------------------------------------------------------------------ equaliser


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-12, 12), min_size=3, max_size=9))
@example([0.0, 0.0, 2.2250738585e-313])  # a step too small to divide by
def test_no_gain_of_the_equaliser_leaves_the_range_of_its_points(points):
    gain_db = np.array(points)
    hz = 50.0 * 2.0 ** np.arange(len(points))
    y = np.zeros(4_096, np.float32)
    y[0] = 1.0  # its spectrum is 0 dB everywhere
    _, level = spectrum_db(equalise(y, hz=hz, gain_db=gain_db, sample_rate=RATE))
    assert level.min() >= gain_db.min() - 0.01
    assert level.max() <= gain_db.max() + 0.01


def test_the_equaliser_goes_through_its_points():
    hz, gain_db = np.array([500.0, 1_000.0, 4_000.0]), np.array([-6.0, 6.0, 0.0])
    for f, expected in zip(hz, gain_db, strict=True):
        y = tone(f)
        found = equalise(y, hz=hz, gain_db=gain_db, sample_rate=RATE)
        ratio = 10 * np.log10(power(found) / power(y))
        assert ratio == pytest.approx(expected, abs=0.01)


# ------------------------------------------------------------------ background


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 7.5, 30.0])
def test_the_mixture_has_the_ratio_that_was_set(snr_db):
    y = tone(700.0)
    background = 20 * white(seed=3)
    added = mix_at_snr(y, background, snr_db=snr_db).astype(np.float64) - y
    assert 10 * np.log10(power(y) / power(added)) == pytest.approx(snr_db, abs=0.1)


def test_silence_on_either_side_leaves_the_clip_as_it_is():
    y, silence = white(), np.zeros(RATE, np.float32)
    assert np.array_equal(mix_at_snr(y, silence, snr_db=0.0), y)
    assert np.array_equal(mix_at_snr(silence, y, snr_db=0.0), silence)


# ------------------------------------------------------------------ the rest


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 3))
def test_a_shift_keeps_every_sample_and_so_the_energy(by_s):
    y = white()
    found = shift(y, by_s=by_s, sample_rate=RATE)
    assert np.array_equal(np.sort(found), np.sort(y))


def test_a_shift_is_as_long_as_it_says():
    y = np.zeros(RATE, np.float32)
    y[100] = 1.0
    assert np.argmax(shift(y, by_s=0.25, sample_rate=RATE)) == 100 + RATE // 4


def test_an_echo_comes_when_and_as_loud_as_it_should():
    y = np.zeros(RATE, np.float32)
    y[0] = 1.0
    found = echo(y, echoes=((0.1, -0.5),), sample_rate=RATE)
    assert found[RATE // 10] / found[0] == pytest.approx(-0.5, rel=1e-5)
    others = np.delete(found, [0, RATE // 10])
    assert np.abs(others).max() < 1e-6


def test_echoes_keep_the_power():
    y = white()
    found = echo(y, echoes=((0.01, 0.7), (0.02, -0.4)), sample_rate=RATE)
    assert power(found) == pytest.approx(power(y), rel=1e-5)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_speed_multiplies_the_frequency(factor):
    y = tone(1_000.0)
    found = change_speed(y, factor=factor, sample_rate=RATE, fit="pad")
    assert strongest_hz(found) == pytest.approx(1_000 * factor, abs=2)


def test_a_faster_clip_is_filled_as_a_short_recording_is():
    y = white()
    padded = change_speed(y, factor=1.25, sample_rate=RATE, fit="pad")
    tiled = change_speed(y, factor=1.25, sample_rate=RATE, fit="tile")
    length = round(RATE / 1.25)
    assert not padded[length:].any()
    assert np.array_equal(tiled[length:], tiled[: RATE - length])


def test_a_gain_is_in_decibels():
    y = white()
    np.testing.assert_allclose(amplify(y, gain_db=20.0), 10 * y, rtol=1e-6)


@pytest.mark.parametrize("y", [np.zeros(RATE, np.float32), np.ones(RATE, np.float32)])
def test_silence_and_an_offset_give_finite_samples_of_the_same_length(y):
    for found in (
        change_speed(y, factor=1.1, sample_rate=RATE),
        shift(y, by_s=0.3, sample_rate=RATE),
        echo(y, echoes=((0.01, 0.5),), sample_rate=RATE),
        mix_at_snr(y, white(), snr_db=3.0),
        through_rate(y, rate_hz=8_000.0, sample_rate=RATE),
        band_limit(
            y, low_hz=50.0, high_hz=500.0, roll_off_octaves=0.3, sample_rate=RATE
        ),
    ):
        assert found.shape == y.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()

"""What PAMGuard makes of a segment before a model sees it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from seacall.deploy.pamguard_transforms import (
    FULL_SCALE,
    kept_samples,
    load_audio_scipy,
    segment_length,
)


def test_samples_of_a_16_bit_file_are_kept_as_they_are(rng):
    y = (rng.integers(-32_768, 32_768, 1_000) / 32_768).astype(np.float32)
    np.testing.assert_array_equal(load_audio_scipy(y, rate_in=8, rate_out=8), y)


def test_finer_samples_are_rounded_down_and_not_to_the_nearest():
    y = np.array([0.9, -0.1, 0.4, -1.6]) / FULL_SCALE
    assert kept_samples(y).tolist() == [0, -1, 0, -2]


def test_what_is_beyond_full_scale_is_clipped():
    assert kept_samples(np.array([1.0, 2.0, -1.0, -3.0])).tolist() == [
        32_767,
        32_767,
        -32_768,
        -32_768,
    ]


@given(st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=50))
def test_no_sample_changes_its_sign(values):
    y = np.array(values)
    kept = kept_samples(y)
    assert ((kept < 0) == (y < 0)).all()


@pytest.mark.parametrize(("rate_in", "rate_out"), [(96_000, 48_000), (16_000, 48_000)])
def test_a_tone_keeps_its_loudness_and_pitch(rate_in, rate_out):
    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(rate) / rate)

    found = load_audio_scipy(tone(rate_in), rate_in=rate_in, rate_out=rate_out)
    np.testing.assert_allclose(found, tone(rate_out), atol=3 / FULL_SCALE)


def test_resampling_is_scipys_between_two_roundings(rng):
    y = 0.1 * rng.standard_normal(3_200)
    first = np.floor(y * 32_768) / 32_768
    expected = np.floor(signal.resample(first, 1_600) * 32_768) / 32_768
    found = load_audio_scipy(y, rate_in=32_000, rate_out=16_000)
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_a_ratio_in_single_precision_may_make_one_sample_more():
    y = np.zeros(5 * 44_100)
    assert len(load_audio_scipy(y, rate_in=44_100, rate_out=48_000)) == 240_001


def test_a_segment_has_the_package_s_length_at_any_rate():
    assert segment_length(size_ms=5_000, sample_rate=96_000) == 480_000
    assert segment_length(size_ms=1_500, sample_rate=11_025) == 16_537

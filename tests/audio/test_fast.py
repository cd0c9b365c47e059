"""The compiled kernels give the numbers of NumPy and SciPy, whatever the clip."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import fft

from seacall.audio import fast
from seacall.audio.features import FEATURE_FACTORS, features
from seacall.audio.filter import BandPass
from seacall.audio.logmel import log_mel
from seacall.config import PROFILES, Profile

pytest.importorskip("numba")

Float32 = NDArray[np.float32]
TOLERANCE = 3e-5
"""Of both: in silence between loud bins each is rounded in its own way."""
RATES = [8_000, 16_000, 22_050, 44_100, 48_000]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Float32, Float32]]:
    def run(compute: Callable[[], Float32]) -> tuple[Float32, Float32]:
        monkeypatch.setenv(fast.SWITCH, "0")
        assert fast.kernels() is None
        plain = compute()
        monkeypatch.setenv(fast.SWITCH, "1")
        assert fast.kernels() is not None
        return plain, compute()

    return run


def noise(n: int, seed: int = 0, sigma: float = 0.1) -> Float32:
    rng = np.random.default_rng(seed)
    return (sigma * rng.standard_normal(n)).astype(np.float32)


def sounds(rate: int) -> dict[str, Float32]:
    n = 2 * rate
    t = np.arange(n) / rate
    impulse = np.zeros(n, np.float32)
    impulse[n // 2] = 1
    burst = noise(n, sigma=1e-6)
    burst[n // 3 : n // 2] += noise(n // 2 - n // 3, 1)
    sweep = 0.5 * np.sin(2 * np.pi * (0.01 * rate + 0.1 * rate * t) * t)
    return {
        "silence": np.zeros(n, np.float32),
        "offset": np.full(n, 0.3, np.float32),
        "nyquist": np.where(np.arange(n) % 2, -0.5, 0.5).astype(np.float32),
        "noise": noise(n),
        "a loud burst in near silence": burst,
        "impulse": impulse,
        "sweep": sweep.astype(np.float32) + noise(n, 2, 1e-3),
        "full scale": np.sign(noise(n, 3)),
    }


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("what", list(sounds(8_000)))
def test_features_are_those_of_numpy(what: str, rate: int, both) -> None:
    y = sounds(rate)[what]
    plain, compiled = both(lambda: features(y, sample_rate=rate))
    difference = np.abs(compiled - plain) / FEATURE_FACTORS
    # Rounding can move the roll-off of a frame or two by a bin.
    one_bin = rate / 2_048 / FEATURE_FACTORS[3] / (len(y) // 512)
    assert difference[3] <= 2 * one_bin + 1e-6
    assert np.delete(difference, 3).max() < TOLERANCE


@pytest.mark.parametrize("name", ["original-16k", "wide-48k"])
@pytest.mark.parametrize("what", list(sounds(8_000)))
def test_log_mel_is_that_of_numpy(what: str, name: str, both) -> None:
    profile = PROFILES[name]
    y = sounds(profile.sample_rate)[what]
    plain, compiled = both(lambda: log_mel(y, profile))
    assert compiled.shape == plain.shape
    # Where a band nearly vanishes beside loud ones both are rounded: spectra in
    # float32 are exact to about 1e-7 of the loudest bin.
    loudest = np.exp(plain.astype(np.float64)).max()
    power = profile.spectrum == "power"
    floor = 3e-7 * (1 if power else 30) * loudest
    allowed = (
        TOLERANCE + floor / np.exp(plain) if profile.background == "kept" else 1e-3
    )
    assert np.median(np.abs(compiled - plain)) < TOLERANCE
    assert (np.abs(compiled - plain) <= allowed).all()


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30_000), seed=st.integers(0, 99))
def test_features_of_any_length_agree(n: int, seed: int) -> None:
    y = noise(n, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(fast.SWITCH, "0")
        plain = features(y, sample_rate=16_000)
        patch.setenv(fast.SWITCH, "1")
        compiled = features(y, sample_rate=16_000)
    difference = np.abs(compiled - plain) / FEATURE_FACTORS
    assert np.delete(difference, 3).max() < TOLERANCE
    assert difference[3] < 8 / (1 + n // 512)


@pytest.mark.parametrize("length", [48_000, 80_000, 80_001, 95_999, 160_000])
def test_log_mel_of_any_length_agrees(length: int, both) -> None:
    y = noise(length)
    plain, compiled = both(lambda: log_mel(y, PROFILES["original-16k"]))
    assert compiled.shape == plain.shape
    np.testing.assert_allclose(compiled, plain, atol=1e-3)


@pytest.mark.parametrize("n_fft", [8, 16, 40, 200, 400, 512, 640, 1_024, 2_048, 5_120])
def test_power_spectra_are_scipys(n_fft: int) -> None:
    compiled = pytest.importorskip("seacall.audio.compiled")
    window = np.hanning(n_fft)
    layout = fast.frame_layout(window, n_fft=n_fft, hop_length=16)
    assert layout is not None
    y = noise(n_fft + 15 * 16)
    n_bins = n_fft // 2 + 1
    every_bin = fast.band_tables(np.eye(n_bins))
    out = np.empty((16, n_bins), np.float32)
    compiled.mel_sums(y, layout.columns, layout.transform, every_bin, False, out)
    frames = np.lib.stride_tricks.sliding_window_view(y, n_fft)[::16]
    expected = np.abs(fft.rfft(frames * window, axis=1)) ** 2
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_a_frame_depends_on_no_other_frame() -> None:
    profile = PROFILES["wide-48k"].model_copy(update={"background": "kept"})
    y = noise(48_000 * 5)
    louder = y.copy()
    louder[: 48_000 * 2] *= 1_000
    got, other = log_mel(y, profile), log_mel(louder, profile)
    np.testing.assert_array_equal(got[-1], other[-1])


@pytest.mark.parametrize("change", [{"n_fft": 602}, {"hop_length": 165}])
def test_what_the_kernels_cannot_do_numpy_does(change: dict[str, int], both) -> None:
    profile = Profile.model_validate(PROFILES["original-16k"].model_dump() | change)
    plain, compiled = both(lambda: log_mel(noise(80_000), profile))
    np.testing.assert_array_equal(plain, compiled)


def test_without_numba_numpy_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    fast._kernels.cache_clear()
    monkeypatch.setitem(sys.modules, "seacall.audio.compiled", None)
    try:
        assert fast.kernels() is None
        assert np.isfinite(features(noise(16_000), sample_rate=16_000)).all()
    finally:
        fast._kernels.cache_clear()


def test_nothing_is_taken_from_memory_that_was_never_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(fast.SWITCH, "1")
    expected = features(noise(80_000), sample_rate=16_000)
    # What fresh memory may hold, here on purpose.
    monkeypatch.setattr(
        np, "empty", lambda *shape: np.full(*shape[:1], np.inf, *shape[1:])
    )
    np.testing.assert_array_equal(features(noise(80_000), sample_rate=16_000), expected)
    assert np.isfinite(log_mel(noise(80_000), PROFILES["original-16k"])).all()


def test_samples_may_lie_in_memory_in_any_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fast.SWITCH, "1")
    y = noise(80_000)
    scattered, wide = np.repeat(y, 2)[::2], y.astype(np.float64)
    profile = PROFILES["original-16k"]
    band_hz = (3_000.0, 19_000.0)
    filtered = BandPass(sample_rate=48_000, band_hz=band_hz).process(y)
    for same in (scattered, wide):
        for compute in (
            lambda y: features(y, sample_rate=16_000),
            lambda y: log_mel(y, profile),
        ):
            np.testing.assert_array_equal(compute(same), compute(y))
        got = BandPass(sample_rate=48_000, band_hz=band_hz).process(same)
        np.testing.assert_array_equal(got, filtered)

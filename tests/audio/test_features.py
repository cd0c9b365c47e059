"""The 18 features against librosa, and against what a signal must give."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.features import (
    FEATURE_FACTORS,
    FEATURE_NAMES,
    feature_band,
    features,
    normalise_features,
)


def by_librosa(y: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """The definitions, in librosa's own calls."""
    magnitude = np.abs(librosa.stft(y))
    hz = librosa.fft_frequencies(sr=sample_rate)
    low_hz, high_hz = feature_band(sample_rate)
    in_band = (hz >= low_hz) & (hz <= high_hz)
    total = magnitude.sum(dtype=np.float64)
    ratio = magnitude[in_band].sum(dtype=np.float64) / total if total else 0.0
    return np.array(
        [
            librosa.feature.spectral_centroid(y=y, sr=sample_rate).mean(),
            librosa.feature.rms(y=y).mean(),
            librosa.feature.zero_crossing_rate(y=y).mean(),
            librosa.feature.spectral_rolloff(y=y, sr=sample_rate).mean(),
            ratio,
            *librosa.feature.mfcc(y=y, sr=sample_rate, n_mfcc=13).mean(axis=1),
        ]
    )


def signals(sample_rate: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    t = np.arange(5 * sample_rate) / sample_rate
    noise = rng.standard_normal(len(t))
    made = {
        "noise": 0.1 * noise,
        "quiet noise": 1e-4 * noise,
        "tone": 0.5 * np.sin(2 * np.pi * 4_000 * t),
        "chirp": 0.5 * np.sin(2 * np.pi * (500 * t + 500 * t**2)),
        "clicks": (np.arange(len(t)) % 4_000 == 0) * 0.9,
        "padded": np.where(t < 1.3, 0.2 * noise, 0.0),
        "offset": 0.3 + 0.01 * noise,
    }
    return {name: y.astype(np.float32) for name, y in made.items()}


def assert_same(ours: NDArray[np.float32], theirs: NDArray[np.float64]) -> None:
    # MFCCs are in dB and pass through zero: there 1e-3 of one dB counts instead.
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * 1.0)
    np.testing.assert_allclose(ours[:5], theirs[:5], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
@pytest.mark.parametrize("name", list(signals(16_000)))
def test_features_agree_with_librosa(name: str, sample_rate: int) -> None:
    y = signals(sample_rate)[name]
    assert_same(features(y, sample_rate=sample_rate), by_librosa(y, sample_rate))


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large:UserWarning")
@pytest.mark.parametrize("n_samples", [1, 511, 512, 513, 2_047, 2_048, 5_000])
def test_features_of_any_length_agree_with_librosa(n_samples: int) -> None:
    y = np.random.default_rng(2).standard_normal(n_samples).astype(np.float32)
    assert_same(features(y, sample_rate=16_000), by_librosa(y, 16_000))


@pytest.mark.real
def test_features_of_real_recordings_agree_with_librosa(real_data) -> None:  # type: ignore[no-untyped-def]
    paths = sorted((real_data / "watkins").rglob("*.flac"))[::60]
    for path in paths:
        y, sample_rate = io.read(path, max_length=500_000)
        assert_same(features(y, sample_rate=sample_rate), by_librosa(y, sample_rate))


def test_silence_gives_finite_features() -> None:
    values = features(np.zeros(80_000, np.float32), sample_rate=16_000)
    assert np.isfinite(values).all()
    named = dict(zip(FEATURE_NAMES, values.tolist(), strict=True))
    for name in FEATURE_NAMES[:5]:
        assert named[name] == 0.0


def test_a_tone_has_its_centroid_roll_off_and_level() -> None:
    t = np.arange(240_000) / 48_000
    y = (0.5 * np.sin(2 * np.pi * 6_000 * t)).astype(np.float32)
    named = dict(zip(FEATURE_NAMES, features(y, sample_rate=48_000), strict=True))
    assert named["spectral_centroid"] == pytest.approx(6_000, rel=0.02)
    assert named["spectral_rolloff"] == pytest.approx(6_000, rel=0.02)
    assert named["rms_energy"] == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert named["zero_crossing_rate"] == pytest.approx(2 * 6_000 / 48_000, rel=0.01)
    assert named["band_energy_ratio"] > 0.95


def test_noise_at_nyquist_and_at_zero_lie_outside_the_band() -> None:
    alternating = np.resize(np.array([0.5, -0.5], np.float32), 80_000)
    constant = np.full(80_000, 0.5, np.float32)
    ratio = FEATURE_NAMES.index("band_energy_ratio")
    assert features(alternating, sample_rate=16_000)[ratio] < 0.05
    assert features(constant, sample_rate=16_000)[ratio] < 0.05


def test_normalising_divides_by_the_factors() -> None:
    np.testing.assert_array_equal(normalise_features(FEATURE_FACTORS), np.ones(18))
    assert FEATURE_FACTORS.tolist() == pytest.approx(
        [1000, 1, 0.01, 1000, 1, 500, 200, 50, 10, 5, 20, 2, 20, 10, 10, 10, 5, 5]
    )
    assert len(FEATURE_NAMES) == 18

"""Log-mel against librosa, torch and AudioSet's own arithmetic."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seacall.audio.logmel import BandMatrix, log_mel, mel_filters
from seacall.config import PROFILES, Profile

PROFILE_NAMES = list(PROFILES)


def signals(sample_rate: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    t = np.arange(5 * sample_rate) / sample_rate
    noise = rng.standard_normal(len(t))
    made = {
        "noise": 0.1 * noise,
        "tone": 0.5 * np.sin(2 * np.pi * 3_100 * t),
        "chirp": 0.5 * np.sin(2 * np.pi * (300 * t + 600 * t**2)),
        "clicks": (np.arange(len(t)) % 4_000 == 0) * 0.9,
    }
    return {name: y.astype(np.float32) for name, y in made.items()}


def by_librosa(y: NDArray[np.float32], profile: Profile) -> NDArray[np.float64]:
    """Frames without padding at the ends, librosa's transform and filter bank."""
    # librosa centres a short window in n_fft samples; ours begins with the frame.
    lead = (profile.n_fft - profile.win_length) // 2
    padded = np.pad(y, (lead, profile.n_fft)).astype(np.float64)
    spectrum = np.abs(
        librosa.stft(
            padded,
            n_fft=profile.n_fft,
            hop_length=profile.hop_length,
            win_length=profile.win_length,
            center=False,
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of filters too narrow to hold a bin
        bank = librosa.filters.mel(
            sr=profile.sample_rate,
            n_fft=profile.n_fft,
            n_mels=profile.n_mels,
            fmin=profile.fmin,
            fmax=profile.fmax,
            htk=True,
            norm=None,
            dtype=np.float64,
        )
    power = 2 if profile.spectrum == "power" else 1
    mel = (bank @ spectrum**power).T[: 5 * 96]
    return np.log(mel + profile.log_offset).reshape(5, 96, 64)


def by_audioset(y: NDArray[np.float32]) -> NDArray[np.float64]:
    """AudioSet's front end from its description, in float64, one frame at a time."""
    n = np.arange(400)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    bins = 1127 * np.log(1 + np.linspace(0, 8000, 257) / 700)
    bank = np.zeros((257, 64))
    for band in range(64):
        low, centre, high = edges[band : band + 3]
        for k in range(1, 257):
            rise = (bins[k] - low) / (centre - low)
            fall = (high - bins[k]) / (high - centre)
            bank[k, band] = max(0.0, min(rise, fall))
    rows = []
    for start in range(0, 480 * 160, 160):
        frame = np.zeros(512)
        frame[:400] = y[start : start + 400] * window
        rows.append(np.log(np.abs(np.fft.rfft(frame)) @ bank + 0.01))
    return np.array(rows).reshape(5, 96, 64)


@pytest.mark.parametrize("profile_name", ["original-16k", "wide-48k"])
@pytest.mark.parametrize("name", list(signals(16_000)))
def test_log_mel_agrees_with_librosa(name: str, profile_name: str) -> None:
    profile = PROFILES[profile_name].model_copy(update={"background": "kept"})
    y = signals(profile.sample_rate)[name]
    expected = by_librosa(y, profile)
    got = log_mel(y, profile)
    # 1e-3 relative in the mel band's size is 1e-3 absolute in its logarithm; bands
    # that are empty to float32 precision are compared at their size's rounding.
    floor = 2e-6 * np.exp(expected.max())
    bands, expected_bands = np.exp(got), np.exp(expected)
    np.testing.assert_allclose(bands, expected_bands, rtol=1e-3, atol=floor)


@pytest.mark.parametrize("name", list(signals(16_000)))
def test_vggish_profile_agrees_with_audioset_arithmetic(name: str) -> None:
    y = signals(16_000)[name]
    got = log_mel(y, PROFILES["vggish-16k"])
    np.testing.assert_allclose(got, by_audioset(y), atol=1e-4)


def test_original_profile_agrees_with_torch_stft() -> None:
    profile = PROFILES["original-16k"]
    y = signals(16_000)["noise"]
    spectrum = torch.stft(
        torch.from_numpy(y).double(),
        n_fft=400,
        hop_length=160,
        window=torch.hann_window(400, dtype=torch.float64),
        center=False,
        return_complex=True,
    )
    bank = torch.from_numpy(mel_filters(profile).weights).double()
    mel = (spectrum.abs() ** 2).T[:480] @ bank
    expected = torch.log(mel + profile.log_offset).reshape(5, 96, 64)
    np.testing.assert_allclose(log_mel(y, profile), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("profile_name", PROFILE_NAMES)
def test_silence_lies_on_the_floor(profile_name: str) -> None:
    profile = PROFILES[profile_name].model_copy(update={"background": "kept"})
    patches = log_mel(np.zeros(5 * profile.sample_rate, np.float32), profile)
    assert patches.shape == (5, 96, 64)
    assert patches.dtype == np.float32
    np.testing.assert_allclose(patches, np.log(profile.log_offset), rtol=1e-6)


def test_removing_the_background_takes_each_bands_mean_away(
    rng: np.random.Generator,
) -> None:
    removed = PROFILES["wide-48k"]
    kept = removed.model_copy(update={"background": "kept"})
    y = rng.standard_normal(240_000).astype(np.float32)
    patches = log_mel(y, kept)
    expected = patches - patches.mean(axis=(0, 1), dtype=np.float64)
    np.testing.assert_allclose(log_mel(y, removed), expected, atol=1e-5)


def test_a_recorders_response_leaves_no_trace_without_background(
    rng: np.random.Generator,
) -> None:
    y = rng.standard_normal(240_000).astype(np.float32)
    profile = PROFILES["wide-48k"]
    difference = log_mel(0.1 * y, profile) - log_mel(y, profile)
    assert np.abs(difference).max() < 1e-2


@pytest.mark.parametrize("profile_name", PROFILE_NAMES)
@pytest.mark.parametrize("hz", [1_000, 3_500, 7_000])
def test_a_tone_lights_the_band_that_holds_it(profile_name: str, hz: float) -> None:
    profile = PROFILES[profile_name].model_copy(update={"background": "kept"})
    t = np.arange(5 * profile.sample_rate) / profile.sample_rate
    patches = log_mel(np.sin(2 * np.pi * hz * t).astype(np.float32), profile)
    mels = np.linspace(
        *(1127 * np.log1p(edge / 700) for edge in (profile.fmin, profile.fmax)), 66
    )
    centres = 700 * np.expm1(mels[1:-1] / 1127)
    expected = int(np.argmin(np.abs(centres - hz)))
    assert abs(int(patches.mean(axis=(0, 1)).argmax()) - expected) <= 1


def test_a_tone_above_the_highest_band_is_not_seen() -> None:
    profile = PROFILES["vggish-16k"]
    t = np.arange(80_000) / 16_000
    loud = log_mel(np.sin(2 * np.pi * 7_900 * t).astype(np.float32), profile)
    assert loud.max() < 0.0


def test_a_click_lights_only_the_frames_that_hold_it() -> None:
    profile = PROFILES["original-16k"]
    y = np.zeros(80_000, np.float32)
    y[16_000] = 1.0
    lit = log_mel(y, profile).reshape(-1, 64).max(axis=1) > np.log(2e-6)
    # Frame k holds samples 160 k to 160 k + 399.
    assert np.flatnonzero(lit).tolist() == [98, 99]


def test_a_waveform_shorter_than_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="need 15600 samples for one patch, got 100"):
        log_mel(np.zeros(100, np.float32), PROFILES["vggish-16k"])


def test_a_banded_product_is_the_full_product(rng: np.random.Generator) -> None:
    weights = np.maximum(
        0, 1 - np.abs(np.arange(50)[:, None] - np.arange(0, 50, 5)) / 5
    )
    spectra = rng.standard_normal((7, 50)).astype(np.float32)
    out = np.empty((7, 10), np.float32)
    BandMatrix(weights, n_group=3).apply(spectra, out=out)
    np.testing.assert_allclose(out, spectra @ weights, rtol=1e-5, atol=1e-5)

"""EfficientAT's front end, against a naive Fourier sum, torch and stored log-mels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seacall.audio.kaldi_mel import (
    MIN_LENGTH,
    N_MELS,
    SAMPLE_RATE,
    _mel_bands,
    efficientat_log_mel,
)
from seacall.errors import AudioError

SILENCE = (np.log(1e-5) + 4.5) / 5
REFERENCE_CLIPS = ("metro_station-paris", "music", "speech", "typing")


def noise(n_samples: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(n_samples)).astype(np.float32)


def kaldi_bands(n_bins: int) -> np.ndarray:
    """Kaldi's triangles, one weight at a time, from the formula in its source."""

    def mel(hz: float) -> float:
        return 1127.0 * float(np.log(1.0 + hz / 700.0))

    step = mel(15_000.0) / 129
    bands = np.zeros((128, n_bins))
    for band in range(128):
        left, centre, right = (step * (band + edge) for edge in range(3))
        for k in range(n_bins):
            m = mel(k * 31.25)
            if left < m <= centre:
                bands[band, k] = (m - left) / (centre - left)
            elif centre < m < right:
                bands[band, k] = (right - m) / (right - centre)
    return bands


def naive_log_mel(y: np.ndarray) -> np.ndarray:
    """The published recipe in float64, each Fourier sum written out."""
    y = y.astype(np.float64)
    emphasised = np.array([y[n] - 0.97 * y[n - 1] for n in range(1, len(y))])
    mirrored = np.concatenate(
        [emphasised[512:0:-1], emphasised, emphasised[-2:-514:-1]]
    )
    window = np.zeros(1024)  # 800 samples in the middle of 1024
    window[112:912] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 799)
    k, n = np.arange(513)[:, np.newaxis], np.arange(1024)
    fourier = np.exp(-2j * np.pi * (k * n % 1024) / 1024)
    columns = []
    for start in range(0, len(mirrored) - 1023, 320):
        spectrum = fourier @ (window * mirrored[start : start + 1024])
        power = np.abs(spectrum) ** 2
        columns.append((np.log(kaldi_bands(513) @ power + 1e-5) + 4.5) / 5)
    return np.stack(columns, axis=1)


def torch_log_mel(y: np.ndarray) -> np.ndarray:
    """What the authors call: conv1d, torch.stft, Kaldi bands padded by one bin."""
    x = torch.from_numpy(y)[None, None]
    x = torch.nn.functional.conv1d(x, torch.tensor([[[-0.97, 1.0]]]))[0]
    spectrum = torch.stft(
        x,
        1024,
        hop_length=320,
        win_length=800,
        window=torch.hann_window(800, periodic=False),
        center=True,
        return_complex=True,
    )[0]
    bands = torch.from_numpy(kaldi_bands(513)).float()
    power = torch.view_as_real(spectrum).square().sum(dim=-1)
    log_mel: np.ndarray = (((bands @ power + 1e-5).log() + 4.5) / 5).numpy()
    return log_mel


def test_it_agrees_with_a_naive_fourier_sum() -> None:
    y = noise(3_000)
    np.testing.assert_allclose(efficientat_log_mel(y), naive_log_mel(y), atol=1e-4)


@pytest.mark.parametrize("n_samples", [514, 640, 641, 642, 20_481, 32_000])
def test_it_agrees_with_the_authors_calls_to_torch(n_samples: int) -> None:
    # Where a bin of the noise happens to be nearly empty, float32 decides the
    # fourth digit; both lie equally close to float64 there.
    y = noise(n_samples, seed=n_samples)
    np.testing.assert_allclose(efficientat_log_mel(y), torch_log_mel(y), atol=1e-4)


def test_the_bands_are_kaldis() -> None:
    expected = kaldi_bands(512)
    np.testing.assert_allclose(_mel_bands().toarray(), expected, atol=1e-6)
    assert (expected[:, -32:] == 0).all()  # nothing from 15 kHz up


@pytest.mark.parametrize(
    ("n_samples", "n_frames"),
    [(MIN_LENGTH, 2), (641, 3), (32_000, 100), (32_001, 101), (320_000, 1_000)],
)
def test_a_frame_comes_every_10_ms(n_samples: int, n_frames: int) -> None:
    log_mel = efficientat_log_mel(noise(n_samples))
    assert log_mel.shape == (N_MELS, n_frames)
    assert log_mel.dtype == np.float32


def test_silence_lies_on_the_floor() -> None:
    log_mel = efficientat_log_mel(np.zeros(SAMPLE_RATE))
    np.testing.assert_allclose(log_mel, SILENCE, atol=1e-6)


def test_a_constant_is_heard_in_the_lowest_bands_only() -> None:
    log_mel = efficientat_log_mel(np.ones(SAMPLE_RATE))
    assert log_mel[0].min() > 1.0
    np.testing.assert_allclose(log_mel[40:], SILENCE, atol=1e-3)


@pytest.mark.parametrize("hz", [500.0, 3_000.0, 14_000.0])
def test_a_tone_peaks_in_the_band_of_its_frequency(hz: float) -> None:
    y = 0.5 * np.sin(2 * np.pi * hz / SAMPLE_RATE * np.arange(SAMPLE_RATE))
    step = np.log(1 + 15_000 / 700) / 129
    band = np.log(1 + hz / 700) / step - 1
    peaks = efficientat_log_mel(y)[:, 5:-5].argmax(axis=0)
    np.testing.assert_allclose(peaks, band, atol=1)


def test_a_tone_above_15_khz_is_hardly_heard() -> None:
    y = 0.5 * np.sin(2 * np.pi * 15_800 / SAMPLE_RATE * np.arange(SAMPLE_RATE))
    assert efficientat_log_mel(y)[:, 5:-5].max() < -1.0


def test_a_frame_depends_on_its_own_800_samples_only() -> None:
    y = noise(SAMPLE_RATE)
    changed = y.copy()
    changed[16_000] += 0.5
    differs = (efficientat_log_mel(y) != efficientat_log_mel(changed)).any(axis=0)
    # The sample enters the pre-emphasised ones at 15,999 and 16,000; a frame's
    # centre lies at 320 t and it reaches 400 samples to either side.
    assert np.flatnonzero(differs).tolist() == [49, 50, 51]


def test_long_input_is_the_same_in_each_chunk() -> None:
    tile = noise(320 * 64)
    log_mel = efficientat_log_mel(np.tile(tile, 4))
    np.testing.assert_allclose(log_mel[:, 70:120], log_mel[:, 134:184], atol=1e-6)


def test_the_input_is_left_as_it_was() -> None:
    y = noise(2_000)
    before = y.copy()
    efficientat_log_mel(y)
    np.testing.assert_array_equal(y, before)


def test_a_clip_that_is_too_short_names_its_length() -> None:
    with pytest.raises(AudioError, match=r"holds 401 samples.*at least 402.*pad"):
        efficientat_log_mel(np.zeros(401))


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sample_rate=48000.*32000 Hz only"):
        efficientat_log_mel(np.zeros(48_000), sample_rate=48_000)


def test_two_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3200\).*one channel"):
        efficientat_log_mel(np.zeros((2, 3_200)))


@pytest.mark.real
@pytest.mark.parametrize("name", REFERENCE_CLIPS)
def test_stored_log_mels_are_made_of_these_bands(real_data: Path, name: str) -> None:
    # The waveforms are not stored. But of 128 bands below 15 kHz only 122 are
    # independent at this resolution (bands 0 and 1 both see nothing but bin 1): the
    # others follow from their neighbours, through the weights, offset and scale.
    stored = np.load(real_data / "weights" / "mn04_reference_outputs.npz")
    log_mel = stored[f"{name}_spec"][0].astype(np.float64)
    assert log_mel.shape == (N_MELS, 1 + (10 * SAMPLE_RATE - 1) // 320)
    assert log_mel.min() >= SILENCE - 1e-6

    power = np.exp(5 * log_mel - 4.5) - 1e-5
    bands = _mel_bands().toarray().astype(np.float64)
    for seen, follows, k in [(0, 1, 1), (2, 3, 2)]:
        predicted = power[seen] * bands[follows, k] / bands[seen, k]
        np.testing.assert_allclose(
            (np.log(predicted + 1e-5) + 4.5) / 5, log_mel[follows], atol=1e-5
        )
    u, singular, _ = np.linalg.svd(bands)
    relations = u[:, singular < 1e-6]
    assert relations.shape[1] == 6
    used = np.abs(relations).max(axis=1) > 1e-6
    scale = np.linalg.norm(power[used], axis=0) + 1e-5
    assert np.abs(relations.T @ power / scale).max() < 1e-4

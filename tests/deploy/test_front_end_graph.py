"""The second front end, in torch, against the first one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import noise

from seacall.audio.features import FEATURE_FACTORS
from seacall.audio.features import _mel_bands as slaney_reference
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.audio.logmel import mel_filters
from seacall.config import PROFILES, ClipSettings, FrontEndSettings
from seacall.deploy.conditioner_graph import Conditioner
from seacall.deploy.fourier_graph import PowerSpectra
from seacall.deploy.front_end_graph import FrontEnd
from seacall.deploy.proof_sounds import synthetic_sounds
from seacall.errors import SettingsError


def front_end(profile: str, duration_s: float = 1.3) -> FrontEndSettings:
    clip = ClipSettings(duration_s=duration_s)
    return FrontEndSettings(profile=PROFILES[profile], clip=clip)


def run(network: torch.nn.Module, *inputs: np.ndarray):
    with torch.inference_mode():
        outputs = network.eval()(*map(torch.from_numpy, inputs))
    if isinstance(outputs, tuple):
        return [output.numpy() for output in outputs]
    return outputs.numpy()


@pytest.mark.parametrize("profile", PROFILES)
def test_log_mel_and_features_are_those_of_the_first_front_end(profile):
    settings_ = front_end(profile)
    network = FrontEnd(settings_)
    in_double = settings_.profile.model_copy(update={"precision": "double"})
    exact_settings = settings_.model_copy(update={"profile": in_double})
    for sound in synthetic_sounds(
        rate=settings_.profile.sample_rate, duration_s=settings_.clip.duration_s
    ):
        expected = clip_inputs(sound.y, settings_)
        exact = clip_inputs(sound.y, exact_settings).log_mel
        log_mel, features = run(network, sound.y[None])
        # Bands that hold nothing but what float32 rounds off are no further from the
        # truth than the first front end's own.
        own = np.quantile(np.abs(expected.log_mel - exact), 0.999)
        found = np.quantile(np.abs(log_mel[0] - exact), 0.999)
        assert found < 6 * own + 1e-4, sound.name
        apart = np.abs(features[0] - expected.features) / FEATURE_FACTORS
        assert apart.max() < 2e-4, sound.name


def test_noise_gives_the_same_log_mel_to_rounding():
    settings_ = front_end("wide-48k")
    y = noise(sample_rate=48_000, duration_s=1.3, sigma=0.1).astype(np.float32)
    log_mel, _ = run(FrontEnd(settings_), y[None])
    expected = clip_inputs(y, settings_).log_mel
    np.testing.assert_allclose(log_mel[0], expected, atol=1e-5)


def test_clips_of_a_batch_do_not_see_each_other(rng):
    settings_ = front_end("original-16k")
    clips = rng.normal(0, 0.1, (3, settings_.clip_length)).astype(np.float32)
    clips[1] *= 100  # 80 dB below the loudest is counted within each clip
    together = run(FrontEnd(settings_), clips)
    for k in range(3):
        alone = run(FrontEnd(settings_), clips[k : k + 1])
        np.testing.assert_allclose(together[0][k], alone[0][0], atol=1e-5)
        np.testing.assert_allclose(together[1][k], alone[1][0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("profile", PROFILES)
def test_bands_made_from_their_edges_are_the_matrices_of_the_first(profile):
    network = FrontEnd(front_end(profile))
    mel = network.log_mel.bands(torch.float32).numpy()
    expected = mel_filters(PROFILES[profile]).weights.T
    rows = network.log_mel.spectra.rows
    np.testing.assert_allclose(mel[:, rows], expected, rtol=1e-6, atol=1e-9)
    # Rows that are there twice are not counted twice.
    assert mel.sum() == pytest.approx(expected.sum(), rel=1e-5)
    slaney = network.features.bands(torch.float32).numpy()
    expected = slaney_reference(PROFILES[profile].sample_rate).weights.T
    rows = network.features.spectra.rows
    np.testing.assert_allclose(slaney[:, rows], expected, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(
    n_fft=st.sampled_from([64, 100, 256, 400, 512, 2_048]),
    hop_share=st.sampled_from([1, 2, 4, 5]),
    win_share=st.floats(0.3, 1.0),
    n_frames=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_power_spectra_are_those_of_the_fast_transform(
    n_fft, hop_share, win_share, n_frames, seed
):
    hop_length = n_fft // hop_share
    win_length = max(2, round(win_share * n_fft))
    spectra = PowerSpectra(
        n_fft=n_fft, win_length=win_length, hop_length=hop_length, n_frames=n_frames
    )
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 1, (1, spectra.length)).astype(np.float32)
    power = run(spectra, y)[0][spectra.rows]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_length) / win_length)
    for k in range(n_frames):
        part = y[0, k * hop_length : k * hop_length + win_length] * window
        expected = np.abs(np.fft.rfft(part, n_fft)) ** 2
        np.testing.assert_allclose(
            power[:, k], expected, rtol=1e-4, atol=1e-6 * expected.max() + 1e-12
        )


CONDITIONED = [
    ("wide-48k", 96_000),
    ("wide-48k", 44_100),
    ("wide-48k", 16_000),
    ("wide-48k", 250_000),
    ("original-16k", 48_000),
    ("original-16k", 44_100),
    ("original-16k", 16_000),
    ("original-16k", 8_000),
]


@pytest.mark.parametrize(("profile", "rate"), CONDITIONED)
def test_filter_and_resampler_are_those_of_the_first_front_end(profile, rate):
    settings_ = front_end(profile, duration_s=1.0)
    y = noise(sample_rate=rate, duration_s=1.0, sigma=0.1, seed=rate) + 0.2
    y = y.astype(np.float32)
    expected = condition_array(y, sample_rate=rate, settings=settings_)
    found = run(Conditioner(rate=rate, settings=settings_), y[None])[0]
    # At 8 kHz the first one's own filter rounds off as much as that.
    assert np.abs(found - expected).max() < 2e-5


def test_an_offset_makes_no_click_at_a_clips_start():
    settings_ = front_end("original-16k", duration_s=1.0)
    y = np.full((1, 48_000), 0.7, np.float32)
    found = run(Conditioner(rate=48_000, settings=settings_), y)
    assert np.abs(found).max() < 1e-6


def test_a_clip_cut_from_a_recording_differs_at_its_edges_alone():
    settings_ = front_end("original-16k", duration_s=1.0)
    y = noise(sample_rate=48_000, duration_s=3.0, sigma=0.1).astype(np.float32)
    long = settings_.model_copy(update={"clip": ClipSettings(duration_s=3.0)})
    whole = condition_array(y, sample_rate=48_000, settings=long)[16_000:32_000]
    cut = y[48_000:96_000]
    alone = run(Conditioner(rate=48_000, settings=settings_), cut[None])[0]
    apart = np.abs(alone - whole)
    assert apart[:160].max() > 1e-3  # the filter has no past here
    assert apart[160:-160].max() < 1e-5  # 10 ms later all is forgotten


def test_rates_without_a_simple_ratio_are_refused():
    with pytest.raises(SettingsError, match="47999 to 48000 Hz"):
        Conditioner(rate=47_999, settings=front_end("wide-48k"))

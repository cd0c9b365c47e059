"""Filter, resampler and clips: the same numbers however the recording arrives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from seacall.audio import fast, io
from seacall.audio.clips import recording_clips
from seacall.audio.filter import BandPass, band_edges
from seacall.audio.frontend import (
    Conditioner,
    clip_inputs,
    condition,
    condition_array,
    first_clip,
)
from seacall.config import PROFILES, ClipSettings, FrontEndSettings, original_front_end
from seacall.errors import AudioError

ORIGINAL = original_front_end()
WIDE = FrontEndSettings(profile=PROFILES["wide-48k"])


def noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32) * 0.1


def band_passed(y: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    band_pass = BandPass(sample_rate=sample_rate, band_hz=(3_000, 19_000))
    return np.concatenate([band_pass.process(y), band_pass.finish()])


@pytest.fixture(params=["compiled", "plain"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The band-pass with the compiled kernels, and without."""
    monkeypatch.setenv(fast.SWITCH, "0" if request.param == "plain" else "1")
    return str(request.param)


def conditioned(
    y: NDArray[np.float32],
    sample_rate: int,
    cuts: list[int],
    front_end: FrontEndSettings,
) -> NDArray[np.float32]:
    blocks = np.split(y, sorted(cuts))
    parts = condition(blocks, sample_rate=sample_rate, settings=front_end)
    return np.concatenate(list(parts))


@settings(max_examples=40, deadline=None)
@given(
    compiled=st.booleans(),
    cuts=st.lists(st.integers(0, 70_000), max_size=12),
    sample_rate=st.sampled_from([8_000, 16_000, 44_100, 48_000, 96_000, 192_000]),
    front_end=st.sampled_from([ORIGINAL, WIDE]),
)
def test_any_chunking_gives_the_same_samples(
    compiled: bool, cuts: list[int], sample_rate: int, front_end: FrontEndSettings
) -> None:
    y = noise(70_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(fast.SWITCH, str(int(compiled)))
        whole = conditioned(y, sample_rate, [], front_end)
        cut = conditioned(y, sample_rate, cuts, front_end)
    np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize("sample_rate", [1_000, 16_000, 44_100, 96_000, 192_000])
def test_the_band_pass_remembers_what_it_should_and_no_more(
    sample_rate: int, either: str
) -> None:
    y = noise(100_000)
    y[:50_000] *= 30
    y[50_000:] *= 0.1
    edges = band_edges(sample_rate=sample_rate, band_hz=(3_000, 19_000))
    sos = signal.butter(4, edges, "bandpass", fs=sample_rate, output="sos")
    state = signal.sosfilt_zi(sos) * float(y[0])
    expected, _ = signal.sosfilt(sos, y.astype(np.float64), zi=state)
    got = band_passed(y, sample_rate)
    np.testing.assert_allclose(got, expected, atol=5e-5)  # of a peak of 10
    np.testing.assert_allclose(got[52_000:], expected[52_000:], atol=5e-7)


@pytest.mark.parametrize("sample_rate", [1_000, 5_120, 16_000, 44_100, 96_000, 500_000])
def test_band_pass_is_scipys_butterworth(sample_rate: int, either: str) -> None:
    y = noise(20_000)
    edges = band_edges(sample_rate=sample_rate, band_hz=(3_000, 19_000))
    sos = signal.butter(4, edges, "bandpass", fs=sample_rate, output="sos")
    state = signal.sosfilt_zi(sos) * float(y[0])
    expected, _ = signal.sosfilt(sos, y.astype(np.float64), zi=state)
    got = band_passed(y, sample_rate)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("sample_rate", [48_000, 192_000, 299_000, 384_000, 500_000])
def test_an_offset_costs_the_band_pass_no_digits(sample_rate: int, either: str) -> None:
    y = (0.3 + noise(20_000)).astype(np.float32)
    edges = band_edges(sample_rate=sample_rate, band_hz=(3_000, 19_000))
    sos = signal.butter(4, edges, "bandpass", fs=sample_rate, output="sos")
    state = signal.sosfilt_zi(sos) * float(y[0])
    expected, _ = signal.sosfilt(sos, y.astype(np.float64), zi=state)
    got = band_passed(y, sample_rate)
    assert np.abs(got - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(500, 0, 0.001), (8_000, 0.99, 1.01), (30_000, 0, 0.05)]
)
def test_band_pass_keeps_the_band_and_nothing_else(
    hz: float, low: float, high: float, either: str
) -> None:
    t = np.arange(96_000) / 96_000
    y = np.sin(2 * np.pi * hz * t).astype(np.float32)
    out = band_passed(y, 96_000)[10_000:]
    gain = np.sqrt(2) * out.std()
    assert low <= gain <= high


def test_an_offset_of_the_recorder_makes_no_click_at_the_start(either: str) -> None:
    y = np.full(4_800, 0.4, np.float32)
    out = band_passed(y, 48_000)
    assert np.abs(out).max() < 1e-5


def test_a_tone_above_the_new_nyquist_vanishes() -> None:
    t = np.arange(96_000) / 48_000
    y = np.sin(2 * np.pi * 11_000 * t).astype(np.float32)
    front_end = FrontEndSettings(profile=PROFILES["vggish-16k"])
    out = conditioned(y, 48_000, [], front_end)[1_000:-1_000]
    assert np.abs(out).max() < 1e-5  # -100 dB; without a filter it folds to 5 kHz


@pytest.mark.parametrize("sample_rate", [1_000, 44_100, 500_000])
def test_resampling_keeps_time(sample_rate: int) -> None:
    y = noise(3 * sample_rate)
    out = conditioned(y, sample_rate, [], WIDE)
    assert abs(len(out) - 3 * 48_000) <= 1


def test_samples_of_one_rate_are_never_taken_for_another(tmp_path: Path) -> None:
    centres = []
    for rate in (32_000, 48_000, 96_000):
        t = np.arange(3 * rate) / rate
        path = tmp_path / f"{rate}.wav"
        soundfile.write(
            path, 0.5 * np.sin(2 * np.pi * 5_000 * t), rate, subtype="FLOAT"
        )
        inputs = clip_inputs(first_clip(path, ORIGINAL), ORIGINAL)
        centres.append(inputs.log_mel[:2].mean(axis=(0, 1)).argmax())
    assert len(set(centres)) == 1


def test_a_long_recording_is_read_only_as_far_as_needed(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    y = noise(48_000 * 8)
    soundfile.write(path, y, 48_000, subtype="PCM_16")
    whole = list(recording_clips(path, WIDE))
    np.testing.assert_array_equal(first_clip(path, WIDE), whole[0][1])
    assert [round(clip.start_s, 6) for clip, _ in whole] == [0, 5]


def test_clips_overlap_by_the_hop_and_cover_everything(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, noise(16_000 * 12), 16_000, subtype="PCM_16")
    front_end = FrontEndSettings(profile=PROFILES["vggish-16k"])
    clips = list(recording_clips(path, front_end, hop_s=2.5))
    assert [clip.start_s for clip, _ in clips] == [0, 2.5, 5, 7.5]
    np.testing.assert_array_equal(clips[0][1][40_000:], clips[1][1][:40_000])


@pytest.mark.parametrize(("fit", "tail_is_zero"), [("pad", True), ("tile", False)])
def test_a_short_recording_is_padded_or_tiled(
    tmp_path: Path, fit: str, tail_is_zero: bool
) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, noise(16_000), 16_000, subtype="PCM_16")
    clip = ClipSettings.model_validate({"fit": fit})
    front_end = FrontEndSettings(profile=PROFILES["vggish-16k"], clip=clip)
    y = first_clip(path, front_end)
    assert len(y) == 80_000
    assert (np.abs(y[16_000:]).max() == 0) == tail_is_zero
    if fit == "tile":
        np.testing.assert_array_equal(y[:16_000], y[16_000:32_000])


def test_file_and_array_give_the_same_clip(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    y = noise(44_100 * 2)
    soundfile.write(path, y, 44_100, subtype="FLOAT")
    from_array = condition_array(y, sample_rate=44_100, settings=ORIGINAL)
    np.testing.assert_array_equal(first_clip(path, ORIGINAL), from_array)


def test_a_recording_shorter_than_one_output_sample_is_refused() -> None:
    with pytest.raises(AudioError, match="shorter than one sample at 16000 Hz"):
        condition_array(np.empty(0, np.float32), sample_rate=500_000, settings=ORIGINAL)


@pytest.mark.parametrize("sample_rate", [1_000, 16_000, 48_000])
def test_one_sample_gives_finite_inputs(sample_rate: int) -> None:
    y = np.array([0.5], np.float32)
    clip = condition_array(y, sample_rate=sample_rate, settings=WIDE)
    inputs = clip_inputs(clip, WIDE)
    assert inputs.log_mel.shape == (5, 96, 64)
    assert np.isfinite(inputs.log_mel).all()
    assert np.isfinite(inputs.features).all()


def test_channels_are_mixed_down_or_chosen(tmp_path: Path) -> None:
    left, right = noise(16_000, 1), noise(16_000, 2)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(io.read(path)[0], (left + right) / 2, atol=1e-7)
    np.testing.assert_array_equal(io.read(path, channel=2)[0], right)


def test_the_conditioner_gives_nothing_from_nothing() -> None:
    conditioner = Conditioner(sample_rate=48_000, settings=ORIGINAL)
    assert len(conditioner.process(np.empty(0, np.float32))) == 0

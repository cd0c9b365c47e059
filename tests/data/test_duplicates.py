"""The same audio is found however it was cut; different audio is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import chirp, noise, silence, tone, write_wav

from seacall.data.duplicates import (
    SAME_AUDIO,
    Duplicate,
    audio_print,
    find_duplicates,
    join_groups,
    shared_audio,
)
from seacall.errors import AudioError

RATE = 24_000


def call_at_sea(seed: int, *, duration_s: float = 3.0, start_hz: float = 900.0):
    """Make a call, 20 dB above the sea around it, that each seed gives another sea."""
    y = noise(sample_rate=RATE, duration_s=duration_s, sigma=0.01, seed=seed)
    call = chirp(start_hz, 1_500.0, sample_rate=RATE, duration_s=1.0)
    y[RATE // 2 : RATE // 2 + len(call)] += 0.3 * call
    return y


def pair(tmp_path: Path, a, b, *, rates=(RATE, RATE)) -> list[Duplicate]:
    prints = [
        audio_print(write_wav(tmp_path / f"{k}.wav", y, rate))
        for k, (y, rate) in enumerate(zip((a, b), rates, strict=True))
    ]
    return find_duplicates(prints, ["one", "other"])


def test_the_same_call_cut_later_with_another_gain_is_found(tmp_path):
    y = call_at_sea(1)
    (found,) = pair(tmp_path, y, 0.4 * y[round(0.3 * RATE) :])
    assert (found.first, found.second) == (0, 1)
    assert 0.9 < found.similarity < 1.0


@pytest.mark.parametrize("length_s", [0.2, 0.5, 1.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_excerpt_is_found(tmp_path, length_s, sign):
    y = call_at_sea(2)
    first = round(1.2 * RATE)
    excerpt = sign * y[first : first + round(length_s * RATE)]
    assert len(pair(tmp_path, y, excerpt)) == 1


def test_two_long_cuts_that_overlap_for_a_second_are_found(tmp_path):
    y = call_at_sea(3, duration_s=9.0)
    assert len(pair(tmp_path, y[: 5 * RATE], y[4 * RATE :])) == 1


def test_the_same_audio_at_another_rate_is_found(tmp_path):
    y = call_at_sea(4)
    smooth = np.fft.irfft(np.fft.rfft(y)[: len(y) // 4 + 1]) / 2  # half the rate
    assert len(pair(tmp_path, y, smooth, rates=(RATE, RATE // 2))) == 1


def test_the_same_call_in_another_sea_is_another_recording(tmp_path):
    assert pair(tmp_path, call_at_sea(5), call_at_sea(6)) == []


def test_another_call_of_the_species_is_another_recording(tmp_path):
    assert pair(tmp_path, call_at_sea(7), call_at_sea(8, start_hz=1_000.0)) == []


def test_a_hum_in_both_does_not_make_them_one(tmp_path):
    hum = sum(
        tone(60.0 * k, sample_rate=RATE, duration_s=3.0) / k for k in range(1, 30)
    )
    a, b = call_at_sea(9) + 0.1 * hum, call_at_sea(10) + 0.1 * hum
    assert pair(tmp_path, a, b) == []


def test_clicks_alike_do_not_make_them_one(tmp_path):
    a = noise(sample_rate=RATE, duration_s=2.0, sigma=0.001, seed=11)
    b = noise(sample_rate=RATE, duration_s=2.0, sigma=0.001, seed=12)
    click = np.hanning(20) * np.sin(np.arange(20))
    for y, places in ((a, (0.2, 0.9, 1.5)), (b, (0.4, 0.8, 1.3))):
        for s in places:
            y[round(s * RATE) : round(s * RATE) + 20] += click
    assert pair(tmp_path, a, b) == []


def test_independent_noise_stays_far_below_the_threshold():
    rng = np.random.default_rng(0)
    waves = [rng.standard_normal(n).astype(np.float32) for n in (250, 800, 4_000)]
    for a in waves:
        for b in (rng.standard_normal(20_000).astype(np.float32) for _ in range(20)):
            assert shared_audio(a, b) < 0.7 * SAME_AUDIO


def test_wav_and_flac_of_the_same_audio_have_the_same_hash(tmp_path):
    y = call_at_sea(13)
    a = audio_print(write_wav(tmp_path / "a.wav", y, RATE))
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    soundfile.write(tmp_path / "a.flac", samples, RATE, subtype="PCM_16")
    b = audio_print(tmp_path / "a.flac")
    assert a.sha256 == b.sha256
    assert find_duplicates([a, b], ["one", "other"]) == [Duplicate(0, 1, 1.0)]
    assert find_duplicates([a, b], ["one", "one"]) == []


@pytest.mark.parametrize("n", [1, 7, 150])
def test_the_shortest_recordings_are_compared_by_their_hash(tmp_path, n):
    y = noise(sample_rate=RATE, duration_s=n / RATE, seed=1)
    if n == 1:
        with pytest.raises(AudioError, match="is silent"):
            audio_print(write_wav(tmp_path / "a.wav", y, RATE))
    else:
        assert pair(tmp_path, y, y) == [Duplicate(0, 1, 1.0)]
        assert pair(tmp_path, y, y[::-1]) == []


def test_a_stretch_has_the_hash_of_its_own_samples(tmp_path):
    y = call_at_sea(14)
    whole = write_wav(tmp_path / "a.wav", y, RATE)
    part = write_wav(tmp_path / "b.wav", y[RATE : 2 * RATE], RATE)
    stretch = audio_print(whole, start_s=1.0, end_s=2.0)
    assert stretch.sha256 == audio_print(part).sha256
    with pytest.raises(AudioError, match="holds nothing between 7 s"):
        audio_print(whole, start_s=7.0, end_s=8.0)


def test_silent_recordings_are_refused(tmp_path):
    with pytest.raises(AudioError, match="is silent"):
        audio_print(write_wav(tmp_path / "a.wav", silence()))


def test_pairs_are_found_among_many_others(tmp_path):
    prints = [
        audio_print(
            write_wav(
                tmp_path / f"{k}.wav",
                call_at_sea(100 + k, start_hz=800.0 + 9 * k),
                RATE,
            )
        )
        for k in range(40)
    ]
    cut = call_at_sea(117, start_hz=953.0)[round(0.7 * RATE) : round(1.9 * RATE)]
    prints.append(audio_print(write_wav(tmp_path / "cut.wav", cut, RATE)))
    groups = [f"group {k % 7}" for k in range(41)]
    assert [(d.first, d.second) for d in find_duplicates(prints, groups)] == [(17, 40)]


def test_groups_that_share_audio_become_one():
    pairs = [Duplicate(0, 1, 1.0), Duplicate(2, 1, 0.9), Duplicate(3, 3, 1.0)]
    joined = join_groups(["a", "b", "c", "d", "b"], pairs)
    assert joined[0] == joined[1] == joined[2] == joined[4] != joined[3]

"""Clips of a stretch are those of the whole recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import noise, write_wav

from seacall.audio.clips import ClipGrid, Stretch, recording_clips, stretch_clips
from seacall.config import FrontEndSettings, original_front_end
from seacall.events import Segment

RATE = 44_100
FRONT_ENDS = {"original": original_front_end(), "wide": FrontEndSettings()}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "long.wav"
    return write_wav(path, noise(duration_s=31.3, sample_rate=RATE), RATE)


@pytest.mark.parametrize("name", FRONT_ENDS)
@given(first=st.integers(0, 11), n=st.integers(1, 11))
@settings(max_examples=8, deadline=None)
def test_a_stretch_gives_the_clips_of_the_whole_recording(recording, name, first, n):
    front_end = FRONT_ENDS[name]
    grid = ClipGrid.of(front_end, hop_s=2.5)
    whole = [y for _, y in recording_clips(recording, front_end, hop_s=2.5)]
    stretch = Stretch(recording, RATE, Segment(0, round(31.3 * RATE)), first, n)
    found = dict(stretch_clips(stretch, front_end, grid=grid))
    assert list(found) == list(range(first, min(first + n, len(whole))))
    for k, y in found.items():
        np.testing.assert_allclose(y, whole[k], atol=2e-6)


def test_a_segment_is_cut_as_if_it_were_a_file_of_its_own(tmp_path):
    y = noise(duration_s=20.0, sample_rate=RATE)
    first, n = 123_457, 7 * RATE
    path = write_wav(tmp_path / "both.wav", y, RATE)
    own = write_wav(tmp_path / "own.wav", y[first : first + n], RATE)
    front_end = original_front_end()
    stretch = Stretch(path, RATE, Segment(first, n), 0, 2)
    grid = ClipGrid.of(front_end)
    found = [y for _, y in stretch_clips(stretch, front_end, grid=grid)]
    expected = [y for _, y in recording_clips(own, front_end)]
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("hop_s", [None, 1.0, 2.5, 7.0])
@pytest.mark.parametrize("length_s", [0.001, 0.5, 5.0, 5.05, 5.2, 9.99, 12.0, 19.3])
def test_the_count_is_what_comes_out(tmp_path, hop_s, length_s):
    path = write_wav(
        tmp_path / "n.wav", noise(duration_s=length_s, sample_rate=RATE), RATE
    )
    front_end = original_front_end()
    grid = ClipGrid.of(front_end, hop_s=hop_s)
    found = list(recording_clips(path, front_end, hop_s=hop_s))
    assert grid.count(round(length_s * RATE), sample_rate=RATE) == len(found)


def test_the_clips_of_a_stretch_do_not_reach_into_the_next_segment(tmp_path):
    y = np.concatenate([np.zeros(6 * RATE), noise(duration_s=6.0, sample_rate=RATE)])
    path = write_wav(tmp_path / "two.wav", y.astype(np.float32), RATE)
    front_end = FrontEndSettings()
    stretch = Stretch(path, RATE, Segment(0, 6 * RATE), 0, 2)
    found = dict(stretch_clips(stretch, front_end, grid=ClipGrid.of(front_end)))
    assert len(found) == 2
    assert max(np.abs(clip).max() for clip in found.values()) < 1e-6

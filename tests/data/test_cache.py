"""What is kept on disk is what was computed, or it is computed anew."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import chirp, silence, tone, write_wav

from seacall.config import FrontEndSettings, original_front_end
from seacall.data import cache as cache_module
from seacall.data.cache import FrontEndCache, labelled_inputs, recording_sha256
from seacall.errors import AudioError

SETTINGS = original_front_end()


@pytest.fixture
def wav(tmp_path):
    return write_wav(tmp_path / "a.wav", chirp(duration_s=0.5))


def kept_files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def same(a, b) -> bool:
    return bool((a.log_mel == b.log_mel).all() and (a.features == b.features).all())


def test_the_second_time_nothing_is_computed(tmp_path, wav, monkeypatch):
    cache = FrontEndCache(tmp_path / "kept")
    first = cache.get_or_compute(wav, SETTINGS)
    assert same(first, labelled_inputs(wav, SETTINGS))
    monkeypatch.setattr(cache_module, "labelled_inputs", None)
    second = cache.get_or_compute(wav, SETTINGS)
    assert same(first, second)
    assert second.log_mel.dtype == second.features.dtype == np.float32


def test_content_settings_and_code_version_each_make_another_entry(
    tmp_path, wav, monkeypatch
):
    cache = FrontEndCache(tmp_path / "kept")
    cache.get_or_compute(wav, SETTINGS)
    cache.get_or_compute(wav, FrontEndSettings())
    write_wav(wav, tone(duration_s=0.5))
    cache.get_or_compute(wav, SETTINGS)
    monkeypatch.setattr(cache_module, "FRONT_END_VERSION", 99)
    cache.get_or_compute(wav, SETTINGS)
    assert len(kept_files(tmp_path / "kept")) == 4


def test_the_name_of_the_file_does_not_matter(tmp_path, wav):
    cache = FrontEndCache(tmp_path / "kept")
    cache.get_or_compute(wav, SETTINGS)
    cache.get_or_compute(wav.rename(tmp_path / "b.wav"), SETTINGS)
    assert len(kept_files(tmp_path / "kept")) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other"])
def test_a_damaged_entry_is_computed_anew(tmp_path, wav, damage):
    cache = FrontEndCache(tmp_path / "kept")
    first = cache.get_or_compute(wav, SETTINGS)
    (entry,) = kept_files(tmp_path / "kept")
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 255
    wrong = {
        "empty": b"",
        "cut": bytes(content[: len(content) // 2]),
        "flipped": bytes(content),
        "other": b"something else",
    }
    entry.write_bytes(wrong[damage])
    assert same(first, cache.get_or_compute(wav, SETTINGS))
    assert same(first, cache.get_or_compute(wav, SETTINGS))
    assert len(kept_files(tmp_path / "kept")) == 1


def test_without_a_folder_nothing_is_kept(tmp_path, wav):
    FrontEndCache(None).get_or_compute(wav, SETTINGS)
    assert kept_files(tmp_path) == [wav]


def test_a_place_that_cannot_be_written_is_no_error(tmp_path, wav, caplog):
    in_the_way = tmp_path / "kept"
    in_the_way.write_text("a file")
    inputs = FrontEndCache(in_the_way).get_or_compute(wav, SETTINGS)
    assert same(inputs, labelled_inputs(wav, SETTINGS))
    assert "nothing is kept" in caplog.text


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_a_constant_recording_is_refused_as_silent(tmp_path, level):
    path = write_wav(tmp_path / "s.wav", silence() + level)
    with pytest.raises(AudioError, match=f"is silent, every sample .* is {level:g};"):
        labelled_inputs(path, SETTINGS)


def test_a_recording_that_starts_after_the_clip_is_silent(tmp_path):
    y = np.concatenate([silence(duration_s=6.0), tone(duration_s=1.0)])
    path = write_wav(tmp_path / "late.wav", y)
    with pytest.raises(AudioError, match="is silent"):
        FrontEndCache(tmp_path / "kept").get_or_compute(path, SETTINGS)


def test_a_missing_file_is_an_audio_error(tmp_path):
    with pytest.raises(AudioError, match="cannot be read"):
        recording_sha256(tmp_path / "none.wav")

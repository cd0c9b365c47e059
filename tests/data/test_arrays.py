"""Clips become arrays; what fails is named and costs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sounds import chirp, silence, write_wav

from seacall.config import FrontEndSettings, original_front_end
from seacall.data.arrays import load_arrays
from seacall.data.cache import FrontEndCache, recording_sha256
from seacall.data.manifest import LabelledClip

SETTINGS = original_front_end()
LABELS = ("Beluga", "Sperm Whale", "unknown")
NO_CACHE = FrontEndCache(None)


def clip(path, label="Beluga", **others) -> LabelledClip:
    return LabelledClip(path, label, "train", 48_000, **others)


@pytest.fixture
def clips(tmp_path):
    names = ["Sperm Whale", "Beluga", "Walrus", "unknown"]
    return [
        clip(write_wav(tmp_path / f"{k}.wav", chirp(1_000.0 * (k + 3))), label)
        for k, label in enumerate(names)
    ]


def test_shapes_types_and_classes_are_as_promised(clips):
    arrays = load_arrays(clips, SETTINGS, labels=LABELS, cache=NO_CACHE)
    assert arrays.log_mel.shape == (4, SETTINGS.n_patches, 96, 64)
    assert arrays.features.shape == (4, 18)
    assert arrays.log_mel.dtype == arrays.features.dtype == np.float32
    assert arrays.targets.tolist() == [1, 0, 2, 2]
    assert arrays.clips == tuple(clips)


def test_bad_files_become_failures_in_between_good_ones(clips, tmp_path):
    bad = {
        "is empty": tmp_path / "empty.wav",
        "no such file": tmp_path / "none.wav",
        "not audio": tmp_path / "text.wav",
        "is silent": write_wav(tmp_path / "silent.wav", silence()),
    }
    bad["is empty"].write_bytes(b"")
    bad["not audio"].write_text("hello")
    mixed = [
        c for pair in zip(clips, map(clip, bad.values()), strict=True) for c in pair
    ]
    arrays = load_arrays(mixed, SETTINGS, labels=LABELS, cache=NO_CACHE)
    assert arrays.clips == tuple(clips)
    for failure, (reason, path) in zip(arrays.failures, bad.items(), strict=True):
        assert failure.path == path
        assert re.search(reason, failure.reason)


def test_no_clips_give_empty_arrays():
    arrays = load_arrays([], SETTINGS, labels=LABELS, cache=NO_CACHE)
    assert arrays.log_mel.shape == (0, SETTINGS.n_patches, 96, 64)
    assert arrays.targets.shape == (0,)


@pytest.mark.slow
def test_the_number_of_workers_and_the_cache_change_nothing(clips, tmp_path):
    one = load_arrays(clips, SETTINGS, labels=LABELS, cache=NO_CACHE)
    cache = FrontEndCache(tmp_path / "kept")
    for n_workers in (2, 1):
        other = load_arrays(
            clips, SETTINGS, labels=LABELS, cache=cache, n_workers=n_workers
        )
        np.testing.assert_array_equal(one.log_mel, other.log_mel)
        np.testing.assert_array_equal(one.features, other.features)


def test_progress_is_told_after_each_clip(clips):
    told = []
    load_arrays(
        clips,
        SETTINGS,
        labels=LABELS,
        cache=NO_CACHE,
        progress=lambda done, n: told.append((done, n)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_features_made_with_the_same_settings_are_used(clips):
    own = tuple(float(k) for k in range(18))
    with_features = [replace(c, features=own) for c in clips]
    arrays = load_arrays(
        with_features,
        SETTINGS,
        labels=LABELS,
        cache=NO_CACHE,
        features_fingerprint=SETTINGS.fingerprint(),
    )
    assert (arrays.features == np.arange(18)).all()


def test_features_of_a_file_that_has_changed_are_computed_anew(clips):
    own = tuple(float(k) for k in range(18))
    old = replace(clips[0], features=own, sha256=recording_sha256(clips[0].path))
    write_wav(old.path, chirp(500.0))
    arrays = load_arrays(
        [old],
        SETTINGS,
        labels=LABELS,
        cache=NO_CACHE,
        features_fingerprint=SETTINGS.fingerprint(),
    )
    assert arrays.features[0, 0] != own[0]


def test_other_features_are_computed_anew_and_how_far_off_they_were_is_said(
    clips, caplog
):
    right = load_arrays(clips, SETTINGS, labels=LABELS, cache=NO_CACHE).features
    wrong = right.copy()
    wrong[:, 0] *= 1.12
    table = [
        replace(c, features=tuple(row.tolist()))
        for c, row in zip(clips, wrong, strict=True)
    ]
    arrays = load_arrays(
        table,
        SETTINGS,
        labels=LABELS,
        cache=NO_CACHE,
        features_fingerprint=FrontEndSettings().fingerprint(),
    )
    np.testing.assert_array_equal(arrays.features, right)
    (record,) = caplog.records
    assert "train_metadata were made with other settings" in record.message
    assert "spectral_centroid off by 12 % (median)" in record.message


def test_features_of_unknown_origin_that_agree_are_no_cause_for_a_warning(
    clips, caplog
):
    right = load_arrays(clips, SETTINGS, labels=LABELS, cache=NO_CACHE).features
    table = [
        replace(c, features=tuple(row.tolist()))
        for c, row in zip(clips, right * np.float32(1.0001), strict=True)
    ]
    load_arrays(table, SETTINGS, labels=LABELS, cache=NO_CACHE)
    assert caplog.records == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    n_samples=st.integers(1, 3_000),
    sample_rate=st.sampled_from([1_000, 8_000, 44_100, 192_000]),
    n_channels=st.integers(1, 3),
    subtype=st.sampled_from(["PCM_U8", "PCM_16", "PCM_24", "FLOAT"]),
    gain=st.sampled_from([0.0, 1e-4, 1.0]),
    fit=st.sampled_from(["pad", "tile"]),
)
def test_any_small_file_gives_finite_numbers_or_one_clear_line(
    tmp_path, n_samples, sample_rate, n_channels, subtype, gain, fit
):
    rng = np.random.default_rng(n_samples)
    y = gain * rng.uniform(-1, 1, size=(n_samples, n_channels))
    path = write_wav(tmp_path / "x.wav", y, sample_rate, subtype)
    chosen = SETTINGS.model_copy(
        update={"clip": SETTINGS.clip.model_copy(update={"fit": fit})}
    )
    arrays = load_arrays([clip(path)], chosen, labels=LABELS, cache=NO_CACHE)
    assert len(arrays.clips) + len(arrays.failures) == 1
    assert np.isfinite(arrays.log_mel).all()
    assert np.isfinite(arrays.features).all()
    for failure in arrays.failures:
        assert str(path) in failure.reason
        assert "\n" not in failure.reason


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=200), header=st.booleans())
def test_any_bytes_are_audio_or_one_clear_line(tmp_path, content, header):
    path = tmp_path / "x.wav"
    start = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
    path.write_bytes((start if header else b"") + content)
    arrays = load_arrays([clip(path)], SETTINGS, labels=LABELS, cache=NO_CACHE)
    assert len(arrays.clips) + len(arrays.failures) == 1
    for failure in arrays.failures:
        assert "\n" not in failure.reason

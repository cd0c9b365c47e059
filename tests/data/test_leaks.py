"""The same audio in two splits is refused, and no recording compared for nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sounds import noise, write_wav

from seacall.config import FrontEndSettings
from seacall.data import leaks
from seacall.data.leaks import check_leaks
from seacall.data.manifest import LabelledClip, Manifest, read_manifest, write_manifest
from seacall.errors import AnnotationError

RATE = 24_000


def sea(seed: int) -> np.ndarray:
    return noise(sample_rate=RATE, duration_s=2.0, seed=seed)


def dataset(root: Path, **files: np.ndarray) -> Manifest:
    """Write one; a file's name starts with its split."""
    clips = []
    for name, y in files.items():
        split = name.partition("_")[0]
        folder = {"val": "validate"}.get(split, split)
        path = write_wav(root / folder / f"{name}.wav", y, RATE)
        clips.append(LabelledClip(path, "Fin", split, RATE, features=(0.0,) * 18))
    write_manifest(root, clips, front_end=FrontEndSettings())
    return read_manifest(root)


@pytest.fixture
def compared(monkeypatch) -> list[Path]:
    """Every recording that is read to be compared."""
    seen: list[Path] = []
    plain = leaks.audio_print

    def noted(path: Path):
        seen.append(path)
        return plain(path)

    monkeypatch.setattr(leaks, "audio_print", noted)
    return seen


def test_the_same_audio_in_two_splits_of_a_dataset_is_refused(tmp_path):
    found = dataset(tmp_path, train_a=sea(1), train_b=sea(2), test_c=sea(1)[4_000:])
    pattern = r"train/train_a\.wav = test/test_c\.wav; move"
    for _ in range(2):  # what was found is said again
        with pytest.raises(AnnotationError, match=pattern):
            check_leaks(found)


def test_a_dataset_without_leaks_is_compared_once(tmp_path, compared):
    check_leaks(dataset(tmp_path, train_a=sea(1), test_c=sea(3)))
    assert len(compared) == 2
    check_leaks(read_manifest(tmp_path))
    assert len(compared) == 2


def test_a_changed_file_is_compared_again(tmp_path, compared):
    found = dataset(tmp_path, train_a=sea(1), test_c=sea(3))
    check_leaks(found)
    path = write_wav(tmp_path / "train" / "train_a.wav", sea(3), RATE)
    os.utime(path, ns=(1, 1))  # even at a strange time
    with pytest.raises(AnnotationError, match="same audio"):
        check_leaks(read_manifest(tmp_path))


def test_a_clip_that_changes_its_split_is_compared_again(tmp_path, compared):
    found = dataset(tmp_path, train_a=sea(1), train_b=sea(1), test_c=sea(3))
    check_leaks(found)
    moved = [
        LabelledClip(c.path, c.label, "val", RATE) if "train_b" in c.path.name else c
        for c in found.clips
    ]
    with pytest.raises(AnnotationError, match="same audio"):
        check_leaks(Manifest(tmp_path, tuple(moved), (), ("Fin", "unknown"), None))


def test_extra_training_clips_are_compared_with_what_is_held_out(tmp_path):
    own = dataset(tmp_path / "own", train_a=sea(1), val_b=sea(2), test_c=sea(3))
    good = dataset(tmp_path / "good", train_x=sea(4))
    check_leaks(own, [good])
    bad = dataset(tmp_path / "bad", train_y=sea(2)[2_000:])
    with pytest.raises(AnnotationError, match=r"val_b\.wav = .*bad/train/train_y\.wav"):
        check_leaks(own, [good, bad])


def test_only_training_clips_of_an_extra_folder_count(tmp_path):
    own = dataset(tmp_path / "own", train_a=sea(1), test_c=sea(3))
    check_leaks(own, [dataset(tmp_path / "more", train_x=sea(4), test_y=sea(1))])


def test_a_folder_that_cannot_be_written_is_compared_each_time(tmp_path, compared):
    found = dataset(tmp_path, train_a=sea(1), test_c=sea(3))
    (tmp_path / ".seacall-cache").write_text("in the way")
    for n in (2, 4):
        check_leaks(found)
        assert len(compared) == n

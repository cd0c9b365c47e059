"""A dataset folder is read back as it was written, and faults are named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sounds import noise, write_wav

from seacall.audio.features import FEATURE_NAMES
from seacall.config import FrontEndSettings, original_front_end
from seacall.data.manifest import (
    SPLIT_FOLDERS,
    LabelledClip,
    read_manifest,
    write_manifest,
)
from seacall.errors import AnnotationError

LABELS = ("Béluga / white whale", "Sperm Whale", "unknown")


@pytest.fixture
def clips(tmp_path: Path, rng: np.random.Generator) -> list[LabelledClip]:
    """Two clips a split of three classes, with files."""
    made = []
    for k, split in enumerate(["train", "train", "val", "val", "test", "test"]):
        path = tmp_path / SPLIT_FOLDERS[split] / f"{k}.wav"
        write_wav(path, noise(sample_rate=8_000, duration_s=0.2, seed=k), 8_000)
        made.append(
            LabelledClip(
                path=path,
                label=LABELS[k % 3],
                split=split,
                sample_rate=8_000,
                deployment=f"site {k}",
                recording="tape 1",
                sha256=f"{k:064d}",
                features=tuple(rng.normal(size=18).astype(np.float32).tolist()),
                duration_s=0.2,
            )
        )
    return made


def edit_train(root: Path, change) -> None:
    """Change the train table, and write it back."""
    path = root / "train_metadata.xlsx"
    frame = pd.read_excel(path, dtype=object, keep_default_na=False)
    change(frame).to_excel(path, index=False)


def test_what_is_written_is_read_back(tmp_path, clips):
    write_manifest(tmp_path, clips, front_end=original_front_end())
    manifest = read_manifest(tmp_path)
    assert manifest.clips == tuple(clips)
    assert manifest.failures == ()
    assert manifest.labels == LABELS
    assert manifest.front_end_fingerprint == original_front_end().fingerprint()
    assert manifest.split("val") == clips[2:4]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_the_other_formats_say_the_same_as_excel(tmp_path, clips, suffix):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    before = read_manifest(tmp_path)
    for folder in SPLIT_FOLDERS.values():
        excel = tmp_path / f"{folder}_metadata.xlsx"
        frame = pd.read_excel(excel, dtype={"file_name": str, "sha256": str})
        other = excel.with_suffix(f".{suffix}")
        if suffix == "parquet":
            frame.to_parquet(other)
        else:
            frame.to_csv(other, index=False, sep="\t" if suffix == "tsv" else ",")
        excel.unlink()
    assert read_manifest(tmp_path) == before


def test_tables_with_only_the_original_columns_are_enough(tmp_path, clips):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    columns = ["file_name", "species_name", "sample_rate", *FEATURE_NAMES]
    edit_train(tmp_path, lambda frame: frame[columns])
    (tmp_path / "dataset.json").unlink()
    manifest = read_manifest(tmp_path)
    assert len(manifest.clips) == 6
    assert manifest.clips[0].deployment == ""
    assert manifest.front_end_fingerprint is None


def test_the_fingerprint_depends_on_content_and_not_on_place_or_order(tmp_path, clips):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    before = read_manifest(tmp_path).fingerprint()
    edit_train(tmp_path, lambda frame: frame.iloc[::-1])
    assert read_manifest(tmp_path).fingerprint() == before
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    assert read_manifest(moved).fingerprint() == before
    edit_train(moved, lambda frame: frame.assign(species_name="Walrus"))
    assert read_manifest(moved).fingerprint() != before


@pytest.mark.parametrize("column", ["species_name", "mfcc_7", "sample_rate"])
def test_a_missing_column_is_named(tmp_path, clips, column):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    edit_train(tmp_path, lambda frame: frame.drop(columns=column))
    with pytest.raises(AnnotationError, match=rf"has no column '{column}'.*prepare"):
        read_manifest(tmp_path)


def test_an_unknown_column_is_ignored_with_a_warning(tmp_path, clips, caplog):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    edit_train(tmp_path, lambda frame: frame.assign(mood="calm"))
    assert len(read_manifest(tmp_path).clips) == 6
    assert "column 'mood' is not known and is ignored" in caplog.text


def test_a_feature_that_is_no_number_costs_the_features_and_not_the_row(
    tmp_path, clips, caplog
):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[0, "mfcc_3"] = "loud"
        return frame

    edit_train(tmp_path, change)
    manifest = read_manifest(tmp_path)
    assert manifest.clips[0] == replace(clips[0], features=None)
    assert "train_metadata.xlsx row 2: mfcc_3 'loud' is not a number" in caplog.text


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("sample_rate", "fast", "sample_rate 'fast' is not a positive number"),
        ("sample_rate", -1, "is not a positive number"),
        ("file_name", "0.wave", r"does not exist \(did you mean '0.wav'\?\)"),
        ("file_name", "", "has no file_name"),
        ("file_name", "../validate/2.wav", "leads out of"),
        ("file_name", "1.wav", r"repeats file_name '1.wav' as .*first row was kept"),
        ("species_name", "  ", "is empty or not printable"),
    ],
)
def test_a_faulty_row_is_named_and_the_rest_is_read(
    tmp_path, clips, column, value, reason
):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        frame.loc[0, column] = value
        return frame.iloc[::-1]  # so that the faulty row is the later one

    edit_train(tmp_path, change)
    manifest = read_manifest(tmp_path)
    assert len(manifest.clips) == 5
    assert re.search(reason, manifest.failures[0].reason)
    assert "train_metadata.xlsx row 3" in manifest.failures[0].reason


def test_audio_without_a_row_is_named(tmp_path, clips):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    write_wav(tmp_path / "test" / "extra.wav", np.ones(10))
    failures = read_manifest(tmp_path).failures
    assert [f.path.name for f in failures] == ["extra.wav"]
    assert "has no row in test_metadata" in failures[0].reason


def test_labels_keep_accents_slashes_and_spaces(tmp_path, clips):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    edit_train(
        tmp_path, lambda frame: frame.assign(species_name="  Dauphin\tbleu / blanc é ")
    )
    assert "Dauphin bleu / blanc é" in read_manifest(tmp_path).labels


@pytest.mark.parametrize("label", ["NA", "None", "nan", "007"])
def test_labels_that_pandas_takes_for_missing_stay(tmp_path, clips, label):
    clips = [replace(clip, label=label) for clip in clips]
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    assert read_manifest(tmp_path).labels == (label, "unknown")


def test_a_folder_without_tables_says_how_to_make_them(tmp_path):
    with pytest.raises(AnnotationError, match="seacall prepare"):
        read_manifest(tmp_path)
    with pytest.raises(AnnotationError, match="no such folder"):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"not excel", b"PK\x03\x04broken"])
def test_a_damaged_table_is_one_clear_error(tmp_path, content):
    (tmp_path / "train_metadata.xlsx").write_bytes(content)
    with pytest.raises(AnnotationError, match=r"train_metadata\.xlsx: cannot be read"):
        read_manifest(tmp_path)


def test_features_made_by_an_older_front_end_are_not_trusted(tmp_path, clips):
    write_manifest(tmp_path, clips, front_end=FrontEndSettings())
    path = tmp_path / "dataset.json"
    path.write_text(path.read_text().replace('_version": 1', '_version": 0'))
    assert read_manifest(tmp_path).front_end_fingerprint is None
    path.write_text("{")
    assert read_manifest(tmp_path).front_end_fingerprint is None

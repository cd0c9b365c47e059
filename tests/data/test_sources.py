"""What a user has labelled is found, wherever the labels are."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from sounds import noise, write_wav

from seacall.data.sources import read_source
from seacall.errors import AnnotationError, AudioError


def record(path: Path) -> Path:
    return write_wav(path, noise(sample_rate=2_000), 2_000)


@pytest.fixture
def source(tmp_path) -> Path:
    """Two species folders with two recordings each."""
    for label in ("Beluga", "Fin / Whale é".replace("/", "-")):
        for k in range(2):
            record(tmp_path / "sounds" / label / f"{k}.wav")
    return tmp_path / "sounds"


def write_table(path: Path, **columns) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_one_folder_a_species_is_understood(source):
    contents = read_source(source)
    assert [s.label for s in contents.stretches] == ["Beluga"] * 2 + [
        "Fin - Whale é"
    ] * 2
    assert "one folder a species" in contents.origin


def test_folders_inside_a_species_folder_are_deployments(source):
    record(source / "Beluga" / "2019 Churchill" / "x.wav")
    contents = read_source(source)
    deployments = {s.path.name: s.deployment for s in contents.stretches}
    assert deployments["x.wav"] == "2019 Churchill"
    assert "taken for deployments" in contents.origin


def test_a_recording_outside_the_species_folders_is_named(source):
    record(source / "loose.wav")
    (failure,) = read_source(source).failures
    assert "loose.wav: lies in no species folder" in failure.reason


def test_a_flat_folder_without_a_table_says_what_to_do(tmp_path):
    record(tmp_path / "a.wav")
    with pytest.raises(AnnotationError, match="one folder for each species"):
        read_source(tmp_path)
    with pytest.raises(AudioError, match="no such folder"):
        read_source(tmp_path / "none")


@pytest.mark.parametrize("place", ["inside", "parent"])
def test_a_table_that_lies_there_is_used_and_named(source, place):
    folder = source if place == "inside" else source.parent
    prefix = "" if place == "inside" else "sounds/"
    table = write_table(
        folder / "manifest.csv",
        file_name=[f"{prefix}Beluga/0.wav", f"{prefix}Beluga/1.wav"],
        species_name=["Béluga / white", "Narwhal"],
        deployment=["north", "south"],
        recording=["tape 1", "tape 2"],
    )
    contents = read_source(source)
    assert [s.label for s in contents.stretches] == ["Béluga / white", "Narwhal"]
    assert [s.deployment for s in contents.stretches] == ["north", "south"]
    assert str(table) in contents.origin
    assert len(contents.failures) == 2  # the files without a row


def test_a_parents_table_of_other_files_is_left_alone(source):
    record(source.parent / "other" / "a.wav")
    write_table(
        source.parent / "manifest.csv", file_name=["other/a.wav"], species_name=["X"]
    )
    assert "one folder a species" in read_source(source).origin


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "parquet"])
def test_a_table_of_any_format_can_be_given(source, tmp_path, suffix):
    frame = pd.DataFrame({"file_name": ["Beluga/0.wav"], "species_name": ["Narwhal"]})
    path = tmp_path / f"mine.{suffix}"
    match suffix:
        case "xlsx":
            frame.to_excel(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case _:
            frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ";")
    assert read_source(source, table=path).stretches[0].label == "Narwhal"


def test_a_stretch_of_a_recording_keeps_its_times_and_its_recording(source, tmp_path):
    table = write_table(
        tmp_path / "t.csv",
        file_name=["Beluga/0.wav"] * 2,
        species_name=["a", "b"],
        start_s=[0.0, 0.5],
        end_s=[0.5, ""],
    )
    first, second = read_source(source, table=table).stretches
    assert (first.start_s, first.end_s, first.recording) == (0.0, 0.5, "0.wav")
    assert (second.start_s, second.end_s) == (0.5, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"file_name": "none.wav"}, "file_name 'none.wav' is not in"),
        ({"species_name": " "}, "is empty or not printable"),
        ({"start_s": "soon"}, "'soon' is not a number"),
        ({"start_s": "2", "end_s": "1"}, "need 0 <= start_s < end_s"),
        ({"file_name": "Beluga/1.wav"}, "repeats t.csv row 2 as 'X', not 'Y'"),
    ],
)
def test_a_faulty_row_is_named_and_the_rest_is_used(source, tmp_path, changes, reason):
    good = {
        "file_name": "Beluga/1.wav",
        "species_name": "Y",
        "start_s": "",
        "end_s": "",
    }
    bad = {"file_name": "Beluga/0.wav", "species_name": "X", "start_s": "", "end_s": ""}
    frame = pd.DataFrame([good, bad | changes])
    frame.to_csv(tmp_path / "t.csv", index=False)
    contents = read_source(source, table=tmp_path / "t.csv")
    assert [s.label for s in contents.stretches] == ["Y"]
    assert re.search(reason, contents.failures[0].reason)
    assert "t.csv row 3" in contents.failures[0].reason


def test_a_table_without_the_columns_is_one_clear_error(source, tmp_path):
    table = write_table(tmp_path / "t.csv", name=["a"], species_name=["b"])
    with pytest.raises(AnnotationError, match="has no column 'file_name'"):
        read_source(source, table=table)


def test_a_windows_1252_table_is_understood(source, tmp_path):
    text = "file_name;species_name\r\nBeluga/0.wav;Béluga\r\n"
    (tmp_path / "t.csv").write_bytes(text.encode("cp1252"))
    contents = read_source(source, table=tmp_path / "t.csv")
    assert contents.stretches[0].label == "Béluga"


def test_selection_tables_beside_the_recordings_are_used(tmp_path):
    record(tmp_path / "B.wav")
    header = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies"
    (tmp_path / "B.selections.txt").write_text(f"{header}\n1\t0.1\t0.4\tFin\n")
    (tmp_path / "Q.selections.txt").write_text(f"{header}\n1\t0.1\t0.4\tFin\n")
    (tmp_path / "notes.txt").write_text("hello")
    contents = read_source(tmp_path)
    (stretch,) = contents.stretches
    assert (stretch.label, stretch.start_s, stretch.end_s) == ("Fin", 0.1, 0.4)
    assert stretch.recording == "B.wav"
    assert "Q.selections.txt" in contents.failures[0].reason

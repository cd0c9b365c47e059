"""Raven tables are read as Raven meant them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sounds import noise, write_wav

from seacall.data.selections import is_selection_table, read_selections
from seacall.errors import AnnotationError
from seacall.events import Annotation

HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)"
HEADER += "\tLow Freq (Hz)\tHigh Freq (Hz)"


@pytest.fixture
def recording(tmp_path) -> Path:
    return write_wav(tmp_path / "B.wav", noise(sample_rate=2_000), 2_000)


def table(folder: Path, *lines: str, name: str = "B.Table.1.selections.txt") -> Path:
    path = folder / name
    path.write_bytes("\r\n".join(lines).encode())
    return path


def test_a_table_named_after_its_recording_is_read(tmp_path, recording):
    path = table(
        tmp_path,
        f"{HEADER}\tSpecies",
        "114\tSpectrogram 1\t1\t0.25\t0.75\t50.0\t900.5\tFin Whale",
    )
    read = read_selections(path, recordings=[recording])
    assert read.annotations == (
        Annotation(recording, 0.25, 0.75, "Fin Whale", 50.0, 900.5, 1),
    )
    assert read.failures == ()
    assert is_selection_table(path)
    assert not is_selection_table(recording)


def test_the_rows_of_two_views_are_one_selection(tmp_path, recording):
    row = "1\t{}\t1\t0\t1\t50\t900\tFin"
    only_wave = "2\tWaveform 1\t1\t0.5\t0.7\t50\t900\tFin"
    for views in (("Waveform 1", "Spectrogram 1"), ("Spectrogram 1", "Waveform 1")):
        rows = [row.format(view) for view in views]
        path = table(tmp_path, f"{HEADER}\tSpecies", *rows, only_wave)
        read = read_selections(path, recordings=[recording])
        assert [a.start_s for a in read.annotations] == [0.0, 0.5]


@pytest.mark.parametrize("column", ["Species", "Label", "Annotation", "Tags"])
def test_the_usual_label_columns_are_found(tmp_path, recording, column):
    path = table(tmp_path, f"{HEADER}\t{column}", "1\tS\t1\t0\t1\t1\t2\tFin")
    assert read_selections(path, recordings=[recording]).annotations[0].label == "Fin"


def test_another_label_column_can_be_named(tmp_path, recording):
    path = table(tmp_path, f"{HEADER}\tPrediction/Comments", "1\tS\t1\t0\t1\t1\t2\tu")
    with pytest.raises(AnnotationError, match=r"no label column.*Prediction/Comments"):
        read_selections(path, recordings=[recording])
    read = read_selections(
        path, recordings=[recording], label_column="Prediction/Comments"
    )
    assert read.annotations[0].label == "u"


def test_file_and_offset_count_where_they_are_given(tmp_path, recording):
    other = write_wav(tmp_path / "sub" / "C.wav", noise(sample_rate=2_000), 2_000)
    path = table(
        tmp_path,
        f"{HEADER}\tBegin File\tBegin Path\tFile Offset (s)\tSpecies",
        "1\tS\t1\t100.5\t101.0\t1\t2\tC.wav\tX:\\old\\C.wav\t0.5\tFin",
        f"2\tS\t1\t7\t7.5\t1\t2\t\t{recording}\t0.25\tFin",
        name="all.txt",
    )
    read = read_selections(path, recordings=[recording, other])
    spans = [(a.path, a.start_s, a.end_s) for a in read.annotations]
    assert spans == [(other, 0.5, 1.0), (recording, 0.25, 0.75)]


def test_times_over_several_files_without_an_offset_are_refused(tmp_path, recording):
    other = write_wav(tmp_path / "C.wav", noise(sample_rate=2_000), 2_000)
    path = table(
        tmp_path,
        f"{HEADER}\tBegin File\tSpecies",
        "1\tS\t1\t0\t1\t1\t2\tB.wav\tFin",
        "2\tS\t1\t5\t6\t1\t2\tC.wav\tFin",
    )
    read = read_selections(path, recordings=[recording, other])
    assert read.annotations == ()
    assert "File Offset (s)" in read.failures[1].reason


def test_a_decimal_comma_a_mark_and_a_trailing_tab_are_understood(tmp_path, recording):
    path = table(
        tmp_path,
        f"\ufeff{HEADER}\tSpecies\t",
        "1\tS\t1\t0,25\t0,75\t1\t2\tFin",
        "2\tS\t1\t0,5\t0,75\t1\t2\tFin\t",
    )
    read = read_selections(path, recordings=[recording])
    assert [a.start_s for a in read.annotations] == [0.25, 0.5]
    assert is_selection_table(path)


def test_a_table_without_rows_has_no_annotations(tmp_path, recording):
    path = table(tmp_path, f"{HEADER}\tSpecies")
    assert read_selections(path, recordings=[recording]).annotations == ()


@pytest.mark.parametrize("missing", ["Begin Time (s)", "End Time (s)"])
def test_a_missing_time_column_is_named(tmp_path, recording, missing):
    path = table(tmp_path, f"{HEADER}\tSpecies".replace(missing, "X"))
    with pytest.raises(AnnotationError, match=r"has no column '.*Time"):
        read_selections(path, recordings=[recording])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1\tS\t1\tsoon\t1\t1\t2\tFin", "Begin Time .* 'soon' is not a number"),
        ("1\tS\t1\t1\t1\t1\t2\tFin", "must end after it begins"),
        ("1\tS\t1\t0\t1\t1\t2\t ", "label '' is empty"),
    ],
)
def test_a_faulty_row_is_named_and_the_others_are_read(
    tmp_path, recording, row, reason
):
    path = table(tmp_path, f"{HEADER}\tSpecies", row, "2\tS\t1\t0\t1\t1\t2\tFin")
    read = read_selections(path, recordings=[recording])
    assert len(read.annotations) == 1
    assert "row 2" in read.failures[0].reason
    assert re.search(reason, read.failures[0].reason)


def test_a_table_without_its_recording_says_so(tmp_path, recording):
    path = table(tmp_path, f"{HEADER}\tSpecies", "1\tS\t1\t0\t1\t1\t2\tF", name="Q.txt")
    with pytest.raises(AnnotationError, match="no recording has the name"):
        read_selections(path, recordings=[recording])


@pytest.mark.real
def test_real_tables_of_raven_are_read(real_data):
    folder = real_data / "samana"
    tables = sorted((folder / "tables").glob("*.txt"))
    recordings = sorted(folder.rglob("*.flac"))
    for path in tables:
        read = read_selections(
            path, recordings=recordings, label_column="Prediction/Comments"
        )
        n_rows = len(path.read_text().splitlines()) - 1
        assert len(read.annotations) == n_rows / 2
        assert read.annotations[0].path.stem == path.name.split("_annot")[0]

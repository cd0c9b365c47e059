from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.data.annotations import is_audacity, read_marks, scored_label
from seacall.errors import AnnotationError

RECORDINGS = [Path("rec/A.wav"), Path("rec/B é.wav"), Path("other/A.wav")]
ONLY = RECORDINGS[:2]


def read(tmp_path, text, name="calls.csv", *, recordings=ONLY):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_marks([path], recordings=recordings)


def plain(marks):
    return [(a.path.name, a.start_s, a.end_s, a.label) for a in marks.annotations]


@pytest.mark.parametrize(
    "header",
    [
        "file,start_s,end_s,label",
        "file,begin_s,end_s,label",
        "filename,start,end,label",
        "audiofilename,start,end,label:species",
        "File,Start (s),End (s),Common name",
        "filename,start_time,end_time,annotation",
        "file_name,start_s,end_s,species_name",
    ],
)
def test_the_columns_of_other_programs_are_known(tmp_path, header):
    marks = read(tmp_path, f"{header}\nA.wav,1.5,3,Orca\nB é.wav,0,0.5,Fin Whale\n")
    assert plain(marks) == [("A.wav", 1.5, 3, "Orca"), ("B é.wav", 0, 0.5, "Fin Whale")]
    assert marks.scores == (None, None)
    assert not marks.failures


def test_a_duration_stands_in_for_the_end_and_extra_columns_are_kept(tmp_path):
    text = "file;start;duration;label;confidence;low_hz;high_hz;channel\n"
    marks = read(tmp_path, text + "A.flac;2;1,5;Orca;0,9;500;2000;2\n")
    (one,) = marks.annotations
    assert (one.start_s, one.end_s, one.channel) == (2, 3.5, 2)
    assert (one.low_hz, one.high_hz) == (500, 2000)
    assert marks.scores == (0.9,)


def test_raven_tables_keep_their_score(tmp_path):
    text = (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\t"
        "High Freq (Hz)\tBegin File\tFile Offset (s)\tSpecies\tScore\n"
        "1\tSpectrogram 1\t1\t61.0\t62.0\t10\t20\tB é.wav\t1.0\tOrca\t0.75\n"
        "2\tSpectrogram 1\t1\t71.0\t72.0\t10\t20\tC.wav\t11.0\tOrca\t0.5\n"
    )
    marks = read(tmp_path, text, "calls.txt")
    assert plain(marks) == [("B é.wav", 1.0, 2.0, "Orca")]
    assert marks.scores == (0.75,)
    assert marks.absent == {"C.wav": 1}
    assert not marks.failures


def test_audacity_labels_with_and_without_frequencies(tmp_path):
    text = "0.5\t1.5\tOrca 0.93\n\\\t500.0\t2000.0\n2\t3\tKiller Whale\n4\t5\tType 2\n"
    marks = read(tmp_path, text, "A.txt")
    assert plain(marks) == [
        ("A.wav", 0.5, 1.5, "Orca"),
        ("A.wav", 2, 3, "Killer Whale"),
        ("A.wav", 4, 5, "Type 2"),
    ]
    assert marks.scores == (0.93, None, None)
    assert marks.annotations[0].high_hz == 2000
    assert marks.annotations[1].low_hz is None


def test_crowsetta_reads_the_same_from_audacity_labels(tmp_path):
    crowsetta = pytest.importorskip("crowsetta")
    text = "0.5\t1.25\tOrca\n\\\t500.0\t2000.0\n2.0\t3.0\tFin\n\\\t10.0\t30.0\n"
    marks = read(tmp_path, text, "A.txt")
    boxes = crowsetta.formats.bbox.AudBBox.from_file(tmp_path / "A.txt").to_bbox()
    assert [
        (a.start_s, a.end_s, a.low_hz, a.high_hz, a.label) for a in marks.annotations
    ] == [(b.onset, b.offset, b.low_freq, b.high_freq, b.label) for b in boxes]


def test_an_empty_file_of_labels_is_a_recording_without_calls(tmp_path):
    marks = read(tmp_path, "", "A.txt")
    assert marks.annotations == ()
    assert not marks.absent


def test_labels_of_a_recording_that_is_not_there_are_named_not_an_error(tmp_path):
    (tmp_path / "A.txt").write_text("0\t1\tx\n")
    (tmp_path / "Z.txt").write_text("0\t1\tx\n")
    marks = read_marks([tmp_path], recordings=ONLY)
    assert len(marks.annotations) == 1
    assert marks.absent == {"Z.txt": 1}


def test_of_two_recordings_with_one_name_the_folder_decides(tmp_path):
    text = "file,start,end,label\n/mnt/x/other/A.wav,0,1,a\n"
    marks = read(tmp_path, text, recordings=RECORDINGS)
    assert marks.annotations[0].path == RECORDINGS[2]
    doubtful = read(
        tmp_path, "file,start,end,label\nA.wav,0,1,a\n", recordings=RECORDINGS
    )
    assert "is there 2 times" in doubtful.failures[0].reason


def test_bad_rows_are_left_out_with_their_reason(tmp_path):
    text = "file,start,end,label\nA,3,2,a\nA,x,2,a\nA,1,2,\n,1,2,a\nA,1,2,a\n"
    marks = read(tmp_path, text)
    assert len(marks.annotations) == 1
    reasons = " ".join(f.reason for f in marks.failures)
    for part in ("row 2: begins at 3", "row 3: start 'x'", "row 4: label", "row 5"):
        assert part in reasons


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("file,start,end\nA,1,2\n", "no column for the label"),
        ("start,end,label\n1,2,a\n", "no column for the recording"),
        ("file,label\nA,a\n", "no column for the start"),
    ],
)
def test_a_table_without_a_column_says_which(tmp_path, text, match):
    with pytest.raises(AnnotationError, match=match):
        read(tmp_path, text)


def test_what_is_not_there_is_one_line(tmp_path):
    with pytest.raises(AnnotationError, match="no such table"):
        read_marks([tmp_path / "no.csv"], recordings=ONLY)
    with pytest.raises(AnnotationError, match="holds no table"):
        read_marks([tmp_path], recordings=ONLY)


def test_parquet_is_read_too(tmp_path):
    frame = pandas.DataFrame(
        {"file": ["A.wav"], "start_s": [1.0], "end_s": [2.0], "label": ["Orca"]}
    )
    frame.to_parquet(tmp_path / "calls.parquet")
    marks = read_marks([tmp_path / "calls.parquet"], recordings=ONLY)
    assert plain(marks) == [("A.wav", 1.0, 2.0, "Orca")]


def test_a_text_that_is_no_label_file_is_none(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Deployed on Monday\n")
    assert not is_audacity(path)


@given(st.text(alphabet="abc ", min_size=1), st.floats(0, 1).map(lambda x: round(x, 4)))
def test_a_score_behind_any_label_comes_off_again(label, score):
    name = f"x{label}".strip()
    assert scored_label(f"{name} {score:.4f}") == (name, score)

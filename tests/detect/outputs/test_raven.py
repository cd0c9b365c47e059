"""Raven tables are right in both of Raven's readings, and other readers take them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from found import AWKWARD_NAMES, archives, detected, given, searched
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from sounds import noise, write_wav

from seacall.data.selections import is_selection_table, read_selections
from seacall.detect.outputs import write_outputs
from seacall.detect.outputs.raven import COLUMNS
from seacall.events import Annotation, Detection

crowsetta = pytest.importorskip("crowsetta")

QUICK = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
STANDARD = [
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
]


def write(out: Path, *found, folder: Path | None = Path("/data")) -> Path:
    write_outputs(out, given(found), formats=["raven"], folder=folder)
    return out / "detections.selections.txt"


def read(path: Path) -> pd.DataFrame:
    """Read it as people do: no options but the tab."""
    return pd.read_csv(path, sep="\t")


def test_the_header_has_the_standard_names_in_exact_case_first(tmp_path):
    # ANIMAL-SPOT writes "Begin time (s)", which PAMGuard does not find.
    path = write(tmp_path, (searched(), []))
    raw = path.read_bytes()
    assert raw.decode("ascii").split("\n")[0].split("\t")[:7] == STANDARD
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert raw.endswith(b"\n")
    assert b"\r" not in raw
    assert not raw.split(b"\n")[0].endswith(b"\t")


def test_a_run_without_any_detection_gives_tables_with_a_header(tmp_path):
    # BirdNET-Analyzer 452: "Columns must be same length as key".
    whole = write(
        tmp_path, (searched("/data/a.wav"), []), (searched("/data/b.wav"), [])
    )
    for path in (whole, tmp_path / "selections" / "a.wav.selections.txt"):
        assert path.read_text() == "\t".join(COLUMNS) + "\n"
        assert is_selection_table(path)
    assert write(tmp_path / "none").read_text() == "\t".join(COLUMNS) + "\n"


def test_times_of_a_sequence_count_recordings_without_detections(tmp_path):
    # BirdNET-Analyzer 452: a silent file in between shifted all that followed it to
    # 63 s; Raven shows it at 123 s.
    a, b, c = (searched(f"/data/{name}.wav") for name in "abc")
    table = read(
        write(tmp_path, (a, [detected(a, 3, 6)]), (b, []), (c, [detected(c, 3, 6)]))
    )
    assert table["Begin Time (s)"].tolist() == [3.0, 123.0]
    assert table["File Offset (s)"].tolist() == [3.0, 3.0]
    assert table["Begin File"].tolist() == ["a.wav", "c.wav"]
    assert table["Begin Path"].tolist() == ["/data/a.wav", "/data/c.wav"]
    own = read(tmp_path / "selections" / "c.wav.selections.txt")
    assert own["Begin Time (s)"].tolist() == [3.0]
    assert own["Selection"].tolist() == [1]


def test_what_cannot_be_opened_counts_nothing_and_has_no_table(tmp_path):
    bad = searched("/data/bad.wav", opened=False)
    empty = searched("/data/empty.wav", duration_s=0.0)
    last = searched("/data/last.wav")
    cut = searched("/data/cut.wav", heard=((0.0, 20.0),), failure="truncated at 20 s")
    table = read(
        write(tmp_path, (bad, []), (empty, []), (cut, []), (last, [detected(last)]))
    )
    assert table["Begin Time (s)"].tolist() == [65.0]
    names = {path.name for path in (tmp_path / "selections").iterdir()}
    assert names == {f"{n}.wav.selections.txt" for n in ("empty", "last", "cut")}


def test_recordings_that_were_not_heard_have_no_table_that_says_nothing_found(tmp_path):
    one = searched("/data/a.wav", heard=(), failure="unreadable from the first block")
    write(tmp_path, (one, []))
    assert list((tmp_path / "selections").iterdir()) == []


def test_selections_and_channels_count_from_one(tmp_path):
    # acodet 36: Selection 0 is not imported.
    one = searched()
    rows = [detected(one, 1, 2, channel=0), detected(one, 3, 4, channel=2)]
    table = read(write(tmp_path, (one, rows)))
    assert table["Selection"].tolist() == [1, 2]
    assert table["Channel"].tolist() == [1, 2]
    assert set(table["View"]) == {"Spectrogram 1"}


def test_times_do_not_drift_and_have_no_stray_decimals(tmp_path):
    # BirdNET-Analyzer 384: 606.7000000000694, from adding up 0.1.
    one = searched(duration_s=1_000)
    start_s = 0.0
    for _ in range(6_067):
        start_s += 0.1
    path = write(tmp_path, (one, [detected(one, start_s, start_s + 5)]))
    assert start_s != 606.7
    assert "\t606.700000\t611.700000\t" in path.read_text()


def test_hundreds_of_recordings_of_awkward_length_add_up_exactly(tmp_path):
    lengths = [
        searched(f"/d/{n}.wav", duration_s=1_001 / 44_100, sample_rate=44_100)
        for n in range(500)
    ]
    last = searched("/d/z.wav")
    found = [*((one, []) for one in lengths), (last, [detected(last, 0.0, 1.0)])]
    table = read(write(tmp_path, *found))
    exact = Fraction(500 * 1_001, 44_100)
    assert abs(Fraction(str(table["Begin Time (s)"][0])) - exact) <= Fraction(
        1, 1_000_000
    )
    assert Fraction(str(table["Begin Time (s)"][0])) >= exact


def test_no_frequency_lies_above_half_the_sample_rate(tmp_path):
    # batdetect2 22 and BirdNET-Analyzer 182.
    one = searched(sample_rate=22_050)
    rows = [
        detected(one, 1, 2, high_hz=12_000.0),
        detected(one, 3, 4, low_hz=11_500.0, high_hz=12_000.0),
        detected(one, 5, 6, low_hz=float("nan"), high_hz=float("inf")),
        detected(one, 7, 8, low_hz=-5.0, high_hz=100.0),
    ]
    table = read(write(tmp_path, (one, rows)))
    assert table["High Freq (Hz)"].tolist() == [11_025.0, 11_025.0, 11_025.0, 100.0]
    assert (table["Low Freq (Hz)"] >= 0).all()
    assert (table["Low Freq (Hz)"] <= table["High Freq (Hz)"]).all()


def test_the_score_is_kept_with_all_its_digits(tmp_path):
    # baw-server 846: without it no threshold can be chosen after review. Koogu: two
    # digits are too few.
    one = searched()
    path = write(tmp_path, (one, [detected(one, score=0.987654)]))
    assert read(path)["Score"].tolist() == [0.987654]


def test_path_and_offset_are_there(tmp_path):
    # DeepSqueak 133.
    one = searched("sub/a.wav")
    table = read(write(tmp_path, (one, [detected(one, 5.5, 6)]), folder=None))
    assert table["Begin Path"].tolist() == [str(Path.cwd() / "sub" / "a.wav")]
    assert table["File Offset (s)"].tolist() == [5.5]


def test_no_cell_is_empty_even_where_nothing_is_known(tmp_path):
    # PAMGuard loses the columns behind an empty cell at the end of a row.
    one = searched(start=None)
    bare = detected(one, snr_db=None, level_db=float("-inf"), label=" ", level_unit="")
    lines = write(tmp_path, (one, [bare])).read_text().splitlines()
    cells = lines[1].split("\t")
    assert len(cells) == len(COLUMNS)
    assert all(cell.strip() for cell in cells)
    table = read(tmp_path / "detections.selections.txt")
    assert table[["SNR (dB)", "Level (dB)", "Begin Date Time"]].isna().all().all()


def test_the_date_is_that_of_the_detection_not_of_the_file(tmp_path):
    one = searched()
    path = write(tmp_path, (one, [detected(one, 5.25, 6.0)]))
    assert read(path)["Begin Date Time"].tolist() == ["2019/05/01 12:00:05.250"]


@pytest.mark.parametrize("name", AWKWARD_NAMES, ids=repr)
def test_awkward_names_break_no_table(tmp_path, name):
    one, after = searched(f"/data/{name}"), searched("/data/z.wav")
    path = write(tmp_path, (one, [detected(one)] * 2), (after, [detected(after)]))
    table = read(path)
    assert table["Begin Time (s)"].tolist() == [5.0, 5.0, 65.0]
    assert table["Begin File"].tolist()[2] == "z.wav"
    assert len(list((tmp_path / "selections").iterdir())) == 2


def test_files_of_one_name_in_different_folders_keep_their_tables(tmp_path):
    names = ["a/x.wav", "b/x.wav", "b/x.flac", "b/x%2Ewav", "a_x.wav"]
    found = [
        (one, [detected(one, n, n + 0.5)])
        for n, one in enumerate(searched(f"/data/{name}") for name in names)
    ]
    write(tmp_path, *found, folder=None)
    own = sorted((tmp_path / "selections").rglob("*.selections.txt"))
    begins = sorted(read(path)["Begin Time (s)"][0] for path in own)
    assert begins == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert (tmp_path / "selections" / "a" / "x.wav.selections.txt").is_file()


def test_a_name_as_long_as_the_file_system_takes_has_its_table(tmp_path):
    names = ["é" * 125 + end for end in ("1.wav", "2.wav")]
    found = [(one, [detected(one)]) for one in (searched(f"/data/{n}") for n in names)]
    write(tmp_path, *found)
    assert len(list((tmp_path / "selections").iterdir())) == 2


def test_a_name_that_is_not_utf_8_leaves_the_table_readable(tmp_path):
    one = searched("/data/caf\udce9.wav")
    table = read(write(tmp_path, (one, [detected(one)])))
    assert table["Begin Time (s)"].tolist() == [5.0]


def test_addresses_of_remote_recordings_stay_as_they_are(tmp_path):
    one = searched("/data/a.wav")

    class Remote(type(one.path)):
        def __str__(self) -> str:
            return "s3://bucket/site/a.wav"

    far = type(one)(Remote("a.wav"), one.recording, one.segments, one.heard)
    table = read(write(tmp_path, (far, [detected(far)]), folder=None))
    assert table["Begin Path"].tolist() == ["s3://bucket/site/a.wav"]
    assert (tmp_path / "selections" / "a.wav.selections.txt").is_file()


@pytest.mark.filterwarnings("ignore")  # of the other reader
@drawn(found=archives())
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_crowsetta_reads_what_was_detected(tmp_path, found):
    path = write(tmp_path, *found)
    rows = [(s, d) for s, ds in found for d in order(ds)]
    if not rows:
        with pytest.raises(ValueError, match="no rows"):
            crowsetta.formats.bbox.Raven.from_file(path, annot_col="Species")
        return
    boxes = crowsetta.formats.bbox.Raven.from_file(path, annot_col="Species").to_bbox()
    starts = begins(found)
    for box, (one, detection) in zip(boxes, rows, strict=True):
        begin, end = starts[one.path]
        assert box.onset == pytest.approx(float(begin) + detection.start_s, abs=2e-6)
        assert box.offset == pytest.approx(float(begin) + detection.end_s, abs=2e-6)
        assert begin - Fraction(1, 10**9) <= Fraction(str(box.onset))
        assert Fraction(str(box.offset)) <= end + Fraction(1, 10**9)
        assert box.high_freq <= one.recording.sample_rate / 2
        assert box.low_freq == pytest.approx(detection.low_hz, abs=6e-4)
        assert box.label == detection.label


def order(detections: list[Detection]) -> list[Detection]:
    return sorted(detections, key=lambda d: (d.start_s, d.end_s, d.label, d.channel))


def begins(found) -> dict[Path, tuple[Fraction, Fraction]]:
    """Return where each recording begins and ends in the sequence, s."""
    at, places = Fraction(0), {}
    for one, _ in found:
        length = Fraction(0)
        if one.recording is not None:
            length = Fraction(one.recording.n_samples, one.recording.sample_rate)
        places[one.path] = (at, at + length)
        at += length
    return places


@drawn(found=archives())
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_our_own_reader_gives_the_same_events_back(tmp_path, found):
    whole = write(tmp_path, *found)
    paths = [one.path for one, _ in found]
    expected = [as_annotation(d) for _, ds in found for d in order(ds)]
    assert same(read_selections(whole, recordings=paths).annotations, expected)
    for one, detections in found:
        own = tmp_path / "selections" / f"{one.path.name}.selections.txt"
        if one.recording is not None and detections:
            back = read_selections(own, recordings=paths).annotations
            assert same(back, [as_annotation(d) for d in order(detections)])


def as_annotation(d: Detection) -> Annotation:
    return Annotation(
        d.path, d.start_s, d.end_s, d.label, d.low_hz, d.high_hz, d.channel
    )


def same(back, expected: list[Annotation]) -> bool:
    # Shorter than a microsecond is no stretch for the reader.
    expected = [e for e in expected if e.end_s - e.start_s > 2e-6]
    assert [(a.path, a.label, a.channel) for a in back] == [
        (a.path, a.label, a.channel) for a in expected
    ]
    for a, b in zip(back, expected, strict=True):
        assert a.start_s == pytest.approx(b.start_s, abs=2e-6)
        assert a.end_s == pytest.approx(b.end_s, abs=3e-6)
        assert a.low_hz == pytest.approx(b.low_hz, abs=6e-4)
    return True


def test_the_table_of_a_real_file_leads_raven_to_the_same_samples(tmp_path):
    """Both readings point at the marked burst: by sequence time, by path and offset."""
    import soundfile

    paths = []
    for name, seconds in (("a", 1.0), ("b", 0.7), ("c", 2.0)):
        y = noise(duration_s=seconds, sample_rate=8_000) * 0.01
        if name == "c":
            y[8_000:12_000] = 0.9
        paths.append(write_wav(tmp_path / f"{name}.wav", y, 8_000))
    found = [
        (
            one,
            [detected(one, 1.0, 1.5, high_hz=3_000.0)] if one.path.stem == "c" else [],
        )
        for one in (
            searched(p, duration_s=soundfile.info(p).duration, sample_rate=8_000)
            for p in paths
        )
    ]
    row = read(write(tmp_path / "out", *found, folder=tmp_path)).iloc[0]
    joined = [sample for p in paths for sample in soundfile.read(p)[0]]
    first = round(row["Begin Time (s)"] * 8_000)
    last = round(row["End Time (s)"] * 8_000)
    assert min(joined[first:last]) > 0.8
    assert max(joined[first - 100 : first]) < 0.5
    own, _ = soundfile.read(row["Begin Path"])
    offset = round(row["File Offset (s)"] * 8_000)
    assert own[offset : offset + last - first].tolist() == joined[first:last]

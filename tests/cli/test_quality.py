"""The command evaluate --detections, end to end."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tiny
from sounds import noise, silence, tone, write_wav

RATE = 16_000
LABEL = tiny.LABELS[0]
BOTH = ["--detections", "FOUND", "--annotations", "MARKS"]


@pytest.fixture
def recordings(tmp_path) -> Path:
    """Three recordings of 20 s; one file that is none."""
    folder = tmp_path / "my recordings"
    for k in range(3):
        y = np.tile(noise(sample_rate=RATE, duration_s=5.0, sigma=0.02, seed=k), 4)
        y[4 * RATE : 6 * RATE] += tone(3_600, sample_rate=RATE, duration_s=2.0)
        write_wav(folder / f"r{k}.wav", y, RATE)
    (folder / "bad.wav").write_bytes(b"no sound")
    return folder


def table(path: Path, rows, *, header="file,start_s,end_s,label,score") -> Path:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def marks(folder: Path) -> Path:
    rows = [(f"r{k}.wav", 4, 6, LABEL, "") for k in range(3)]
    return table(folder / "marks.csv", rows)


def test_a_run_is_compared_with_annotations(seacall, tiny_model, recordings, tmp_path):
    run, out = tmp_path / "run", tmp_path / "report"
    ended = seacall(
        *("detect", recordings, "-m", tiny_model, "-o", run),
        *("--threshold", "0.2", "--workers", "1"),
    )
    assert ended.code == 3, ended.err
    for options in ([], ["--window", "2"], ["--threshold", "0.5"]):
        ended = seacall(
            *("evaluate", "--detections", run, "--annotations", marks(tmp_path)),
            *("-o", out, "--json", *options),
        )
        assert ended.code == 3, ended.err  # bad.wav was left out, and is named
        assert "bad.wav" in ended.err
        values = json.loads(ended.out)
        one = values["classes"][LABEL]
        assert one["n_annotations"] == 3
        assert one["n_hits"] + one["n_missed"] == 3
        assert values["heard_h"] == pytest.approx(60 / 3600, abs=1e-6)
        assert one["free_h"] == pytest.approx(54 / 3600, rel=1e-4)
        assert (out / "report.html").is_file()
    with (out / "det.csv").open(encoding="utf-8") as file:
        assert [row for row in csv.DictReader(file) if row["label"] == LABEL]


@pytest.mark.parametrize("kind", ["csv", "raven", "audacity"])
def test_a_table_of_another_program_is_compared(seacall, recordings, tmp_path, kind):
    found = tmp_path / "found"
    found.mkdir()
    if kind == "csv":
        rows = [("r0.wav", 4, 6, LABEL, 0.9), ("r1.wav", 10, 12, LABEL, 0.8)]
        table(found / "found.csv", rows)
    elif kind == "raven":
        header = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\tScore\n"
        text = header + f"1\t4.0\t6.0\t{LABEL}\t0.9\n"
        (found / "r0.selections.txt").write_text(text, encoding="utf-8")
        text = header + f"1\t10.0\t12.0\t{LABEL}\t0.8\n"
        (found / "r1.selections.txt").write_text(text, encoding="utf-8")
    else:
        (found / "r0.txt").write_text(f"4\t6\t{LABEL} 0.90\n", encoding="utf-8")
        (found / "r1.txt").write_text(f"10\t12\t{LABEL} 0.80\n", encoding="utf-8")
    ended = seacall(
        *("evaluate", recordings, "--detections", found),
        *("--annotations", marks(tmp_path), "-o", tmp_path / "out", "--json"),
    )
    assert ended.code == 3, ended.err
    one = json.loads(ended.out)["classes"][LABEL]
    assert (one["n_hits"], one["n_false_alarms"], one["n_missed"]) == (1, 1, 2)
    assert one["figures"]["false_alarms_per_hour"]["value"] == pytest.approx(3600 / 54)
    assert one["at_rates"]["10"]["threshold"] == 0.9


def test_other_names_recordings_never_heard_and_noise(seacall, recordings, tmp_path):
    (recordings / "bad.wav").unlink()
    found = table(tmp_path / "found.csv", [("r0.wav", 4, 6, "Orca", 0.9)])
    rows = [
        ("r0.wav", 4, 6, "killer whale", ""),
        ("r0.wav", 8, 10, "noise", ""),
        ("elsewhere.wav", 1, 2, "killer whale", ""),
    ]
    annotations = table(tmp_path / "marks.csv", rows)
    ended = seacall(
        *("evaluate", recordings, "--detections", found, "--annotations", annotations),
        *("--map", "Killer Whale=Orca", "--only-annotated", "-o", tmp_path / "out"),
    )
    assert ended.code == 0, ended.err
    assert "elsewhere.wav (1)" in ended.out
    assert "Orca (0.900)" in ended.out
    values = json.loads((tmp_path / "out" / "figures.json").read_text("utf-8"))
    assert values["counted_h"] == pytest.approx(4 / 3600, abs=1e-6)
    assert values["classes"]["Orca"]["n_hits"] == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (BOTH, "give the folder of its"),
        (["REC", "--detections", "FOUND"], "give --annotations"),
        (["REC", "--detections", "NO", "--annotations", "MARKS"], "no such table"),
        (["REC", "--detections", "FOUND", "--annotations", "NO"], "no such table"),
        (["REC", "--annotations", "MARKS"], "belong to --detections"),
        (["REC", "--window", "3"], "belong to --detections"),
        (
            ["REC", *BOTH, "--map", "x"],
            "need LABEL=NAME",
        ),
        (["REC", *BOTH, "--iou", "0.5", "--window", "3"], "exclude each other"),
        (
            ["REC", "--detections", "FOUND", "--annotations", "OTHER"],
            "not one is the same",
        ),
        (
            [*BOTH, "--protocol", "folds"],
            "exclude each other",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    seacall, recordings, tmp_path, options, match
):
    paths = {
        "REC": recordings,
        "FOUND": table(tmp_path / "found.csv", [("r0", 4, 6, LABEL, 0.9)]),
        "MARKS": marks(tmp_path),
        "OTHER": table(tmp_path / "other.csv", [("r0", 4, 6, "Walrus", "")]),
        "NO": tmp_path / "none.csv",
    }
    words = [paths.get(option, option) for option in options]
    ended = seacall("evaluate", *words, "-o", tmp_path / "out")
    assert ended.code == 1
    assert match in ended.error


def test_a_detection_in_a_recording_that_is_not_there_is_an_error(
    seacall, recordings, tmp_path
):
    found = table(tmp_path / "found.csv", [("else.wav", 4, 6, LABEL, 0.9)])
    ended = seacall(
        *("evaluate", recordings, "--detections", found),
        *("--annotations", marks(tmp_path), "-o", tmp_path / "out"),
    )
    assert ended.code == 1
    assert "else.wav" in ended.error


def test_silence_is_listened_to_as_well(seacall, tmp_path):
    write_wav(
        tmp_path / "rec" / "a.wav", silence(sample_rate=RATE, duration_s=9.0), RATE
    )
    found = table(tmp_path / "found.csv", [])
    annotations = table(tmp_path / "marks.csv", [("a", 1, 2, LABEL, "")])
    ended = seacall(
        *("evaluate", tmp_path / "rec", "--detections", found, "--json"),
        *("--annotations", annotations, "-o", tmp_path / "out"),
    )
    assert ended.code == 0, ended.err
    one = json.loads(ended.out)["classes"][LABEL]
    assert one["figures"]["recall"]["value"] == 0
    assert one["at_rates"]["1"]["note"] == "nothing was detected"

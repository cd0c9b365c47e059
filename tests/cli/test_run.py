"""The commands that use a model: detect and evaluate."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import programs
import pytest
import tiny
from sounds import noise, write_wav

RATE = 16_000


def record(path: Path, *, duration_s: float = 1.5, seed: int = 0) -> Path:
    y = noise(sample_rate=RATE, duration_s=duration_s, seed=seed)
    return write_wav(path, y, RATE)


def test_detect_prints_a_table_and_nothing_else(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "a b é.wav")
    ended = seacall("detect", path, "-m", tiny_model)
    assert ended.code == 0
    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [row["file"] for row in rows] == [str(path)] * 2
    assert ended.out.count("\n") == 3


def test_detect_writes_a_table_and_says_where(seacall, tiny_model, tmp_path):
    ended = seacall(
        "detect", record(tmp_path / "a.wav"), "-m", tiny_model, "-o", tmp_path / "o.csv"
    )
    assert ended.code == 0
    assert "1 recordings, 2 clips" in ended.out
    assert f"table: {tmp_path / 'o.csv'}" in ended.out
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("to_file", [True, False])
def test_detect_prints_json_and_nothing_else(seacall, tiny_model, tmp_path, to_file):
    path = record(tmp_path / "Béluga.wav")
    out = ["-o", tmp_path / "o.csv"] if to_file else []
    ended = seacall("detect", path, "-m", tiny_model, "--json", *out)
    values = json.loads(ended.out)
    assert values["n_clips"] == 2
    assert ("clips" in values) is not to_file
    assert (tmp_path / "o.csv").exists() is to_file
    if not to_file:
        assert [clip["start_s"] for clip in values["clips"]] == [0, 1]
        assert values["clips"][0]["file"] == str(path)
        assert list(values["clips"][0]["scores"]) == list(tiny.LABELS)


def test_bad_files_end_with_3_and_are_listed(seacall, tiny_model, tmp_path):
    good = record(tmp_path / "in" / "good.wav")
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    (tmp_path / "in" / "two\nlines.wav").write_bytes(b"")
    ended = seacall(
        "detect", tmp_path / "in", "-m", tiny_model, "-o", tmp_path / "o.csv"
    )
    assert ended.code == 3
    lines = ended.err.splitlines()
    assert "2 left out:" in lines[-3]
    assert "bad.wav" in lines[-2]
    assert "two lines.wav" in lines[-1]
    assert (tmp_path / "o.csv").read_text().count(str(good)) == 2


def test_quiet_says_nothing_but_the_result(seacall, tiny_model, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    ended = seacall(
        *("detect", tmp_path, "-m", tiny_model, "-o", tmp_path / "o.csv", "--quiet")
    )
    assert ended.code == 3
    assert ended.err == ""


def test_a_model_that_is_none_is_one_line(seacall, tmp_path):
    path = record(tmp_path / "a.wav")
    ended = seacall("detect", path, "-m", tmp_path, "-o", tmp_path / "o.csv")
    assert ended.code == 1
    assert "is no model folder" in ended.error
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(("hop", "code"), [("0", 2), ("nan", 2), ("inf", 1)])
def test_an_impossible_hop_is_refused(seacall, tiny_model, tmp_path, hop, code):
    path = record(tmp_path / "a.wav")
    assert seacall("detect", path, "-m", tiny_model, "--hop", hop).code == code


def test_a_name_that_is_no_text_comes_out_as_its_bytes(tiny_model, tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    record(tmp_path / "x.wav").rename(tmp_path / name)
    done = programs.run("-m", "seacall", "detect", tmp_path, "-m", tiny_model)
    assert done.code == 0, done.err
    assert name in done.out
    done = programs.run("-m", "seacall", "detect", tmp_path, "-m", tiny_model, "--json")
    assert json.loads(done.out)["clips"][0]["file"].endswith(name)


def test_a_reader_that_stops_early_is_no_error_of_ours(tiny_model, tmp_path):
    for k in range(3):
        record(tmp_path / f"{k}.wav", seed=k)
    process = programs.start("-m", "seacall", "detect", tmp_path, "-m", tiny_model)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert err == ""


def test_without_a_model_the_one_in_the_package_answers(seacall, tmp_path):
    ended = seacall("detect", record(tmp_path / "a.wav", duration_s=6.0))
    assert ended.code == 0
    (first, second) = csv.DictReader(ended.out.splitlines())
    assert set(first) > {"answer", "fallback", "reason"}
    assert float(second["start_s"]) == 5.0


def test_info_without_a_folder_describes_the_model_in_the_package(seacall):
    ended = seacall("info")
    assert ended.code == 0
    assert "trained on" in ended.out
    values = json.loads(seacall("info", "--json").out)
    assert values["card"]["data"]
    assert values["card"]["limits"]


def test_thresholds_on_the_command_line_win_over_the_cards(
    seacall, tiny_model, tmp_path
):
    path = record(tmp_path / "a.wav")
    low = seacall("detect", path, "-m", tiny_model, "--json", "--threshold", "0")
    best = {clip["answer"] for clip in json.loads(low.out)["clips"]}
    assert len(best) == 1
    (label,) = best - {"unknown"}
    high = seacall(
        *("detect", path, "-m", tiny_model, "--json", "--threshold", "0"),
        *("--threshold", f"{label}=1"),
    )
    clips = json.loads(high.out)["clips"]
    assert {clip["answer"] for clip in clips} == {"unknown"}
    assert clips[0]["reason"] == f"{label} needs a score of 1.00"
    ended = seacall("detect", path, "-m", tiny_model, "--threshold", "Yeti=0.5")
    assert ended.code == 1
    assert "no class 'Yeti'" in ended.error


def test_a_channel_can_be_chosen(seacall, tiny_model, tmp_path):
    y = np.zeros((RATE, 2))
    y[:, 1] = noise(sample_rate=RATE, duration_s=1.0)
    path = write_wav(tmp_path / "two.wav", y, RATE)

    def reasons(*options: object) -> list[str]:
        ended = seacall("detect", path, "-m", tiny_model, "--json", *options)
        return [clip["reason"] for clip in json.loads(ended.out)["clips"]]

    assert reasons("--channel", "1") == ["silence"]
    assert reasons("--channel", "2") != ["silence"]
    ended = seacall("detect", path, "-m", tiny_model, "--channel", "3")
    assert ended.code == 3
    assert "has no channel 3" in ended.err


# ------------------------------------------------------------------ evaluate


def test_evaluate_prints_the_figures_and_writes_the_report(
    seacall, tiny_student, tiny_dataset, tmp_path
):
    ended = seacall("evaluate", tiny_student, tiny_dataset, "-o", tmp_path / "out")
    assert ended.code == 0
    assert "6 test recordings of" in ended.out
    for system in ("model", "deployment look-up", "sample rate alone"):
        assert system in ended.out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "confusion.png",
        "metrics.json",
        "misclassified_samples.xlsx",
        "predictions.csv",
        "report.html",
    } <= names


def test_evaluate_prints_json_and_nothing_else(
    seacall, tiny_student, tiny_dataset, tmp_path
):
    ended = seacall(
        *("evaluate", tiny_student, tiny_dataset, "-o", tmp_path / "out"),
        *("--json", "--split", "val", "--threshold", "0.1"),
    )
    values = json.loads(ended.out)
    assert values["split"] == "val"
    assert values["threshold"] == 0.1
    assert values["leaky"] is False


def test_evaluate_measures_sounds_that_are_no_species(
    seacall, tiny_student, tiny_dataset, tmp_path
):
    y = noise(sample_rate=RATE, duration_s=2.0)
    write_wav(tmp_path / "kinds" / "rain" / "a.wav", y, RATE)
    given = ("evaluate", tiny_student, tiny_dataset, "-o", tmp_path / "out")
    ended = seacall(*given, "--unknown", tmp_path / "kinds")
    assert ended.code == 0, ended.err
    assert "AUROC against" in ended.out
    written = json.loads((tmp_path / "out" / "unknown.json").read_text())
    assert written["rain"]["n_clips"] == 2
    assert written["simulated silence"]["as_shipped"]["auroc"] == 1.0
    assert written["simulated silence"]["share_unknown"] == 1.0
    values = json.loads(seacall(*given, "--simulated-unknown", "--json").out)
    assert "rain" not in values["unknown"]
    assert "simulated hum" in values["unknown"]
    ended = seacall(*given, "--protocol", "random", "--simulated-unknown")
    assert "leave out --protocol" in ended.error


def test_an_unknown_split_lists_those_that_exist(
    seacall, tiny_student, tiny_dataset, tmp_path
):
    ended = seacall(
        *("evaluate", tiny_student, tiny_dataset, "-o", tmp_path / "out"),
        *("--split", "dev"),
    )
    assert ended.code in {1, 2}
    assert "test, val" in ended.err

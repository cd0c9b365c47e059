"""The command that uses a model on a split: evaluate."""

from __future__ import annotations

import json

from sounds import noise, write_wav

RATE = 16_000


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

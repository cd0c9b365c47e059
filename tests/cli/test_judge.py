"""The command calibrate, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
from sounds import noise, write_wav

from seacall.models.checkpoint import read_card


def logits_file(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["species_name,deployment," + ",".join(f"logit_{x}" for x in tiny.LABELS)]
    for k in range(200):
        logits = rng.normal(0, 1, 4)
        target = k % 3
        logits[target] += 2
        values = ",".join(f"{value:.5f}" for value in 4 * logits)
        rows.append(f"{tiny.LABELS[target]},d{k % 5},{values}")
    path = folder / "logits.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_logits_of_a_protocol_make_a_calibrated_model(seacall, tiny_model, tmp_path):
    out = tmp_path / "new"
    ended = seacall(
        *("calibrate", tiny_model, "--predictions", logits_file(tmp_path)),
        *("--target-precision", "0.8", "-o", out),
    )
    assert ended.code == 0, ended.err
    assert "200 clips of 5 deployments" in ended.out
    card = read_card(out)
    assert card.target_precision == 0.8
    assert card.calibration.error_after < card.calibration.error_before
    assert f"report: {out / 'calibration.html'}" in ended.out
    info = seacall("info", out)
    assert "for a precision of 0.8" in info.out
    path = write_wav(tmp_path / "a.wav", noise(sample_rate=16_000), 16_000)
    assert seacall("detect", path, "-m", out).code == 0


def test_clips_of_a_dataset_and_kinds_of_sound_in_folders(
    seacall, tiny_student, tiny_dataset, tmp_path
):
    y = noise(sample_rate=16_000, duration_s=3.0)
    write_wav(tmp_path / "kinds" / "rain" / "a.wav", y, 16_000)
    (tmp_path / "kinds" / "rain" / "bad.wav").write_bytes(b"no sound")
    ended = seacall(
        *("calibrate", tiny_student, "--data", tiny_dataset, "-o", tmp_path / "new"),
        *("--unknown", tmp_path / "kinds", "--json"),
    )
    assert ended.code == 3
    assert "bad.wav" in ended.err
    values = json.loads(ended.out)
    assert {"rain", "simulated silence", "simulated ship"} <= set(values["unknown"])
    assert values["unknown"]["rain"]["n_clips"] == 3
    card = read_card(tmp_path / "new")
    assert card.unknown.lowest_event_db is not None
    assert "6 clips of" in card.calibration.fitted_on


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ([], "give either --data"),
        (["--data", "x", "--predictions", "y"], "give either --data"),
        (["--predictions", "none.csv"], "cannot be read as logits"),
        (["--predictions", "y", "--method", "magic"], "choose one of: auto, none"),
        (["--data", "x", "--split", "dev"], "choose val, test or train"),
    ],
)
def test_what_cannot_be_done_is_one_line(seacall, tiny_model, tmp_path, options, match):
    ended = seacall("calibrate", tiny_model, "-o", tmp_path / "new", *options)
    assert ended.code == 1
    assert match in ended.error
    assert not (tmp_path / "new").exists()


def test_the_clips_that_were_trained_on_are_refused(
    seacall, tiny_student, tiny_dataset, tmp_path
):
    ended = seacall(
        *("calibrate", tiny_student, "--data", tiny_dataset, "--split", "train"),
        *("-o", tmp_path / "new"),
    )
    assert ended.code == 1
    assert "is what the model learned from" in ended.error


def noise_folder(folder: Path) -> Path:
    for k in range(4):
        y = noise(sample_rate=16_000, duration_s=6.0, sigma=0.05, seed=k)
        write_wav(folder / f"n{k}.wav", y, 16_000)
    return folder


def test_thresholds_are_set_for_a_false_alarm_rate(seacall, tiny_model, tmp_path):
    out = tmp_path / "new"
    arguments = (
        *("calibrate", tiny_model, "--false-alarms-per-hour", "0.5", "-o", out),
        *("--noise", noise_folder(tmp_path / "noise"), "--json"),
    )
    ended = seacall(*arguments)
    assert ended.code == 0, ended.err
    values = json.loads(ended.out)
    card = read_card(out)
    assert set(card.thresholds) == set(tiny.LABELS[:-1])
    assert card.false_alarms.target_per_hour == 0.5
    assert len(card.false_alarms.recordings) == 2
    assert all(one["n_set"] == 0 for one in values["classes"].values())
    assert "too few to show the rate" in " ".join(values["remarks"])
    assert "0.5 false alarms per hour" in seacall("info", out).out
    # The same again, from the scores that are kept, and used by detect.
    assert json.loads(seacall(*arguments).out)["classes"] == values["classes"]
    run = tmp_path / "run"
    ended = seacall("detect", tmp_path / "noise", "-m", out, "-o", run, "--workers", 1)
    assert ended.code == 0, ended.err
    again = seacall(
        *("calibrate", out, "--false-alarms-per-hour", "5", "--noise", run),
        *("-o", tmp_path / "newer"),
    )
    assert again.code == 0, again.err
    assert "5 false alarms per hour" in again.out


def test_annotated_recordings_and_deployments_set_thresholds_too(
    seacall, tiny_model, tmp_path
):
    folder = noise_folder(tmp_path / "sea")
    marks = tmp_path / "marks.csv"
    rows = [f"n{k}.wav,1,2,{tiny.LABELS[0]}" for k in range(4)]
    text = "\n".join(["file,start_s,end_s,label", *rows, "gone.wav,1,2,x"])
    marks.write_text(text, encoding="utf-8")
    table = tmp_path / "deployments.csv"
    rows = [f"sea/n{k}.wav,d{k % 2}" for k in range(4)]
    table.write_text("\n".join(["file_name,deployment", *rows]), encoding="utf-8")
    ended = seacall(
        *("calibrate", tiny_model, "--false-alarms-per-hour", "1", "--data", folder),
        *("--annotations", marks, "--deployments", table, "-o", tmp_path / "new"),
    )
    assert ended.code == 3
    assert "gone.wav" in ended.err
    assert "2 recordings of 1 deployment, " in ended.out
    assert "of 2 calls found" in ended.out
    assert "their thresholds stay as they were" in ended.out


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--false-alarms-per-hour", "1"], "give --noise"),
        (["--false-alarms-per-hour", "1", "--data", "SEA"], "belong together"),
        (["--false-alarms-per-hour", "1", "--noise", "ONE"], "at least two"),
        (
            ["--false-alarms-per-hour", "1", "--noise", "SEA", "--predictions", "x"],
            "sets thresholds alone",
        ),
        (["--noise", "SEA"], "belong to"),
        (
            ["--false-alarms-per-hour", "1", "--noise", "SEA", "--deployments", "BAD"],
            "needs the columns file_name and deployment",
        ),
    ],
)
def test_a_false_alarm_rate_that_cannot_be_set_is_one_line(
    seacall, tiny_model, tmp_path, options, match
):
    one = noise_folder(tmp_path / "sea") / "n0.wav"
    write_wav(tmp_path / "one" / "a.wav", noise(sample_rate=16_000), 16_000)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    paths = {
        "SEA": one.parent,
        "ONE": tmp_path / "one",
        "BAD": tmp_path / "bad.csv",
    }
    words = [paths.get(option, option) for option in options]
    ended = seacall("calibrate", tiny_model, "-o", tmp_path / "new", *words)
    assert ended.code == 1
    assert match in ended.error

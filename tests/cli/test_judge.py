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

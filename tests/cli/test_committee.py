"""The command committee, end to end: built, calibrated, run, measured, distilled."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tiny
import torch
from sounds import tone, write_wav

from seacall.learn.ensemble import load_teachers
from seacall.models.checkpoint import read_card
from seacall.models.network import build_network, save_model
from seacall.models.unknown import disagreement


def write_student(folder, seed):
    """A student that knows nothing, without an ONNX file."""
    torch.manual_seed(seed)
    save_model(build_network("AudioTransformerStudent", 4).eval(), folder, tiny.card())
    return folder


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    root = tmp_path_factory.mktemp("students")
    return [write_student(root / str(seed), seed) for seed in range(3)]


def test_models_become_one_that_detects_and_says_what_it_is(
    seacall, students, tmp_path
):
    out = tmp_path / "committee"
    ended = seacall("committee", *students, "-o", out)
    assert ended.code == 0, ended.err
    assert "not calibrated" in ended.out
    info = seacall("info", out)
    assert "member-3: AudioTransformerStudent" in info.out
    path = write_wav(tmp_path / "a.wav", tone(5_000.0, duration_s=3.0), 16_000)
    ended = seacall("detect", path, "-m", out, "--json")
    assert ended.code == 0, ended.err


def test_a_dataset_calibrates_it_and_limits_disagreement(
    seacall, students, tiny_dataset, tmp_path
):
    out = tmp_path / "committee"
    ended = seacall(
        *("committee", *students, "-o", out, "--data", tiny_dataset),
        *("--known-recall", "0.8", "--json"),
    )
    assert ended.code == 0, ended.err
    values = json.loads(ended.out)
    card = read_card(out)
    assert card.calibration.method != "none"
    assert card.calibration.fitted_on.startswith("6 clips")
    assert values["card"]["unknown"] == card.unknown.model_dump(mode="json")
    limit = card.unknown.most_disagreement
    assert limit > 0
    assert "members apart by more than" in seacall("info", out).out
    # The limit keeps what it was told to: 5 of 6 clips are at least 80 %.
    ended = seacall("evaluate", out, tiny_dataset, "-o", tmp_path / "e", "--split=val")
    assert ended.code == 0, ended.err
    text = (tmp_path / "e" / "predictions.csv").read_text(encoding="utf-8")
    scores = [row.split(",")[-1] for row in text.splitlines()[1:]]
    assert sum(float(score) == 1.0 for score in scores) == 1
    assert (tmp_path / "e" / "embedding_map.html").is_file()


def test_calibrating_it_again_keeps_its_members(
    seacall, students, tiny_dataset, tmp_path
):
    seacall("committee", *students, "-o", tmp_path / "one")
    ended = seacall(
        *("calibrate", tmp_path / "one", "--data", tiny_dataset),
        *("-o", tmp_path / "two"),
    )
    assert ended.code == 0, ended.err
    first, second = read_card(tmp_path / "one"), read_card(tmp_path / "two")
    assert (first.files, first.members) == (second.files, second.members)
    assert second.unknown.most_disagreement is not None


def test_a_committee_teaches_as_its_members_do_together(seacall, students, tmp_path):
    out = tmp_path / "committee"
    seacall("committee", *students[:2], "-o", out)
    teachers, apart = load_teachers([out]), load_teachers(students[:2])
    assert [one.name for one in teachers] == [one.name for one in apart]
    x, features = torch.randn(2, 1, 96, 64), torch.zeros(2, 18)
    for one, other in zip(teachers, apart, strict=True):
        with torch.inference_mode():
            assert torch.equal(
                one.network.eval()(x, features), other.network.eval()(x, features)
            )


def test_a_student_is_distilled_from_a_committee(
    seacall, students, tiny_dataset, tmp_path
):
    out = tmp_path / "committee"
    seacall("committee", *students[:2], "-o", out)
    ended = seacall(
        *("distill", out, tiny_dataset, "-o", tmp_path / "student", "--epochs", "1")
    )
    assert ended.code == 0, ended.err
    card = read_card(tmp_path / "student")
    names = [read_card(folder).name for folder in students[:2]]
    assert card.teacher == " + ".join(names)


def test_what_cannot_sit_together_is_one_line(seacall, students, tmp_path):
    ended = seacall("committee", students[0], "-o", tmp_path / "c")
    assert ended.code == 1
    assert "a committee has 2 to 32" in ended.error
    ended = seacall("committee", *students, "-o", students[0])
    assert "holds something already" in ended.error
    ended = seacall("committee", students[0], tmp_path / "none", "-o", tmp_path / "c")
    assert "is no model folder" in ended.error
    ended = seacall(
        *("committee", *students, "-o", tmp_path / "c"),
        *("--data", tmp_path, "--split", "all"),
    )
    assert "choose val, test or train" in ended.error
    assert not (tmp_path / "c").exists()


def test_a_committee_that_cannot_be_calibrated_is_not_left_behind(
    seacall, students, tiny_dataset, tmp_path
):
    empty = shutil.copytree(tiny_dataset, tmp_path / "empty")
    for path in (empty / "validate").rglob("*.wav"):
        path.write_bytes(b"no sound")
    ended = seacall("committee", *students, "-o", tmp_path / "c", "--data", empty)
    assert ended.code == 1
    assert "no recording that can be used" in ended.error
    assert not (tmp_path / "c").exists()


def test_members_that_agree_are_never_refused():
    logits = np.log([[0.7, 0.2, 0.1]]).astype(np.float32)
    assert disagreement(logits) == pytest.approx(0, abs=1e-6)

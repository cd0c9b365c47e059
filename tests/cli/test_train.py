"""The commands that train: how their options reach the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from seacall.config import DistillRun, PretrainRun, TrainRun, checked, read_toml
from seacall.models.checkpoint import read_card

SHORT = ("--epochs", 1, "--batch-size", 4, "--device", "cpu", "--quiet")


def test_a_student_of_two_teachers_over_views(
    seacall, tiny_teacher, tiny_student, tiny_dataset, tmp_path
):
    out = tmp_path / "out"
    done = seacall(
        *("distill", tiny_teacher, tiny_student, tiny_dataset, "-o", out, *SHORT),
        *("--views", 2, "--balance", "class", "--method", "standardised"),
        "--json",
    )
    assert done.code == 0, done.err
    card = read_card(out)
    assert card.teacher.startswith("VGGishTeacher ")
    assert " + AudioTransformerStudent " in card.teacher
    assert json.loads(done.out)["teacher"] == card.teacher
    settings = checked(DistillRun, read_toml(out / "settings.toml"))
    assert settings.train.augment.n_views == 2
    assert settings.train.balance == "class"
    assert settings.distill.method == "standardised"


def test_more_clips_to_train_on_must_not_be_those_that_are_held_out(
    seacall, tiny_dataset, tmp_path
):
    other = Path(shutil.copytree(tiny_dataset, tmp_path / "other"))
    options = ("-o", tmp_path / "out", "--network", "student", *SHORT)
    done = seacall("train", tiny_dataset, *options, "--extra", other)
    assert done.code == 0, done.err  # its own held-out clips are not looked at
    assert list(read_card(tmp_path / "out").training["extra"]) == ["other"]
    shutil.rmtree(other / "train")
    (other / "test").rename(other / "train")
    (other / "test_metadata.xlsx").rename(other / "train_metadata.xlsx")
    options = ("-o", tmp_path / "no", "--network", "student", *SHORT)
    refused = seacall("train", tiny_dataset, *options, "--extra", other)
    assert refused.code == 1
    assert "the same audio is in two splits" in refused.error


def test_settings_of_a_varied_run_are_read_back(seacall, tiny_dataset, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        "[train]\nema_decay = 0.9\n"
        "[train.augment.mixup]\nprobability = 0.5\n"
        "[train.augment.band_limit]\nhigh_hz = [2000.0, 6000.0]\n"
    )
    first = tmp_path / "first"
    options = ("--network", "student", *SHORT, "--views", 2)
    done = seacall("train", tiny_dataset, "-o", first, *options, "--config", config)
    assert done.code == 0, done.err
    settings = checked(TrainRun, read_toml(first / "settings.toml"))
    assert settings.train.ema_decay == 0.9
    assert settings.train.augment.band_limit.high_hz == (2_000.0, 6_000.0)
    again = tmp_path / "again"
    kept = ("--config", first / "settings.toml", "--device", "cpu", "--quiet")
    assert seacall("train", tiny_dataset, "-o", again, *kept).code == 0
    name = "model.safetensors"
    assert (again / name).read_bytes() == (first / name).read_bytes()


def test_a_balance_that_does_not_exist_is_one_line(seacall, tiny_dataset, tmp_path):
    done = seacall("train", tiny_dataset, "-o", tmp_path, "--balance", "species")
    assert done.code == 1
    assert "train.balance='species'" in done.error


def test_prototypes_on_a_students_trunk_take_its_front_end(
    seacall, tiny_student, tiny_dataset, tmp_path
):
    out = tmp_path / "out"
    done = seacall(
        *("train", tiny_dataset, "-o", out, "--network", "student", "--quiet"),
        *("--start", tiny_student, "--head", "prototypes", "--device", "cpu"),
    )
    assert done.code == 0, done.err
    card = read_card(out)
    assert card.pretrained == read_card(tiny_student).name
    assert card.front_end == read_card(tiny_student).front_end
    settings = checked(TrainRun, read_toml(out / "settings.toml"))
    assert settings.student.start == str(tiny_student)


def test_a_final_student_is_distilled_behind_a_frozen_trunk_on_all_clips(
    seacall, tiny_teacher, tiny_model, tiny_dataset, tmp_path
):
    out = tmp_path / "out"
    done = seacall(
        *("distill", tiny_teacher, tiny_dataset, "-o", out, *SHORT),
        *("--start", tiny_model, "--trunk", "frozen", "--schedule", "cosine"),
        *("--alpha", 1, "--temperature", 1, "--views", 2, "--all-clips"),
    )
    assert done.code == 0, done.err
    assert "trained on all recordings, so nothing was measured" in done.out
    settings = checked(DistillRun, read_toml(out / "settings.toml"))
    assert settings.student.trunk == "frozen"
    assert settings.train.schedule == "cosine"
    assert settings.all_clips is True
    card = read_card(out)
    assert card.metrics == {}
    assert card.pretrained == read_card(tiny_model).name


def test_a_frozen_trunk_needs_a_start(seacall, tiny_dataset, tmp_path):
    options = ("-o", tmp_path / "out", "--network", "student", "--trunk", "frozen")
    done = seacall("train", tiny_dataset, *options)
    assert done.code == 1
    assert "name its model folder as start" in done.error


def test_prototypes_need_a_start(seacall, tiny_dataset, tmp_path):
    options = ("-o", tmp_path, "--network", "student", "--head", "prototypes")
    done = seacall("train", tiny_dataset, *options)
    assert done.code == 1
    assert "name its model folder as start" in done.error


def test_a_trunk_is_taught_on_one_folder_and_given_prototypes_of_another(
    seacall, tiny_dataset, tmp_path
):
    trunk, out = tmp_path / "trunk", tmp_path / "out"
    done = seacall("pretrain", tiny_dataset, "-o", trunk, *SHORT, "--views", 2)
    assert done.code == 0, done.err
    settings = checked(PretrainRun, read_toml(trunk / "settings.toml"))
    assert settings.train.augment.mask.probability == 0.5
    assert settings.front_end.profile == "original-16k"
    head = ("--network", "student", "--start", trunk, "--head", "prototypes")
    done = seacall("train", tiny_dataset, "-o", out, *head, "--quiet")
    assert done.code == 0, done.err
    assert read_card(out).pretrained == read_card(trunk).name

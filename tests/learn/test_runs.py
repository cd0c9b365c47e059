"""Whole runs on a few short recordings: what they leave, and what they refuse."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import programs
import pytest
import tiny
import torch

from seacall.config import DistillRun, TeacherSettings, TrainRun, write_toml
from seacall.errors import CheckpointError, SettingsError
from seacall.learn import runs
from seacall.models.checkpoint import WEIGHTS_NAME, read_card
from seacall.models.network import load_model_for_inference

STUDENT_FILES = {
    "best_student_with_attention_model.pth",
    "final_student_model_with_attention.pth",
    "student_with_attention_misclassified_samples.xlsx",
    "train_vs_val_student_with_attention.xlsx",
}
"""The original description's."""
COMMON_FILES = {"card.json", WEIGHTS_NAME, "report.html", "metrics.json", "curves.png"}


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS_NAME).read_bytes()


# ------------------------------------------------------------------ what is left


def test_a_distilled_student_leaves_the_four_files_of_the_description(tiny_student):
    names = {path.name for path in tiny_student.iterdir()}
    assert names >= STUDENT_FILES | COMMON_FILES | {"model.onnx"}


def test_a_teacher_leaves_its_own(tiny_teacher):
    names = {path.name for path in tiny_teacher.iterdir()}
    assert names >= COMMON_FILES
    assert not names & STUDENT_FILES


@pytest.mark.parametrize("which", ["tiny_student", "tiny_teacher"])
def test_nothing_unfinished_is_left(which, request):
    for path in request.getfixturevalue(which).rglob("*"):
        assert "part" not in path.suffix
        assert "unfinished" not in path.name
        assert path.name != "checkpoint.pt"


def test_the_curves_have_a_row_an_epoch_and_the_loss_of_both_parts(tiny_student):
    table = pd.read_excel(tiny_student / "train_vs_val_student_with_attention.xlsx")
    assert len(table) == 2
    assert any("train" in name and "loss" in name for name in table.columns)
    assert any("val" in name and "loss" in name for name in table.columns)
    assert np.isfinite(table.select_dtypes("number")).all().all()


def test_the_misclassified_samples_are_recordings_of_the_test_split(
    tiny_student, tiny_dataset
):
    table = pd.read_excel(
        tiny_student / "student_with_attention_misclassified_samples.xlsx"
    )
    assert "file_name" in table.columns
    for name in table["file_name"]:
        assert (tiny_dataset / name).is_file() or (
            tiny_dataset / "test" / name
        ).is_file()


@pytest.mark.parametrize("which", ["tiny_student", "tiny_teacher"])
def test_the_card_says_everything_that_a_run_knows(which, request, tiny_dataset):
    card = read_card(request.getfixturevalue(which))
    assert card.labels == tiny.LABELS
    assert card.front_end == tiny.FRONT_END.front_end()
    assert card.metrics["split"] == "test"
    assert card.metrics["n_recordings"] == 6
    assert card.metrics["leaky"] is False
    assert 0 <= card.metrics["figures"]["model"]["macro_f1"]["value"] <= 1
    assert card.training["train"]["epochs"] == 2
    assert re.fullmatch("[0-9a-f]{64}", card.manifest_sha256)


def test_the_students_card_names_its_teacher(tiny_student, tiny_teacher):
    sha256 = read_card(tiny_teacher).files[WEIGHTS_NAME]
    assert read_card(tiny_student).teacher == f"VGGishTeacher {sha256[:12]}"


def test_the_student_is_a_hundredth_of_its_teacher(tiny_student, tiny_teacher):
    student, teacher = read_card(tiny_student), read_card(tiny_teacher)
    assert student.n_parameters <= 0.01 * teacher.n_parameters


@pytest.mark.parametrize(
    "name", ["", *sorted(name for name in STUDENT_FILES if name.endswith(".pth"))]
)
def test_folder_and_both_pth_files_hold_the_same_student(tiny_student, name):
    model, config = load_model_for_inference(tiny_student / name)
    other, _ = load_model_for_inference(tiny_student)
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key])
    assert config["num_classes"] == 4


def test_the_final_pth_carries_the_card(tiny_student):
    _, config = load_model_for_inference(
        tiny_student / "final_student_model_with_attention.pth"
    )
    assert tuple(config["labels"]) == tiny.LABELS
    assert config["metrics"]["figures"]["model"]["macro_f1"]


def test_the_report_stands_alone(tiny_student):
    page = (tiny_student / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?://", page)
    assert page.count("data:image/png") >= 3
    for label in tiny.LABELS[:3]:
        assert label in page


def test_the_input_scale_is_that_of_the_training_clips(tiny_student):
    model, _ = load_model_for_inference(tiny_student)
    assert model.scale.log_mel_std.min() > 0
    assert not torch.equal(model.scale.log_mel_mean, torch.zeros(64))


# ------------------------------------------------------------------ repeatable


@pytest.fixture(scope="module")
def alone(tiny_dataset, tmp_path_factory) -> Path:
    """A student that was trained without a teacher."""
    out = tmp_path_factory.mktemp("alone") / "run"
    runs.train(tiny.STUDENT_RUN, tiny.context(tiny_dataset, out))
    return out


def test_the_same_run_gives_the_same_weights_bit_for_bit(alone, tiny_dataset, tmp_path):
    runs.train(tiny.STUDENT_RUN, tiny.context(tiny_dataset, tmp_path / "run"))
    assert weights(tmp_path / "run") == weights(alone)
    assert read_card(tmp_path / "run") == read_card(alone)


def test_a_student_alone_has_no_teacher(alone):
    assert read_card(alone).teacher is None
    assert {path.name for path in alone.iterdir()} >= STUDENT_FILES


@pytest.mark.parametrize("resume", [True, False])
def test_a_finished_model_is_not_trained_over(alone, tiny_dataset, resume):
    before = weights(alone)
    with pytest.raises(SettingsError, match=r"holds a .*model already"):
        runs.train(tiny.STUDENT_RUN, tiny.context(tiny_dataset, alone, resume=resume))
    assert weights(alone) == before


def test_an_unfinished_run_is_not_begun_anew_without_being_told(tiny_dataset, tmp_path):
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(SettingsError, match="--resume"):
        runs.train(tiny.STUDENT_RUN, tiny.context(tiny_dataset, tmp_path))


MANY_EPOCHS = tiny.STUDENT_RUN.model_copy(
    update={
        "train": tiny.TWO_EPOCHS.model_copy(update={"epochs": 12, "stop_patience": 99})
    }
)


@pytest.mark.slow
def test_a_run_killed_by_the_system_goes_on_to_the_same_weights(tiny_dataset, tmp_path):
    write_toml(tmp_path / "c.toml", MANY_EPOCHS.model_dump(mode="json"))
    out = tmp_path / "killed"
    process = programs.start(
        *("-m", "seacall", "train", tiny_dataset, "-o", out, "--device", "cpu"),
        *("--config", tmp_path / "c.toml"),
    )
    try:
        deadline = time.monotonic() + 60
        while not (out / "checkpoint.pt").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        programs.kill(process)
    assert not (out / "card.json").exists()
    n_done = len(torch.load(out / "checkpoint.pt", weights_only=True)["history"])
    assert 1 <= n_done < 12
    runs.train(MANY_EPOCHS, tiny.context(tiny_dataset, out, resume=True))
    runs.train(MANY_EPOCHS, tiny.context(tiny_dataset, tmp_path / "whole"))
    assert weights(out) == weights(tmp_path / "whole")
    assert not (out / "checkpoint.pt").exists()


@pytest.mark.slow
def test_two_processes_leave_one_model_and_print_one_result(tiny_dataset, tmp_path):
    write_toml(tmp_path / "c.toml", tiny.STUDENT_RUN.model_dump(mode="json"))
    out = tmp_path / "two"
    done = programs.torchrun(
        *(2, "-m", "seacall", "train", tiny_dataset, "-o", out, "--json"),
        *("--config", tmp_path / "c.toml", "--device", "cpu"),
    )
    assert done.code == 0, done.err
    values = json.loads(done.out)
    figures = values["metrics"]["figures"]["model"]
    assert all(np.isfinite(figures[name]["value"]) for name in ("macro_f1", "accuracy"))
    assert read_card(out).files == values["files"]
    assert {path.name for path in out.iterdir()} >= STUDENT_FILES | COMMON_FILES
    assert not (out / "checkpoint.pt").exists()
    assert done.err.count("best epoch") == 1


# ------------------------------------------------------------------ the teacher


def test_convolutions_of_a_given_checkpoint_are_taken_and_stay_frozen(
    tiny_dataset, tmp_path, monkeypatch
):
    from seacall.models import vggish

    published = tiny.network("VGGishTeacher")
    path = tmp_path / "vggish.pth"
    torch.save(
        {f"features.{k}": v for k, v in published.features.state_dict().items()}, path
    )
    settings = tiny.TEACHER_RUN.model_copy(
        update={"teacher": TeacherSettings(weights=str(path))}
    )
    out = tmp_path / "out"
    with pytest.raises(CheckpointError, match="should start with 10086976"):
        runs.train(settings, tiny.context(tiny_dataset, out))
    accept_any_sha256(monkeypatch)
    runs.train(settings, tiny.context(tiny_dataset, out))
    model, config = load_model_for_inference(out)
    for name, value in published.features.state_dict().items():
        assert torch.equal(model.features.state_dict()[name], value)
    assert config["pretrained"]
    assert vggish.VGGISH_SHA256 == "10086976"


def accept_any_sha256(monkeypatch) -> None:
    """The small file has another sha256 than the published one."""
    import sys

    for name, module in list(sys.modules.items()):
        if name.startswith("seacall.learn") and hasattr(module, "VGGISH_SHA256"):
            monkeypatch.setattr(module, "VGGISH_SHA256", "")


# ------------------------------------------------------------------ other input


def test_a_teacher_given_as_pth_with_metadata_teaches_and_alpha_matters(
    tiny_dataset, tiny_teacher, tiny_student, tmp_path
):
    settings = DistillRun.model_validate(
        {"distill": {"alpha": 0.0}, "train": tiny.TWO_EPOCHS.model_dump()}
    )
    result = runs.distill(
        tiny_teacher / "final_teacher_model.pth",
        settings,
        tiny.context(tiny_dataset, tmp_path / "out"),
    )
    assert result.card.labels == tiny.LABELS
    assert weights(tmp_path / "out") != weights(tiny_student)


def test_a_teacher_given_as_weights_alone_is_refused(
    tiny_dataset, tiny_teacher, tmp_path
):
    with pytest.raises(CheckpointError, match="without what they need"):
        runs.distill(
            tiny_teacher / "best_teacher_model.pth",
            tiny.DISTILL_RUN,
            tiny.context(tiny_dataset, tmp_path / "out"),
        )
    assert not (tmp_path / "out").exists()


def test_a_dataset_without_test_recordings_still_gives_a_model(tiny_dataset, tmp_path):
    data = Path(shutil.copytree(tiny_dataset, tmp_path / "data"))
    shutil.rmtree(data / "test")
    (data / "test_metadata.xlsx").unlink()
    result = runs.train(tiny.STUDENT_RUN, tiny.context(data, tmp_path / "out"))
    assert (tmp_path / "out" / WEIGHTS_NAME).is_file()
    assert result.card.metrics == {} or result.card.metrics["split"] == "val"


def test_settings_without_a_default_are_not_needed():
    assert TrainRun().train.epochs == 60
    assert TrainRun().train.batch_size == 16
    assert TrainRun().train.learning_rate == 1e-3
    assert TrainRun().train.weight_decay == 0.01
    assert TrainRun().train.warmup_epochs == 3
    assert TrainRun().train.gradient_clip == 1.0

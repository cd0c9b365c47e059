"""A student that keeps another's trunk: trained on, or with prototypes at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from seacall.augmentation import AugmentSettings, MaskSettings
from seacall.config import (
    DistillRun,
    DistillSettings,
    StudentSettings,
    TrainRun,
    checked,
)
from seacall.data.loader import clip_tensors
from seacall.errors import CheckpointError, SettingsError
from seacall.learn import runs
from seacall.learn import student as student_module
from seacall.learn.dataset import load_dataset
from seacall.learn.observe import Silent
from seacall.learn.prototypes import balanced_weights, prototypes
from seacall.learn.student import fit_student, load_trunk
from seacall.learn.teacher import without_logits
from seacall.learn.text import card_lines
from seacall.learn.train import LabelLoss
from seacall.models.backend import OnnxClassifier
from seacall.models.checkpoint import ONNX_NAME, read_card
from seacall.models.network import load_network, save_model
from seacall.models.student import AudioTransformerStudent, StudentHead

ARCTIC = ("Narwhal", "Walrus", "unknown")


@pytest.fixture(scope="module")
def trunk_folder(tmp_path_factory) -> Path:
    """A student of other classes, from deployments of its own."""
    folder = tmp_path_factory.mktemp("trunk") / "model"
    card = tiny.card(labels=ARCTIC, deployments=("ice", "floe"))
    save_model(tiny.network(n_classes=len(ARCTIC)), folder, card)
    return folder


def run_of(start: Path, head: str = "prototypes", **train: object) -> TrainRun:
    return TrainRun(
        network="student",
        front_end=tiny.FRONT_END,
        student=StudentSettings(start=str(start), head=head),
        train=tiny.TWO_EPOCHS.model_copy(update=train),
    )


@pytest.fixture(scope="module")
def student_folder(trunk_folder, tiny_dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prototypes") / "out"
    runs.train(run_of(trunk_folder), tiny.context(tiny_dataset, out))
    return out


def test_the_trunk_is_kept_to_the_bit_and_the_last_layer_is_new(
    student_folder, trunk_folder
):
    before = load_network(trunk_folder).state_dict()
    after = load_network(student_folder).state_dict()
    assert before.keys() == after.keys()
    for name, value in after.items():
        if name.startswith("classifier"):
            assert len(value) == len(tiny.LABELS)
        else:
            assert value.equal(before[name]), name


def test_the_answers_are_those_of_prototypes_of_the_training_clips(
    student_folder, trunk_folder, tiny_dataset
):
    front_end = tiny.FRONT_END.front_end()
    dataset = load_dataset(tiny_dataset, front_end, observer=Silent())
    trunk = load_trunk(trunk_folder, front_end)
    context = tiny.context(tiny_dataset, tiny_dataset)
    embedded, asked = (
        trunk.embeddings(clip_tensors(part), context, stage="x")
        for part in (dataset.train, dataset.test)
    )
    assert embedded.shape == (12, 96)
    targets = dataset.train.targets
    layer = prototypes(
        embedded,
        targets,
        n_classes=4,
        weights=balanced_weights(targets, [c.deployment for c in dataset.train.clips]),
    )
    found = OnnxClassifier(student_folder).logits(
        dataset.test.log_mel, dataset.test.features
    )
    np.testing.assert_allclose(found, layer.logits(asked), atol=1e-4)


def test_the_folder_is_a_whole_model_that_says_where_it_comes_from(
    student_folder, trunk_folder
):
    card = read_card(student_folder)
    assert card.labels == tiny.LABELS
    assert card.pretrained == read_card(trunk_folder).name
    assert card.pretrained.startswith("AudioTransformerStudent ")
    assert card.training["student"]["head"] == "prototypes"
    assert ONNX_NAME in card.files
    assert card.metrics["n_recordings"] == 6
    assert not (student_folder / "curves.png").exists()


def test_the_card_knows_all_deployments_that_were_ever_trained_on(student_folder):
    heard = read_card(student_folder).deployments
    assert {"ice", "floe"} < set(heard)
    assert set(heard) & set(tiny.DEPLOYMENTS)
    assert len(heard) < 2 + len(tiny.DEPLOYMENTS)


def test_a_trunk_that_heard_the_test_deployments_makes_the_figures_leaky(
    tiny_dataset, tmp_path
):
    start = tiny.write_model(tmp_path / "start", deployments=tiny.DEPLOYMENTS)
    result = runs.train(run_of(start), tiny.context(tiny_dataset, tmp_path / "out"))
    assert result.card.metrics["leaky"] is True


def test_a_student_can_go_on_learning_from_where_another_stopped(
    trunk_folder, tiny_dataset, tmp_path
):
    rates = {"learning_rate": 1e-9, "weight_decay": 0.0}
    run = run_of(trunk_folder, "trained", **rates)
    runs.train(run, tiny.context(tiny_dataset, tmp_path / "out"))
    before = load_network(trunk_folder).state_dict()
    after = load_network(tmp_path / "out").state_dict()
    for name in ("cnn.0.weight", "embedding.0.weight", "scale.log_mel_mean"):
        torch.testing.assert_close(after[name], before[name], atol=1e-5, rtol=0)


def test_views_of_a_clip_weigh_as_much_as_one(trunk_folder, tiny_dataset, tmp_path):
    changed = tiny.TWO_EPOCHS.augment.model_copy(update={"n_views": 2})
    run = run_of(trunk_folder, augment=changed)
    runs.train(run, tiny.context(tiny_dataset, tmp_path / "out"))
    last = load_network(tmp_path / "out").state_dict()["classifier.1.weight"]
    assert torch.isfinite(last).all()


# ------------------------------------------------------------------ a frozen trunk

TRUNK_PARTS = ("cnn.", "attention.", "squeeze.", "scale.")


def frozen_run(start: Path, **train: object) -> TrainRun:
    return TrainRun(
        network="student",
        front_end=tiny.FRONT_END,
        student=StudentSettings(start=str(start), trunk="frozen"),
        train=tiny.TWO_EPOCHS.model_copy(update=train),
    )


def test_the_head_answers_as_the_whole_student():
    student = tiny.network()
    log_mel, features = torch.randn(5, 3, 96, 64), torch.randn(5, 18)
    with torch.no_grad():
        pooled = student.pool(log_mel)
        expected = student(log_mel, features)
        found = StudentHead(student, noise=torch.ones(192)).eval()(pooled, features)
    assert pooled.shape == (5, 192)
    torch.testing.assert_close(found, expected)


def test_noise_on_what_the_trunk_gives_is_as_large_as_said():
    head = StudentHead(tiny.network(), noise=torch.full((192,), 0.5)).train()
    seen = []
    head.embedding.register_forward_hook(lambda _m, args, _out: seen.append(args[0]))
    head(torch.zeros(2_000, 192), torch.zeros(2_000, 18))
    assert seen[0][:, :192].std().item() == pytest.approx(0.5, rel=0.02)
    assert "noise" not in head.state_dict()


def test_a_frozen_trunk_stays_to_the_bit_and_what_lies_behind_it_learns(
    trunk_folder, tiny_dataset, tmp_path
):
    run = frozen_run(trunk_folder)
    card = runs.train(run, tiny.context(tiny_dataset, tmp_path / "out")).card
    before = load_network(trunk_folder).state_dict()
    after = load_network(tmp_path / "out").state_dict()
    for name, value in after.items():
        if name.startswith(TRUNK_PARTS):
            assert value.equal(before[name]), name
    for name in ("feature_layer.0.weight", "embedding.0.weight"):
        assert not after[name].equal(before[name])
    assert card.pretrained == read_card(trunk_folder).name


def test_behind_a_frozen_trunk_the_loop_sees_what_the_whole_student_would(
    trunk_folder, tiny_dataset, tmp_path, monkeypatch
):
    seen = []

    def looked_at(network, train_set, val_set, *args, **kwargs):
        seen.append((network, train_set, val_set))
        return fit_and_tell(network, train_set, val_set, *args, **kwargs)

    fit_and_tell = student_module.fit_and_tell
    monkeypatch.setattr(student_module, "fit_and_tell", looked_at)
    run = frozen_run(trunk_folder, augment=AugmentSettings(n_views=2))
    runs.train(run, tiny.context(tiny_dataset, tmp_path / "out"))
    ((head, train_set, val_set),) = seen
    assert isinstance(head, StudentHead)
    assert train_set.tensors[0].shape == (2 * 12, 192)
    front_end = tiny.FRONT_END.front_end()
    dataset = load_dataset(tiny_dataset, front_end, observer=Silent())
    whole = load_network(tmp_path / "out").eval()
    with torch.no_grad():
        expected = whole(*dataset.tensors("val")[:2])
        found = head.eval()(*val_set[:2])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_frozen_trunk_is_asked_once_about_each_view(
    trunk_folder, tiny_dataset, tmp_path, monkeypatch
):
    asked = []
    own = AudioTransformerStudent.pool

    def counted(self, log_mel):
        asked.append(len(log_mel))
        return own(self, log_mel)

    monkeypatch.setattr(AudioTransformerStudent, "pool", counted)
    run = frozen_run(trunk_folder, epochs=7)
    dataset = load_dataset(tiny_dataset, tiny.FRONT_END.front_end(), observer=Silent())
    load = load_trunk(trunk_folder, tiny.FRONT_END.front_end())
    context = tiny.context(tiny_dataset, tmp_path)
    student = load.student(4)
    train_set = dataset.training()
    fit_student(
        student,
        replace(train_set, tensors=without_logits(train_set.tensors)),
        without_logits(dataset.tensors("val")),
        LabelLoss(),
        run.student,
        run.train,
        context,
        "x",
    )
    assert sum(asked) == 12 + 6


def test_patches_that_change_in_each_batch_need_a_trunk_that_is_trained(
    trunk_folder, tiny_dataset, tmp_path
):
    augment = AugmentSettings(mask=MaskSettings(probability=0.5))
    run = frozen_run(trunk_folder, augment=augment)
    with pytest.raises(SettingsError, match="a frozen trunk sees only once"):
        runs.train(run, tiny.context(tiny_dataset, tmp_path / "out"))


def test_a_student_is_distilled_behind_a_frozen_trunk(
    trunk_folder, tiny_teacher, tiny_dataset, tmp_path
):
    run = DistillRun(
        student=StudentSettings(start=str(trunk_folder), trunk="frozen"),
        distill=DistillSettings(alpha=1.0, distill_temperature=1.0),
        train=tiny.TWO_EPOCHS.model_copy(update={"schedule": "cosine"}),
    )
    context = tiny.context(tiny_dataset, tmp_path / "out")
    card = runs.distill(tiny_teacher, run, context).card
    before = load_network(trunk_folder).state_dict()
    after = load_network(tmp_path / "out").state_dict()
    assert all(
        after[k].equal(v) for k, v in before.items() if k.startswith(TRUNK_PARTS)
    )
    assert card.teacher == read_card(tiny_teacher).name
    assert card.pretrained == read_card(trunk_folder).name
    assert {"ice", "floe"} < set(card.deployments)


# ------------------------------------------------------------------ all clips


def test_with_all_clips_there_is_nothing_to_validate_or_test(
    trunk_folder, tiny_dataset, tmp_path
):
    run = frozen_run(trunk_folder, epochs=3).model_copy(update={"all_clips": True})
    card = runs.train(run, tiny.context(tiny_dataset, tmp_path / "out")).card
    assert card.metrics == {}
    assert card.calibration.method == "none"
    assert set(card.deployments) == {"ice", "floe", *tiny.DEPLOYMENTS}
    assert card_lines(card) == ["trained on all recordings, so nothing was measured"]
    assert not (tmp_path / "out" / "curves.png").exists()


def test_with_all_clips_the_clips_of_all_splits_are_trained_on(tiny_dataset):
    front_end = tiny.FRONT_END.front_end()
    found = load_dataset(
        tiny_dataset,
        front_end,
        observer=Silent(),
        augment=AugmentSettings(n_views=2),
        all_clips=True,
    )
    assert len(found.train.targets) == 24
    assert len(found.training().tensors[0]) == 48
    assert not len(found.test.targets)
    assert found.labels == tiny.LABELS
    assert set(found.val.clips) <= set(found.train.clips)


def test_with_all_clips_the_last_epoch_counts(tiny_dataset, tmp_path):
    found = []
    for patience in (1, 50):
        train = tiny.TWO_EPOCHS.model_copy(
            update={"epochs": 6, "stop_patience": patience}
        )
        run = tiny.STUDENT_RUN.model_copy(update={"all_clips": True, "train": train})
        out = tmp_path / f"{patience}"
        runs.train(run, tiny.context(tiny_dataset, out))
        found.append(load_network(out).state_dict()["embedding.0.weight"])
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"network": "student", "student": {"trunk": "frozen"}}, "name its model"),
        ({"network": "student", "student": {"head": "prototypes"}}, "name its model"),
        ({"network": "vggish", "student": {"start": "m"}}, "is for network='student'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, reason):
    with pytest.raises(SettingsError, match=reason):
        checked(TrainRun, values)


def test_prototypes_are_not_distilled():
    values = {"student": {"start": "m", "head": "prototypes"}}
    with pytest.raises(SettingsError, match="a teacher would not be asked"):
        checked(DistillRun, values)


def test_a_start_behind_another_front_end_is_refused(trunk_folder):
    other = tiny.FRONT_END.model_copy(update={"profile": "vggish-16k"}).front_end()
    with pytest.raises(SettingsError, match="was trained with profile original-16k"):
        load_trunk(trunk_folder, other)


def test_a_start_that_is_no_student_is_refused(tiny_teacher):
    with pytest.raises(CheckpointError, match="holds a VGGishTeacher"):
        load_trunk(tiny_teacher, tiny.FRONT_END.front_end())

"""A student that keeps another's trunk: trained on, or with prototypes at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from seacall.config import StudentSettings, TrainRun, checked
from seacall.data.loader import clip_tensors
from seacall.errors import CheckpointError, SettingsError
from seacall.learn import runs
from seacall.learn.dataset import load_dataset
from seacall.learn.observe import Silent
from seacall.learn.prototypes import balanced_weights, prototypes
from seacall.learn.student import load_trunk
from seacall.models.backend import OnnxClassifier
from seacall.models.checkpoint import ONNX_NAME, read_card
from seacall.models.network import load_network, save_model

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


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"network": "student", "student": {"head": "prototypes"}}, "name its model"),
        ({"network": "vggish", "student": {"start": "m"}}, "is for network='student'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, reason):
    with pytest.raises(SettingsError, match=reason):
        checked(TrainRun, values)


def test_a_start_behind_another_front_end_is_refused(trunk_folder):
    other = tiny.FRONT_END.model_copy(update={"profile": "vggish-16k"}).front_end()
    with pytest.raises(SettingsError, match="was trained with profile original-16k"):
        load_trunk(trunk_folder, other)


def test_a_start_that_is_no_student_is_refused(tiny_teacher):
    with pytest.raises(CheckpointError, match="holds a VGGishTeacher"):
        load_trunk(tiny_teacher, tiny.FRONT_END.front_end())

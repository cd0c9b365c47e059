"""A trunk that learns labels and what another network hears."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from sklearn.decomposition import PCA
from torch import nn

from seacall.config import PretrainRun, PretrainTraining, checked
from seacall.errors import CheckpointError
from seacall.learn.epoch import class_logits
from seacall.learn.pretrain import (
    PretrainLoss,
    pretrain,
    principal_components,
)
from seacall.models.checkpoint import ONNX_NAME, read_card
from seacall.models.efficientat import EfficientAT
from seacall.models.network import load_network
from seacall.models.weights import write_safetensors


@pytest.fixture(scope="module")
def efficientat(tmp_path_factory):
    """EfficientAT with random weights, as a file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("efficientat") / "mn04.safetensors"
    write_safetensors(EfficientAT(), path)
    return path


def settings(**changes) -> PretrainRun:
    train = {"epochs": 1, "batch_size": 4}
    return checked(
        PretrainRun, {"front_end": tiny.FRONT_END, "train": train, **changes}
    )


# ------------------------------------------------------------------ the components


def test_components_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 12)) @ rng.normal(size=(12, 12)) * np.arange(1, 13)
    ours = principal_components(x, n_components=5)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = PCA(5, whiten=True).fit(z)
    new = rng.normal(size=(7, 12)) * np.arange(1, 13)
    expected = theirs.transform((new - x.mean(axis=0)) / x.std(axis=0))
    found = ours.of(new)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, rtol=0.02, atol=0.01)
    spread = np.sqrt(theirs.explained_variance_)
    np.testing.assert_allclose(ours.weights, np.sqrt(spread / spread.mean()), rtol=1e-3)


def test_there_are_no_more_components_than_directions():
    x = np.random.default_rng(0).normal(size=(5, 30))
    found = principal_components(x, n_components=96)
    assert found.of(x).shape == (5, 4)
    np.testing.assert_allclose(found.of(x).std(axis=0), 1, atol=1e-3)


def test_embeddings_that_are_all_alike_have_a_component_of_nothing():
    found = principal_components(np.ones((4, 3)), n_components=2)
    assert np.array_equal(found.of(np.ones((4, 3))), np.zeros((4, 1)))


# ------------------------------------------------------------------------ the loss


def test_the_loss_by_hand():
    loss = PretrainLoss(
        2, torch.tensor([1.0, 3.0]), feature_weight=0.5, label_smoothing=0.0
    )
    answers = torch.tensor([[0.0, 0.0, 1.0, 2.0]])
    wanted = torch.tensor([[0.0, 1.0]])
    found = loss(answers, wanted, torch.tensor([1]))
    assert float(found) == pytest.approx(np.log(2) + 0.5 * (1.0 + 3.0) / 2)


def test_without_features_it_is_cross_entropy_with_smoothed_labels():
    loss = PretrainLoss(3, torch.zeros(0), feature_weight=1.0, label_smoothing=0.1)
    logits, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    expected = nn.CrossEntropyLoss(label_smoothing=0.1)(logits, targets)
    assert float(loss(logits, torch.zeros(5, 0), targets)) == pytest.approx(
        float(expected)
    )


def test_accuracy_is_counted_over_classes_alone():
    loss = PretrainLoss(2, torch.ones(3), feature_weight=1.0, label_smoothing=0.0)
    answers = torch.tensor([[0.1, 0.2, 9.0, 9.0, 9.0]])
    assert class_logits(loss, answers).shape == (1, 2)
    assert class_logits(nn.CrossEntropyLoss(), answers) is not None
    assert class_logits(nn.CrossEntropyLoss(), answers).shape == (1, 5)


# ------------------------------------------------------------------------- the run


def test_a_trunk_learns_from_labels_and_features_and_is_a_whole_model(
    tiny_dataset, tmp_path, efficientat
):
    run = settings(weights=str(efficientat), n_components=6)
    result = pretrain(run, tiny.context(tiny_dataset, tmp_path / "out"))
    card = read_card(tmp_path / "out")
    assert card == result.card
    assert card.labels == tiny.LABELS
    assert card.teacher.startswith("EfficientAT mn04 ")
    assert set(card.deployments) < set(tiny.DEPLOYMENTS)
    assert ONNX_NAME in card.files
    assert (tmp_path / "out" / "curves.png").is_file()
    names = load_network(tmp_path / "out").state_dict()
    assert not any(name.startswith("features.") for name in names)


def test_features_change_what_is_learnt_and_their_absence_is_said(
    tiny_dataset, tmp_path, efficientat
):
    found = {}
    for name, weights in (("with", str(efficientat)), ("without", None)):
        out = tmp_path / name
        run = settings(weights=weights, n_components=6)
        pretrain(run, tiny.context(tiny_dataset, out))
        found[name] = load_network(out).state_dict()["embedding.0.weight"]
    assert not found["with"].equal(found["without"])
    assert read_card(tmp_path / "without").teacher is None


def test_views_share_the_features_of_their_clip(tiny_dataset, tmp_path, efficientat):
    train = {"epochs": 1, "batch_size": 4, "augment": {"n_views": 2}}
    run = settings(weights=str(efficientat), n_components=4, train=train)
    pretrain(run, tiny.context(tiny_dataset, tmp_path / "out"))
    assert (tmp_path / "out" / ONNX_NAME).is_file()


def test_weights_that_are_not_efficientats_are_refused(
    tiny_dataset, tiny_model, tmp_path
):
    run = settings(weights=str(tiny_model / "model.safetensors"))
    with pytest.raises(CheckpointError, match="is no EfficientAT"):
        pretrain(run, tiny.context(tiny_dataset, tmp_path / "out"))


def test_a_partly_given_training_keeps_the_rest_of_its_own_defaults():
    train = checked(PretrainTraining, {"augment": {"n_views": 3}})
    assert train.augment.mask.probability == 0.5
    assert train.learning_rate == 3e-3

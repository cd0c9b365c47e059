"""Loading models for use: from a folder, and from both kinds of ``.pth`` file."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch

import seacall
from seacall.config import FrontEndSettings
from seacall.errors import CheckpointError
from seacall.models.network import (
    build_network,
    load_model,
    load_model_for_inference,
    save_model,
    save_pth,
)

NETWORKS = ("AudioTransformerStudent", "VGGishTeacher")


@pytest.fixture(scope="module", params=NETWORKS)
def architecture(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def saved(architecture, tmp_path_factory) -> Path:
    """A folder, a ``.pth`` with metadata and one without, of the same network."""
    root = tmp_path_factory.mktemp("saved")
    network, card = tiny.network(architecture), tiny.card(architecture)
    save_model(network, root / "folder", card)
    save_pth(network, root / "final.pth", card)
    save_pth(network, root / "best.pth")
    return root


@pytest.mark.parametrize("name", ["folder", "final.pth", "best.pth"])
@pytest.mark.parametrize("kind", [str, Path])
def test_every_form_loads_ready_to_use(saved, architecture, name, kind):
    model, config = load_model_for_inference(kind(saved / name), torch.device("cpu"))
    assert not model.training
    assert type(model).__name__ == architecture == config["architecture"]
    assert config["num_classes"] == 4
    expected = tiny.network(architecture).state_dict()
    for key, value in model.state_dict().items():
        assert torch.equal(value, expected[key])


@pytest.mark.parametrize("name", ["folder", "final.pth"])
def test_metadata_says_labels_and_front_end(saved, name):
    _, config = load_model_for_inference(saved / name)
    assert tuple(config["labels"]) == tiny.LABELS
    front_end = FrontEndSettings.model_validate(config["front_end"])
    assert front_end == tiny.FRONT_END.front_end()


def test_weights_alone_have_no_labels_and_no_front_end(saved):
    _, config = load_model_for_inference(saved / "best.pth")
    assert config["labels"] is None
    assert config["front_end"] is None


def test_the_public_name_is_the_same_function():
    assert seacall.load_model_for_inference is load_model_for_inference


@pytest.mark.parametrize("name", ["folder", "final.pth"])
def test_a_model_comes_with_its_card(saved, architecture, name):
    network, card = load_model(saved / name)
    assert card.architecture == architecture
    assert network.num_classes == len(card.labels)


def test_weights_alone_cannot_teach(saved):
    with pytest.raises(CheckpointError, match="without what they need"):
        load_model(saved / "best.pth")


def test_metadata_for_another_class_count_is_refused(tmp_path):
    card = tiny.card(labels=("A", "unknown"))
    save_pth(tiny.network(n_classes=4), tmp_path / "x.pth", card)
    with pytest.raises(CheckpointError, match="names 2 classes and its weights have 4"):
        load_model(tmp_path / "x.pth")


@pytest.mark.parametrize("name", ["none", "none.pth"])
def test_a_missing_model_is_named(tmp_path, name):
    with pytest.raises(CheckpointError, match=f"{name}: no such file"):
        load_model_for_inference(tmp_path / name)


def test_weights_of_no_known_architecture_are_refused(tmp_path):
    torch.save({"layer1.weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"layer1\.weight"):
        load_model_for_inference(tmp_path / "x.pth")


def test_a_student_with_a_layer_of_another_width_is_refused(tmp_path):
    state = tiny.network().state_dict()
    state["cnn.0.weight"] = torch.zeros(8, 1, 3, 3)
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"layer cnn\.1\.weight has shape"):
        load_model_for_inference(tmp_path / "x.pth")


def test_an_architecture_that_does_not_exist_is_named():
    with pytest.raises(CheckpointError, match="'ResNet' does not exist; choose one of"):
        build_network("ResNet", 3)


def test_saving_the_same_weights_twice_gives_the_same_bytes(tmp_path):
    for name in ("a.pth", "b.pth"):
        save_pth(tiny.network(), tmp_path / name, tiny.card())
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_a_state_dict_saved_as_the_original_does_it_loads(tmp_path):
    student = tiny.network()
    torch.save(student.state_dict(), tmp_path / "best_student_model.pth")
    model, config = load_model_for_inference(tmp_path / "best_student_model.pth")
    assert config["num_classes"] == 4
    x = torch.randn(2, 5, 96, 64), torch.randn(2, 18)
    with torch.inference_mode():
        assert torch.equal(model(*x), student(*x))

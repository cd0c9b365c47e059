"""Embeddings are what the last layer is given, whichever engine runs the network."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest
import tiny
import torch

from seacall.errors import CheckpointError
from seacall.models import embedding
from seacall.models.backend import OnnxClassifier, load_classifier
from seacall.models.checkpoint import ONNX_NAME, read_card, write_card
from seacall.models.embedding import OnnxEmbedder, TorchEmbedder, load_embedder
from seacall.models.embedding_graph import EMBEDDING, with_embedding
from seacall.models.network import load_network, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.write_model(tmp_path_factory.mktemp("embedding"))


def inputs(n: int = 3, n_patches: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    log_mel = rng.normal(-5, 3, (n, n_patches, 96, 64)).astype(np.float32)
    return log_mel, rng.normal(0, 1, (n, 18)).astype(np.float32)


def without_embedding(model, out):
    """The folder as it was exported before there were embeddings."""
    shutil.copytree(model, out)
    (out / "model.safetensors").unlink()
    graph = onnx.load(out / ONNX_NAME)
    del graph.graph.output[1:]
    onnx.save(graph, out / ONNX_NAME)
    write_card(out, read_card(out))
    return out


def test_both_engines_give_the_embedding_that_torch_computes(model):
    log_mel, features = inputs()
    with torch.inference_mode():
        expected = (
            load_network(model)
            .eval()
            .embed(torch.from_numpy(log_mel), torch.from_numpy(features))
        )
    for found in (OnnxEmbedder(model), TorchEmbedder(model)):
        assert found.length == 96
        np.testing.assert_allclose(
            found.embed(log_mel, features), expected.numpy(), atol=1e-4
        )


def test_logits_of_the_same_run_are_those_of_the_classifier(model):
    log_mel, features = inputs(n_patches=3)
    logits, found = load_embedder(model).both(log_mel, features)
    np.testing.assert_array_equal(
        logits, load_classifier(model).logits(log_mel, features)
    )
    last = load_network(model).classifier[1]
    weight, bias = (p.detach().numpy() for p in (last.weight, last.bias))
    np.testing.assert_allclose(found @ weight.T + bias, logits, atol=1e-4)


def test_the_embedding_of_a_vggish_teacher_is_what_its_last_layer_is_given(tmp_path):
    network = tiny.network("VGGishTeacher")
    save_model(network, tmp_path, tiny.card("VGGishTeacher"))
    found = load_embedder(tmp_path)
    logits, given = found.both(*inputs(2))
    last = network.head[-1]
    expected = last(torch.from_numpy(given)).detach().numpy()
    np.testing.assert_allclose(expected, logits, atol=1e-5)
    assert found.length == 64
    assert found.name.startswith("VGGishTeacher ")


def test_the_model_in_the_package_gives_embeddings():
    found = load_embedder()
    logits, given = found.both(*inputs(2, 5))
    assert given.shape == (2, found.length)
    np.testing.assert_array_equal(logits, load_classifier().logits(*inputs(2, 5)))


def test_an_older_file_is_read_with_onnx_and_gives_the_same(model, tmp_path):
    older = without_embedding(model, tmp_path / "older")
    np.testing.assert_allclose(
        load_embedder(older).embed(*inputs()), load_embedder(model).embed(*inputs())
    )


def test_an_older_file_without_onnx_says_to_export_it_again(
    model, tmp_path, monkeypatch
):
    older = without_embedding(model, tmp_path / "older")
    monkeypatch.setattr(embedding.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match="export the model again"):
        load_embedder(older)


def test_a_single_file_is_refused_with_the_way_out(model):
    with pytest.raises(CheckpointError, match="give the model folder"):
        load_embedder(model / ONNX_NAME)


def test_no_clips_have_no_embeddings(model):
    logits, found = load_embedder(model).both(*inputs(0))
    assert logits.shape == (0, len(tiny.LABELS))
    assert found.shape == (0, 96)


def test_naming_the_embedding_changes_no_bit_of_the_logits(model, tmp_path):
    older = without_embedding(model, tmp_path / "older")
    np.testing.assert_array_equal(
        OnnxClassifier(older).logits(*inputs(5, 4)),
        OnnxClassifier(model).logits(*inputs(5, 4)),
    )


def test_a_graph_whose_logits_come_from_elsewhere_is_refused(model):
    graph = onnx.load(model / ONNX_NAME)
    del graph.graph.output[1:]
    for node in graph.graph.node:
        if "logits" in node.output:
            node.op_type = "Relu"
    with pytest.raises(CheckpointError, match="no fully connected layer"):
        with_embedding(graph)


def test_naming_it_twice_is_naming_it_once(model):
    graph = onnx.load(model / ONNX_NAME)
    before = graph.SerializeToString(deterministic=True)
    assert with_embedding(graph).SerializeToString(deterministic=True) == before
    assert [o.name for o in graph.graph.output] == ["logits", EMBEDDING]

"""The file of a TensorFlow model, written without TensorFlow."""

from __future__ import annotations

import importlib.util

import graph_numpy
import numpy as np
import pytest
from pamguard_models import needs_tensorflow

from seacall.deploy.pamguard_engine import run_saved_model
from seacall.deploy.pamguard_saved_model import FLOAT, ElementType, Nodes, messages
from seacall.errors import CheckpointError, MissingExtraError


def doubled() -> bytes:
    nodes = Nodes()
    y = nodes.placeholder("waveform", (-1, -1))
    two = nodes.constant(np.float32(2))
    nodes.output("scores", nodes.add("Mul", y, two, T=ElementType(FLOAT)))
    return nodes.saved_model(
        takes={"waveform": "waveform"}, gives={"scores": "scores"}, version="2.7.0"
    )


def test_the_signature_says_what_a_loader_looks_for():
    saved = messages()["SavedModel"].FromString(doubled())
    assert saved.saved_model_schema_version == 1
    (meta,) = saved.meta_graphs
    assert list(meta.meta_info_def.tags) == ["serve"]
    (signature,) = meta.signature_def
    assert signature.key == "serving_default"
    (takes,), (gives,) = signature.value.inputs, signature.value.outputs
    assert (takes.value.name, gives.value.name) == ("waveform:0", "scores:0")
    # Two axes: with one, PAMGuard would give the first segment alone.
    assert [size.size for size in takes.value.tensor_shape.dim] == [-1, -1]
    names = [node.name for node in meta.graph_def.node]
    assert {"waveform", "scores"} <= set(names)
    assert len(names) == len(set(names))


def test_a_graph_in_numpy_does_what_it_says():
    y = np.array([[1, 2, 3]], np.float32)
    np.testing.assert_array_equal(graph_numpy.run(doubled(), y), 2 * y)


def test_the_same_constant_is_kept_once():
    nodes = Nodes()
    assert nodes.constant(np.arange(3)) == nodes.constant(np.arange(3))
    assert nodes.constant(np.float32(1)) != nodes.constant(np.int32(1))
    assert nodes.constant(np.zeros(2)) != nodes.constant(np.zeros((2, 1)))


def test_without_tensorflow_nothing_is_run(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seacall\[pamguard\]'"):
        run_saved_model(tmp_path, [])


@needs_tensorflow
def test_tensorflow_runs_it(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(doubled())
    batches = [np.ones((2, 3), np.float32), np.full((1, 5), 4, np.float32)]
    found = run_saved_model(tmp_path, batches)
    for one, batch in zip(found, batches, strict=True):
        np.testing.assert_array_equal(one, 2 * batch)


@needs_tensorflow
def test_what_tensorflow_cannot_load_is_said_in_a_line(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(doubled()[:-9])
    with pytest.raises(CheckpointError, match="TensorFlow does not run"):
        run_saved_model(tmp_path, [np.ones((1, 1), np.float32)])

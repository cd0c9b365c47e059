"""Put a new last layer into a copy of a model folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from seacall.adapt.heads import Layer
from seacall.adapt.plan import Plan
from seacall.errors import CheckpointError, require
from seacall.models.checkpoint import (
    ONNX_NAME,
    WEIGHTS_NAME,
    Card,
    checked_file,
    read_card,
    write_card,
)
from seacall.models.embedding_graph import LOGITS, last_layer, with_embedding


def read_last_layer(folder: Path, card: Card) -> Layer:
    """Read a model's last layer: from embeddings to the logits of all classes.

    Raises
    ------
    CheckpointError
        If it has none.
    MissingExtraError
        If what reads it is not installed: onnx, or torch for a model without ONNX.
    """
    if _by_torch(card):
        last = _last_linear(_network(folder), len(card.labels))
        weight, bias = (p.detach().cpu().numpy() for p in (last.weight, last.bias))
        return Layer(weight.astype(np.float64), bias.astype(np.float64))
    return _onnx_layer(_graph(folder, card))


def joined_layer(old: Layer, plan: Plan, new: Layer) -> Layer:
    """Return the layer of all final classes: rows of the old one, and new rows."""
    rows = plan.fixed_columns()
    order = plan.in_order()
    return Layer(
        np.vstack([old.weight[rows], new.weight])[order],
        np.concatenate([old.bias[rows], new.bias])[order],
    )


def write_model(
    source: Path, card: Card, layer: Layer, out: Path, *, layers: Any = None
) -> Card:
    """Write a model folder with another last layer; all else is the source's.

    Where torch is installed and the source has its weights, the new folder has both
    files; else ``model.onnx`` alone, without torch.

    Parameters
    ----------
    source
        Model folder.
    card
        Of the new model.
    layer
        From embeddings to the logits of the card's classes.
    layers
        A student's layers before that, trained anew (torch); None: as they are.

    Returns
    -------
    card
        With the sizes and sha256 of what was written.
    """
    out.mkdir(parents=True, exist_ok=True)
    old = read_card(source)
    n_parameters = old.n_parameters + (len(card.labels) - len(old.labels)) * (
        layer.weight.shape[1] + 1
    )
    card = card.model_copy(update={"n_parameters": max(n_parameters, 0)})
    if _by_torch(old):
        return _write_by_torch(source, card, layer, out, layers)
    model = _graph(source, old)
    _replace_layer(model, layer)
    (out / ONNX_NAME).write_bytes(model.SerializeToString(deterministic=True))
    return write_card(out, card)


def _by_torch(card: Card) -> bool:
    has_torch = importlib.util.find_spec("torch") is not None
    return WEIGHTS_NAME in card.files and (has_torch or ONNX_NAME not in card.files)


def _graph(folder: Path, card: Card) -> Any:
    """Load a folder's ONNX file, its embedding named."""
    if ONNX_NAME not in card.files:
        raise CheckpointError(
            f"{folder}: its card lists no weights; copy the model folder again"
        )
    onnx = require("onnx", "adapt")
    return with_embedding(onnx.load(checked_file(folder, card, ONNX_NAME)))


def _onnx_layer(model: Any) -> Layer:
    from onnx import numpy_helper

    node = last_layer(model.graph)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    weight = stored[node.input[1]].astype(np.float64)
    if not _is_transposed(node):
        weight = weight.T
    bias = np.zeros(len(weight))
    if len(node.input) > 2:
        bias = stored[node.input[2]].astype(np.float64)
    return Layer(weight, bias)


def _replace_layer(model: Any, layer: Layer) -> None:
    """Exchange the numbers of the last layer, and the number of classes."""
    import onnx

    graph = model.graph
    node = last_layer(graph)
    if len(node.input) < 3:
        raise CheckpointError(
            "the last layer has no offsets, as those that seacall exports have; "
            "export the model again"
        )
    weight = layer.weight if _is_transposed(node) else layer.weight.T
    values = {node.input[1]: weight, node.input[2]: layer.bias}
    for tensor in graph.initializer:
        if tensor.name in values:
            numbers = np.ascontiguousarray(values[tensor.name], np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
    for value in (*graph.value_info, *graph.output):
        if value.name == LOGITS:
            value.type.tensor_type.shape.dim[1].dim_value = len(layer.bias)
    kept = [value for value in graph.value_info if value.name not in values]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    onnx.checker.check_model(model, full_check=True)


def _is_transposed(node: Any) -> bool:
    return any(a.name == "transB" and a.i for a in node.attribute)


def _network(folder: Path) -> Any:
    require("torch", "train")
    from seacall.models.network import load_network

    return load_network(folder).eval()


def _last_linear(network: Any, n_classes: int) -> Any:
    from torch import nn

    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    return next(m for m in reversed(layers) if m.out_features == n_classes)


def _write_by_torch(
    source: Path, card: Card, layer: Layer, out: Path, layers: Any
) -> Card:
    import torch

    from seacall.models.network import build_network, load_network, save_model

    network = load_network(source)
    wanted = build_network(card.architecture, len(card.labels), channels=card.channels)
    state = network.state_dict()
    last = _last_linear(wanted, len(card.labels))
    (name,) = [k for k, m in wanted.named_modules() if m is last]
    state[f"{name}.weight"] = torch.from_numpy(layer.weight.astype(np.float32))
    state[f"{name}.bias"] = torch.from_numpy(layer.bias.astype(np.float32))
    wanted.load_state_dict(state)
    if layers is not None:
        wanted.get_submodule("embedding").load_state_dict(layers.state_dict())
    written = save_model(wanted.eval(), out, card)
    if ONNX_NAME not in read_card(source).files:
        return written
    from seacall.learn.export import export_onnx

    return export_onnx(out)

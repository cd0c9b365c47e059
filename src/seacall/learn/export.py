"""Write a network as ONNX, and prove on the spot that it answers like torch."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxscript.optimizer
import torch
from torch import nn

from seacall.errors import CheckpointError
from seacall.models.checkpoint import ONNX_NAME, Card, read_card, write_card
from seacall.models.embedding_graph import with_embedding
from seacall.models.network import load_network

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference of logits between torch and ONNX Runtime that is let through."""


def export_onnx(folder: Path) -> Card:
    """Add ``model.onnx`` to a model folder: patches and features to logits.

    Its second output, ``embedding``, is what the last layer is given. Batch size and
    number of patches stay open.

    Returns
    -------
    card
        The folder's card, which now lists the file.

    Raises
    ------
    CheckpointError
        If ONNX Runtime's logits differ from torch's; the file is removed then.
    """
    card = read_card(folder)
    network = load_network(folder).eval()
    path = folder / ONNX_NAME
    _write(network, path)
    difference = _difference(network, path)
    if not difference <= TOLERANCE:
        path.unlink()
        raise CheckpointError(
            f"{path}: its logits differ from torch's by {difference:.1e}, allowed is "
            f"{TOLERANCE:.0e}; report this with the versions of torch and onnxruntime"
        )
    return write_card(folder, card)


def _write(network: nn.Module, path: Path) -> None:
    example = (torch.zeros(2, 3, 96, 64), torch.zeros(2, 18))
    batch = torch.export.Dim("batch", min=1)
    patches = torch.export.Dim("patches", min=1)
    model = onnx_graph(
        network,
        example,
        inputs=["log_mel", "features"],
        outputs=["logits"],
        dynamic_shapes=({0: batch, 1: patches}, {0: batch}),
    )
    path.write_bytes(with_embedding(model).SerializeToString(deterministic=True))


def onnx_graph(
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    *,
    inputs: list[str],
    outputs: list[str],
    dynamic_shapes: tuple[Any, ...],
    folded: bool = True,
) -> Any:
    """Turn a network into an ONNX model, the same each time.

    Parameters
    ----------
    network
        In evaluation mode.
    example
        Its inputs, of any values; open sizes are 2 or more in them.
    inputs, outputs
        Their names.
    dynamic_shapes
        The open sizes of each input.
    folded
        False: what is computed from constants alone stays to be computed, where it is
        larger than what it is computed from.

    Returns
    -------
    model
        An ``onnx.ModelProto``, without names and paths of the exporting machine.
    """
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter about itself
            program = torch.onnx.export(
                network,
                example,
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=dynamic_shapes,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
                optimize=folded,
            )
            assert program is not None  # for the type checker
            if not folded:
                onnxscript.optimizer.optimize(
                    program.model, input_size_limit=1_024, output_size_limit=1_024
                )
    finally:
        exporter_log.setLevel(level)
    model = program.model_proto
    for node in model.graph.node:  # names and paths of the exporting machine
        del node.metadata_props[:]
        node.doc_string = ""
    for value in model.graph.value_info:
        del value.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    return model


def _difference(network: nn.Module, path: Path) -> float:
    """Return the largest difference of logits over inputs of several shapes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(0)
    worst = 0.0
    for n_clips, n_patches in ((1, 1), (1, 5), (4, 5), (7, 2)):
        log_mel = rng.normal(-5, 3, (n_clips, n_patches, 96, 64)).astype(np.float32)
        features = rng.normal(0, 1, (n_clips, 18)).astype(np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(log_mel), torch.from_numpy(features))
        got = session.run(["logits"], {"log_mel": log_mel, "features": features})[0]
        worst = max(worst, float(np.abs(got - expected.numpy()).max()))
    return worst

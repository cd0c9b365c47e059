"""Let an ONNX network give its embedding too: what its last layer is given."""

from __future__ import annotations

from typing import Any

from seacall.errors import CheckpointError

EMBEDDING = "embedding"
LOGITS = "logits"
_LINEAR = {"Gemm", "MatMul"}


def with_embedding(model: Any) -> Any:
    """Give an ONNX network the second output ``embedding``.

    Nothing is computed anew: the value that the last fully connected layer is given
    gets a name and a place among the outputs, behind ``logits``.

    Parameters
    ----------
    model
        An ``onnx.ModelProto`` whose first output is ``logits``; it is changed.

    Raises
    ------
    CheckpointError
        If no fully connected layer gives its logits.
    """
    import onnx

    graph = model.graph
    if EMBEDDING in {output.name for output in graph.output}:
        return model
    name, length = _given(graph)
    for node in graph.node:
        node.input[:] = [EMBEDDING if one == name else one for one in node.input]
        node.output[:] = [EMBEDDING if one == name else one for one in node.output]
    kept = [value for value in graph.value_info if value.name != name]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    batch = graph.output[0].type.tensor_type.shape.dim[0]
    shape = [batch.dim_param or batch.dim_value or None, length]
    graph.output.append(
        onnx.helper.make_tensor_value_info(EMBEDDING, onnx.TensorProto.FLOAT, shape)
    )
    onnx.checker.check_model(model)
    return model


def last_layer(graph: Any) -> Any:
    """Return the node of a graph whose output is ``logits``, fully connected.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    for node in graph.node:
        if LOGITS in node.output and node.op_type in _LINEAR:
            return node
    raise CheckpointError(
        "the network's logits come from no fully connected layer, so it has no "
        "embedding; export the model again"
    )


def _given(graph: Any) -> tuple[str, int]:
    """Return the last layer's input, by name, and its length."""
    node = last_layer(graph)
    name, weight = node.input[0], node.input[1]
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    if weight not in sizes:
        raise CheckpointError(
            "the last layer's weights are computed, not stored, so its input is not "
            "known to be an embedding; use the model folder that was exported from"
        )
    return name, int(sizes[weight][1 if transposed else 0])

"""Change a LiteRT model where it lies: weights in int8, names left out.

A LiteRT model is a flat buffer: operators, tensors, and buffers with their constants
(``schema.fbs`` of TensorFlow Lite). It is read into plain objects, changed, and written
again.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_IDENTIFIER = b"TFL3"
_CHANNELS_VERSION = {"CONV_2D": 5, "FULLY_CONNECTED": 9}
"""Version of each operator that takes int8 weights with float32 inputs."""
_LARGEST = 127


def in_int8(model: bytes) -> bytes:
    """Let convolutions and fully connected layers multiply in int8.

    Weights are kept in int8: for a convolution with one scale for each output channel,
    otherwise with one for the layer, -127 to 127, so that zero is zero. The engine
    brings what a layer is given to int8 by the range that it has at that time, and the
    sum back to float32 ("dynamic range quantisation"). Attention, pooling, layer norms
    and biases stay in float32. So does a layer that sees an input of the model as it
    is: features have ranges of their own, from 0.1 to 10,000, and share no scale.

    Parameters
    ----------
    model
        In float32.
    """
    whole = _read(model)
    graph = whole.subgraphs[0]
    done: set[int] = set()
    for operator, kind in _operators(whole):
        if kind not in _CHANNELS_VERSION or operator.inputs[0] in graph.inputs:
            continue
        place = int(operator.inputs[1])
        tensor = graph.tensors[place]
        if place not in done:
            if not _is_weight(whole, tensor):
                continue
            weights = _constant(whole, tensor)
            scale = _scales(weights, by_channel=kind == "CONV_2D")
            _replace(whole, tensor, _rounded(weights, scale), scale)
            done.add(place)
        if kind == "FULLY_CONNECTED":
            operator.builtinOptions.asymmetricQuantizeInputs = True
        code = whole.operatorCodes[operator.opcodeIndex]
        code.version = max(code.version, _CHANNELS_VERSION[kind])
    return _written(whole)


def stripped(model: bytes) -> bytes:
    """Leave out names of what is inside, and constants that are there twice.

    Inputs, outputs and the signature keep their names.
    """
    whole = _read(model)
    graph = whole.subgraphs[0]
    outside = {*map(int, graph.inputs), *map(int, graph.outputs)}
    for place, tensor in enumerate(graph.tensors):
        tensor.shapeSignature = None
        if place not in outside:
            tensor.name = None
        if tensor.quantization is not None and tensor.quantization.scale is None:
            tensor.quantization = None
    graph.name = whole.description = None
    whole.metadata = whole.metadataBuffer = None
    _share_buffers(whole)
    return _written(whole)


def _share_buffers(whole: Any) -> None:
    """Keep each constant once; the first buffer is the empty one."""
    buffers = [whole.buffers[0]]
    places: dict[bytes, int] = {b"": 0}
    for tensor in whole.subgraphs[0].tensors:
        buffer = whole.buffers[tensor.buffer]
        content = b"" if buffer.data is None else bytes(bytearray(buffer.data))
        if content not in places:
            places[content] = len(buffers)
            buffers.append(buffer)
        tensor.buffer = places[content]
    whole.buffers = buffers


def _operators(whole: Any) -> Iterator[tuple[Any, str]]:
    """Return each operator with the name of what it does."""
    numbers = vars(_schema().BuiltinOperator).items()
    names = {number: name for name, number in numbers if isinstance(number, int)}
    for operator in whole.subgraphs[0].operators:
        code = whole.operatorCodes[operator.opcodeIndex]
        # Old readers know small numbers only, and find them in a field of their own.
        yield operator, names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _is_weight(whole: Any, tensor: Any) -> bool:
    is_float = tensor.type == _schema().TensorType.FLOAT32
    return is_float and whole.buffers[tensor.buffer].data is not None


def _constant(whole: Any, tensor: Any) -> Float32:
    content = bytes(bytearray(whole.buffers[tensor.buffer].data))
    return np.frombuffer(content, "<f4").reshape(tensor.shape)


def _scales(weights: Float32, *, by_channel: bool) -> Float32:
    """Return the step of each output channel, or of all, shape ``(n,)``."""
    rows = weights.reshape(len(weights) if by_channel else 1, -1)
    largest = np.abs(rows).max(axis=1)
    return np.where(largest > 0, largest / _LARGEST, 1.0).astype(np.float32)


def _rounded(weights: Float32, scale: Float32) -> NDArray[np.int8]:
    steps = scale.reshape(-1, *[1] * (weights.ndim - 1))
    rounded = np.clip(np.round(weights / steps), -_LARGEST, _LARGEST)
    return rounded.astype(np.int8)


def _replace(whole: Any, tensor: Any, values: NDArray[np.int8], scale: Float32) -> None:
    """Give a tensor int8 values, in a buffer of its own."""
    schema = _schema()
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    whole.buffers.append(buffer)
    tensor.buffer = len(whole.buffers) - 1
    tensor.type = schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = scale
    tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)
    tensor.quantization.quantizedDimension = 0


def _schema() -> Any:
    return importlib.import_module("ai_edge_litert.schema_py_generated")


def _read(model: bytes) -> Any:
    schema = _schema()
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def _written(whole: Any) -> bytes:
    flatbuffers = importlib.import_module("flatbuffers")
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())

"""The layers of a network, from ONNX to TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.deploy.pamguard_conversion import Conversion, Operator, need
from seacall.deploy.pamguard_onnx import OnnxNode
from seacall.deploy.pamguard_saved_model import FLOAT, INT32, ElementType

_NHWC, _NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
"""TensorFlow's convolutions on a CPU want the channels last."""


def _mat_mul(c: Conversion, node: OnnxNode) -> str:
    need(node, all(c.graph.ranks[name] >= 2 for name in node.inputs))
    dtype = c.type_of(node.inputs[0])
    return c.nodes.add("BatchMatMulV2", *map(c.of, node.inputs), T=dtype)


def _gemm(c: Conversion, node: OnnxNode) -> str:
    used = node.attributes
    need(node, used.get("alpha", 1.0) == used.get("beta", 1.0) == 1.0)
    dtype = c.type_of(node.inputs[0])
    product = c.nodes.add(
        "MatMul",
        *map(c.of, node.inputs[:2]),
        T=dtype,
        transpose_a=bool(used.get("transA", 0)),
        transpose_b=bool(used.get("transB", 0)),
    )
    if len(node.inputs) < 3:
        return product
    return c.nodes.add("AddV2", product, c.of(node.inputs[2]), T=dtype)


def _conv(c: Conversion, node: OnnxNode) -> str:
    x, kernel = node.inputs[0], c.graph.constants[node.inputs[1]]
    used = node.attributes
    need(node, kernel.ndim == 4 and used.get("auto_pad", "NOTSET") == "NOTSET")
    dtype = c.type_of(x)
    name = c.transposed(c.of(x), _NHWC, dtype)
    same = _keeps_size(node, kernel.shape[2:])
    if not same:
        name = _padded(c, name, used.get("pads", [0] * 4), 0.0)
    op, laid_out = _kernel(node, kernel)
    name = c.nodes.add(
        op,
        name,
        c.nodes.constant(laid_out),
        T=dtype,
        padding="SAME" if same else "VALID",
        strides=[1, *used.get("strides", [1, 1]), 1],
        dilations=[1, *used.get("dilations", [1, 1]), 1],
    )
    if len(node.inputs) > 2:
        name = c.nodes.add("AddV2", name, c.of(node.inputs[2]), T=dtype)
    return c.transposed(name, _NCHW, dtype)


def _kernel(node: OnnxNode, kernel: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Lay weights out, and say which convolution takes them."""
    n_groups = node.attributes.get("group", 1)
    if n_groups == 1:
        return "Conv2D", np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
    need(node, kernel.shape[1] == 1)
    apart = kernel.reshape(n_groups, -1, *kernel.shape[2:])
    laid_out = np.ascontiguousarray(apart.transpose(2, 3, 0, 1))
    return "DepthwiseConv2dNative", laid_out


def _keeps_size(node: OnnxNode, size: tuple[int, ...]) -> bool:
    """Tell whether a convolution pads evenly, so that it gives as much as it takes."""
    used = node.attributes
    evenly = [length // 2 for length in size] * 2
    odd = all(length % 2 for length in size)
    step = {*used.get("strides", [1]), *used.get("dilations", [1])}
    return odd and step == {1} and list(used.get("pads", [0] * 4)) == evenly


def _padded(c: Conversion, name: str, pads: list[int], value: float) -> str:
    """Pad height and width of float32 maps, channels last."""
    if not any(pads):
        return name
    top, left, bottom, right = pads
    widths = c.ints([[0, 0], [top, bottom], [left, right], [0, 0]])
    fill = c.nodes.constant(np.float32(value))
    return c.nodes.add("PadV2", name, widths, fill, T=ElementType(FLOAT))


def _max_pool(c: Conversion, node: OnnxNode) -> str:
    used = node.attributes
    size = used["kernel_shape"]
    plain = not used.get("ceil_mode", 0) and set(used.get("dilations", [1])) == {1}
    need(node, plain and len(size) == 2)
    dtype = c.type_of(node.inputs[0])
    name = c.transposed(c.of(node.inputs[0]), _NHWC, dtype)
    name = _padded(c, name, used.get("pads", [0] * 4), -np.inf)
    name = c.nodes.add(
        "MaxPool",
        name,
        T=dtype,
        padding="VALID",
        ksize=[1, *size, 1],
        strides=[1, *used.get("strides", [1, 1]), 1],
    )
    return c.transposed(name, _NCHW, dtype)


def _layer_norm(c: Conversion, node: OnnxNode) -> str:
    need(node, node.attributes.get("axis", -1) in (-1, 1))
    dtype, add = c.type_of(node.inputs[0]), c.nodes.add
    need(node, c.graph.ranks[node.inputs[0]] == 2)
    x, last = c.of(node.inputs[0]), c.ints([1])
    reduced: dict[str, Any] = {"T": dtype, "Tidx": ElementType(INT32)}
    mean = add("Mean", x, last, **reduced, keep_dims=True)
    centred = add("Sub", x, mean, T=dtype)
    squares = add("Mul", centred, centred, T=dtype)
    variance = add("Mean", squares, last, **reduced, keep_dims=True)
    epsilon = np.float32(node.attributes.get("epsilon", 1e-5))
    safe = add("AddV2", variance, c.nodes.constant(epsilon), T=dtype)
    deviation = add("Sqrt", safe, T=dtype)
    name = add("RealDiv", centred, deviation, T=dtype)
    name = add("Mul", name, c.of(node.inputs[1]), T=dtype)
    if len(node.inputs) < 3:
        return name
    return add("AddV2", name, c.of(node.inputs[2]), T=dtype)


def _log_sum_exp(c: Conversion, node: OnnxNode) -> str:
    """Add the logarithm of a sum of exponentials, of what is left of the largest."""
    dtype, add = c.type_of(node.inputs[0]), c.nodes.add
    x, axes = c.of(node.inputs[0]), c.ints(c.graph.axes(node))
    reduced: dict[str, Any] = {"T": dtype, "Tidx": ElementType(INT32)}
    largest = add("Max", x, axes, **reduced, keep_dims=True)
    left = add("Exp", add("Sub", x, largest, T=dtype), T=dtype)
    total = add("Sum", left, axes, **reduced, keep_dims=True)
    name = add("AddV2", add("Log", total, T=dtype), largest, T=dtype)
    if node.attributes.get("keepdims", 1):
        return name
    squeezed = [int(axis) for axis in c.graph.axes(node)]
    return add("Squeeze", name, T=dtype, squeeze_dims=squeezed)


LAYERS: dict[str, Operator] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "LayerNormalization": _layer_norm,
    "MatMul": _mat_mul,
    "MaxPool": _max_pool,
    "ReduceLogSumExp": _log_sum_exp,
}
"""Operators that compute."""

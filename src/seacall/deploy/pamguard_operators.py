"""What each ONNX operator is in TensorFlow: a table, and how its nodes are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.deploy.pamguard_onnx import OnnxGraph, OnnxNode
from seacall.deploy.pamguard_saved_model import BOOL, INT32, ElementType, Nodes
from seacall.errors import CheckpointError

Operator = Callable[["Conversion", OnnxNode], str]

SAME = {
    "Abs": "Abs",
    "Add": "AddV2",
    "Div": "RealDiv",
    "Exp": "Exp",
    "Greater": "Greater",
    "GreaterOrEqual": "GreaterEqual",
    "Identity": "Identity",
    "Less": "Less",
    "Log": "Log",
    "Max": "Maximum",
    "Min": "Minimum",
    "Mul": "Mul",
    "Neg": "Neg",
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Softmax": "Softmax",
    "Sqrt": "Sqrt",
    "Sub": "Sub",
}
"""Operators that differ in name alone; their one type attribute is ``T``."""

REDUCTIONS = {
    "ReduceMax": "Max",
    "ReduceMean": "Mean",
    "ReduceMin": "Min",
    "ReduceSum": "Sum",
}
"""Operators over axes."""

_LOGIC = {"And": "LogicalAnd", "Or": "LogicalOr", "Not": "LogicalNot"}
_NHWC, _NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
"""TensorFlow's convolutions on a CPU want the channels last."""


class Conversion:
    """One ONNX graph on its way to TensorFlow.

    Parameters
    ----------
    graph
        What is converted.
    nodes
        Where its nodes are added.
    inputs
        Names in TensorFlow of the graph's inputs.
    """

    def __init__(self, graph: OnnxGraph, nodes: Nodes, inputs: dict[str, str]) -> None:
        self.graph, self.nodes = graph, nodes
        self._names = dict(inputs)

    def run(self) -> dict[str, str]:
        """Convert all nodes; return the names of the graph's outputs.

        Raises
        ------
        CheckpointError
            If the graph has an operator that is not in the table, or one that is used
            as no model of ours uses it.
        """
        for node in self.graph.nodes:
            self._names[node.outputs[0]] = self._converted(node)
        return {name: self._names[name] for name in self.graph.outputs}

    def of(self, name: str) -> str:
        """Return what an ONNX value is called in TensorFlow."""
        if name not in self._names:
            self._names[name] = self.nodes.constant(self.graph.constants[name])
        return self._names[name]

    def type_of(self, name: str) -> ElementType:
        """Return the element type of an ONNX value."""
        return ElementType(self.graph.dtypes[name])

    def ints(self, values: Any) -> str:
        """Add integers: axes, sizes, orders."""
        return self.nodes.constant(np.asarray(values, np.int32))

    def transposed(self, name: str, order: Any, dtype: ElementType) -> str:
        """Add a change of the order of axes."""
        return self.nodes.add("Transpose", name, self.ints(order), T=dtype)

    def _converted(self, node: OnnxNode) -> str:
        if node.op in SAME:
            return self._chain(node)
        if node.op in REDUCTIONS:
            return _reduce(self, node)
        if node.op in _LOGIC:
            return self.nodes.add(_LOGIC[node.op], *map(self.of, node.inputs))
        if node.op not in OPERATORS:
            raise CheckpointError(
                f"operator {node.op}: has no counterpart in the table for TensorFlow; "
                "export a student, whose operators all have one"
            )
        return OPERATORS[node.op](self, node)

    def _chain(self, node: OnnxNode) -> str:
        """Add the same operation; ONNX's maximum takes any number of values."""
        if node.op == "Softmax":
            _need(node, node.attributes.get("axis", -1) in (-1, self._last(node)))
        dtype = self.type_of(node.inputs[0])
        name = self.of(node.inputs[0])
        if len(node.inputs) == 1:
            return self.nodes.add(SAME[node.op], name, T=dtype)
        for other in node.inputs[1:]:
            name = self.nodes.add(SAME[node.op], name, self.of(other), T=dtype)
        return name

    def _last(self, node: OnnxNode) -> int:
        return self.graph.ranks[node.inputs[0]] - 1


def _need(node: OnnxNode, holds: bool) -> None:
    """Refuse a use of an operator that the table was not made for."""
    if not holds:
        raise CheckpointError(
            f"operator {node.op}: is used in a way that is not converted "
            f"({node.attributes}); export a student"
        )


def _reduce(c: Conversion, node: OnnxNode) -> str:
    axes = c.graph.axes(node)
    return c.nodes.add(
        REDUCTIONS[node.op],
        c.of(node.inputs[0]),
        c.ints(axes),
        T=c.type_of(node.inputs[0]),
        Tidx=ElementType(INT32),
        keep_dims=bool(node.attributes.get("keepdims", 1)),
    )


def _clip(c: Conversion, node: OnnxNode) -> str:
    name, dtype = c.of(node.inputs[0]), c.type_of(node.inputs[0])
    for op, limit in zip(("Maximum", "Minimum"), node.inputs[1:], strict=False):
        if limit:
            name = c.nodes.add(op, name, c.of(limit), T=dtype)
    return name


def _mat_mul(c: Conversion, node: OnnxNode) -> str:
    _need(node, all(c.graph.ranks[name] >= 2 for name in node.inputs))
    dtype = c.type_of(node.inputs[0])
    return c.nodes.add("BatchMatMulV2", *map(c.of, node.inputs), T=dtype)


def _gemm(c: Conversion, node: OnnxNode) -> str:
    used = node.attributes
    _need(node, used.get("alpha", 1.0) == used.get("beta", 1.0) == 1.0)
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
    _need(node, kernel.ndim == 4 and used.get("auto_pad", "NOTSET") == "NOTSET")
    dtype = c.type_of(x)
    name = c.transposed(c.of(x), _NHWC, dtype)
    name = _padded(c, name, used.get("pads", [0] * 4), 0.0)
    op, laid_out = _kernel(node, kernel)
    name = c.nodes.add(
        op,
        name,
        c.nodes.constant(laid_out),
        T=dtype,
        padding="VALID",
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
    _need(node, kernel.shape[1] == 1)
    apart = kernel.reshape(n_groups, -1, *kernel.shape[2:])
    laid_out = np.ascontiguousarray(apart.transpose(2, 3, 0, 1))
    return "DepthwiseConv2dNative", laid_out


def _padded(c: Conversion, name: str, pads: list[int], value: float) -> str:
    """Pad height and width of float32 maps, channels last."""
    if not any(pads):
        return name
    top, left, bottom, right = pads
    widths = c.ints([[0, 0], [top, bottom], [left, right], [0, 0]])
    fill = c.nodes.constant(np.float32(value))
    return c.nodes.add("PadV2", name, widths, fill, T=ElementType(1))


def _max_pool(c: Conversion, node: OnnxNode) -> str:
    used = node.attributes
    size = used["kernel_shape"]
    plain = not used.get("ceil_mode", 0) and set(used.get("dilations", [1])) == {1}
    _need(node, plain and len(size) == 2)
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
    _need(node, node.attributes.get("axis", -1) in (-1, 1))
    dtype, add = c.type_of(node.inputs[0]), c.nodes.add
    _need(node, c.graph.ranks[node.inputs[0]] == 2)
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


def _top_k(c: Conversion, node: OnnxNode) -> str:
    """Add the largest values; where they were is not converted."""
    used = node.attributes
    last = c.graph.ranks[node.inputs[0]] - 1
    _need(node, used.get("axis", -1) in (-1, last) and used.get("largest", 1) == 1)
    how_many = int(c.graph.constants[node.inputs[1]].item())
    dtype = c.type_of(node.inputs[0])
    return c.nodes.add("TopKV2", c.of(node.inputs[0]), c.ints(how_many), T=dtype)


def _shape(c: Conversion, node: OnnxNode) -> str:
    rank = c.graph.ranks[node.inputs[0]]
    start, end, _ = slice(
        node.attributes.get("start", 0), node.attributes.get("end", rank)
    ).indices(rank)
    out = ElementType(c.graph.dtypes[node.outputs[0]])
    sizes = c.nodes.add(
        "Shape", c.of(node.inputs[0]), T=c.type_of(node.inputs[0]), out_type=out
    )
    return _strided(c, sizes, out, [slice(start, end)])


def _slice(c: Conversion, node: OnnxNode) -> str:
    found = [c.graph.constants[name] for name in node.inputs[1:]]
    starts, ends = found[:2]
    axes = found[2] if len(found) > 2 else np.arange(len(starts))
    steps = found[3] if len(found) > 3 else np.ones(len(starts), np.int64)
    parts = [slice(None)] * c.graph.ranks[node.inputs[0]]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        _need(node, step > 0)
        # ONNX writes "to the end" as a number beyond any size.
        limit = None if end >= np.iinfo(np.int32).max else int(end)
        parts[axis] = slice(int(start), limit, int(step))
    return _strided(c, c.of(node.inputs[0]), c.type_of(node.inputs[0]), parts)


def _strided(c: Conversion, name: str, dtype: ElementType, parts: list[slice]) -> str:
    """Add a slice; a part without an end goes to the end."""
    return c.nodes.add(
        "StridedSlice",
        name,
        c.ints([part.start or 0 for part in parts]),
        c.ints([part.stop or 0 for part in parts]),
        c.ints([part.step or 1 for part in parts]),
        T=dtype,
        Index=ElementType(INT32),
        end_mask=sum(1 << k for k, part in enumerate(parts) if part.stop is None),
    )


def _gather(c: Conversion, node: OnnxNode) -> str:
    indices = c.graph.constants[node.inputs[1]]
    # TensorFlow's kernel for a CPU takes no index from the end.
    _need(node, c.graph.is_constant(node.inputs[1]))
    axis = node.attributes.get("axis", 0)
    if (indices < 0).any():
        size = c.graph.shapes[node.inputs[0]][axis]
        _need(node, isinstance(size, int))
        indices = np.where(indices < 0, indices + size, indices)
    return c.nodes.add(
        "GatherV2",
        c.of(node.inputs[0]),
        c.ints(indices),
        c.ints(axis),
        Tparams=c.type_of(node.inputs[0]),
        Tindices=ElementType(INT32),
        Taxis=ElementType(INT32),
    )


def _concat(c: Conversion, node: OnnxNode) -> str:
    return c.nodes.add(
        "ConcatV2",
        *map(c.of, node.inputs),
        c.ints(node.attributes["axis"]),
        N=len(node.inputs),
        T=c.type_of(node.inputs[0]),
        Tidx=ElementType(INT32),
    )


def _unsqueeze(c: Conversion, node: OnnxNode) -> str:
    name, dtype = c.of(node.inputs[0]), c.type_of(node.inputs[0])
    rank = c.graph.ranks[node.outputs[0]]
    for axis in sorted(int(axis) % rank for axis in c.graph.axes(node)):
        name = c.nodes.add(
            "ExpandDims", name, c.ints(axis), T=dtype, Tdim=ElementType(INT32)
        )
    return name


def _squeeze(c: Conversion, node: OnnxNode) -> str:
    dtype = c.type_of(node.inputs[0])
    axes = [int(axis) for axis in c.graph.axes(node)]
    return c.nodes.add("Squeeze", c.of(node.inputs[0]), T=dtype, squeeze_dims=axes)


def _reshape(c: Conversion, node: OnnxNode) -> str:
    shape = node.inputs[1]
    if c.graph.is_constant(shape) and not node.attributes.get("allowzero", 0):
        _need(node, bool((c.graph.constants[shape] != 0).all()))
    return c.nodes.add(
        "Reshape",
        *map(c.of, node.inputs),
        T=c.type_of(node.inputs[0]),
        Tshape=c.type_of(shape),
    )


def _transpose(c: Conversion, node: OnnxNode) -> str:
    x = node.inputs[0]
    return c.transposed(c.of(x), node.attributes["perm"], c.type_of(x))


def _expand(c: Conversion, node: OnnxNode) -> str:
    # ONNX lets the value be the larger one too; ours are single numbers.
    _need(node, c.graph.ranks[node.inputs[0]] == 0)
    return c.nodes.add(
        "BroadcastTo",
        *map(c.of, node.inputs),
        T=c.type_of(node.inputs[0]),
        Tidx=c.type_of(node.inputs[1]),
    )


def _pad(c: Conversion, node: OnnxNode) -> str:
    _need(node, node.attributes.get("mode", "constant") == "constant")
    _need(node, len(node.inputs) < 4 or not node.inputs[3])
    dtype = c.type_of(node.inputs[0])
    widths = c.graph.constants[node.inputs[1]].reshape(2, -1).T
    given = len(node.inputs) > 2 and node.inputs[2]
    zero = np.zeros((), c.graph.numpy_dtype(node.inputs[0]))
    fill = c.of(node.inputs[2]) if given else c.nodes.constant(zero)
    # A negative width cuts off, which TensorFlow has no word for.
    _need(node, bool((widths >= 0).all()))
    return c.nodes.add("PadV2", c.of(node.inputs[0]), c.ints(widths), fill, T=dtype)


def _cast(c: Conversion, node: OnnxNode) -> str:
    given, wanted = c.type_of(node.inputs[0]), c.type_of(node.outputs[0])
    return c.nodes.add("Cast", c.of(node.inputs[0]), SrcT=given, DstT=wanted)


def _where(c: Conversion, node: OnnxNode) -> str:
    _need(node, c.graph.dtypes[node.inputs[0]] == BOOL)
    dtype = c.type_of(node.inputs[1])
    return c.nodes.add("SelectV2", *map(c.of, node.inputs), T=dtype)


OPERATORS: dict[str, Operator] = {
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Expand": _expand,
    "Gather": _gather,
    "Gemm": _gemm,
    "LayerNormalization": _layer_norm,
    "MatMul": _mat_mul,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "ReduceLogSumExp": _log_sum_exp,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
"""Operators that take more than another name."""

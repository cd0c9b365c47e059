"""What each ONNX operator is in TensorFlow: the whole table."""

from __future__ import annotations

import numpy as np

from seacall.deploy.pamguard_conversion import Conversion, Operator, need
from seacall.deploy.pamguard_layers import LAYERS
from seacall.deploy.pamguard_onnx import OnnxGraph, OnnxNode
from seacall.deploy.pamguard_saved_model import BOOL, INT32, ElementType, Nodes


def converted(graph: OnnxGraph, nodes: Nodes, inputs: dict[str, str]) -> dict[str, str]:
    """Add the nodes of an ONNX graph.

    Parameters
    ----------
    graph
        What is converted.
    nodes
        Where its nodes are added.
    inputs
        Names in TensorFlow of the graph's inputs.

    Returns
    -------
    names
        In TensorFlow, of the graph's outputs.

    Raises
    ------
    CheckpointError
        As `Conversion.run`.
    """
    return Conversion(graph, nodes, inputs, OPERATORS).run()


def _clip(c: Conversion, node: OnnxNode) -> str:
    name, dtype = c.of(node.inputs[0]), c.type_of(node.inputs[0])
    for op, limit in zip(("Maximum", "Minimum"), node.inputs[1:], strict=False):
        if limit:
            name = c.nodes.add(op, name, c.of(limit), T=dtype)
    return name


def _top_k(c: Conversion, node: OnnxNode) -> str:
    """Add the largest values; where they were is not converted."""
    used = node.attributes
    last = c.graph.ranks[node.inputs[0]] - 1
    need(node, used.get("axis", -1) in (-1, last) and used.get("largest", 1) == 1)
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
        need(node, step > 0)
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
    need(node, c.graph.is_constant(node.inputs[1]))
    axis = node.attributes.get("axis", 0)
    if (indices < 0).any():
        size = c.graph.shapes[node.inputs[0]][axis]
        need(node, isinstance(size, int))
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
        need(node, bool((c.graph.constants[shape] != 0).all()))
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
    need(node, c.graph.ranks[node.inputs[0]] == 0)
    return c.nodes.add(
        "BroadcastTo",
        *map(c.of, node.inputs),
        T=c.type_of(node.inputs[0]),
        Tidx=c.type_of(node.inputs[1]),
    )


def _pad(c: Conversion, node: OnnxNode) -> str:
    need(node, node.attributes.get("mode", "constant") == "constant")
    need(node, len(node.inputs) < 4 or not node.inputs[3])
    dtype = c.type_of(node.inputs[0])
    widths = c.graph.constants[node.inputs[1]].reshape(2, -1).T
    given = len(node.inputs) > 2 and node.inputs[2]
    zero = np.zeros((), c.graph.numpy_dtype(node.inputs[0]))
    fill = c.of(node.inputs[2]) if given else c.nodes.constant(zero)
    # A negative width cuts off, which TensorFlow has no word for.
    need(node, bool((widths >= 0).all()))
    return c.nodes.add("PadV2", c.of(node.inputs[0]), c.ints(widths), fill, T=dtype)


def _cast(c: Conversion, node: OnnxNode) -> str:
    given, wanted = c.type_of(node.inputs[0]), c.type_of(node.outputs[0])
    return c.nodes.add("Cast", c.of(node.inputs[0]), SrcT=given, DstT=wanted)


def _where(c: Conversion, node: OnnxNode) -> str:
    need(node, c.graph.dtypes[node.inputs[0]] == BOOL)
    dtype = c.type_of(node.inputs[1])
    return c.nodes.add("SelectV2", *map(c.of, node.inputs), T=dtype)


OPERATORS: dict[str, Operator] = {
    **LAYERS,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Expand": _expand,
    "Gather": _gather,
    "Pad": _pad,
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

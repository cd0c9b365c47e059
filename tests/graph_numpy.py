"""Runs a TensorFlow graph in NumPy, operation by operation, as TensorFlow's page of
each says. A second reader for tests: nothing in it knows ONNX or seacall."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from seacall.deploy.pamguard_saved_model import TYPES, messages

NUMPY = {number: np.dtype(name) for name, number in TYPES.items()}
PLAIN = {
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "FloorMod": np.mod,
    "Less": np.less,
    "Greater": np.greater,
    "LogicalOr": np.logical_or,
    "Neg": np.negative,
    "Abs": np.abs,
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Sigmoid": expit,
    "Relu": lambda x: np.maximum(x, 0),
    "Identity": lambda x: x,
    "SelectV2": np.where,
    "PadV2": lambda x, widths, fill: np.pad(x, widths, constant_values=fill),
    "Reshape": lambda x, shape: x.reshape(shape),
    "Transpose": lambda x, order: x.transpose(order),
    "GatherV2": lambda x, places, axis: np.take(x, places, axis=int(axis)),
    "ExpandDims": lambda x, axis: np.expand_dims(x, int(axis)),
    "BroadcastTo": lambda x, shape: np.broadcast_to(x, shape),
    "BatchMatMulV2": np.matmul,
    "ConcatV2": lambda *x: np.concatenate(x[:-1], axis=int(x[-1])),
}
REDUCTIONS = {"Sum": np.sum, "Mean": np.mean, "Max": np.max, "Min": np.min}


def run(saved_model: bytes, y: np.ndarray | dict[str, np.ndarray]) -> np.ndarray:
    """Run the signature of a SavedModel on its one input, or its inputs by name."""
    meta = messages()["SavedModel"].FromString(saved_model).meta_graphs[0]
    signature = meta.signature_def[0].value
    given = y if isinstance(y, dict) else {signature.inputs[0].key: y}
    assert given.keys() == {entry.key for entry in signature.inputs}
    values = {
        entry.value.name.removesuffix(":0"): np.asarray(given[entry.key])
        for entry in signature.inputs
    }
    with np.errstate(divide="ignore"):
        for node in meta.graph_def.node:
            if node.op != "Placeholder":
                values[node.name] = _result(node, [values[name] for name in node.input])
    return values[signature.outputs[0].value.name.removesuffix(":0")]


def _result(node: Any, x: list[np.ndarray]) -> np.ndarray:
    used = {entry.key: entry.value for entry in node.attr}
    if node.op in PLAIN:
        result = PLAIN[node.op](*x)
    elif node.op in REDUCTIONS:
        axes, keep = tuple(np.atleast_1d(x[1])), used["keep_dims"].b
        result = REDUCTIONS[node.op](x[0], axis=axes, keepdims=keep)
    else:
        result = globals()[f"_{node.op.lower()}"](used, *x)
    if "T" in used:
        _check_types(node, used["T"].type, x, result)
    return result


def _check_types(node: Any, number: int, x: list[np.ndarray], result: Any) -> None:
    """TensorFlow adds no integers to decimals, and no single to double precision."""
    dtype = NUMPY[number]
    if node.op not in {"Less", "Greater", "Shape"}:
        assert result.dtype == dtype, (node.name, result.dtype)
    # What is left are axes, sizes and places.
    values = {"SelectV2": x[1:], "PadV2": x[::2], "ConcatV2": x[:-1]}
    plain = PLAIN.get(node.op)
    every = x if isinstance(plain, np.ufunc) or node.op == "BatchMatMulV2" else x[:1]
    assert {v.dtype for v in values.get(node.op, every)} == {dtype}, node.name


def _const(used):
    tensor = used["value"].tensor
    shape = [size.size for size in tensor.tensor_shape.dim]
    return np.frombuffer(tensor.tensor_content, NUMPY[tensor.dtype]).reshape(shape)


def _cast(used, x):
    assert x.dtype == NUMPY[used["SrcT"].type]
    return x.astype(NUMPY[used["DstT"].type])


def _shape(used, x):
    return np.array(x.shape, NUMPY[used["out_type"].type])


def _squeeze(used, x):
    return x.squeeze(tuple(used["squeeze_dims"].list.i))


def _softmax(used, x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _topkv2(used, x, k):
    return -np.sort(-x, axis=-1)[..., : int(k)]


def _matmul(used, a, b):
    a = a.T if used["transpose_a"].b else a
    return a @ (b.T if used["transpose_b"].b else b)


def _stridedslice(used, x, begin, end, strides):
    open_ends = used["end_mask"].i if "end_mask" in used else 0
    parts = [
        slice(int(b), None if open_ends >> k & 1 else int(e), int(s))
        for k, (b, e, s) in enumerate(zip(begin, end, strides, strict=True))
    ]
    return x[tuple(parts)]


def _windows(x, size, strides):
    """Cut (n, height, width, channels) into (n, rows, columns, channels, *size)."""
    cut = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return cut[:, :: strides[1], :: strides[2]]


def _padded(used, x, kernel):
    """Pad as the padding SAME does where every place has its window."""
    if used["padding"].s == b"VALID":
        return x
    assert used["padding"].s == b"SAME"
    assert set(used["strides"].list.i) == {1}
    total = [size - 1 for size in kernel.shape[:2]]
    widths = [(n // 2, n - n // 2) for n in total]
    return np.pad(x, [(0, 0), *widths, (0, 0)])


def _conv2d(used, x, kernel):
    x = _padded(used, x, kernel)
    assert set(used["dilations"].list.i) == {1}
    cut = _windows(x, kernel.shape[:2], used["strides"].list.i)
    return np.einsum("nrcihw,hwio->nrco", cut, kernel, optimize=True)


def _depthwiseconv2dnative(used, x, kernel):
    x = _padded(used, x, kernel)
    cut = _windows(x, kernel.shape[:2], used["strides"].list.i)
    found = np.einsum("nrcihw,hwim->nrcim", cut, kernel, optimize=True)
    return found.reshape(*found.shape[:3], -1)


def _maxpool(used, x):
    assert used["padding"].s == b"VALID"
    size = tuple(used["ksize"].list.i)[1:3]
    return _windows(x, size, used["strides"].list.i).max(axis=(4, 5))

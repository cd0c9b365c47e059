"""Each ONNX operator as TensorFlow's: ONNX Runtime runs one side, NumPy the other."""

from __future__ import annotations

import graph_numpy
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from seacall.deploy.pamguard_onnx import OnnxGraph
from seacall.deploy.pamguard_operators import converted
from seacall.deploy.pamguard_saved_model import Nodes
from seacall.errors import CheckpointError


def f32(*shape):
    values = np.random.default_rng(sum(shape)).normal(size=shape)
    return values.astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


def one_operator(op, constants=(), *, dtype=TensorProto.FLOAT, shape=(4, 6), **used):
    """A graph that takes a matrix, folds it to a shape, and runs one operator."""
    names = [f"c{k}" for k in range(len(constants))]
    given = {"fold": i64(*shape), **dict(zip(names, constants, strict=True))}
    left_out = [name if given[name] is not None else "" for name in names]
    outputs = ["made", "places"] if op == "TopK" else ["made"]
    nodes = [
        helper.make_node("Reshape", ["x", "fold"], ["plain"]),
        helper.make_node("Cast", ["plain"], ["folded"], to=dtype),
        helper.make_node(op, ["folded", *left_out], outputs, **used),
        helper.make_node("Cast", ["made"], ["y"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, k) for k, v in given.items() if v is not None],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )


def as_tensorflow(model: onnx.ModelProto) -> bytes:
    nodes = Nodes()
    x = nodes.placeholder("x", (-1, -1))
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    found = converted(OnnxGraph(inferred), nodes, {"x": x})
    nodes.output("y", found["y"])
    return nodes.saved_model(takes={"x": "x"}, gives={"y": "y"}, version="2.7.0")


CASES = {
    "add": ("Add", [f32(6)]),
    "sub": ("Sub", [f32(4, 1)]),
    "mul": ("Mul", [f32(6)]),
    "div": ("Div", [f32(6)]),
    "max of three": ("Max", [f32(6), f32(4, 1)]),
    "min": ("Min", [f32(6)]),
    "neg": ("Neg", []),
    "abs": ("Abs", []),
    "relu": ("Relu", []),
    "exp": ("Exp", []),
    "sigmoid": ("Sigmoid", []),
    "softmax": ("Softmax", [], {"axis": 1}),
    "less": ("Less", [f32(6)]),
    "greater": ("Greater", [f32(6)]),
    "clip below": ("Clip", [np.float32(-0.2)]),
    "clip above": ("Clip", [None, np.float32(0.2)]),
    "sum over an axis": ("ReduceSum", [i64(1)], {"keepdims": 0}),
    "mean over all": ("ReduceMean", [], {"keepdims": 1}),
    "max, axis kept": ("ReduceMax", [i64(0)], {"keepdims": 1}),
    "min, from the end": ("ReduceMin", [i64(-1)], {"keepdims": 0}),
    "log sum exp": ("ReduceLogSumExp", [i64(1)], {"keepdims": 0}),
    "log sum exp, kept": ("ReduceLogSumExp", [i64(1)], {"keepdims": 1}),
    "matrix product": ("MatMul", [f32(6, 3)]),
    "products in a batch": ("MatMul", [f32(2, 6, 3)], {"shape": (2, 2, 6)}),
    "gemm": ("Gemm", [f32(3, 6), f32(3)], {"transB": 1}),
    "gemm without offset": ("Gemm", [f32(6, 3)]),
    "cut": ("Slice", [i64(1), i64(-1), i64(1), i64(2)]),
    "cut to the end": ("Slice", [i64(2), i64(2**62), i64(1)]),
    "cut two axes": ("Slice", [i64(1, 0), i64(3, 4)]),
    "gather": ("Gather", [i64(3, 0, 3)], {"axis": 1}),
    "gather one from the end": ("Gather", [np.int64(-1)], {"axis": 1}),
    "unsqueeze": ("Unsqueeze", [i64(0, 2)]),
    "unsqueeze from the end": ("Unsqueeze", [i64(-1)]),
    "squeeze": ("Squeeze", [i64(1)], {"shape": (4, 1, 6)}),
    "reshape": ("Reshape", [i64(3, -1)]),
    "transpose": ("Transpose", [], {"perm": [2, 0, 1], "shape": (4, 2, 3)}),
    "pad": ("Pad", [i64(0, 2, 1, 3)]),
    "pad with ones": ("Pad", [i64(0, 2, 1, 3), np.float32(1)]),
    "pad in double precision": (
        "Pad",
        [i64(0, 2, 1, 3)],
        {"dtype": TensorProto.DOUBLE},
    ),
    "shape": ("Shape", []),
    "part of the shape": ("Shape", [], {"start": 1}),
    "double and back": ("Cast", [], {"to": TensorProto.DOUBLE}),
    "largest": ("TopK", [i64(3)]),
    "layer norm": ("LayerNormalization", [f32(6), f32(6)], {"epsilon": 1e-5}),
    "layer norm without offset": ("LayerNormalization", [f32(6)]),
    "convolution": (
        "Conv",
        [f32(5, 2, 3, 3), f32(5)],
        {"shape": (1, 2, 3, 4), "pads": [1, 1, 1, 1]},
    ),
    "convolution in steps": (
        "Conv",
        [f32(5, 2, 1, 3)],
        {"shape": (1, 2, 2, 6), "strides": [1, 2], "pads": [0, 2, 0, 1]},
    ),
    "each channel apart": (
        "Conv",
        [f32(4, 1, 2, 2), f32(4)],
        {"shape": (1, 2, 3, 4), "group": 2},
    ),
    "max pool": (
        "MaxPool",
        [],
        {"shape": (1, 2, 3, 4), "kernel_shape": [2, 2], "strides": [2, 2]},
    ),
    "max pool, padded": (
        "MaxPool",
        [],
        {"shape": (1, 2, 3, 4), "kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_does_what_onnx_runtime_does(name):
    op, constants, *rest = CASES[name]
    model = one_operator(op, constants, **(rest[0] if rest else {}))
    x = f32(4, 6)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, {"x": x})[0]
    found = graph_numpy.run(as_tensorflow(model), x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("op", "constants", "used"),
    [
        ("Sin", [], {}),
        ("Softmax", [], {"axis": 0}),
        ("Gemm", [f32(6, 3)], {"alpha": 0.5}),
        ("Slice", [i64(3), i64(-5), i64(0), i64(-1)], {}),
        ("Pad", [i64(0, -1, 0, 0)], {}),
        ("Pad", [i64(0, 1, 0, 1)], {"mode": "reflect"}),
        ("TopK", [i64(3)], {"largest": 0}),
        ("Conv", [f32(4, 2, 2, 2)], {"shape": (1, 4, 2, 3), "group": 2}),
        ("MaxPool", [], {"shape": (1, 2, 12), "kernel_shape": [2]}),
        ("Reshape", [i64(0, -1)], {}),
    ],
)
def test_what_the_table_does_not_cover_is_refused_by_name(op, constants, used):
    with pytest.raises(CheckpointError, match=f"operator {op}:"):
        as_tensorflow(one_operator(op, constants, **used))

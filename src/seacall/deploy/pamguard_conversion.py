"""Turn an ONNX graph into TensorFlow nodes, one operator after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seacall.deploy.pamguard_onnx import OnnxGraph, OnnxNode
from seacall.deploy.pamguard_saved_model import INT32, ElementType, Nodes
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
    operators
        What to do with operators that take more than another name.
    """

    def __init__(
        self,
        graph: OnnxGraph,
        nodes: Nodes,
        inputs: dict[str, str],
        operators: dict[str, Operator],
    ) -> None:
        self.graph, self.nodes, self._operators = graph, nodes, operators
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
        if node.op not in self._operators:
            raise CheckpointError(
                f"operator {node.op}: has no counterpart in the table for TensorFlow; "
                "export a student, whose operators all have one"
            )
        return self._operators[node.op](self, node)

    def _chain(self, node: OnnxNode) -> str:
        """Add the same operation; ONNX's maximum takes any number of values."""
        if node.op == "Softmax":
            need(node, node.attributes.get("axis", -1) in (-1, self._last(node)))
        dtype = self.type_of(node.inputs[0])
        name = self.of(node.inputs[0])
        if len(node.inputs) == 1:
            return self.nodes.add(SAME[node.op], name, T=dtype)
        for other in node.inputs[1:]:
            name = self.nodes.add(SAME[node.op], name, self.of(other), T=dtype)
        return name

    def _last(self, node: OnnxNode) -> int:
        return self.graph.ranks[node.inputs[0]] - 1


def need(node: OnnxNode, holds: bool) -> None:
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

"""Read an ONNX graph: nodes, constants, and the type and rank of every value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from seacall.deploy.pamguard_saved_model import TYPES
from seacall.errors import CheckpointError


@dataclass(frozen=True)
class OnnxNode:
    """One operation."""

    op: str
    inputs: list[str]
    """Names; empty where an optional one is left out."""
    outputs: list[str]
    attributes: dict[str, Any]
    """Plain values by name."""


class OnnxGraph:
    """A graph whose values are all known by type and rank.

    Parameters
    ----------
    model
        With an operator set of 13 or later.

    Raises
    ------
    CheckpointError
        If a value's type cannot be told.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = shape_inference.infer_shapes(model)
        graph = self._model.graph
        self.outputs = [value.name for value in graph.output]
        self.constants: dict[str, NDArray[Any]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self._shapes_of_constants()
        self._check_types()

    @cached_property
    def nodes(self) -> list[OnnxNode]:
        """What has to be computed, in order."""
        every = [_node(node) for node in self._model.graph.node]
        return [node for node in every if node.outputs[0] not in self.constants]

    @cached_property
    def shapes(self) -> dict[str, list[int | None]]:
        """Sizes of each value, by name; None: it varies."""
        shapes: dict[str, list[int | None]] = {
            name: list(values.shape) for name, values in self.constants.items()
        }
        for value in self._values():
            sizes = value.type.tensor_type.shape.dim
            shapes[value.name] = [
                size.dim_value if size.HasField("dim_value") else None for size in sizes
            ]
        return shapes

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Number of axes of each value, by name."""
        return {name: len(shape) for name, shape in self.shapes.items()}

    @cached_property
    def dtypes(self) -> dict[str, int]:
        """TensorFlow's number of each value's element type, by name."""
        found = {
            name: TYPES[values.dtype.name] for name, values in self.constants.items()
        }
        for value in self._values():
            of_numpy = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            found[value.name] = TYPES[of_numpy.name]
        return found

    def numpy_dtype(self, name: str) -> np.dtype[Any]:
        """Return a value's element type as NumPy's."""
        return np.dtype(
            {n: of_numpy for of_numpy, n in TYPES.items()}[self.dtypes[name]]
        )

    def is_constant(self, name: str) -> bool:
        """Tell whether a value is known before anything is computed."""
        return name in self.constants

    def axes(self, node: OnnxNode) -> NDArray[np.int64]:
        """Return the axes that a node works on: all of them if it names none."""
        if len(node.inputs) > 1 and node.inputs[1]:
            return np.atleast_1d(self.constants[node.inputs[1]]).astype(np.int64)
        given = node.attributes.get("axes")
        every = range(self.ranks[node.inputs[0]])
        return np.array(given if given is not None else every, np.int64)

    def _shapes_of_constants(self) -> None:
        """Compute what is made of constants alone and tells axes, sizes and places."""
        integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
        whole = {
            value.name
            for value in self._model.graph.value_info
            if value.type.tensor_type.elem_type in integers
        }
        for node in self._model.graph.node:
            known = all(name in self.constants for name in node.input)
            if node.op_type == "Constant" or (known and node.output[0] in whole):
                given = {name: self.constants[name] for name in node.input}
                (found,) = ReferenceEvaluator(node).run(None, given)
                self.constants[node.output[0]] = np.asarray(found)

    def _values(self) -> list[onnx.ValueInfoProto]:
        graph = self._model.graph
        return [*graph.input, *graph.value_info, *graph.output]

    def _check_types(self) -> None:
        known = self.ranks.keys() & self.dtypes.keys()
        unknown = {name for node in self.nodes for name in node.outputs} - known
        if unknown:
            raise CheckpointError(
                f"value {min(unknown)}: its type cannot be told from the ONNX graph; "
                "export it with seacall again"
            )


def _node(node: onnx.NodeProto) -> OnnxNode:
    attributes = {one.name: _plain(one) for one in node.attribute}
    return OnnxNode(node.op_type, list(node.input), list(node.output), attributes)


def _plain(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return list(value) if attribute.ints or attribute.floats else value

"""Write a TensorFlow SavedModel without TensorFlow, which takes 1.3 GB.

A SavedModel without variables is one protocol buffer: a graph of nodes whose weights
are constants, and a signature that names what goes in and what comes out. The few
messages that this takes are declared here, with the field numbers of
``tensorflow/core/framework`` and ``tensorflow/core/protobuf``, which never change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.errors import require

FLOAT, DOUBLE, INT32, INT64, BOOL = 1, 2, 3, 9, 10
"""Numbers of the element types (``types.proto``)."""

TYPES: dict[str, int] = {
    "float32": FLOAT,
    "float64": DOUBLE,
    "int32": INT32,
    "int64": INT64,
    "bool": BOOL,
}
"""The same, by the names of NumPy."""

_PRODUCER = 561
"""Version of the graph's language (``versions.proto``): what TensorFlow 2.4 wrote.
Every later TensorFlow reads it; PAMGuard's is 2.7 or later."""

_MESSAGES = {
    "SavedModel": "int64 saved_model_schema_version = 1; "
    "repeated MetaGraphDef meta_graphs = 2",
    "MetaGraphDef": "MetaInfoDef meta_info_def = 1; GraphDef graph_def = 2; "
    "repeated SignatureEntry signature_def = 5",
    "MetaInfoDef": "repeated string tags = 4; string tensorflow_version = 5; "
    "bool stripped_default_attrs = 7",
    "GraphDef": "repeated NodeDef node = 1; VersionDef versions = 4",
    "VersionDef": "int32 producer = 1; int32 min_consumer = 2",
    "NodeDef": "string name = 1; string op = 2; repeated string input = 3; "
    "repeated AttrEntry attr = 5",
    "AttrEntry": "string key = 1; AttrValue value = 2",
    "AttrValue": "ListValue list = 1; bytes s = 2; int64 i = 3; float f = 4; "
    "bool b = 5; int32 type = 6; TensorShapeProto shape = 7; TensorProto tensor = 8",
    "ListValue": "repeated int64 i = 3",
    "TensorProto": "int32 dtype = 1; TensorShapeProto tensor_shape = 2; "
    "bytes tensor_content = 4",
    "TensorShapeProto": "repeated Dim dim = 2",
    "Dim": "int64 size = 1",
    "SignatureEntry": "string key = 1; SignatureDef value = 2",
    "SignatureDef": "repeated TensorInfoEntry inputs = 1; "
    "repeated TensorInfoEntry outputs = 2; string method_name = 3",
    "TensorInfoEntry": "string key = 1; TensorInfo value = 2",
    "TensorInfo": "string name = 1; int32 dtype = 2; TensorShapeProto tensor_shape = 3",
}
"""The fields that are written. Maps are written as what they are on the wire: repeated
pairs. Enumerations are numbers."""


@lru_cache(maxsize=1)
def messages() -> dict[str, Any]:
    """Return the message classes, by name.

    Raises
    ------
    MissingExtraError
        If onnx, which brings protobuf, is not installed.
    """
    require("onnx", "train")  # which brings protobuf
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto()
    file.name, file.package, file.syntax = "saved_model", "seacall", "proto2"
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split("; "):
            _declare(message.field.add(), text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"seacall.{name}")
        )
        for name in _MESSAGES
    }


def _declare(field: Any, text: str) -> None:
    """Fill in a field from ``[repeated] type name = number``."""
    *repeated, kind, name, _, number = text.split()
    field.name, field.number = name, int(number)
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind in _MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".seacall.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")


class ElementType(int):
    """An attribute that names an element type."""


class Nodes:
    """The nodes of a graph, in an order in which they can be computed."""

    def __init__(self) -> None:
        self._graph = messages()["GraphDef"]()
        self._graph.versions.producer = _PRODUCER
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._counts: dict[str, int] = {}

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node.

        Parameters
        ----------
        op
            TensorFlow's name of what it does.
        inputs
            Names of what it takes.
        attributes
            Of the operation; what is left out has TensorFlow's default.

        Returns
        -------
        name
            Of the node, and of its first output.
        """
        return self._named(self._next(op), op, inputs, attributes)

    def placeholder(self, name: str, shape: Sequence[int]) -> str:
        """Add an input, float32; -1 in its shape: any length."""
        sizes = messages()["TensorShapeProto"]()
        for size in shape:
            sizes.dim.add(size=size)
        attributes = {"dtype": ElementType(FLOAT), "shape": sizes}
        return self._named(name, "Placeholder", (), attributes)

    def output(self, name: str, of: str) -> str:
        """Give a float32 result the name that it has outside."""
        return self._named(name, "Identity", (of,), {"T": ElementType(FLOAT)})

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """Add a constant, or find one that holds the same."""
        values = np.asarray(values)
        key = (values.dtype.name, values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = self._add_constant(values)
        return self._constants[key]

    def saved_model(
        self,
        *,
        takes: dict[str, str],
        gives: dict[str, str],
        version: str,
        shapes: Mapping[str, Sequence[int]] | None = None,
    ) -> bytes:
        """Return the contents of ``saved_model.pb``.

        Parameters
        ----------
        takes, gives
            Names of the nodes, by the names of the signature ``serving_default``;
            all are float32.
        version
            What the file says it was written by.
        shapes
            Of inputs and outputs, by the names of the signature; -1: any length. What
            is left out is a matrix of any size.
        """
        saved = messages()["SavedModel"](saved_model_schema_version=1)
        meta = saved.meta_graphs.add()
        meta.meta_info_def.tags.append("serve")
        meta.meta_info_def.tensorflow_version = version
        meta.meta_info_def.stripped_default_attrs = True
        meta.graph_def.CopyFrom(self._graph)
        signature = meta.signature_def.add(key="serving_default").value
        signature.method_name = "tensorflow/serving/predict"
        for infos, names in ((signature.inputs, takes), (signature.outputs, gives)):
            for key, name in sorted(names.items()):
                info = infos.add(key=key).value
                info.name, info.dtype = f"{name}:0", FLOAT
                for size in (shapes or {}).get(key, (-1, -1)):
                    info.tensor_shape.dim.add(size=size)
        written: bytes = saved.SerializeToString(deterministic=True)
        return written

    def _next(self, op: str) -> str:
        """Return a name that is still free."""
        count = self._counts[op] = self._counts.get(op, -1) + 1
        return f"{op}_{count}"

    def _add_constant(self, values: NDArray[Any]) -> str:
        dtype = TYPES[values.dtype.name]
        tensor = messages()["TensorProto"](dtype=dtype)
        for size in values.shape:
            tensor.tensor_shape.dim.add(size=size)
        little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
        tensor.tensor_content = little_endian.tobytes()
        return self.add("Const", dtype=ElementType(dtype), value=tensor)

    def _named(
        self, name: str, op: str, inputs: Sequence[str], attributes: dict[str, Any]
    ) -> str:
        node = self._graph.node.add(name=name, op=op, input=inputs)
        for key in sorted(attributes):
            _fill(node.attr.add(key=key).value, attributes[key])
        return name


def _fill(attribute: Any, value: Any) -> None:
    """Set an attribute by the type of its value."""
    if isinstance(value, ElementType):
        attribute.type = int(value)
    elif isinstance(value, bool):
        attribute.b = value
    elif isinstance(value, int):
        attribute.i = value
    elif isinstance(value, str):
        attribute.s = value.encode()
    elif isinstance(value, list):
        attribute.list.i.extend(value)
    else:
        field = "tensor" if hasattr(value, "tensor_content") else "shape"
        getattr(attribute, field).CopyFrom(value)

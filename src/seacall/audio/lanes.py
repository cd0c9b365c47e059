"""Sixteen float32 numbers at once, as a type of numba's: what compiled kernels work on.

numba gives loops to LLVM and hopes that they come out as vector instructions; with a
Fourier transform in place they do not (the compiler cannot prove that its reads and
writes lie apart), and are ten times slower. A vector type leaves nothing to prove.
LLVM cuts sixteen numbers into what the processor has: one AVX-512 register, two of
AVX2, four of NEON.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, models, overload, register_model

N_LANES = 16

_VECTOR = ir.VectorType(ir.FloatType(), N_LANES)
_INDEX = ir.IntType(32)
_FUSED = ("contract",)  # a * b + c may be rounded once


class LanesType(types.Type):
    """numba's name for sixteen float32 numbers."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), _VECTOR.as_pointer())


def _read(builder: Any, pointer: Any) -> Any:
    value = builder.load(pointer)
    value.align = 4  # numbers, not vectors, are aligned for certain
    return value


def _write(builder: Any, value: Any, pointer: Any) -> None:
    builder.store(value, pointer).align = 4


compiled = njit(cache=True, nogil=True, error_model="numpy")
"""Decorator of what is compiled; the machine code is kept on disk for the next time."""


@intrinsic
def load(_typing: Any, array: Any, at: Any) -> Any:
    """Read sixteen numbers of a flat float32 array that begin at index ``at``."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _read(builder, _pointer(context, builder, signature.args[0], *values))

    return lanes(array, types.intp), code


@intrinsic
def store(_typing: Any, array: Any, at: Any, value: Any) -> Any:
    """Write sixteen numbers into a flat float32 array from index ``at``."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *values[:2])
        _write(builder, values[2], pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), code


@intrinsic
def splat(_typing: Any, number: Any) -> Any:
    """Return sixteen times the same float32 number."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return _splat(builder, values[0])

    return lanes(types.float32), code


def _splat(builder: Any, number: Any) -> Any:
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(first, empty, _indices([0] * N_LANES))


def _indices(numbers: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_INDEX, len(numbers)), numbers)


@intrinsic
def square_root(_typing: Any, x: Any) -> Any:
    """Return the square roots."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        name = f"llvm.sqrt.v{N_LANES}f32"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, kind, name
        )
        return builder.call(function, values)

    return lanes(lanes), code


@intrinsic
def below(_typing: Any, x: Any, y: Any) -> Any:
    """Return 1 where ``x < y`` and 0 elsewhere."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        smaller = builder.fcmp_ordered("<", *values)
        return builder.uitofp(smaller, _VECTOR)

    return lanes(lanes, lanes), code


@intrinsic
def transpose(
    _typing: Any, source: Any, at: Any, stride: Any, target: Any, to: Any, step: Any
) -> Any:
    """Turn a square of 16 x 16 numbers from one flat array to another.

    Row k of ``source`` begins at ``at + k * stride``, that of ``target`` at
    ``to + k * step``. Four rounds of interleaving row k with row k + 8.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def row(array: int, k: int) -> Any:
            where = builder.mul(values[array + 2], ir.Constant(ir.IntType(64), k))
            where = builder.add(values[array + 1], where)
            kind = signature.args[array]
            return _pointer(context, builder, kind, values[array], where)

        rows = [_read(builder, row(0, k)) for k in range(N_LANES)]
        for _ in range(4):
            rows = _interleaved(builder, rows)
        for k in range(N_LANES):
            _write(builder, rows[k], row(3, k))
        return context.get_dummy_value()

    index = types.intp
    return types.void(source, index, index, target, index, index), code


def _interleaved(builder: Any, rows: list[Any]) -> list[Any]:
    half = N_LANES // 2
    low = _indices([k // 2 + N_LANES * (k % 2) for k in range(N_LANES)])
    high = _indices([half + k // 2 + N_LANES * (k % 2) for k in range(N_LANES)])
    mixed = []
    for first, second in zip(rows[:half], rows[half:], strict=True):
        mixed.append(builder.shuffle_vector(first, second, low))
        mixed.append(builder.shuffle_vector(first, second, high))
    return mixed


def _two_operands(instruction: str) -> Any:
    @intrinsic
    def operation(_typing: Any, x: Any, y: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return getattr(builder, instruction)(*values, flags=_FUSED)

        return lanes(lanes, lanes), code

    return operation


def _offer(operator_: Any, instruction: str) -> None:
    """Let an operator between two such vectors be one instruction."""
    operation = _two_operands(instruction)
    # As lambdas: numba wants the very same signature, and no annotations, from both.
    overload(operator_)(
        lambda x, y: (
            (lambda x, y: operation(x, y)) if x is lanes and y is lanes else None
        )
    )


_offer(operator.add, "fadd")
_offer(operator.sub, "fsub")
_offer(operator.mul, "fmul")


@compiled
def rows(n: int) -> Any:
    """Return room for rows, on a border of 64 bytes: vectors do not straddle two."""
    room = np.empty((n + 1) * N_LANES, np.float32)
    lead = -(room.ctypes.data // 4) % N_LANES
    return room[lead : lead + n * N_LANES]

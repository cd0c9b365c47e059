"""Several training processes under ``torchrun``; in a single one all is a no-op."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

T = TypeVar("T")

_alone = ContextVar("alone", default=False)
"""Whether this process works while the others wait for it."""


def is_launched() -> bool:
    """Tell whether ``torchrun`` started this process."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextmanager
def group(device: torch.device) -> Iterator[None]:
    """Join the other processes for the time of a run (gloo on CPUs, NCCL on GPUs).

    On GPUs each process takes its own, unless ``device`` names one.
    """
    if not is_launched():
        yield
        return
    if device.type == "cuda" and device.index is None:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """Return how many processes train together; 1 while the others wait."""
    return dist.get_world_size() if dist.is_initialized() and not _alone.get() else 1


def rank() -> int:
    """Return this process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Tell whether this process writes the files."""
    return rank() == 0


def from_first(compute: Callable[[], T]) -> T:
    """Compute in the first process, while the others wait, and give all the result."""
    if count() == 1:
        return compute()
    box: list[Any] = [None]
    if is_first():
        # To gather figures of processes that wait would never end.
        token = _alone.set(True)
        try:
            box = [compute()]
        finally:
            _alone.reset(token)
    dist.broadcast_object_list(box)
    result: T = box[0]
    return result


def total(*values: Any) -> tuple[Any, ...]:
    """Sum numbers and arrays over all processes."""
    if count() == 1:
        return values
    gathered: list[Any] = [None] * count()
    dist.all_gather_object(gathered, [np.asarray(value) for value in values])
    return tuple(sum(parts[1:], parts[0]) for parts in zip(*gathered, strict=True))

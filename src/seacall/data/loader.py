"""Batches of clips for training, in an order that a seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from seacall.data.arrays import ClipArrays


class EpochSampler(Sampler[list[int]]):
    """Deal all clips into batches, shuffled anew each epoch, shared among processes.

    Parameters
    ----------
    n_clips
        Clips in the set.
    batch_size
        Clips in one batch of one process; a last batch of a single clip, whose
        statistics batch norm could not use, joins the one before.
    seed
        With the epoch decides the order; the same in all processes.
    rank, world_size
        This process's number and how many there are. Every process gets the same
        number of batches; clips at the end are repeated to fill the last.
    """

    def __init__(
        self,
        n_clips: int,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.epoch = 0
        self._n_clips = n_clips
        self._batch_size = batch_size
        self._seed = seed
        self._rank = rank
        self._world_size = world_size

    def __len__(self) -> int:
        return len(self._starts())

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self._seed, self.epoch])
        order = rng.permutation(self._n_clips)
        if self._world_size > 1:
            order = np.resize(order, self._share() * self._world_size)
            order = order[self._rank :: self._world_size]
        for batch in np.split(order, self._starts()[1:]):
            yield batch.tolist()

    def _share(self) -> int:
        """Return the number of clips of each process."""
        return -(-self._n_clips // self._world_size)

    def _starts(self) -> list[int]:
        """Return where each batch starts in a process's share."""
        share = self._share()
        starts = list(range(0, share, self._batch_size))
        alone = len(starts) > 1 and starts[-1] == share - 1 and self._batch_size > 1
        return starts[:-1] if alone else starts


def clip_tensors(arrays: ClipArrays) -> tuple[Tensor, Tensor, Tensor]:
    """Give patches, raw features and class numbers as tensors that share the memory."""
    return (
        torch.from_numpy(arrays.log_mel),
        torch.from_numpy(arrays.features),
        torch.from_numpy(arrays.targets),
    )


def training_loader(
    tensors: tuple[Tensor, ...], *, sampler: EpochSampler
) -> DataLoader[tuple[Tensor, ...]]:
    """Yield shuffled batches of tensors that share their first axis."""
    return DataLoader(TensorDataset(*tensors), sampler=sampler, batch_size=None)


def ordered_loader(
    tensors: tuple[Tensor, ...], *, batch_size: int
) -> DataLoader[tuple[Tensor, ...]]:
    """Yield batches in the order of the set: to validate, or to ask a teacher."""
    return DataLoader(TensorDataset(*tensors), batch_size=batch_size)

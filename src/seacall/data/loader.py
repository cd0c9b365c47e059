"""Batches of clips for training, in an order that a seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from seacall.data.arrays import ClipArrays
from seacall.data.fixed import SCALE


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
    n_views
        Views of each clip, of which an epoch draws one at random. View ``v`` of clip
        ``k`` is number ``v * n_clips + k``.
    groups
        Levels of groups that are drawn equally often, the coarsest first: the group's
        number of each clip. With classes and deployments the classes share the epoch,
        and within each class its deployments share what the class got. Empty: every
        clip is drawn once.
    """

    def __init__(
        self,
        n_clips: int,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        n_views: int = 1,
        groups: Sequence[NDArray[np.int64]] = (),
    ) -> None:
        self.epoch = 0
        self._n_views = n_views
        self._groups = groups
        self._n_clips = n_clips
        self._batch_size = batch_size
        self._seed = seed
        self._rank = rank
        self._world_size = world_size

    def __len__(self) -> int:
        return len(self._starts())

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self._seed, self.epoch])
        if self._groups:
            clips = np.arange(self._n_clips)
            order = rng.permutation(_dealt(clips, self._n_clips, self._groups, rng))
        else:
            order = rng.permutation(self._n_clips)
        if self._n_views > 1:
            views = rng.integers(self._n_views, size=len(order))
            order = views * self._n_clips + order
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


def _dealt(
    members: NDArray[np.int64],
    n: int,
    groups: Sequence[NDArray[np.int64]],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw ``n`` of the members, each group equally often, to one.

    Within a group of the last level each clip is drawn equally often, to one.
    """
    if not groups:
        # Whole rounds of all members, each in a new order, and a part of one more.
        rounds = [rng.permutation(members) for _ in range(-(-n // len(members)))]
        return np.concatenate([*rounds, members[:0]])[:n]
    names = rng.permutation(np.unique(groups[0][members]))
    # The order is random, and so is who gets the remainder.
    shares = np.full(len(names), n // len(names))
    shares[: n % len(names)] += 1
    parts = [
        _dealt(members[groups[0][members] == name], int(share), groups[1:], rng)
        for name, share in zip(names, shares, strict=True)
    ]
    return np.concatenate(parts)


def equal_shares(
    n_clips: int, groups: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Return the share of an epoch that each clip gets on average.

    The weights to use where clips are counted rather than drawn: the groups of
    :func:`group_numbers` share alike, whatever number of clips each has.

    Parameters
    ----------
    groups
        As for :class:`EpochSampler`.

    Returns
    -------
    shares
        Shape ``(n_clips,)``, sum 1.

    Examples
    --------
    >>> species = np.array([0, 0, 0, 1])
    >>> deployment = np.array([0, 0, 1, 1])
    >>> equal_shares(4, (species, deployment))
    array([0.125, 0.125, 0.25 , 0.5  ])
    """
    shares = np.ones(n_clips)
    within = np.zeros(n_clips, np.int64)
    for level in groups:
        pairs = np.stack([within, level])
        found, number = np.unique(pairs, axis=1, return_inverse=True)
        shares = shares / np.bincount(found[0])[within]
        within = number.ravel()
    shares = shares / np.bincount(within, minlength=1)[within]
    return shares / (shares.sum() or 1.0)


def group_numbers(
    balance: str, targets: NDArray[np.int64], deployments: Sequence[str] | None
) -> tuple[NDArray[np.int64], ...]:
    """Return the groups that :class:`EpochSampler` draws equally often.

    Parameters
    ----------
    balance
        ``none``, ``class``, or ``deployment``: classes, and deployments within them.
    targets
        Class numbers, shape ``(n,)``.
    deployments
        Of each clip; needed for ``deployment``.

    Raises
    ------
    ValueError
        If deployments are needed and not given.
    """
    if balance == "none":
        return ()
    if balance == "class":
        return (targets,)
    if deployments is None:
        raise ValueError("balance='deployment' needs the clips' deployments, got none")
    numbers = np.unique(np.asarray(deployments), return_inverse=True)[1]
    return targets, np.asarray(numbers, np.int64)


def as_float(x: Tensor) -> Tensor:
    """Return log-mel as floats, also where it is kept in fixed point."""
    return x.float() / SCALE if x.dtype == torch.int16 else x


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

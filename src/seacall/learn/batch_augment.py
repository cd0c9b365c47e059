"""Vary a batch of log-mel patches: masks, Freq-MixStyle, mixup.

Each change is a function free of chance; :class:`BatchAugment` chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seacall.augmentation import AugmentSettings, MaskSettings

_TINY = 1e-6


def mask(x: Tensor, hidden: Tensor) -> Tensor:
    """Put each clip's mean where something is to be hidden (Park et al. 2019).

    Parameters
    ----------
    x
        Log-mel, shape ``(batch, patches, frames, bands)``.
    hidden
        True where it is; of the same shape.
    """
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(hidden, mean, x)


def mix_style(x: Tensor, *, partners: Tensor, weights: Tensor) -> Tensor:
    r"""Give each mel band a mean and deviation between two clips' (Freq-MixStyle).

    .. math::
        x' = \sigma' (x - \mu) / \sigma + \mu', \quad
        \mu' = \lambda \mu + (1 - \lambda) \mu_{partner}

    and :math:`\sigma'` alike, with the statistics of each band over all frames of a
    clip. They hold much of what a recorder adds, and little of what an animal says.

    Parameters
    ----------
    x
        Log-mel, shape ``(batch, patches, frames, bands)``.
    partners
        Number of each clip's partner, shape ``(batch,)``.
    weights
        :math:`\lambda` of each clip, shape ``(batch,)``; 1 changes nothing.

    References
    ----------
    Kim, Yang, Kim and Chang, "Domain generalization with relaxed instance
    frequency-wise normalization for multi-device acoustic scene classification",
    Interspeech 2022; Schmid et al., DCASE 2022, after Zhou et al., "Domain
    generalization with MixStyle", ICLR 2021, equations 3 to 5.
    """
    deviation, mean = torch.std_mean(x, dim=(1, 2), keepdim=True, correction=0)
    own = weights[:, None, None, None]
    new_deviation = own * deviation + (1 - own) * deviation[partners]
    new_mean = own * mean + (1 - own) * mean[partners]
    # A band that never changes (empty, filtered out) has no shape to scale.
    factor = torch.where(deviation > _TINY, new_deviation / (deviation + _TINY), 1.0)
    mixed = (x - mean) * factor + new_mean
    return torch.where(own == 1, x, mixed)


def mix(x: Tensor, *, partners: Tensor, weight: float) -> Tensor:
    """Mix each clip with its partner: ``weight x + (1 - weight) x_partner``."""
    return torch.lerp(x[partners], x, weight)


@dataclass(frozen=True)
class Varied:
    """A batch after augmentation."""

    x: Tensor
    features: Tensor
    partners: Tensor | None = None
    """Number of the clip that each is mixed with; None: none is."""
    weight: float = 1.0
    """Share of the clip itself, from 0.5 to 1: its own target counts that much."""


class BatchAugment:
    """Vary batches at random.

    Parameters
    ----------
    settings
        How often and how far.
    rng
        Decides everything; one for each epoch and process.
    """

    def __init__(self, settings: AugmentSettings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._rng = rng

    def __call__(self, x: Tensor, features: Tensor) -> Varied:
        """Vary a batch.

        Parameters
        ----------
        x
            Log-mel, shape ``(batch, patches, frames, bands)``; for mixup any input.
        features
            Shape ``(batch, 18)``.
        """
        settings = self._settings
        if self._happens(settings.mixstyle.probability):
            weights = self._rng.beta(*2 * (settings.mixstyle.alpha,), size=len(x))
            x = mix_style(
                x, partners=self._partners(x), weights=torch.from_numpy(weights).to(x)
            )
        if settings.mask.probability:
            hidden = _choose_masks(self._rng, tuple(x.shape), settings.mask)
            x = mask(x, torch.from_numpy(hidden).to(x.device))
        if not self._happens(settings.mixup.probability):
            return Varied(x, features)
        partners = self._partners(x)
        weight = float(self._rng.beta(*2 * (settings.mixup.alpha,)))
        weight = max(weight, 1 - weight)
        return Varied(
            mix(x, partners=partners, weight=weight),
            mix(features, partners=partners, weight=weight),
            partners=partners,
            weight=weight,
        )

    def _happens(self, probability: float) -> bool:
        return probability > 0 and bool(self._rng.uniform() < probability)

    def _partners(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self._rng.permutation(len(x))).to(x.device)


def _choose_masks(
    rng: np.random.Generator, shape: tuple[int, ...], settings: MaskSettings
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Choose what is hidden: stretches of each patch, bands of each clip."""
    n_clips, n_patches, n_frames, n_bands = shape
    chosen = rng.uniform(size=n_clips) < settings.probability
    hidden = np.zeros(shape, np.bool_)
    for _ in range(settings.n_masks):
        where = (n_clips, n_patches)
        hidden |= _stretches(rng, where, n_frames, settings.n_frames)[..., None]
        # A recorder's missing band is missing in the whole clip.
        bands = _stretches(rng, (n_clips, 1), n_bands, settings.n_bands)
        hidden |= bands[:, :, None, :]
    hidden[~chosen] = False
    return hidden


def _stretches(
    rng: np.random.Generator, where: tuple[int, int], n: int, longest: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Choose one stretch of 0 to ``longest`` out of ``n`` in each place."""
    length = rng.integers(0, min(longest, n) + 1, size=(*where, 1))
    start = rng.integers(0, n - length + 1)
    k = np.arange(n)
    return np.asarray((k >= start) & (k < start + length))

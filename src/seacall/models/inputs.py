"""What both networks do with their inputs before the first layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seacall.audio.features import FEATURE_FACTORS

N_MELS = 64
N_FEATURES = len(FEATURE_FACTORS)
_MIN_STD = 0.1
"""Natural-log units; a band that never changes (empty, filtered) is not blown up."""


class InputScale(nn.Module):
    """Bring log-mel and raw features to about zero mean and unit size.

    The numbers are buffers, so that they travel with the weights and nobody has to
    remember them. Each mel band has its own mean and deviation, taken once from the
    training clips; before that, and for networks that were trained on plain log-mel,
    they change nothing. Features are divided by the fixed factors of the original
    description.
    """

    log_mel_mean: Tensor
    log_mel_std: Tensor
    feature_factors: Tensor

    def __init__(self, *, n_features: int = N_FEATURES) -> None:
        super().__init__()
        self.register_buffer("log_mel_mean", torch.zeros(N_MELS))
        self.register_buffer("log_mel_std", torch.ones(N_MELS))
        factors = torch.ones(n_features)
        factors[:N_FEATURES] = torch.from_numpy(FEATURE_FACTORS)[:n_features]
        self.register_buffer("feature_factors", factors)

    def fit(self, log_mel: Tensor) -> None:
        """Take the bands' statistics from patches, shape ``(..., 96, 64)``."""
        bands = log_mel.reshape(-1, N_MELS).double()
        self.log_mel_mean.copy_(bands.mean(0))
        self.log_mel_std.copy_(bands.std(0).clamp_min(_MIN_STD))

    def log_mel(self, log_mel: Tensor) -> Tensor:
        """Scale patches, shape ``(..., 96, 64)``."""
        return (log_mel - self.log_mel_mean) / self.log_mel_std

    def features(self, features: Tensor) -> Tensor:
        """Scale raw features, shape ``(batch, 18)``."""
        return features / self.feature_factors


def as_patches(log_mel: Tensor) -> Tensor:
    """Give one-patch input, ``(batch, 96, 64)``, its patch axis.

    Returns
    -------
    log_mel
        Shape ``(batch, patches, 96, 64)``.

    Raises
    ------
    ValueError
        If the shape is neither.
    """
    if log_mel.dim() == 3:
        log_mel = log_mel.unsqueeze(1)
    if log_mel.dim() != 4 or log_mel.shape[2:] != (96, N_MELS):
        raise ValueError(
            "need log-mel of shape (batch, patches, 96, 64) or (batch, 96, 64), "
            f"got {tuple(log_mel.shape)}"
        )
    return log_mel

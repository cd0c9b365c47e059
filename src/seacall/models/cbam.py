"""Attention for convolutional networks: what to look at, then where.

Convolutional Block Attention Module (Woo, Park, Lee and Kweon, ECCV 2018): channel
attention (their equation 2), then spatial attention (equation 3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Weigh channels by what their average and their maximum say.

    Both go through the same small network, and the sum through a sigmoid.

    Parameters
    ----------
    n_channels
        Channels of the feature map.
    reduction
        How many times narrower the hidden layer is; the original description has 8.
    """

    def __init__(self, n_channels: int, *, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(1, n_channels // reduction)
        self.mlp = nn.Sequential(
            nn.Linear(n_channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, n_channels, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``x``, shape ``(batch, channels, frames, mels)``; same shape back."""
        weights = self.mlp(x.mean(dim=(2, 3))) + self.mlp(x.amax(dim=(2, 3)))
        scaled: Tensor = x * torch.sigmoid(weights)[:, :, None, None]
        return scaled


class SpatialAttention(nn.Module):
    """Weigh places by the average and the maximum over channels, through one 7x7."""

    def __init__(self, *, kernel_size: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``x``, shape ``(batch, channels, frames, mels)``; same shape back."""
        maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        scaled: Tensor = x * torch.sigmoid(self.conv(maps))
        return scaled


class CBAM(nn.Module):
    """Channel attention, then spatial attention."""

    def __init__(
        self, n_channels: int, *, reduction: int = 8, kernel_size: int = 7
    ) -> None:
        super().__init__()
        self.channel = ChannelAttention(n_channels, reduction=reduction)
        self.spatial = SpatialAttention(kernel_size=kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to ``x``, shape ``(batch, channels, frames, mels)``."""
        attended: Tensor = self.spatial(self.channel(x))
        return attended

"""The student: a three-layer network of about 50,000 parameters with attention."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from seacall.models.cbam import CBAM
from seacall.models.inputs import N_FEATURES, N_MELS, InputScale, as_patches

N_EMBEDDING = 96
"""Numbers that stand for a clip before the last layer."""
CHANNELS = (16, 32, 64)
"""Of the three convolutions; pruned students have fewer."""
_N_SQUEEZED = 12
"""Channels whose place in frequency is kept: what is left of 64 when each of the eight
bands has its own weights in the next layer and the whole stays below 60,000."""


class AudioTransformerStudent(nn.Module):
    """Small network over log-mel patches and features, with CBAM.

    ::

        patches  (batch, patches, 96, 64)
          3 x [3x3 convolution, batch norm, ReLU, 2x2 max pool]   1 -> 16 -> 32 -> 64
          CBAM                                            (64, 12, 8), each patch
          1x1 convolution, ReLU                           (12, 12, 8)
          mean and maximum over frames, mean over patches -> 12 x 8 x 2 = 192
        features (batch, 18)
          divided by their factors, linear, LayerNorm, ReLU       -> 32
        both joined, linear, LayerNorm, ReLU              -> embedding, 96
        dropout, linear                                   -> classes

    The eight bands are kept apart up to the embedding. The original averages over them
    too, and is then nearly blind to absolute pitch: a right whale and a dolphin that
    sweep alike look alike (``docs/lab-log.md``).

    The name is the original description's; there is no transformer in it.

    Parameters
    ----------
    num_additional_features
        Raw features beside the patches.
    num_classes
        Classes; the last is ``unknown``.
    pooling
        ``bands`` as above; ``mean`` averages over frames and bands, as the original.
    attention
        False leaves CBAM out, to measure what it is worth.
    channels
        Of the three convolutions.
    """

    def __init__(
        self,
        num_additional_features: int = N_FEATURES,
        num_classes: int = 20,
        *,
        pooling: Literal["bands", "mean"] = "bands",
        attention: bool = True,
        channels: tuple[int, ...] = CHANNELS,
    ) -> None:
        super().__init__()
        self.num_additional_features = num_additional_features
        self.num_classes = num_classes
        self.pooling = pooling
        self.scale = InputScale(n_features=num_additional_features)
        self.channels = channels
        first, second, last = channels
        # Channels last in memory: twice as fast to train on a CPU.
        self.cnn = nn.Sequential(
            *_convolution(1, first),
            *_convolution(first, second),
            *_convolution(second, last),
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.attention: nn.Module = nn.Identity()
        if attention:
            self.attention = CBAM(last, reduction=8, kernel_size=7)
        n_pooled = last
        if pooling == "bands":
            self.squeeze = nn.Sequential(nn.Conv2d(last, _N_SQUEEZED, 1), nn.ReLU())
            n_pooled = 2 * _N_SQUEEZED * N_MELS // 8
        self.feature_layer = nn.Sequential(
            nn.Linear(num_additional_features, 32),
            nn.LayerNorm(32),
            nn.ReLU(),
            nn.Dropout(0.2),
        )
        self.embedding = nn.Sequential(
            nn.Linear(n_pooled + 32, N_EMBEDDING), nn.LayerNorm(N_EMBEDDING), nn.ReLU()
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(N_EMBEDDING, num_classes)
        )

    def forward(self, mel_spec: Tensor, additional_features: Tensor) -> Tensor:
        """Classify clips.

        Parameters
        ----------
        mel_spec
            Log-mel patches, shape ``(batch, patches, 96, 64)`` or ``(batch, 96, 64)``.
        additional_features
            Raw features, shape ``(batch, num_additional_features)``.

        Returns
        -------
        logits
            Shape ``(batch, num_classes)``.
        """
        logits: Tensor = self.classifier(self.embed(mel_spec, additional_features))
        return logits

    def embed(self, mel_spec: Tensor, additional_features: Tensor) -> Tensor:
        """Describe clips by what the last layer classifies them from.

        Parameters are those of :meth:`forward`.

        Returns
        -------
        embedding
            Shape ``(batch, 96)``, not negative.
        """
        pooled = self.pool(mel_spec)
        features = self.feature_layer(self.scale.features(additional_features))
        embedding: Tensor = self.embedding(torch.cat([pooled, features], dim=1))
        return embedding

    def pool(self, mel_spec: Tensor) -> Tensor:
        """Describe patches by what the trunk (convolutions to pooling) makes of them.

        Returns
        -------
        pooled
            Shape ``(batch, n_pooled)``: 192, or 64 with ``pooling="mean"``.
        """
        log_mel = self.scale.log_mel(as_patches(mel_spec))
        n_clips, n_patches = log_mel.shape[:2]
        maps = self.attention(self.cnn(log_mel.flatten(0, 1).unsqueeze(1)))
        pooled = self._pooled(maps)
        # One size is left open for the exporter: the batch or the patches may vary.
        return pooled.reshape(n_clips, n_patches, pooled.shape[1]).mean(dim=1)

    def _pooled(self, maps: Tensor) -> Tensor:
        """Pool maps, shape ``(n, 64, frames, bands)``, to ``(n, n_pooled)``."""
        if self.pooling == "mean":
            return maps.mean(dim=(2, 3))
        maps = self.squeeze(maps)
        return torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1).flatten(1)


class StudentHead(nn.Module):
    """The layers behind a student's trunk as a network of their own.

    Trains on what the trunk gave once, which is a thousand times faster than the whole
    student. It shares the student's layers: what it learns, the student knows.

    Parameters
    ----------
    student
        Its trunk is not part of this network.
    noise
        Deviation of the noise on each pooled number in training, shape ``(n_pooled,)``;
        None: there is none.
    """

    noise: Tensor | None

    def __init__(
        self, student: AudioTransformerStudent, *, noise: Tensor | None = None
    ) -> None:
        super().__init__()
        self.scale = student.scale
        self.feature_layer = student.feature_layer
        self.embedding = student.embedding
        self.classifier = student.classifier
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, pooled: Tensor, additional_features: Tensor) -> Tensor:
        """Classify pooled patches, shape ``(batch, n_pooled)``, and raw features."""
        if self.training and self.noise is not None:
            pooled = pooled + self.noise * torch.randn_like(pooled)
        features = self.feature_layer(self.scale.features(additional_features))
        joined = torch.cat([pooled, features], dim=1)
        logits: Tensor = self.classifier(self.embedding(joined))
        return logits


def _convolution(n_in: int, n_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]

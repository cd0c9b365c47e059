"""The student: a three-layer network of about 40,000 parameters with attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seacall.models.cbam import CBAM
from seacall.models.inputs import N_FEATURES, InputScale, as_patches


class AudioTransformerStudent(nn.Module):
    """Small network over log-mel patches and features, with CBAM.

    ::

        patches  (batch, patches, 96, 64)
          3 x [3x3 convolution, batch norm, ReLU, 2x2 max pool]   1 -> 16 -> 32 -> 64
          CBAM                                            (64, 12, 8), each patch
          mean over frames, mels and patches              -> 64
        features (batch, 18)
          divided by their factors, linear, LayerNorm, ReLU       -> 32
        both joined, linear, LayerNorm, ReLU, dropout, linear     -> classes

    The name is the original description's; there is no transformer in it.

    Parameters
    ----------
    num_additional_features
        Raw features beside the patches.
    num_classes
        Classes; the last is ``unknown``.
    """

    def __init__(
        self, num_additional_features: int = N_FEATURES, num_classes: int = 20
    ) -> None:
        super().__init__()
        self.num_additional_features = num_additional_features
        self.num_classes = num_classes
        self.scale = InputScale(n_features=num_additional_features)
        # Channels last in memory: twice as fast to train on a CPU.
        self.cnn = nn.Sequential(
            *_convolution(1, 16), *_convolution(16, 32), *_convolution(32, 64)
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.attention = CBAM(64, reduction=8, kernel_size=7)
        self.feature_layer = nn.Sequential(
            nn.Linear(num_additional_features, 32),
            nn.LayerNorm(32),
            nn.ReLU(),
            nn.Dropout(0.2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(64 + 32, 128),
            nn.LayerNorm(128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, num_classes),
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
        log_mel = self.scale.log_mel(as_patches(mel_spec))
        features = self.scale.features(additional_features)
        n_clips, n_patches = log_mel.shape[:2]
        maps = self.attention(self.cnn(log_mel.flatten(0, 1).unsqueeze(1)))
        # One size is left open for the exporter: the batch or the patches may vary.
        pooled = maps.mean(dim=(2, 3)).reshape(n_clips, n_patches, 64).mean(dim=1)
        joined = torch.cat([pooled, self.feature_layer(features)], dim=1)
        logits: Tensor = self.classifier(joined)
        return logits


def _convolution(n_in: int, n_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]

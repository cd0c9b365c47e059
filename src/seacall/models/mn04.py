"""The EfficientAT teacher: what mn04 hears at two speeds, and a layer of our own."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seacall.audio.kaldi_mel import SAMPLE_RATE, efficientat_log_mel
from seacall.audio.resample import QUALITY
from seacall.models.efficientat import EMBEDDING_SIZE, EfficientAT

Float32 = NDArray[np.float32]

SPEEDS = (1.0, 0.5)
"""At which a clip is heard. At half speed up to 30 kHz come below the 15 kHz at which
the network's hearing ends."""
_BLOCK = 14
"""The last but one block: closer to what was heard, further from AudioSet's classes."""
_N_BLOCK = 2 * 64 * 4
"""Its numbers: mean and maximum over time of 64 channels in 4 bands."""
PART_LENGTHS = (EMBEDDING_SIZE, _N_BLOCK) * len(SPEEDS)
"""Parts of the embedding: for each speed the published embedding, then the block."""
N_EMBEDDING = sum(PART_LENGTHS)

_PEAK = 0.5
_SILENCE = 1e-9
_BACKGROUND = 0.3
"""Quantile over time that counts as a band's background."""
_SEA = np.float32(-0.8)
"""What the background of every band becomes: quiet, as the network knows it."""


def mn04_log_mel(y: Float32, *, sample_rate: int, speed: float = 1.0) -> Float32:
    """Compute what EfficientAT is given of a clip.

    The loudest sample is brought to 0.5, and each band's background (its 30 % quantile
    over time) to the same level: what a recorder adds to all it hears is gone.

    Parameters
    ----------
    y
        Waveform, shape ``(n_samples,)``.
    sample_rate
        Of ``y``, Hz.
    speed
        0.5: as if the recording were played at half speed, an octave lower.

    Returns
    -------
    log_mel
        Shape ``(128, n_frames)``, 100 frames for each second that it lasts then.
    """
    heard = soxr.resample(y, sample_rate, round(SAMPLE_RATE / speed), QUALITY)
    heard = heard * (_PEAK / (np.abs(heard).max() + _SILENCE))
    log_mel = efficientat_log_mel(heard)
    background = np.quantile(log_mel, _BACKGROUND, axis=1, keepdims=True)
    return (log_mel - background.astype(np.float32)) + _SEA


class EfficientATTeacher(nn.Module):
    """EfficientAT mn04, kept as published, and a linear layer.

    ::

        waveform (batch, n_samples)
          at full and at half speed: log-mel (128, n_frames), background taken out
            -> EfficientAT -> embedding, mean over bands and time          384
                           -> block 14, mean and maximum over time         512
        joined -> linear -> classes                             1,792 numbers

    Parameters
    ----------
    num_additional_features
        For the same signature as of other networks; features are not looked at.
    num_classes
        Classes; the last is ``unknown``.
    sample_rate
        Of the waveforms, Hz.

    References
    ----------
    Schmid, Koutini, Widmer (2023), "Efficient Large-Scale Audio Tagging Via
    Transformer-to-CNN Knowledge Distillation", ICASSP.
    """

    takes: ClassVar[Literal["waveform"]] = "waveform"
    sample_rate: Tensor

    def __init__(
        self,
        num_additional_features: int = 18,
        num_classes: int = 20,
        *,
        sample_rate: int = 48_000,
    ) -> None:
        super().__init__()
        self.num_additional_features = num_additional_features
        self.num_classes = num_classes
        self.register_buffer("sample_rate", torch.tensor(sample_rate))
        self.network = EfficientAT()
        # AudioSet's classes are not asked for, and are half of the weights.
        self.network.classifier = nn.Sequential()
        self.classifier = nn.Linear(N_EMBEDDING, num_classes)

    def forward(self, waveform: Tensor, features: Tensor | None = None) -> Tensor:
        """Classify clips.

        Parameters
        ----------
        waveform
            Conditioned clips at the teacher's sample rate, ``(batch, n_samples)``.
        features
            Not looked at.

        Returns
        -------
        logits
            Shape ``(batch, num_classes)``.
        """
        logits: Tensor = self.classifier(self.embed(waveform))
        return logits

    def embed(self, waveform: Tensor) -> Tensor:
        """Describe clips, shape ``(batch, n_samples)``, by ``(batch, 1792)`` numbers.

        Always as when it is used, whatever mode the network is in: its weights and its
        statistics are those of AudioSet.
        """
        clips, rate = waveform.detach().cpu().numpy(), int(self.sample_rate)
        self.network.eval()
        parts = []
        for speed in SPEEDS:
            log_mel = np.stack(
                [mn04_log_mel(y, sample_rate=rate, speed=speed) for y in clips]
            )
            parts += self._heard(torch.from_numpy(log_mel).to(waveform.device))
        return torch.cat(parts, dim=1)

    def _heard(self, log_mel: Tensor) -> list[Tensor]:
        """Return the parts of one speed, from log-mel ``(batch, 128, n_frames)``."""
        with torch.no_grad():
            block = self.network.features[: _BLOCK + 1](log_mel.unsqueeze(1))
            maps = self.network.features[_BLOCK + 1 :](block)
            pooled = torch.stack([block.mean(dim=3), block.amax(dim=3)], dim=1)
            return [maps.mean(dim=(2, 3)), pooled.flatten(1)]


def efficientat_teacher(
    network: EfficientAT, n_classes: int, *, sample_rate: int
) -> EfficientATTeacher:
    """Return a teacher that hears with a trained EfficientAT, its last layer at random.

    Parameters
    ----------
    network
        From :func:`seacall.models.efficientat.load_efficientat`.
    sample_rate
        Of the waveforms that it will be given, Hz.
    """
    teacher = EfficientATTeacher(num_classes=n_classes, sample_rate=sample_rate)
    teacher.network.features.load_state_dict(network.features.state_dict())
    return teacher.eval()

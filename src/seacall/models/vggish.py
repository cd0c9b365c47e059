"""The teacher: VGGish's convolutions, the 18 features, and a classifier of our own."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from seacall.errors import CheckpointError
from seacall.models.inputs import N_FEATURES, InputScale, as_patches
from seacall.models.weights import read_state_dict

VGGISH_URL = (
    "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
    "vggish-10086976.pth"
)
"""AudioSet weights (Hershey et al. 2017), converted by torchvggish (Apache-2.0)."""
VGGISH_SHA256 = "10086976"
"""Start of the file's sha256, as its name carries it."""

N_EMBEDDING = 512 * 6 * 4
"""Numbers that the convolutions leave of one 96x64 patch: 12,288."""


class VGGishTeacher(nn.Module):
    """VGGish convolutions and handcrafted features, then fully connected layers.

    ::

        patches  (batch, patches, 96, 64)
          VGGish convolutions as published                -> 12,288 a patch
          mean over patches                               -> 12,288
        features (batch, 18), divided by their factors
        joined -> 512 -> 256 -> 128 -> 64 (LayerNorm, ReLU, dropout) -> classes

    Parameters
    ----------
    num_additional_features
        Raw features beside the patches.
    num_classes
        Classes; the last is ``unknown``.

    References
    ----------
    Hershey et al., "CNN architectures for large-scale audio classification", ICASSP
    2017; layers as in the published ``vggish_slim.py``.
    """

    def __init__(
        self, num_additional_features: int = N_FEATURES, num_classes: int = 20
    ) -> None:
        super().__init__()
        self.num_additional_features = num_additional_features
        self.num_classes = num_classes
        self.scale = InputScale(n_features=num_additional_features)
        # Channels last in memory: half as slow to train on a CPU.
        self.features = _convolutions().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = nn.Sequential(
            *_fully_connected(N_EMBEDDING + num_additional_features, 512, dropout=0.3),
            *_fully_connected(512, 256, dropout=0.3),
            *_fully_connected(256, 128, dropout=0.2),
            *_fully_connected(128, 64, dropout=0.2),
            nn.Linear(64, num_classes),
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
        return self.classify(self.embed(mel_spec), additional_features)

    def embed(self, mel_spec: Tensor) -> Tensor:
        """Run the convolutions: patches to embeddings, shape ``(batch, 12288)``."""
        log_mel = self.scale.log_mel(as_patches(mel_spec))
        n_clips, n_patches = log_mel.shape[:2]
        maps = self.features(log_mel.flatten(0, 1).unsqueeze(1))
        # Frames, mels, channels: the order in which VGGish was published.
        flat = maps.permute(0, 2, 3, 1).reshape(n_clips, n_patches, N_EMBEDDING)
        embedding: Tensor = flat.mean(dim=1)
        return embedding

    def classify(self, embedding: Tensor, additional_features: Tensor) -> Tensor:
        """Run the fully connected layers: embeddings, ``(batch, 12288)``, to logits."""
        features = self.scale.features(additional_features)
        logits: Tensor = self.head(torch.cat([embedding, features], dim=1))
        return logits


class TeacherHead(nn.Module):
    """The teacher's fully connected layers as a network of their own.

    Trains on embeddings that the convolutions gave once, which is many times faster
    than the whole teacher. It shares the teacher's layers: what it learns, the teacher
    knows.
    """

    def __init__(self, teacher: VGGishTeacher) -> None:
        super().__init__()
        self.head = teacher.head
        self.scale = teacher.scale

    def forward(self, embedding: Tensor, additional_features: Tensor) -> Tensor:
        """Classify embeddings, shape ``(batch, 12288)``, and raw features."""
        features = self.scale.features(additional_features)
        logits: Tensor = self.head(torch.cat([embedding, features], dim=1))
        return logits


def load_vggish_convolutions(teacher: VGGishTeacher, path: Path) -> None:
    """Take the convolutions' weights from the official checkpoint.

    Its embedding layers are left aside. The input scale is set to none, since these
    weights were trained on plain log-mel.

    Raises
    ------
    CheckpointError
        If the file is unsafe, or has not VGGish's layers.
    """
    state = read_state_dict(path)
    ours = teacher.features.state_dict()
    given = {
        name.removeprefix("features."): value
        for name, value in state.items()
        if name.startswith("features.")
    }
    for name, value in ours.items():
        if name not in given or given[name].shape != value.shape:
            got = tuple(given[name].shape) if name in given else "nothing"
            raise CheckpointError(
                f"{path}: layer features.{name} should have shape "
                f"{tuple(value.shape)} and has {got}; give the VGGish checkpoint "
                f"from {VGGISH_URL}"
            )
    teacher.features.load_state_dict({name: given[name] for name in ours})
    teacher.scale = InputScale(n_features=teacher.num_additional_features)


def _convolutions() -> nn.Sequential:
    layers: list[nn.Module] = []
    n_in = 1
    for step in (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool"):
        if isinstance(step, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [_he(nn.Conv2d(n_in, step, 3, padding=1)), nn.ReLU()]
        n_in = step
    return nn.Sequential(*layers)


def _he(layer: nn.Conv2d) -> nn.Conv2d:
    """Initialise for ReLU (He et al. 2015), which keeps the size of signals."""
    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    assert layer.bias is not None  # for the type checker
    nn.init.zeros_(layer.bias)
    return layer


def _fully_connected(n_in: int, n_out: int, *, dropout: float) -> list[nn.Module]:
    return [nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.ReLU(), nn.Dropout(dropout)]

"""EfficientAT mn04: a small network that knows AudioSet's 527 classes of sound.

A MobileNetV3-large of 0.4 times the width, with squeeze-excitation over channels only.
Source: Schmid, Koutini, Widmer (2023), "Efficient Large-Scale Audio Tagging Via
Transformer-to-CNN Knowledge Distillation", ICASSP, https://arxiv.org/abs/2211.04772;
weights and settings: https://github.com/fschmid56/EfficientAT (MIT).

Modules carry the names of the published weights (``features``, ``block``,
``conc_se_layers``, ``classifier.2``), so that these load without a table of names.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from seacall.models.weights import fill, read_state_dict

EFFICIENTAT_URL = (
    "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/"
    "mn04_as_mAP_432.pt"
)
"""Where the authors publish the weights (4,066,513 bytes, MIT)."""
EFFICIENTAT_SHA256 = "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
"""SHA-256 of that file."""
N_CLASSES = 527
"""AudioSet's classes, in the order of its ``class_labels_indices.csv``."""
EMBEDDING_SIZE = 384
"""Numbers that describe a clip before the classes."""

_HIDDEN = 512
# Of MobileNetV3 in torchvision, whose weights the authors started from.
_NORM_EPS, _NORM_MOMENTUM = 1e-3, 0.01
_DROPOUT = 0.2


@dataclass(frozen=True)
class _BlockSettings:
    """One inverted residual block, widths in channels."""

    kernel: int
    expanded: int
    out: int
    stride: int = 1
    squeezed: int = 0
    """Width of the squeeze-excitation's bottleneck; 0: the block has none."""
    hard_swish: bool = True
    """False: ReLU, which MobileNetV3 keeps in its wide, shallow blocks."""


_STEM = 8
# Table 1 of Howard et al. (2019, MobileNetV3-large), each width times 0.4 and rounded
# to a multiple of 8; the bottleneck is a quarter of the expanded width, rounded too.
_BLOCKS: tuple[_BlockSettings, ...] = (
    _BlockSettings(kernel=3, expanded=8, out=8, hard_swish=False),
    _BlockSettings(kernel=3, expanded=24, out=16, stride=2, hard_swish=False),
    _BlockSettings(kernel=3, expanded=32, out=16, hard_swish=False),
    _BlockSettings(
        kernel=5, expanded=32, out=16, stride=2, squeezed=8, hard_swish=False
    ),
    _BlockSettings(kernel=5, expanded=48, out=16, squeezed=16, hard_swish=False),
    _BlockSettings(kernel=5, expanded=48, out=16, squeezed=16, hard_swish=False),
    _BlockSettings(kernel=3, expanded=96, out=32, stride=2),
    _BlockSettings(kernel=3, expanded=80, out=32),
    _BlockSettings(kernel=3, expanded=72, out=32),
    _BlockSettings(kernel=3, expanded=72, out=32),
    _BlockSettings(kernel=3, expanded=192, out=48, squeezed=48),
    _BlockSettings(kernel=3, expanded=272, out=48, squeezed=72),
    _BlockSettings(kernel=5, expanded=272, out=64, stride=2, squeezed=72),
    _BlockSettings(kernel=5, expanded=384, out=64, squeezed=96),
    _BlockSettings(kernel=5, expanded=384, out=64, squeezed=96),
)


class EfficientAT(nn.Module):
    """The mn04 network: 0.98 M parameters, any number of frames.

    It starts with random weights; :func:`load_efficientat` gives the trained one.
    """

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = [
            _convolution(1, _STEM, kernel=3, stride=2, activation=nn.Hardswish())
        ]
        width = _STEM
        for settings in _BLOCKS:
            stages.append(_InvertedResidual(width, settings))
            width = settings.out
        stages.append(_convolution(width, EMBEDDING_SIZE, activation=nn.Hardswish()))
        self.features = nn.Sequential(*stages)
        # The published places 0 and 1 are pooling and flattening: see forward.
        self.classifier = nn.Sequential(
            OrderedDict[str, nn.Module](
                {
                    "2": nn.Linear(EMBEDDING_SIZE, _HIDDEN),
                    "3": nn.Hardswish(),
                    "4": nn.Dropout(_DROPOUT),
                    "5": nn.Linear(_HIDDEN, N_CLASSES),
                }
            )
        )
        self.apply(_initialise)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network hears in each clip.

        Parameters
        ----------
        log_mel
            Shape ``(batch, 1, 128, n_frames)``, float32: mel band, then time; from
            :func:`seacall.audio.kaldi_mel.efficientat_log_mel`, 100 frames a second.

        Returns
        -------
        logits : Tensor
            Shape ``(batch, 527)``; their sigmoids are AudioSet's scores.
        embedding : Tensor
            Shape ``(batch, 384)``: the last feature maps' mean over band and time.
        """
        maps = self.features(log_mel)
        embedding = maps.mean(dim=(2, 3))
        return self.classifier(embedding), embedding


class _InvertedResidual(nn.Module):
    """Expand the channels, filter each alone, weigh them, project them down."""

    def __init__(self, width: int, settings: _BlockSettings) -> None:
        super().__init__()
        activation = nn.Hardswish() if settings.hard_swish else nn.ReLU()
        expanded = settings.expanded
        layers: list[nn.Module] = []
        if expanded != width:
            layers.append(_convolution(width, expanded, activation=activation))
        layers.append(
            _convolution(
                expanded,
                expanded,
                kernel=settings.kernel,
                stride=settings.stride,
                groups=expanded,
                activation=activation,
            )
        )
        if settings.squeezed:
            layers.append(_ChannelWeights(expanded, settings.squeezed))
        layers.append(_convolution(expanded, settings.out))
        self.block = nn.Sequential(*layers)
        self.is_residual = settings.stride == 1 and settings.out == width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + y if self.is_residual else y


class _ChannelWeights(nn.Module):
    """Squeeze-excitation over channels, in the published nesting.

    EfficientAT can also weigh bands and frames and take the largest of the results;
    mn04 has the channels only, and of one result the largest is itself.
    """

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([_SqueezeExcitation(width, squeezed)])

    def forward(self, x: Tensor) -> Tensor:
        weighted: Tensor = self.conc_se_layers[0](x)
        return weighted


class _SqueezeExcitation(nn.Module):
    """Weigh each channel by what all channels' means say (Hu, Shen, Sun 2018)."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, squeezed)
        self.fc2 = nn.Linear(squeezed, width)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3)))))
        return x * torch.sigmoid(weights)[:, :, None, None]


def _convolution(
    n_in: int,
    n_out: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """Return convolution, batch norm and activation; stride 1 keeps the size."""
    layers: list[nn.Module] = [
        nn.Conv2d(
            n_in,
            n_out,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(n_out, eps=_NORM_EPS, momentum=_NORM_MOMENTUM),
    ]
    if activation is not None:
        layers.append(activation)
    return nn.Sequential(*layers)


def _initialise(module: nn.Module) -> None:
    """Set random weights as the authors do, for training from nothing."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)


def load_efficientat(path: Path) -> EfficientAT:
    """Read trained weights into a network that is ready to run (in eval mode, CPU).

    Parameters
    ----------
    path
        A ``.safetensors`` file, or the state dict that the authors publish
        (:data:`EFFICIENTAT_URL`). From the latter only tensors are read, never code.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its tensors' names or shapes do not fit.
    """
    network = EfficientAT()
    source = f"the weights of EfficientAT mn04_as, published at {EFFICIENTAT_URL}"
    fill(network, read_state_dict(path), path=path, source=source)
    return network.eval()

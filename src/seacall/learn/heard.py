"""What EfficientAT hears in the clips of a dataset, read from their recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seacall.audio.frontend import first_clip
from seacall.augmentation import AugmentSettings
from seacall.config import FrontEndSettings
from seacall.data.manifest import LabelledClip
from seacall.data.views import view_waveform
from seacall.learn.context import RunContext
from seacall.models.efficientat import (
    EFFICIENTAT_SHA256,
    EFFICIENTAT_URL,
    EfficientAT,
    load_efficientat,
)
from seacall.models.mn04 import EfficientATTeacher
from seacall.models.pretrained import fetch

Float32 = NDArray[np.float32]


def open_efficientat(weights: str) -> tuple[EfficientAT, Path]:
    """Load EfficientAT's published weights.

    Parameters
    ----------
    weights
        A path, or "download".

    Returns
    -------
    network, path
        Where the weights lie, too.

    Raises
    ------
    CheckpointError
        If they cannot be downloaded or read, or are another network's.
    """
    if weights == "download":
        path = fetch(EFFICIENTAT_URL, sha256=EFFICIENTAT_SHA256)
    else:
        path = Path(weights)
    return load_efficientat(path), path


def waveforms(
    clips: Sequence[LabelledClip],
    front_end: FrontEndSettings,
    augment: AugmentSettings | None = None,
) -> Iterator[Float32]:
    """Yield each clip's waveform at the profile's rate, shape ``(clip_length,)``.

    Parameters
    ----------
    augment
        All clips' second views follow the first ones, and so on, in the order of
        :class:`seacall.learn.dataset.TrainingSet`; None: there is one view.

    Raises
    ------
    AudioError
        If a recording cannot be read.
    """
    for view in range(1 if augment is None else augment.n_views):
        for clip in clips:
            y = first_clip(clip.path, front_end)
            if view and augment is not None:
                y = view_waveform(y, clip.path, view, augment, front_end)
            yield y


def heard_in(
    teacher: EfficientATTeacher,
    clips: Sequence[LabelledClip],
    front_end: FrontEndSettings,
    context: RunContext,
    *,
    stage: str,
    augment: AugmentSettings | None = None,
) -> Float32:
    """Return the embedding of each clip and view, shape ``(n_views * n, 1792)``.

    Parameters
    ----------
    augment
        See :func:`waveforms`.
    stage
        What to call this when telling how far it is.
    """
    teacher = teacher.to(context.device).eval()
    ask = teacher.embed
    return _asked(ask, clips, front_end, context, stage, augment).numpy()


def logits_of_waveforms(
    network: nn.Module,
    clips: Sequence[LabelledClip],
    front_end: FrontEndSettings,
    context: RunContext,
    *,
    stage: str,
    augment: AugmentSettings | None = None,
) -> Tensor:
    """Ask a network that takes waveforms about each clip and view.

    Returns
    -------
    logits
        Shape ``(n_views * n, n_classes)``, on the CPU.
    """
    network = network.to(context.device).eval()
    with torch.no_grad():
        return _asked(network, clips, front_end, context, stage, augment)


def takes_waveforms(network: nn.Module) -> bool:
    """Tell whether a network is given a clip's waveform instead of its patches."""
    return getattr(network, "takes", "patches") == "waveform"


def _asked(
    ask: Callable[[Tensor], Tensor],
    clips: Sequence[LabelledClip],
    front_end: FrontEndSettings,
    context: RunContext,
    stage: str,
    augment: AugmentSettings | None,
) -> Tensor:
    n = len(clips) * (1 if augment is None else augment.n_views)
    parts: list[Tensor] = []
    for y in waveforms(clips, front_end, augment):
        parts.append(ask(torch.from_numpy(y).to(context.device)[None]).cpu())
        context.observer.progress(stage, len(parts), n)
    return torch.cat(parts)

"""What EfficientAT hears in the clips of a dataset, read from their recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seacall.audio.frontend import first_clip
from seacall.augmentation import AugmentSettings
from seacall.config import FrontEndSettings
from seacall.data.cache import recording_sha256
from seacall.data.manifest import LabelledClip
from seacall.data.views import view_waveform
from seacall.learn.context import RunContext
from seacall.learn.kept import KeptVectors, weights_sha256
from seacall.models.efficientat import (
    EFFICIENTAT_SHA256,
    EFFICIENTAT_URL,
    EfficientAT,
    load_efficientat,
)
from seacall.models.mn04 import N_EMBEDDING, EfficientATTeacher
from seacall.models.pretrained import fetch

Float32 = NDArray[np.float32]

HEARD_VERSION = 1
"""Raise it whenever a change of the code changes what EfficientAT is given or what is
taken of it: what was heard before is then computed anew."""


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
    for view in range(_n_views(augment)):
        for clip in clips:
            yield _waveform(clip, view, front_end, augment)


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

    What was heard is kept in the dataset folder: a second run, a teacher of other
    classes and an evaluation by protocol need not listen again.

    Parameters
    ----------
    augment
        See :func:`waveforms`.
    stage
        What to call this when telling how far it is.

    Raises
    ------
    AudioError
        If a recording cannot be read.
    """
    teacher = teacher.to(context.device).eval()
    network = f"{HEARD_VERSION}{weights_sha256(teacher.network.features)}"
    kept = KeptVectors.beside(context.data, network, front_end, augment)
    hashes = [recording_sha256(clip.path) for clip in clips]
    found = np.empty((_n_views(augment) * len(clips), N_EMBEDDING), np.float32)
    for k in range(len(found)):
        view, clip = divmod(k, len(clips))
        x = kept.load(hashes[clip], view, length=N_EMBEDDING)
        if x is None:
            y = _waveform(clips[clip], view, front_end, augment)
            asked = teacher.embed(torch.from_numpy(y).to(context.device)[None])
            x = asked[0].cpu().numpy()
            kept.save(x, hashes[clip], view)
        found[k] = x
        context.observer.progress(stage, k + 1, len(found))
    return found


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
    assert isinstance(network, EfficientATTeacher)  # the only one that takes them
    heard = heard_in(network, clips, front_end, context, stage=stage, augment=augment)
    with torch.no_grad():
        logits: Tensor = network.classifier(torch.from_numpy(heard).to(context.device))
    return logits.cpu()


def takes_waveforms(network: nn.Module) -> bool:
    """Tell whether a network is given a clip's waveform instead of its patches."""
    return getattr(network, "takes", "patches") == "waveform"


def _n_views(augment: AugmentSettings | None) -> int:
    return 1 if augment is None else augment.n_views


def _waveform(
    clip: LabelledClip,
    view: int,
    front_end: FrontEndSettings,
    augment: AugmentSettings | None,
) -> Float32:
    y = first_clip(clip.path, front_end)
    if view and augment is not None:
        return view_waveform(y, clip.path, view, augment, front_end)
    return y

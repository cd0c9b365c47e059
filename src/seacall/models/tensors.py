"""A recording as the tensors that a network takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seacall.audio.frontend import clip_inputs, first_clip
from seacall.config import FrontEndSettings, checked, original_front_end


def process_audio_file(
    path: str | Path, front_end: FrontEndSettings | dict[str, Any] | None = None
) -> tuple[Tensor, Tensor]:
    """Turn the first clip of a recording into network inputs.

    Parameters
    ----------
    path
        Any format of libsndfile, any sample rate from 1 kHz to 500 kHz.
    front_end
        The front end that the model was trained with: ``config["front_end"]`` of
        :func:`load_model_for_inference`. None: the original description's (3-19 kHz
        band-pass, 16 kHz, padded to 5 s), which its program trains with.

    Returns
    -------
    mel_spec
        Log-mel patches, shape ``(1, n_patches, 96, 64)``.
    additional_features
        The 18 raw features, shape ``(1, 18)``.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    SettingsError
        If ``front_end`` is not one.
    """
    if front_end is None:
        settings = original_front_end()
    elif isinstance(front_end, FrontEndSettings):
        settings = front_end
    else:
        settings = checked(FrontEndSettings, front_end)
    inputs = clip_inputs(first_clip(Path(path), settings), settings)
    mel_spec = torch.from_numpy(inputs.log_mel).unsqueeze(0)
    return mel_spec, torch.from_numpy(inputs.features).unsqueeze(0)

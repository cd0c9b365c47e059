"""Read and write weight files without running anything that lies in them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from seacall.errors import CheckpointError


def read_pth(path: Path) -> dict[str, Any]:
    """Read a ``.pth`` file: tensors and plain values only.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, no dictionary, or holds anything that would have
        to be executed; nothing is executed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; give a .pth file or model folder")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: refused, it holds more than tensors and plain values and could "
            "run code; save it again as a plain state_dict, or as safetensors"
        ) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        zipfile.BadZipFile,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: is damaged or no weight file ({reason}); copy it again"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: holds a {type(content).__name__}, not a dictionary of weights; "
            "save the model's state_dict"
        )
    return content


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the weights of a ``.pth`` or ``.safetensors`` file.

    Of a ``.pth`` file with metadata the part ``model_state_dict`` is taken.

    Raises
    ------
    CheckpointError
        As :func:`read_pth`, and if a value is not a tensor.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    content = read_pth(path)
    return as_state_dict(content.get("model_state_dict", content), path=path)


def as_state_dict(content: Any, *, path: Path) -> dict[str, Tensor]:
    """Check that values are tensors, by name.

    Raises
    ------
    CheckpointError
        If one is not, or there is none.
    """
    tensors = isinstance(content, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor)
        for name, value in content.items()
    )
    if not tensors or not content:
        raise CheckpointError(
            f"{path}: holds no plain dictionary of weights; save the model's state_dict"
        )
    return dict(content)


def write_safetensors(model: nn.Module, path: Path) -> None:
    """Write a network's weights; the same weights give the same bytes."""
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    safetensors.torch.save_file(state, path)


def fill(model: nn.Module, state: Mapping[str, Tensor], *, path: Path) -> None:
    """Put weights into a network that must fit them exactly.

    Raises
    ------
    CheckpointError
        One line with the first layer that does not fit.
    """
    own = model.state_dict()
    name_of_model = type(model).__name__
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    if missing or extra:
        what = (
            f"lacks layer {missing[0]}"
            if missing
            else f"has a layer {extra[0]} too many"
        )
        raise CheckpointError(
            f"{path}: {what}, so it is not a {name_of_model}; "
            "give a checkpoint of that architecture"
        )
    for name, value in own.items():
        if state[name].shape != value.shape:
            raise CheckpointError(
                f"{path}: layer {name} has shape {tuple(state[name].shape)} where this "
                f"{name_of_model} has {tuple(value.shape)}; "
                "give the class count that it was trained with"
            )
    model.load_state_dict(dict(state))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; give a weight file")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: is damaged or not safetensors ({error}); copy it again"
        ) from error

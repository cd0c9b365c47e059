"""Read and write weight files without running anything that lies in them."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from seacall.errors import CheckpointError
from seacall.models.untrusted import one_line

T = TypeVar("T")

# What safetensors and torch raise on a file that is cut short, not theirs, or that asks
# for code to run: torch's safe unpickler trips over a damaged file in many ways (found
# by changing bytes at random).
_READ_ERRORS = (
    zipfile.BadZipFile,
    OSError,
    EOFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    pickle.UnpicklingError,
    safetensors.SafetensorError,
)


def read_pth(path: Path) -> dict[str, Any]:
    """Read a ``.pth`` file: tensors and plain values only.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, no dictionary, or holds anything that would have
        to be executed; nothing is executed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about old pickle protocols
        content = _read(path, lambda: _load_pth(path))
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: holds a {type(content).__name__}, not a dictionary of weights; "
            "save the model's state_dict"
        )
    return content


def _load_pth(path: Path) -> Any:
    """Load tensors and plain values, if they take no more room than the file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = sum(part.file_size for part in archive.infolist())
        # torch stores its parts as they are; a megabyte of packed zeros is a gigabyte.
        if packed > path.stat().st_size:
            raise ValueError(f"it unpacks to {packed:,} bytes, torch packs nothing")
    return torch.load(path, map_location="cpu", weights_only=True)


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
    for name, value in content.items():
        # One number can stand for all of a tensor, of any size.
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise CheckpointError(
                f"{path}: {one_line(name)} is larger than what is stored of it; save "
                "the model's state_dict"
            )
    return dict(content)


def write_safetensors(model: nn.Module, path: Path) -> None:
    """Write a network's weights; the same weights give the same bytes."""
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    safetensors.torch.save_file(state, path)


def fill(
    model: nn.Module,
    state: Mapping[str, Tensor],
    *,
    path: Path,
    source: str = "a checkpoint of that architecture",
) -> None:
    """Put weights into a network that must fit them exactly.

    Parameters
    ----------
    path, source
        Where the weights come from, and what to give instead if they do not fit.

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
            f"lacks {len(missing)} of {len(own)} layers (the first is {missing[0]})"
            if missing
            else f"has {len(extra)} layers too many (the first is {one_line(extra[0])})"
        )
        raise CheckpointError(
            f"{path}: {what}, so it is no {name_of_model}; give {source}"
        )
    for name, value in own.items():
        if state[name].shape != value.shape:
            raise CheckpointError(
                f"{path}: layer {name} has shape {tuple(state[name].shape)} where this "
                f"{name_of_model} has {tuple(value.shape)}, perhaps for another "
                f"number of classes; give {source}"
            )
    model.load_state_dict(dict(state))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    return _read(path, lambda: safetensors.torch.load_file(path))


def _read(path: Path, load: Callable[[], T]) -> T:
    """Load a file; whatever goes wrong with it is told in one line."""
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file; give a .pth or .safetensors file, or a model folder"
        )
    try:
        return load()
    except _READ_ERRORS as error:
        raise CheckpointError(
            f"{path}: cannot be read as weights ({_reason(error)}); copy it again, or "
            "save it as a plain state_dict or as safetensors"
        ) from error


def _reason(error: Exception) -> str:
    """Say in a few words what went wrong."""
    if isinstance(error, EOFError):
        return "it is empty or cut short"
    if isinstance(error, pickle.UnpicklingError):
        # torch's own text is a page that advises to let the file run code.
        return "it is damaged, or holds more than tensors and could run code: refused"
    # What follows the first sentence of the others is guesses.
    first_line = str(error).strip().partition("\n")[0].partition(". ")[0]
    # A KeyError's text is but the key: a byte of the file that means nothing.
    if not first_line or "weights_only" in first_line or first_line.isdigit():
        return "it is no weight file"
    return one_line(first_line)

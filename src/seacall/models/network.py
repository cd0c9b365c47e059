"""Networks by name: build them, save them as model folders, load them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from seacall.errors import CheckpointError
from seacall.files import written_whole
from seacall.models.checkpoint import (
    WEIGHTS_NAME,
    Card,
    checked_file,
    read_card,
    write_card,
)
from seacall.models.device import choose_device
from seacall.models.mn04 import EfficientATTeacher
from seacall.models.size import model_size
from seacall.models.student import AudioTransformerStudent
from seacall.models.untrusted import check_plain, one_line
from seacall.models.vggish import VGGishTeacher
from seacall.models.weights import (
    as_state_dict,
    fill,
    read_pth,
    read_state_dict,
    write_safetensors,
)

ARCHITECTURES: dict[
    str, type[AudioTransformerStudent | VGGishTeacher | EfficientATTeacher]
] = {
    "AudioTransformerStudent": AudioTransformerStudent,
    "VGGishTeacher": VGGishTeacher,
    "EfficientATTeacher": EfficientATTeacher,
}


def build_network(
    architecture: str, n_classes: int, *, channels: tuple[int, ...] = ()
) -> nn.Module:
    """Build a network with fresh weights.

    Parameters
    ----------
    channels
        Of a student's three convolutions; empty: as many as usual.

    Raises
    ------
    CheckpointError
        If there is no such architecture.
    """
    if architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"architecture {architecture!r} does not exist; "
            f"choose one of: {', '.join(ARCHITECTURES)}"
        )
    if channels and architecture == AudioTransformerStudent.__name__:
        return AudioTransformerStudent(num_classes=n_classes, channels=channels)
    return ARCHITECTURES[architecture](num_classes=n_classes)


def save_model(network: nn.Module, folder: Path, card: Card) -> Card:
    """Write a model folder: weights as safetensors, and the card with its sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(network, folder / WEIGHTS_NAME)
    clip = card.front_end
    shape = (
        (clip.clip_length,)
        if card.takes == "waveform"
        else (clip.n_patches, clip.profile.n_frames, clip.profile.n_mels)
    )
    size = model_size(network, shape=shape)
    counts = {
        "n_parameters": size.n_parameters,
        "n_multiply_adds": size.n_multiply_adds,
    }
    return write_card(folder, card.model_copy(update=counts))


def load_network(folder: Path) -> nn.Module:
    """Load the network of a model folder.

    Raises
    ------
    CheckpointError
        If a file is missing, was changed, or does not fit the card.
    """
    card = read_card(folder)
    if card.members:
        raise CheckpointError(
            f"{folder}: is a committee of {len(card.members)} networks; give one of "
            f"them: {folder / card.members[0].folder}"
        )
    network = build_network(card.architecture, len(card.labels), channels=card.channels)
    path = checked_file(folder, card, WEIGHTS_NAME)
    fill(network, read_state_dict(path), path=path)
    return network


def load_model(path: Path) -> tuple[nn.Module, Card]:
    """Load a network with its card, from a model folder or a ``.pth`` with metadata.

    Raises
    ------
    CheckpointError
        As :func:`load_network`, and for a ``.pth`` file that holds weights alone.
    """
    if path.is_dir():
        return load_network(path), read_card(path)
    network, config = _from_pth(path)
    try:
        card = Card.model_validate(config)
    except ValidationError as error:
        raise CheckpointError(
            f"{path}: holds weights without what they need (labels, front end); "
            "give the model folder, or a .pth file with metadata"
        ) from error
    if len(card.labels) != network.num_classes:
        raise CheckpointError(
            f"{path}: names {len(card.labels)} classes and its weights have "
            f"{network.num_classes}; give the file that the training wrote"
        )
    return network, card


def load_model_for_inference(
    path: str | Path, device: str | torch.device = "cpu"
) -> tuple[nn.Module, dict[str, Any]]:
    """Load a model for use, from a model folder or a ``.pth`` file.

    Parameters
    ----------
    path
        A model folder, a ``.pth`` file with metadata
        (``final_student_model_with_attention.pth``), or one with weights alone
        (``best_student_with_attention_model.pth``).
    device
        Where to put it: ``cpu``, ``cuda``, ...

    Returns
    -------
    model
        In evaluation mode.
    config
        ``architecture``, ``num_classes``, ``labels`` (None when only weights were
        saved), ``front_end`` (None likewise) and what else the file's card says.

    Raises
    ------
    CheckpointError
        If it is missing, unsafe, damaged, or of another architecture.
    SeacallError
        If this machine has no such device.
    """
    path = Path(path)
    if path.is_dir():
        network, config = load_network(path), read_card(path).model_dump(mode="json")
    else:
        network, config = _from_pth(path)
    config["num_classes"] = network.num_classes
    return network.to(choose_device(str(device))).eval(), config


def save_pth(network: nn.Module, path: Path, card: Card | None = None) -> None:
    """Write weights, with the card as plain values if given, as a ``.pth`` file."""
    state = {name: value.cpu() for name, value in network.state_dict().items()}
    content: dict[str, Any] = dict(state)
    if card is not None:
        config = card.model_dump(mode="json")
        content = {"model_state_dict": state, "config": config}
    with written_whole(path) as part, part.open("wb") as file:
        torch.save(content, file)


def _from_pth(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    content = read_pth(path)
    state = as_state_dict(content.get("model_state_dict", content), path=path)
    architecture, n_classes = _architecture_of(state, path=path)
    config = content.get("config") if "model_state_dict" in content else None
    if not isinstance(config, dict):
        config = {"labels": None, "front_end": None}
    try:
        check_plain(config)
    except ValueError as error:
        raise CheckpointError(
            f"{path}: its metadata cannot be used ({error}); "
            "give the file that the training wrote"
        ) from error
    network = build_network(architecture, n_classes, channels=_channels_of(state))
    fill(network, state, path=path)
    return network, {**config, "architecture": architecture}


def _channels_of(state: dict[str, Tensor]) -> tuple[int, ...]:
    """Return the channels of a student's convolutions; empty for other networks."""
    layers = [state.get(f"cnn.{k}.weight") for k in (0, 4, 8)]
    return tuple(len(w) for w in layers if w is not None and w.dim() == 4)[:3]


def _architecture_of(state: dict[str, Tensor], *, path: Path) -> tuple[str, int]:
    """Tell architecture and class count from the layers' names and shapes."""
    for name in ARCHITECTURES:
        layers = list(build_network(name, 2).state_dict())
        if set(layers) == state.keys() and state[layers[-1]].dim() == 1:
            return name, len(state[layers[-1]])
    raise CheckpointError(
        f"{path}: its layers ({one_line(next(iter(state)))}, ...) are those of no "
        f"known architecture; give a checkpoint of {' or '.join(ARCHITECTURES)}"
    )

"""What an exported file says of itself: its card, and what it is to be given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError

from seacall.errors import CheckpointError
from seacall.models.checkpoint import ONNX_NAME, WEIGHTS_NAME, Card
from seacall.settings import Settings

CARD_KEY = "seacall.card"
FILE_KEY = "seacall.file"


class FileDescription(Settings):
    """What an exported file is to be given, and how exactly it answers."""

    format_version: Literal[1] = 1
    """Layout of what files say of themselves."""
    takes: Literal["patches", "waveform"]
    """Log-mel patches and features; or a clip's waveform."""
    rate: int = Field(gt=0)
    """Sample rate of the clip, Hz."""
    length: int = Field(gt=0)
    """Samples of the clip."""
    conditioned: bool = True
    """Whether the clip went through filter and resampler; False: both are inside."""
    precision: Literal["float32", "float16", "int8"] = "float32"
    """Of the network's products."""


def metadata_of(card: Card, description: FileDescription) -> dict[str, str]:
    """Return what an exported file carries, as texts by key.

    ``seacall.card`` and ``seacall.file`` are what is read back; the others say the
    same to people and to other programs. The card names the weights' files only: what
    else lies in the model folder does not change the export.
    """
    networks = (WEIGHTS_NAME, ONNX_NAME)
    files = {k: v for k, v in card.files.items() if k.endswith(networks)}
    card = card.model_copy(update={"files": files})
    calibration = card.calibration.model_dump(mode="json")
    weights = files.get(WEIGHTS_NAME) or files.get(ONNX_NAME, "")
    return {
        CARD_KEY: json.dumps(card.model_dump(mode="json"), ensure_ascii=False),
        FILE_KEY: json.dumps(description.model_dump(mode="json")),
        "seacall.version": card.seacall_version,
        "labels": json.dumps(card.labels, ensure_ascii=False),
        "profile": card.front_end.profile.name,
        "front_end": json.dumps(card.front_end.model_dump(mode="json")),
        "thresholds": json.dumps(
            dict(zip(card.labels, card.lowest_scores, strict=True))
        ),
        "calibration": json.dumps(calibration),
        "weights_sha256": weights,
    }


def read_metadata(
    metadata: Mapping[str, str], *, path: object
) -> tuple[Card, FileDescription]:
    """Read back what an exported file carries.

    Raises
    ------
    CheckpointError
        If it carries none of it, or something else.
    """
    if CARD_KEY not in metadata or FILE_KEY not in metadata:
        raise CheckpointError(
            f"{path}: does not say what it is (no {CARD_KEY} in its metadata); put a "
            "card beside it that names labels, sample_rate and clip_s, or give a file "
            "that seacall export wrote"
        )
    try:
        card = Card.model_validate_json(metadata[CARD_KEY])
        return card, FileDescription.model_validate_json(metadata[FILE_KEY])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "metadata"
        raise CheckpointError(
            f"{path}: its metadata are wrong ({where}: {first['msg']}); export it again"
        ) from error

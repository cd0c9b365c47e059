"""Lay out the zip that PAMGuard's deep learning module loads: graph, settings, card.

By the sources of PAMGuard 2.02.19 (``PamZipModelClassifier``, ``ArchiveModelWorker``,
``DLTransformParser2``): the first file whose name holds ``.pdtf`` is read as JSON; a
framework that no other reader claims leaves the file to the reader of zips; transforms
run in the order of their array; the first file that ends in ``.pb`` is the model. Names
with ``.py``, ``.pt``, ``.pth``, ``.pk`` and ``.onnx`` mean something else to it, and
are kept out.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from seacall.errors import SettingsError
from seacall.files import written_whole
from seacall.models.checkpoint import NEVER, Card

SETTINGS_NAME = "seacall.pdtf"
MODEL_NAME = "saved_model.pb"
CARD_NAME = "seacall.json"
"""What PAMGuard does not read: thresholds, and what the package was proved on."""

_FRAMEWORK = "Bespoke"
"""What PAMGuard itself writes; no reader of one framework claims it."""
_HASH_LENGTH = 10
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest date of a zip: the same model makes the same bytes."""


def package_settings(card: Card) -> dict[str, Any]:
    """Return what PAMGuard is told of a model: the contents of ``.pdtf``."""
    front_end = card.front_end
    n_classes = len(card.labels)
    return {
        "framework_info": {"framework": _FRAMEWORK},
        "version_info": {"version": 1},
        "description": _description(card),
        "model_info": {"input_shape": [-1, -1], "output_shape": [-1, n_classes]},
        "class_info": {"num_class": n_classes, "name_class": list(card.labels)},
        "seg_size": {"size_ms": size_ms(card)},
        "transforms": [
            {
                "name": "load_audio_scipy",
                "params": {"sr": front_end.profile.sample_rate},
            }
        ],
    }


def size_ms(card: Card) -> float:
    """Return the length of a clip, milliseconds."""
    length = card.front_end.clip.duration_s * 1_000
    return int(length) if length == int(length) else length


def to_untick(card: Card) -> list[str]:
    """Return the classes that must not make detections, though all are ticked.

    ``unknown`` is a class like any other to PAMGuard; and of what is never answered no
    score counts.
    """
    lowest = zip(card.labels, card.lowest_scores, strict=True)
    return [label for label, score in lowest if score >= NEVER or label == "unknown"]


def threshold(card: Card) -> float:
    """Return the threshold to set: PAMGuard has one, and sorts by class afterwards."""
    left_out = to_untick(card)
    lowest = zip(card.labels, card.lowest_scores, strict=True)
    return min((s for label, s in lowest if label not in left_out), default=NEVER)


def package_card(card: Card, *, proof: dict[str, Any]) -> dict[str, Any]:
    """Return what a person may want to know of a package later."""
    return {
        "seacall_version": card.seacall_version,
        "model": card.name,
        "sha256": dict(card.files),
        "sample_rate": card.front_end.profile.sample_rate,
        "size_ms": size_ms(card),
        "threshold": threshold(card),
        "thresholds": dict(zip(card.labels, card.lowest_scores, strict=True)),
        "untick": to_untick(card),
        "proof": proof,
    }


def check_name(out: Path) -> None:
    """Raise a SettingsError if a package's name does not end in ``.zip``."""
    if out.suffix.lower() != ".zip":
        raise SettingsError(
            f"{out}: a package for PAMGuard is a zip; give a name that ends in .zip"
        )


def package_name(out: Path, card: Card, saved_model: bytes) -> Path:
    """Put a hash of the contents into a package's name.

    PAMGuard unpacks into a folder of the zip's name, and does not clean it first: a
    new package under an old name would leave parts of the old one in place.

    Examples
    --------
    >>> from seacall.models.shipped import shipped_folder
    >>> from seacall.models.checkpoint import read_card
    >>> package_name(Path("whales.zip"), read_card(shipped_folder()), b"").suffix
    '.zip'
    """
    settings = json.dumps(package_settings(card), sort_keys=True).encode()
    digest = hashlib.sha256(settings + saved_model).hexdigest()[:_HASH_LENGTH]
    # A dot in the name would be taken for the start of its extension.
    stem = out.stem.replace(".", "_").removesuffix(f"_{digest}")
    return out.with_name(f"{stem}_{digest}.zip")


def write_package(
    path: Path, card: Card, saved_model: bytes, *, proof: dict[str, Any]
) -> None:
    """Write the zip, whole or not at all."""
    files = {
        SETTINGS_NAME: _json(package_settings(card)),
        MODEL_NAME: saved_model,
        CARD_NAME: _json(package_card(card, proof=proof)),
    }
    with written_whole(path) as part, zipfile.ZipFile(part, "w") as package:
        for name, contents in files.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            package.writestr(entry, contents)


def _description(card: Card) -> str:
    unticked = ", ".join(to_untick(card))
    return (
        f"{card.name} by seacall {card.seacall_version}. Use the default segment "
        f"length; set the threshold to {threshold(card):g}; untick {unticked}."
    )


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()

"""Run a LiteRT (TensorFlow Lite) file that seacall exported.

Behind the model lies a zip, as in files with TensorFlow Lite's metadata: what reads the
model does not see it, and ``unzip -p model.tflite labels.txt`` shows what is in it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.errors import CheckpointError, MissingExtraError
from seacall.files import file_sha256
from seacall.models.checkpoint import ONNX_NAME, Card
from seacall.models.file_card import FileDescription, read_metadata
from seacall.models.untrusted import MAX_JSON_BYTES, one_line

Float32 = NDArray[np.float32]
SUFFIX = ".tflite"
CARD_NAME, LABELS_NAME = "seacall.json", "labels.txt"
"""What the zip behind the model holds."""
SIZE_KEY, HASH_KEY = "model_bytes", "model_sha256"
"""Of the model without the zip, among the metadata."""
_MAX_BYTES = 100_000_000
_YEAR = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can name


class LiteRtClassifier:
    """A file that ``seacall export --to litert`` wrote, on one thread.

    Parameters
    ----------
    path
        Its name ends in ``.tflite``.

    Raises
    ------
    CheckpointError
        If it is none of ours, was changed, or LiteRT cannot load it.
    MissingExtraError
        If LiteRT is not installed.
    """

    card: Card
    file: FileDescription

    def __init__(self, path: Path) -> None:
        model, metadata = read_litert(path)
        card, self.file = read_metadata(metadata, path=path)
        files = {ONNX_NAME: file_sha256(path)}
        self.card = card.model_copy(update={"takes": self.file.takes, "files": files})
        self._path = path
        self._run = _runner(model, path)

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Classify clips; see `seacall.models.backend.Classifier`."""
        rows = [np.empty((0, len(self.card.labels)), np.float32)]
        for k in range(len(x)):
            given = {"waveform": x[k : k + 1]}
            if self.file.takes == "patches":
                given = {"log_mel": x[k : k + 1], "features": features[k : k + 1]}
            rows.append(self.outputs(given)["logits"])
        return np.concatenate(rows)

    def outputs(self, given: dict[str, Float32]) -> dict[str, Float32]:
        """Return all that the file computes of one clip, by name."""
        try:
            found: dict[str, Float32] = self._run(**given)
        except (ValueError, RuntimeError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{self._path}: LiteRT cannot run it ({one_line(str(error))}); "
                "export it again"
            ) from error
        shape = (1, len(self.card.labels))
        if "logits" not in found or found["logits"].shape != shape:
            raise CheckpointError(
                f"{self._path}: gives no logits of {shape[1]} classes, which its card "
                "names; export it again"
            )
        return found


def read_litert(path: Path) -> tuple[bytes, dict[str, str]]:
    """Read the model and its metadata.

    Raises
    ------
    CheckpointError
        If it is none of ours, or was changed.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES:,} bytes")
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as behind:
            metadata = _texts(_read(behind, CARD_NAME))
        model = content[: int(metadata[SIZE_KEY])]
        if hashlib.sha256(model).hexdigest() != metadata[HASH_KEY]:
            raise ValueError("its model is not the one that was exported")
    except (OSError, ValueError, KeyError, RecursionError, zlib.error) as error:
        raise _unreadable(path, error) from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    return model, metadata


def write_litert(
    path: Path, model: bytes, *, metadata: dict[str, str], labels: tuple[str, ...]
) -> None:
    """Write a model with its metadata behind it, the same bytes each time."""
    about = metadata | {
        SIZE_KEY: str(len(model)),
        HASH_KEY: hashlib.sha256(model).hexdigest(),
    }
    behind = {
        CARD_NAME: json.dumps(about, sort_keys=True, ensure_ascii=False),
        LABELS_NAME: "\n".join(labels) + "\n",
    }
    content = io.BytesIO()
    content.write(model)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, text in behind.items():
            file.writestr(_entry(name), text)
    path.write_bytes(content.getvalue())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_YEAR)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # the same on each system
    return entry


def _read(behind: zipfile.ZipFile, name: str) -> bytes:
    """Read a file of a zip, unless it is larger than any of ours."""
    with behind.open(name) as file:
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise ValueError(f"{name}: more than {MAX_JSON_BYTES:,} bytes")
    return content


def _texts(content: bytes) -> dict[str, str]:
    found = json.loads(content)
    if not isinstance(found, dict) or not all(map(_is_text, found.values())):
        raise ValueError(f"{CARD_NAME}: is no table of texts")
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path}: is no LiteRT file that seacall exported, or was changed "
        f"({one_line(str(error))}); export it again with --to litert"
    )


def _runner(model: bytes, path: Path) -> Any:
    """Return what runs the signature of a model."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise MissingExtraError("ai-edge-litert", "litert")
    litert = importlib.import_module("ai_edge_litert.interpreter")
    try:
        interpreter = litert.Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter.get_signature_runner("serving_default")
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: LiteRT cannot load it ({one_line(str(error))}); export it again"
        ) from error

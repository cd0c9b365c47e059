"""Whatever answers clips: a model folder or an exported file, each run end to end."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seacall.audio.frontend import clip_inputs
from seacall.errors import CheckpointError, require
from seacall.models.backend import load_classifier, scores_from_logits
from seacall.models.checkpoint import Card
from seacall.models.file_card import FileDescription, read_metadata
from seacall.models.litert_file import SUFFIX as LITERT_SUFFIX
from seacall.models.litert_file import LiteRtClassifier
from seacall.models.onnx_file import open_session

Float32 = NDArray[np.float32]
METADATA_NAME = "seacall.json"
"""Extra file in a TorchScript file that holds its metadata."""


@dataclass(frozen=True)
class Answers:
    """What a side makes of clips; None: it does not tell."""

    logits: Float32
    """Shape ``(n, n_classes)``."""
    scores: Float32
    """Shape ``(n, n_classes)``."""
    features: Float32 | None = None
    """Shape ``(n, 18)``."""
    log_mel: Float32 | None = None
    """Shape ``(n, n_patches, n_frames, n_mels)``."""
    answer: NDArray[np.int64] | None = None
    """Class that is answered in the end, where a file says so itself, ``(n,)``."""


class Side(Protocol):
    """One of two that are compared."""

    name: str
    """For people."""
    card: Card
    """Labels, thresholds, and what else turns scores into answers."""
    file: FileDescription
    """What it takes."""

    def answers(self, clips: Float32) -> Answers:
        """Answer clips, shape ``(n, file.length)``."""
        ...

    def network(self, log_mel: Float32, features: Float32) -> Float32 | None:
        """Return logits of one clip's patches and features; None: it cannot."""
        ...


class FolderSide:
    """A model folder, as ``seacall detect`` runs it."""

    def __init__(self, path: Path) -> None:
        self._classifier = load_classifier(path)
        self.name, self.card = str(path), self._classifier.card
        front_end = self.card.front_end
        self.file = FileDescription(
            takes="waveform",
            rate=front_end.profile.sample_rate,
            length=front_end.clip_length,
        )

    def answers(self, clips: Float32) -> Answers:
        """Answer clips; see :class:`Side`."""
        log_mel, features = _inputs(clips, self.card)
        x = clips if self.card.takes == "waveform" else log_mel
        logits = self._classifier.logits(x, features)
        scores = scores_from_logits(logits, self.card)
        return Answers(logits, scores, features, log_mel)

    def network(self, log_mel: Float32, features: Float32) -> Float32 | None:
        """Return the network's logits; see :class:`Side`."""
        if self.card.takes == "waveform":
            return None
        return self._classifier.logits(log_mel[None], features[None])


class OnnxSide:
    """An ONNX file that ``seacall export`` wrote."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.name = str(path)
        self.card, self.file = read_metadata(metadata, path=path)
        self._outputs = [output.name for output in self._session.get_outputs()]
        missing = {"logits", "scores"} - set(self._outputs)
        if missing:
            raise CheckpointError(
                f"{path}: has no output {missing.pop()}; export it again"
            )

    def answers(self, clips: Float32) -> Answers:
        """Answer clips; see :class:`Side`."""
        rows = [self._run(clips[k : k + 1]) for k in range(len(clips))]
        found = {
            name: np.concatenate([row[name] for row in rows]) for name in self._outputs
        }
        if self.file.takes == "patches":
            found["log_mel"], found["features"] = _inputs(clips, self.card)
        return Answers(**found)

    def network(self, log_mel: Float32, features: Float32) -> Float32 | None:
        """Return the network's logits; see :class:`Side`."""
        if self.file.takes == "waveform":
            return None
        given = {"log_mel": log_mel[None], "features": features[None]}
        logits: Float32 = self._session.run(["logits"], given)[0]
        return logits

    def _run(self, clip: Float32) -> dict[str, Any]:
        given = {"waveform": clip}
        if self.file.takes == "patches":
            given = dict(
                zip(("log_mel", "features"), _inputs(clip, self.card), strict=True)
            )
        return dict(
            zip(self._outputs, self._session.run(self._outputs, given), strict=True)
        )


class TorchScriptSide:
    """A TorchScript file that ``seacall export`` wrote."""

    def __init__(self, path: Path) -> None:
        torch = require("torch", "train")
        extra = {METADATA_NAME: ""}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch about its own future
                self._module = torch.jit.load(str(path), "cpu", extra).eval()
            metadata = json.loads(extra[METADATA_NAME] or "{}")
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else "no reason"
            raise CheckpointError(
                f"{path}: torch cannot load it ({reason}); export it again"
            ) from error
        self.name = str(path)
        self.card, self.file = read_metadata(metadata, path=path)

    def answers(self, clips: Float32) -> Answers:
        """Answer clips; see :class:`Side`."""
        torch = require("torch", "train")
        with torch.inference_mode():
            rows = [self._module(torch.from_numpy(y[None])) for y in clips]
        parts = [
            np.concatenate([part.numpy() for part in x])
            for x in zip(*rows, strict=True)
        ]
        return Answers(*parts)

    def network(self, log_mel: Float32, features: Float32) -> Float32 | None:
        """Tell nothing: the front end is inside; see :class:`Side`."""
        return None


class LiteRtSide:
    """A LiteRT file that ``seacall export`` wrote."""

    def __init__(self, path: Path) -> None:
        self._classifier = LiteRtClassifier(path)
        self.name = str(path)
        self.card, self.file = self._classifier.card, self._classifier.file

    def answers(self, clips: Float32) -> Answers:
        """Answer clips; see :class:`Side`."""
        if self.file.takes == "waveform":
            rows = [self._classifier.outputs({"waveform": y[None]}) for y in clips]
            names = [one.name for one in fields(Answers) if one.name in rows[0]]
            return Answers(
                **{name: np.concatenate([row[name] for row in rows]) for name in names}
            )
        log_mel, features = _inputs(clips, self.card)
        logits = self._classifier.logits(log_mel, features)
        return Answers(logits, scores_from_logits(logits, self.card), features, log_mel)

    def network(self, log_mel: Float32, features: Float32) -> Float32 | None:
        """Return the network's logits; see :class:`Side`."""
        if self.file.takes == "waveform":
            return None
        return self._classifier.logits(log_mel[None], features[None])


def _inputs(clips: Float32, card: Card) -> tuple[Float32, Float32]:
    """Return patches and features by the package's own front end."""
    inputs = [clip_inputs(y, card.front_end) for y in clips]
    log_mel = np.stack([one.log_mel for one in inputs])
    return log_mel, np.stack([one.features for one in inputs])


OPENERS: dict[str, Callable[[Path], Side]] = {
    ".onnx": OnnxSide,
    ".pt": TorchScriptSide,
    LITERT_SUFFIX: LiteRtSide,
}
"""What runs a file, by the end of its name."""


def open_side(path: Path) -> Side:
    """Open a model folder or an exported file.

    Raises
    ------
    CheckpointError
        If it is neither, or does not say what it is.
    """
    if path.is_dir():
        return FolderSide(path)
    if not path.is_file():
        raise CheckpointError(
            f"{path}: does not exist; give a model folder or an exported file"
        )
    if path.suffix not in OPENERS:
        raise CheckpointError(
            f"{path}: cannot be run; give a model folder or a file that ends in "
            f"{' or '.join(OPENERS)}"
        )
    return OPENERS[path.suffix](path)

"""Embeddings of clips: what a network's last layer is given, whatever the engine."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seacall.errors import CheckpointError, require
from seacall.models.backend import OnnxClassifier, TorchClassifier
from seacall.models.checkpoint import ONNX_NAME, WEIGHTS_NAME, Card, read_card
from seacall.models.committee import CommitteeEmbedder
from seacall.models.embedding_graph import EMBEDDING, LOGITS, with_embedding
from seacall.models.onnx_file import open_session
from seacall.models.shipped import shipped_folder
from seacall.models.untrusted import one_line

Float32 = NDArray[np.float32]


class Embedder(Protocol):
    """What gives embeddings of clips."""

    card: Card
    """Its ``takes`` says what the model is to be given of a clip."""

    @property
    def name(self) -> str:
        """Architecture and weights' sha256; other models' embeddings differ."""
        ...

    @property
    def length(self) -> int:
        """Numbers in an embedding."""
        ...

    def embed(self, x: Float32, features: Float32) -> Float32:
        """Describe clips by embeddings, shape ``(n_clips, length)``.

        Parameters are those of `seacall.models.backend.Classifier.logits`.
        """
        ...

    def both(self, x: Float32, features: Float32) -> tuple[Float32, Float32]:
        """Return logits ``(n_clips, n_classes)`` and embeddings in one run."""
        ...


class OnnxEmbedder(OnnxClassifier):
    """A network run by ONNX Runtime, on one thread: needs no torch.

    Raises
    ------
    CheckpointError
        If the file cannot be run, or gives no embedding and cannot be made to.
    MissingExtraError
        If it would have to be made to, and onnx is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if self._length() is None:
            self._session = _exposed(self._path)
        length = self._length()
        if length is None:
            raise CheckpointError(
                f"{self._path}: its embedding has no fixed length; export the model "
                "again: seacall export, or train"
            )
        self.length = length
        self.name = embedder_name(self.card)

    def embed(self, x: Float32, features: Float32) -> Float32:
        """Describe clips; see :meth:`Embedder.embed`."""
        return self.both(x, features)[1]

    def both(self, x: Float32, features: Float32) -> tuple[Float32, Float32]:
        """Return logits and embeddings; see :meth:`Embedder.both`."""
        logits = [np.empty((0, len(self.card.labels)), np.float32)]
        embeddings = [np.empty((0, self.length), np.float32)]
        for k in range(len(x)):
            given = {self._x_name: x[k : k + 1], "features": features[k : k + 1]}
            found = self._outputs([LOGITS, EMBEDDING], given)
            logits.append(found[0])
            embeddings.append(found[1])
        return np.concatenate(logits), np.concatenate(embeddings)

    def _length(self) -> int | None:
        shapes = {one.name: one.shape for one in self._session.get_outputs()}
        length = (shapes.get(EMBEDDING) or [None])[-1]
        return length if isinstance(length, int) else None


class TorchEmbedder(TorchClassifier):
    """A network run by torch, for folders that hold no ONNX file."""

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        super().__init__(folder, device=device)
        self._last = self._last_linear()
        self.length = int(self._last.in_features)
        self.name = embedder_name(self.card)

    def embed(self, x: Float32, features: Float32) -> Float32:
        """Describe clips; see :meth:`Embedder.embed`."""
        return self.both(x, features)[1]

    def both(self, x: Float32, features: Float32) -> tuple[Float32, Float32]:
        """Return logits and embeddings; see :meth:`Embedder.both`."""
        kept: list[Float32] = []

        def keep(_layer: Any, given: tuple[Any, ...], _output: Any) -> None:
            kept.append(given[0].detach().cpu().numpy().astype(np.float32))

        hook = self._last.register_forward_hook(keep)
        try:
            logits = self.logits(x, features)
        finally:
            hook.remove()
        return logits, kept[0]

    def _last_linear(self) -> Any:
        from torch import nn

        layers = [m for m in self._network.modules() if isinstance(m, nn.Linear)]
        return next(
            m for m in reversed(layers) if m.out_features == len(self.card.labels)
        )


def embedder_name(card: Card) -> str:
    """Return the architecture and the start of its weights' sha256."""
    sha256 = card.files.get(WEIGHTS_NAME) or card.files.get(ONNX_NAME, "")
    return f"{card.architecture} {sha256[:12]}".strip()


def load_embedder(folder: Path | None = None) -> Embedder:
    """Open a model folder for its embeddings, with the lightest engine that can.

    Parameters
    ----------
    folder
        Model folder: student, VGGish or EfficientAT teacher; None: the model that
        comes with the package.

    Raises
    ------
    CheckpointError
        If it is no model folder, or its network gives no embedding.
    MissingExtraError
        If its embedding needs a package that is not installed.
    """
    folder = folder or shipped_folder()
    if folder.is_file():
        raise CheckpointError(
            f"{folder}: a single file gives no embeddings; give the model folder that "
            "it was exported from"
        )
    card = read_card(folder)
    if card.members:
        return CommitteeEmbedder(folder, load_member=load_embedder)
    if ONNX_NAME not in card.files:
        return _torch_embedder(folder, card)
    try:
        return OnnxEmbedder(folder)
    except CheckpointError:
        if WEIGHTS_NAME in card.files and importlib.util.find_spec("torch"):
            return _torch_embedder(folder, card)
        raise


def _torch_embedder(folder: Path, card: Card) -> Embedder:
    if WEIGHTS_NAME not in card.files:
        raise CheckpointError(
            f"{folder}: its card lists no weights; copy the model folder again"
        )
    return TorchEmbedder(folder)


def _exposed(path: Path) -> Any:
    """Open an ONNX file that was written without the output ``embedding``."""
    if importlib.util.find_spec("onnx") is None:
        raise CheckpointError(
            f"{path}: was exported without embeddings; export the model again, or "
            "pip install onnx, with which they can be had from it"
        )
    onnx = require("onnx", "train")
    try:
        model = with_embedding(onnx.load(path))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except Exception as error:  # whatever a damaged file makes protobuf raise
        raise CheckpointError(
            f"{path}: cannot be read ({one_line(str(error))}); export it again"
        ) from error
    return open_session(path, content=model.SerializeToString())

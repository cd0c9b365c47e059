"""Run a model folder: clips in, logits out, whatever the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seacall.errors import CheckpointError, require
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import (
    ONNX_NAME,
    WEIGHTS_NAME,
    Card,
    checked_file,
    read_card,
)
from seacall.models.committee import Committee
from seacall.models.file_classifier import open_file
from seacall.models.onnx_file import open_session
from seacall.models.shipped import shipped_folder
from seacall.models.untrusted import one_line

Float32 = NDArray[np.float32]


class Classifier(Protocol):
    """What every engine gives: logits of clips."""

    card: Card
    """Its ``takes`` says what the model is to be given of a clip."""

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Classify clips.

        Parameters
        ----------
        x
            Patches, shape ``(n_clips, n_patches, 96, 64)``; for a model that takes the
            waveform, conditioned clips, ``(n_clips, clip_length)``.
        features
            Raw features, shape ``(n_clips, 18)``.

        Returns
        -------
        logits
            Shape ``(n_clips, n_classes)``.
        """
        ...


class OnnxClassifier:
    """A network run by ONNX Runtime, on one thread: needs no torch."""

    def __init__(self, folder: Path) -> None:
        self.card = read_card(folder)
        path = checked_file(folder, self.card, ONNX_NAME)
        self._session = open_session(path)
        self._path = path
        self._x_name = "waveform" if self.card.takes == "waveform" else "log_mel"
        self._check_names()

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Classify clips; see :meth:`Classifier.logits`."""
        # One clip at a time: what a layer gives of it stays in the cache, which makes
        # a tenth, and no clip's logits can depend on what it is batched with.
        rows = [
            self._run({self._x_name: x[k], "features": features[k]})
            for k in map(slice, range(len(x)), range(1, len(x) + 1))
        ]
        none = np.empty((0, len(self.card.labels)), np.float32)
        return np.concatenate([none, *rows])

    def _run(self, inputs: dict[str, Float32]) -> Float32:
        """Classify one clip; what does not fit the card is the file's fault."""
        return self._outputs(["logits"], inputs)[0]

    def _outputs(self, names: list[str], inputs: dict[str, Float32]) -> list[Float32]:
        """Return outputs for one clip, the logits first."""
        try:
            outputs: list[Float32] = self._session.run(names, inputs)
        except Exception as error:
            raise CheckpointError(
                f"{self._path}: does not take what its card says "
                f"({one_line(str(error))}); export the model again"
            ) from error
        logits = outputs[0]
        if logits.shape != (1, len(self.card.labels)):
            raise CheckpointError(
                f"{self._path}: gives {logits.shape} where its card names "
                f"{len(self.card.labels)} classes; it is the card of another model"
            )
        return outputs

    def _check_names(self) -> None:
        """Check that the graph takes and gives what the card says.

        Raises
        ------
        CheckpointError
            If the card is that of another model.
        """
        try:
            takes = {one.name for one in self._session.get_inputs()}
            gives = {one.name: one.shape for one in self._session.get_outputs()}
        except UnicodeDecodeError as error:
            raise CheckpointError(
                f"{self._path}: its inputs have no readable names; export it again"
            ) from error
        n_classes = (gives.get("logits") or [None])[-1]
        n_labels = len(self.card.labels)
        fits = not isinstance(n_classes, int) or n_classes == n_labels
        if takes == {self._x_name, "features"} and "logits" in gives and fits:
            return
        raise CheckpointError(
            f"{self._path}: takes {one_line(', '.join(sorted(takes)))} and gives "
            f"{n_classes} classes, where its card says {self._x_name}, features and "
            f"{n_labels} classes; it is the card of another model"
        )


class TorchClassifier:
    """A network run by torch, for folders that hold no ONNX file."""

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        require("torch", "train")
        from seacall.models.network import load_network

        self.card = read_card(folder)
        self._device = device
        self._network = load_network(folder).to(device).eval()

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Classify clips; see :meth:`Classifier.logits`."""
        import torch

        with torch.inference_mode():
            logits = self._network(
                torch.from_numpy(x).to(self._device),
                torch.from_numpy(features).to(self._device),
            )
        result: Float32 = logits.cpu().numpy()
        return result


def load_classifier(folder: Path | None = None) -> Classifier:
    """Open a model folder with the lightest engine that can run it.

    Parameters
    ----------
    folder
        Model folder, or an ONNX file (`seacall.models.file_classifier`); None: the
        model that comes with the package.

    Raises
    ------
    CheckpointError
        If it is no model folder, or its files are not those of its card.
    MissingExtraError
        If it holds no ONNX file and torch is not installed.
    """
    folder = folder or shipped_folder()
    if folder.is_file():
        return open_file(folder)
    card = read_card(folder)
    if card.members:
        return Committee(folder, load_member=load_classifier)
    if ONNX_NAME in card.files:
        return OnnxClassifier(folder)
    if WEIGHTS_NAME in card.files:
        return TorchClassifier(folder)
    raise CheckpointError(
        f"{folder}: its card lists no weights; copy the model folder again"
    )


def scores_from_logits(logits: Float32, card: Card) -> Float32:
    """Turn logits, shape ``(n, n_classes)``, into scores that sum to 1, calibrated."""
    return calibrated(logits, card.calibration)

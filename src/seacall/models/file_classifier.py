"""Run a single file: one that seacall exported, or an ONNX file from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.errors import CheckpointError
from seacall.files import file_sha256
from seacall.models.checkpoint import ONNX_NAME, Card, read_card
from seacall.models.file_card import CARD_KEY, read_metadata
from seacall.models.foreign import ForeignCard, find_foreign_card
from seacall.models.litert_file import SUFFIX as LITERT_SUFFIX
from seacall.models.litert_file import LiteRtClassifier
from seacall.models.onnx_file import open_session

Float32 = NDArray[np.float32]


class FileClassifier:
    """A file that ``seacall export`` wrote: it carries its card.

    Parameters
    ----------
    path
        ONNX file.

    Raises
    ------
    CheckpointError
        If ONNX Runtime cannot load it, or it takes waveforms that were not resampled.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._session = path, open_session(path)
        metadata = self._session.get_modelmeta().custom_metadata_map
        card, file = read_metadata(metadata, path=path)
        if not file.conditioned:
            raise CheckpointError(
                f"{path}: takes {file.rate} Hz and filters for itself, for programs "
                "that cannot; give the model folder, or a file exported without --rate"
            )
        self._takes = file.takes
        files = {ONNX_NAME: file_sha256(path)}
        self.card = card.model_copy(update={"takes": file.takes, "files": files})

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Classify clips; see `seacall.models.backend.Classifier`."""
        rows = [np.empty((0, len(self.card.labels)), np.float32)]
        for k in range(len(x)):
            given = {"waveform": x[k : k + 1]}
            if self._takes == "patches":
                given = {"log_mel": x[k : k + 1], "features": features[k : k + 1]}
            rows.append(_run(self._session, ["logits"], given, self._path)[0])
        return np.concatenate(rows)


class ForeignClassifier:
    """A file from elsewhere that takes waveforms of one rate and length.

    Parameters
    ----------
    path
        ONNX file.
    about
        Its small card.

    Raises
    ------
    CheckpointError
        If ONNX Runtime cannot load it, or the card does not fit it.
    """

    def __init__(self, path: Path, about: ForeignCard) -> None:
        self.card, self._about = about.card(path), about
        self._path, self._session = path, open_session(path)
        self._input = _named(self._session.get_inputs(), about.input, "input", path)
        outputs = self._session.get_outputs()
        self._output = _named(outputs, about.output, "output", path, first=True)
        length, wanted = self.card.front_end.clip_length, self._input.shape[-1:]
        if isinstance(wanted[0] if wanted else None, int) and wanted[0] != length:
            raise CheckpointError(
                f"{path}: takes {wanted[0]} samples, and sample_rate times clip_s of "
                f"its card are {length}; correct the card"
            )

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Classify clips; see `seacall.models.backend.Classifier`."""
        rows = [self._one(y) for y in x]
        return np.concatenate([np.empty((0, len(self.card.labels)), np.float32), *rows])

    def _one(self, y: Float32) -> Float32:
        # A batch of one, a batch of one channel, or the samples alone.
        given = y.reshape((1,) * (len(self._input.shape) - 1) + y.shape)
        names = [self._output.name]
        output = _run(self._session, names, {self._input.name: given}, self._path)[0]
        n = len(self._about.labels)
        if np.size(output) != n:
            raise CheckpointError(
                f"{self._path}: gives {np.size(output)} numbers and its card names {n} "
                "labels; correct the card, or name another output in it"
            )
        return self._about.logits(np.reshape(output, (1, n)))


def open_file(path: Path) -> FileClassifier | ForeignClassifier | LiteRtClassifier:
    """Open an ONNX or LiteRT file with the card that it carries, or the one beside it.

    Raises
    ------
    CheckpointError
        If it has none, or cannot be run.
    """
    if path.suffix == LITERT_SUFFIX:
        return LiteRtClassifier(path)
    metadata = open_session(path).get_modelmeta().custom_metadata_map
    about = None if CARD_KEY in metadata else find_foreign_card(path)
    return FileClassifier(path) if about is None else ForeignClassifier(path, about)


def card_of(model: Path) -> Card:
    """Read the card of a model folder, or of a file.

    Raises
    ------
    CheckpointError
        If it has none, or cannot be read.
    """
    return open_file(model).card if model.is_file() else read_card(model)


def _named(
    found: list[Any], name: str | None, what: str, path: Path, *, first: bool = False
) -> Any:
    """Return the input or output of that name, or the only one."""
    chosen = [one for one in found if name is None or one.name == name]
    if len(chosen) == 1 or (chosen and first):
        return chosen[0]
    names = ", ".join(one.name for one in found)
    raise CheckpointError(
        f"{path}: has {what}s {names}; write {what} = NAME of one of them into its card"
    )


def _run(
    session: Any, names: list[str], given: dict[str, Float32], path: Path
) -> list[Any]:
    try:
        outputs: list[Any] = session.run(names, given)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else "no reason"
        raise CheckpointError(
            f"{path}: ONNX Runtime cannot run it ({reason}); check the card beside it, "
            "or export it again"
        ) from error
    return outputs

"""The small card of a model from elsewhere: what its waveforms are, what it answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit, softmax

from seacall.config import ClipSettings, FrontEndSettings, Profile
from seacall.errors import CheckpointError, SettingsError
from seacall.files import file_sha256
from seacall.labels import UNKNOWN
from seacall.models.calibrated import shared_out
from seacall.models.checkpoint import ONNX_NAME, Card
from seacall.settings import Settings, checked, read_toml

Float32 = NDArray[np.float32]

_LEAST = 1e-12
"""Score whose logarithm stands for one of zero."""
_MOST_JSON_BYTES = 4_000_000


class ForeignCard(Settings):
    """What has to be known of a model from elsewhere to run it."""

    labels: tuple[str, ...] = Field(min_length=1)
    """Classes in the order of its output."""
    sample_rate: int = Field(ge=1_000, le=500_000)
    """Of the waveforms that it takes, Hz."""
    clip_s: float = Field(gt=0, le=600)
    """Length of the waveforms that it takes, s."""
    activation: Literal["none", "softmax", "sigmoid"]
    """What makes scores of its output; none: they are scores already."""
    input: str | None = None
    """Name of the input; None: the only one."""
    output: str | None = None
    """Name of the output; None: the first."""
    threshold: float = Field(default=0.7, ge=0, le=1)
    """Smallest score that counts as an answer."""
    fit: Literal["pad", "tile"] = "pad"
    """How a shorter recording fills its clip: zeros behind it, or repeats of it."""
    channel: int | None = Field(default=None, ge=1)
    """Channel to use, counted from 1; None: the mean of all channels."""

    def front_end(self) -> FrontEndSettings:
        """Return a front end that only brings recordings to its rate.

        The log-mel is for what is measured beside its answers: silence, level, band.
        """
        rate = self.sample_rate
        win_length, hop_length = round(0.025 * rate), round(0.010 * rate)
        length = round(self.clip_s * rate)
        n_frames = 1 + (length - win_length) // hop_length
        profile = Profile(
            name="waveform",
            sample_rate=rate,
            n_fft=2 ** int(np.ceil(np.log2(win_length))),
            win_length=win_length,
            hop_length=hop_length,
            n_mels=64,
            fmin=min(50.0, rate / 100),
            fmax=rate / 2,
            spectrum="magnitude",
            log_offset=1e-4,
            background="removed",
            n_frames=max(1, min(96, n_frames)),
        )
        clip = ClipSettings(duration_s=self.clip_s, fit=self.fit, channel=self.channel)
        return FrontEndSettings(profile=profile, clip=clip)

    def card(self, path: Path) -> Card:
        """Return the card of a file as the rest of the package knows cards.

        What no class claims is ``unknown``'s, which is the last class.
        """
        own = self.labels[-1] == UNKNOWN
        values = {
            "seacall_version": "",
            "architecture": "ForeignModel",
            "takes": "waveform",
            "labels": self.labels if own else (*self.labels, UNKNOWN),
            "front_end": self.front_end().model_dump(mode="json"),
            "threshold": self.threshold,
            "files": {ONNX_NAME: file_sha256(path)},
        }
        return checked(Card, values)

    def logits(self, output: NDArray[Any]) -> Float32:
        """Turn outputs, ``(n, n_labels)``, into logits whose softmax are its scores.

        Scores of classes that do not exclude each other are divided by their sum where
        it is above 1.
        """
        raw = np.asarray(output, np.float64)
        if self.activation == "softmax":
            raw = softmax(raw, axis=1)
        elif self.activation == "sigmoid":
            raw = expit(raw)
        if self.labels[-1] != UNKNOWN:
            raw = np.concatenate([raw, np.zeros((len(raw), 1))], axis=1)
        scores = shared_out(np.clip(raw, 0.0, 1.0)).astype(np.float64)
        return np.log(np.maximum(scores, _LEAST)).astype(np.float32)


def find_foreign_card(path: Path) -> ForeignCard | None:
    """Read the small card beside a model file; None: there is none.

    Looked for are, beside ``NAME.onnx``, ``NAME.toml``, ``NAME.json``, ``card.toml``
    and ``card.json``, in this order.

    Raises
    ------
    CheckpointError
        If it cannot be read, or something is missing in it.
    """
    names = [f"{stem}.{kind}" for stem in (path.stem, "card") for kind in KINDS]
    for beside in (path.with_name(name) for name in names):
        if not beside.is_file():
            continue
        values = KINDS[beside.suffix[1:]](beside)
        if "schema_version" in values:  # of a model folder
            continue
        try:
            return checked(ForeignCard, values)
        except SettingsError as error:
            raise CheckpointError(f"{beside}: {error}") from error
    return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_JSON_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes are no card")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: is no JSON object with labels and rates")
    return values


KINDS = {"toml": read_toml, "json": _read_json}
"""What reads a card, by the end of its name."""

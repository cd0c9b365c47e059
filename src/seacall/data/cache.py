"""Keep what the front end made of a recording on disk."""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.features import FEATURE_NAMES
from seacall.audio.frontend import ClipInputs, clip_inputs, first_clip
from seacall.config import FrontEndSettings
from seacall.data.fixed import from_fixed, to_fixed
from seacall.errors import AudioError
from seacall.files import file_sha256, written_whole

logger = logging.getLogger(__name__)

FRONT_END_VERSION = 1
"""Raise it whenever a change of the code changes what the front end computes: results
on disk that were made before are then computed anew."""

CACHE_FOLDER = ".seacall-cache"
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def labelled_inputs(path: Path, settings: FrontEndSettings) -> ClipInputs:
    """Compute what the network sees of a labelled recording.

    Raises
    ------
    AudioError
        If it cannot be read, or every sample of what the network sees is the same:
        such a clip has nothing of its label.
    """
    _refuse_constant(path, settings)
    return clip_inputs(first_clip(path, settings), settings)


def recording_sha256(path: Path) -> str:
    """Return the sha256 of a recording's bytes, 64 hex digits.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror}); check path and permissions"
        ) from error


@dataclass(frozen=True)
class FrontEndCache:
    """Results of the front end, by hash of the file, settings and code version.

    A damaged result is computed anew. Where nothing can be written (a read-only or full
    disk) everything is computed each time.
    """

    folder: Path | None
    """Where results lie; None keeps nothing."""

    @classmethod
    def beside(cls, root: Path) -> FrontEndCache:
        """Return the cache of a dataset's own folder."""
        return cls(root / CACHE_FOLDER)

    def get_or_compute(self, path: Path, settings: FrontEndSettings) -> ClipInputs:
        """Return what the network sees of a labelled recording.

        Raises
        ------
        AudioError
            As :func:`labelled_inputs`.
        """
        if self.folder is None:
            return labelled_inputs(path, settings)
        sha256 = recording_sha256(path)
        inputs = self.load(sha256, settings)
        if inputs is None:
            inputs = labelled_inputs(path, settings)
            self.save(inputs, sha256, settings)
        return inputs

    def load(
        self, sha256: str, settings: FrontEndSettings, *, view: str = ""
    ) -> ClipInputs | None:
        """Return what was kept of a recording; None: nothing, or it is damaged.

        Parameters
        ----------
        sha256
            Of the recording's bytes.
        view
            Which changed view of it; "": the recording as it is.
        """
        if self.folder is None:
            return None
        return _load(_place(self.folder, sha256, settings, view), settings)

    def save(
        self,
        inputs: ClipInputs,
        sha256: str,
        settings: FrontEndSettings,
        *,
        view: str = "",
    ) -> None:
        """Keep what the network sees of a recording; views in half the bytes."""
        if self.folder is None:
            return
        log_mel = to_fixed(inputs.log_mel) if view else inputs.log_mel
        kept = _place(self.folder, sha256, settings, view)
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(kept) as part, part.open("wb") as file:
                np.savez(file, log_mel=log_mel, features=inputs.features)
        except OSError as error:
            _warn_once(str(self.folder), error.strerror or type(error).__name__)


def _place(folder: Path, sha256: str, settings: FrontEndSettings, view: str) -> Path:
    front_end = f"{settings.fingerprint()}-v{FRONT_END_VERSION}"
    return folder / front_end / view / sha256[:2] / f"{sha256}.npz"


def _refuse_constant(path: Path, settings: FrontEndSettings) -> None:
    """Raise if the start of a recording does not move; reads until it does."""
    left = round(settings.clip.duration_s * io.probe_whole(path).sample_rate)
    first: np.float32 | None = None
    for y in io.read_blocks(path, channel=settings.clip.channel):
        y = y[:left]
        first = y[0] if first is None else first
        if (y != first).any():
            return
        left -= len(y)
        if left <= 0:
            break
    raise AudioError(
        f"{path}: is silent, every sample of its first {settings.clip.duration_s:g} s "
        f"is {first or 0:g}; record it again or leave it out"
    )


def _load(kept: Path, settings: FrontEndSettings) -> ClipInputs | None:
    if not kept.exists():
        return None
    p = settings.profile
    shape = (settings.n_patches, p.n_frames, p.n_mels)
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            inputs = ClipInputs(
                log_mel=_as_float(arrays["log_mel"]), features=arrays["features"]
            )
    except _DAMAGED as error:
        logger.info("%s: damaged (%s); computed anew", kept, error)
        return None
    fits = inputs.log_mel.shape == shape and inputs.features.shape == (
        len(FEATURE_NAMES),
    )
    return inputs if fits else None


def _as_float(log_mel: NDArray[Any]) -> NDArray[np.float32]:
    return from_fixed(log_mel) if log_mel.dtype == np.int16 else log_mel


@lru_cache(maxsize=64)
def _warn_once(folder: str, reason: str) -> None:
    logger.warning("%s: cannot be written (%s); nothing is kept", folder, reason)

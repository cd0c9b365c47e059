"""From a recording to what the network sees: the stages of this folder in a row.

1. read blocks, one channel (``io``); 2. band-pass (``filter``); 3. resample
(``resample``); 4. cut clips (``framing``); 5. log-mel patches (``logmel``) and the
18 features (``features``). Stages 1 to 3 carry their state through the recording, so
that a clip's numbers do not depend on how the recording was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.features import features
from seacall.audio.filter import BandPass
from seacall.audio.framing import fit_clip
from seacall.audio.logmel import log_mel
from seacall.audio.resample import Resampler
from seacall.config import FrontEndSettings
from seacall.errors import AudioError

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class ClipInputs:
    """What the network sees of one clip."""

    log_mel: Float32
    """Patches, shape ``(n_patches, 96, 64)``."""
    features: Float32
    """Raw features, shape ``(18,)``."""
    waveform: Callable[[], Float32] | None = None
    """Gives the conditioned clip, shape ``(clip_length,)``, to models that take it;
    None: it was not kept."""


class Conditioner:
    """Band-pass and resample one recording's samples as they arrive.

    Parameters
    ----------
    sample_rate
        Rate of the samples that come in, Hz.
    settings
        The front end.
    """

    def __init__(self, *, sample_rate: int, settings: FrontEndSettings) -> None:
        profile = settings.profile
        self._filter = (
            BandPass(sample_rate=sample_rate, band_hz=profile.band_hz)
            if profile.band_hz
            else None
        )
        self._resampler = Resampler(rate_in=sample_rate, rate_out=profile.sample_rate)

    def process(self, y: Float32) -> Float32:
        """Take the next samples, shape ``(n,)``; return some at the profile's rate."""
        return self._resampler.process(self._filter.process(y) if self._filter else y)

    def finish(self) -> Float32:
        """Return what is left after the last samples."""
        filtered = self._filter.finish() if self._filter else np.empty(0, np.float32)
        last = self._resampler.process(filtered)
        return np.concatenate([last, self._resampler.finish()])


def condition(
    blocks: Iterable[Float32], *, sample_rate: int, settings: FrontEndSettings
) -> Iterator[Float32]:
    """Band-pass and resample a whole recording that comes in blocks.

    Where the blocks end with an error, what came before comes out before it.
    """
    conditioner = Conditioner(sample_rate=sample_rate, settings=settings)
    try:
        for block in blocks:
            yield conditioner.process(block)
    except AudioError:
        yield conditioner.finish()
        raise
    yield conditioner.finish()


def clip_inputs(y: Float32, settings: FrontEndSettings) -> ClipInputs:
    """Compute patches and features of a clip at the profile's rate.

    Parameters
    ----------
    y
        Conditioned clip, shape ``(settings.clip_length,)``.
    """
    return ClipInputs(
        log_mel=log_mel(y, settings.profile),
        features=features(y, sample_rate=settings.profile.sample_rate),
    )


def first_clip(path: Path, settings: FrontEndSettings) -> Float32:
    """Read the clip that a labelled recording stands for: its start.

    Reads no more of the file than that takes.

    Returns
    -------
    y
        Conditioned samples, shape ``(settings.clip_length,)``.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    """
    recording = io.probe(path)
    blocks = io.read_blocks(path, channel=settings.clip.channel)
    parts: list[Float32] = []
    length = 0
    for y in condition(blocks, sample_rate=recording.sample_rate, settings=settings):
        parts.append(y)
        length += len(y)
        if length >= settings.clip_length:
            break
    return _fitted(np.concatenate(parts), path=path, settings=settings)


def condition_array(
    y: Float32, *, sample_rate: int, settings: FrontEndSettings
) -> Float32:
    """Turn samples in memory into one fitted clip, shape ``(clip_length,)``."""
    blocks = condition([y], sample_rate=sample_rate, settings=settings)
    return _fitted(np.concatenate(list(blocks)), path=Path("array"), settings=settings)


def _fitted(y: Float32, *, path: Path, settings: FrontEndSettings) -> Float32:
    if len(y) == 0:
        rate = settings.profile.sample_rate
        raise AudioError(
            f"{path}: is shorter than one sample at {rate} Hz; give a longer recording"
        )
    return fit_clip(y, length=settings.clip_length, fit=settings.clip.fit)

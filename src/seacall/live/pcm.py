"""Turn bytes of a stream into samples: raw PCM of a known form, split anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.audio.opening import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from seacall.errors import SettingsError

Float32 = NDArray[np.float32]

WIDTHS = {"s16le": 2, "s16be": 2, "s24le": 3, "s24be": 3, "s32le": 4, "f32le": 4}
"""Bytes of a sample, by format; the names are ffmpeg's."""
_MAX_CHANNELS = 64
_LOUDEST = np.float32(1e12)
"""As in files: beyond it the spectrum overflows."""


@dataclass(frozen=True)
class PcmForm:
    """How raw samples are laid out."""

    sample_rate: int
    n_channels: int = 1
    format: str = "s16le"

    def __post_init__(self) -> None:
        if self.format not in WIDTHS:
            raise SettingsError(
                f"format {self.format!r}: is not known; choose from {', '.join(WIDTHS)}"
            )
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise SettingsError(
                f"rate {self.sample_rate}: must lie from {MIN_SAMPLE_RATE} to "
                f"{MAX_SAMPLE_RATE} Hz; give that of the stream with --rate"
            )
        if not 1 <= self.n_channels <= _MAX_CHANNELS:
            raise SettingsError(
                f"channels {self.n_channels}: must lie from 1 to {_MAX_CHANNELS}"
            )

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return WIDTHS[self.format] * self.n_channels


def decoded(data: bytes, form: PcmForm) -> Float32:
    """Return whole frames, shape ``(n, n_channels)``, full scale at +-1.

    Examples
    --------
    >>> form = PcmForm(48_000, 2, "s16le")
    >>> decoded(bytes([0, 0x40, 0, 0x80]), form).tolist()
    [[0.5, -1.0]]
    """
    if form.format == "f32le":
        y = np.frombuffer(data, "<f4").astype(np.float32)
    elif form.format.startswith("s24"):
        y = _from_24_bits(data, little=form.format == "s24le")
    else:
        order = "<" if form.format.endswith("le") else ">"
        width = WIDTHS[form.format]
        scale = np.float32(2.0 ** -(8 * width - 1))
        y = np.frombuffer(data, f"{order}i{width}").astype(np.float32) * scale
    return y.reshape(-1, form.n_channels)


def _from_24_bits(data: bytes, *, little: bool) -> Float32:
    three = np.frombuffer(data, np.uint8).reshape(-1, 3)
    four = np.zeros((len(three), 4), np.uint8)
    # Into the upper bytes, so that the sign comes along.
    four[:, 1:] = three if little else three[:, ::-1]
    return four.view("<i4")[:, 0].astype(np.float32) * np.float32(2.0**-31)


class PcmReader:
    """Collects bytes and gives out samples, a block's worth at a time.

    Parameters
    ----------
    form
        Layout of the bytes.
    block_length
        Frames that are gathered before any is given out.
    """

    def __init__(self, form: PcmForm, *, block_length: int) -> None:
        self._form = form
        self._enough = max(1, block_length) * form.frame_bytes
        self._pending = bytearray()

    def push(self, data: bytes, *, last: bool = False) -> Float32 | None:
        """Add bytes; return the whole frames once they are enough, or the last ones."""
        self._pending += data
        if len(self._pending) < (1 if last else self._enough):
            return None
        whole = len(self._pending) - len(self._pending) % self._form.frame_bytes
        taken = bytes(self._pending[:whole])
        del self._pending[:whole]
        return decoded(taken, self._form) if taken else None


def made_possible(y: Float32) -> tuple[Float32, int]:
    """Replace samples that are none (NaN, infinite, beyond 1e12) by 0, and count them.

    One of them would stay in the filter for ever.
    """
    if y.size == 0 or (y.min() > -_LOUDEST and y.max() < _LOUDEST):
        return y, 0
    bad = ~(np.abs(y) < _LOUDEST)
    return np.where(bad, np.float32(0), y), int(bad.sum())

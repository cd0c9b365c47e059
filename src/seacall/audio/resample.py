"""Change the sample rate of a recording as it is read, without aliases (soxr)."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

QUALITY = "HQ"
"""soxr's 20-bit setting: images and aliases below -120 dB."""


class Resampler:
    """Resample block by block; the result does not depend on the blocks.

    Parameters
    ----------
    rate_in, rate_out
        Sample rates, Hz. Equal rates pass the samples through untouched.
    """

    def __init__(self, *, rate_in: int, rate_out: int) -> None:
        self._stream = (
            None
            if rate_in == rate_out
            else soxr.ResampleStream(rate_in, rate_out, 1, "float32", QUALITY)
        )

    def process(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resample the next block, shape ``(n,)``; the output lags behind a little."""
        return self._run(y, last=False)

    def finish(self) -> NDArray[np.float32]:
        """Return what is left after the last block."""
        return self._run(np.empty(0, np.float32), last=True)

    def _run(self, y: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        if self._stream is None:
            return y
        resampled: NDArray[np.float32] = self._stream.resample_chunk(y, last=last)
        return resampled

"""How far a model's own answers lie from those without rounding in its front end.

The front end computes in float32, with noise at -140 dB of the loudest sound. Where a
band holds nothing, as above half the rate of an old recording, that noise is what the
log-mel shows, and the logits move with it. No other front end can be asked to come
nearer to the first one than that one is to the truth.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import signal

from seacall.audio.features import features
from seacall.audio.filter import ORDER, band_edges
from seacall.audio.framing import fit_clip
from seacall.audio.logmel import log_mel
from seacall.audio.resample import QUALITY
from seacall.config import FrontEndSettings

Float32 = NDArray[np.float32]


def exact_inputs(
    y: Float32, *, rate: int | None, settings: FrontEndSettings
) -> tuple[Float32, Float32]:
    """Compute patches and features with a front end in float64.

    Parameters
    ----------
    y
        Clip, shape ``(length,)``.
    rate
        Its sample rate, Hz, if filter and resampler are still to come; None: it is
        conditioned.

    Returns
    -------
    log_mel
        Shape ``(n_patches, n_frames, n_mels)``.
    features
        Shape ``(18,)``; of these the samples alone are exact.
    """
    clip = y if rate is None else _conditioned(y, rate, settings)
    profile = settings.profile.model_copy(update={"precision": "double"})
    return log_mel(clip, profile), features(clip, sample_rate=profile.sample_rate)


def _conditioned(y: Float32, rate: int, settings: FrontEndSettings) -> Float32:
    profile, exact = settings.profile, y.astype(np.float64)
    if profile.band_hz is not None:
        edges = band_edges(sample_rate=rate, band_hz=profile.band_hz)
        sos = signal.butter(ORDER, edges, btype="bandpass", fs=rate, output="sos")
        state = signal.sosfilt_zi(sos) * exact[0]
        exact = signal.sosfilt(sos, exact, zi=state)[0]
    if rate != profile.sample_rate:
        exact = soxr.resample(exact, rate, profile.sample_rate, quality=QUALITY)
    clip: Float32 = exact.astype(np.float32)
    return fit_clip(clip, length=settings.clip_length, fit=settings.clip.fit)

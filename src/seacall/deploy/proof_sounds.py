"""The sounds that two models are compared on: simulated calls, extremes, recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio.calls import choose_animal
from seacall.audio.framing import fit_clip
from seacall.audio.frontend import first_clip
from seacall.audio.io import find_recordings, probe, read_blocks
from seacall.audio.repertoire import KINDS, N_FIRST
from seacall.audio.resample import Resampler
from seacall.audio.sea import Sea, sea_noise
from seacall.audio.synth import render
from seacall.config import FrontEndSettings
from seacall.errors import AudioError
from seacall.learn.unknown_kinds import SIMULATED

Float32 = NDArray[np.float32]
FloatArray = NDArray[np.float64]

MOST_RECORDINGS = 400
"""Recordings of a folder that are used, spread evenly over it."""
_STEP = 1 / 32_768
"""Of a 16-bit recording."""


@dataclass(frozen=True)
class ProofSound:
    """A clip that both sides are given."""

    name: str
    y: Float32
    """Shape ``(length,)``, full scale 1, at the rate that was asked for."""
    label: str | None = None
    """What calls in it, where that is known."""


def synthetic_sounds(*, rate: int, duration_s: float) -> Iterator[ProofSound]:
    """Make calls, noises and extremes: the same each time.

    All are what a 16-bit recorder with noise of one step would store: a transform in
    float32 has noise of its own at -140 dB, which nothing hides in a pure tone between
    true zeros, and no recording is that clean. Silence alone is left as it is.
    """
    rng = np.random.default_rng(2_014)
    length = round(rate * duration_s)
    for name, y in _sounds(rng, rate, duration_s):
        clip = fit_clip(y.astype(np.float32), length=length, fit="tile")
        yield ProofSound(name, clip if name == "silence" else _stored(rng, clip))


def recorded_sounds(
    folder: Path, front_end: FrontEndSettings, *, rate: int, conditioned: bool
) -> Iterator[ProofSound]:
    """Read the first clip of each recording below a folder.

    Parameters
    ----------
    rate
        Of the clips, Hz.
    conditioned
        Whether they go through filter and resampler; False: resampled at most.

    Yields
    ------
    sound
        With the name of its folder as label.

    Raises
    ------
    AudioError
        If there is no recording, or none can be read.
    """
    paths = find_recordings(folder)
    chosen = np.linspace(0, len(paths) - 1, min(len(paths), MOST_RECORDINGS))
    reasons = []
    n = 0
    for path in (paths[k] for k in np.unique(chosen.round().astype(int))):
        try:
            y = (
                first_clip(path, front_end)
                if conditioned
                else _at_rate(path, front_end, rate)
            )
        except AudioError as error:
            reasons.append(str(error))
            continue
        n += 1
        yield ProofSound(str(path.relative_to(folder)), y, path.parent.name)
    if not n:
        raise AudioError(f"{folder}: no recording can be read ({reasons[0]})")


def _sounds(
    rng: np.random.Generator, rate: int, duration_s: float
) -> Iterator[tuple[str, FloatArray]]:
    n = round(rate * duration_s)
    sea = sea_noise(rng, Sea(), sample_rate=rate, duration_s=duration_s)
    sea = _scaled(sea, 0.01)
    for kind in KINDS[:N_FIRST]:
        call = kind.choose(rng, choose_animal(rng), duration_s)
        y = render(call, sample_rate=rate, duration_s=duration_s)
        yield f"call of {kind.common_name}", _scaled(y, 0.3) + sea
    for name, draw in SIMULATED.items():
        if name != "silence":
            yield name, _scaled(draw(rng, rate, duration_s), 0.2)
    t = np.arange(n) / rate
    tone = np.sin(2 * np.pi * min(3_000.0, rate / 5) * t)
    noise = rng.standard_normal(n)
    yield "silence", np.zeros(n)
    yield "constant", np.full(n, 0.25)
    yield "very quiet", 3 * _STEP * noise
    yield "quiet call", 0.002 * tone * (np.sin(2 * np.pi * t) > 0)
    yield "full scale", tone
    yield "full scale noise", np.clip(0.5 * noise, -1, 1)
    yield "clipped", np.clip(4 * tone + noise, -1, 1)
    yield "offset", 0.4 + _scaled(sea, 0.05)
    yield "offset and call", -0.3 + 0.2 * tone * (np.sin(4 * np.pi * t) > 0.5)
    yield "impulses", np.where(rng.random(n) < 4 / rate, 0.9, 0.0)
    yield "gap", _scaled(sea, 0.2) * ((t < 0.4 * duration_s) | (t > 0.6 * duration_s))


def _scaled(y: FloatArray, peak: float) -> FloatArray:
    return peak * y / max(float(np.abs(y).max()), 1e-12)


def _stored(rng: np.random.Generator, y: Float32) -> Float32:
    """Store in 16 bits, with one step of a recorder's own noise."""
    noisy = np.round(y / _STEP + rng.standard_normal(len(y)))
    stored: Float32 = (np.clip(noisy, -32_768, 32_767) * _STEP).astype(np.float32)
    return stored


def _at_rate(path: Path, front_end: FrontEndSettings, rate: int) -> Float32:
    """Read a recording's first clip at another rate, not filtered."""
    length = round(front_end.clip.duration_s * rate)
    resampler = Resampler(rate_in=probe(path).sample_rate, rate_out=rate)
    parts: list[Float32] = []
    for block in read_blocks(path, channel=front_end.clip.channel):
        parts.append(resampler.process(block))
        if sum(map(len, parts)) >= length:
            break
    else:
        parts.append(resampler.finish())
    y = np.concatenate(parts)
    if len(y) == 0:
        raise AudioError(f"{path}: holds no sample at {rate} Hz; leave it out")
    return fit_clip(y, length=length, fit=front_end.clip.fit)

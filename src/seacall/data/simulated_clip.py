"""Make one simulated clip: choose a call, send it through the sea, record it."""

from __future__ import annotations

import numpy as np

from seacall.audio.chain import play_back, reverberate, with_chain_noise
from seacall.audio.kind import Kind
from seacall.audio.sea import Sea, Ship, sea_noise, ship_noise
from seacall.audio.synth import Call, FloatArray, band_hz, render, span_s
from seacall.audio.transmission import (
    call_gain,
    image_paths,
    propagate,
    record,
    self_noise,
)
from seacall.data.deployments import Deployment, Scene

Truth = tuple[float | None, float | None, float | None]
"""Start and end of the call, s; signal-to-noise ratio, dB. None: there is no call."""


def simulate_clip(
    rng: np.random.Generator,
    deployment: Deployment,
    scene: Scene,
    kind: Kind | None,
    *,
    duration_s: float,
    snr_db: tuple[float, float],
) -> tuple[FloatArray, Truth]:
    """Choose and record one clip.

    Parameters
    ----------
    rng
        Source of the call and the noise.
    deployment, scene
        Where, with what, and which animal.
    kind
        The species; None: noise alone.
    duration_s
        Length of the clip, s.
    snr_db
        Least and most signal-to-noise ratio, before the deployment's own shift and
        before a tape is overloaded.

    Returns
    -------
    y
        Shape (samples,); full scale is 1, and may be exceeded.
    truth
        Start and end of the call, s, and its ratio, dB.
    """
    if kind is None:
        noise = _choose_noise(rng, deployment, scene, duration_s)
        return noise, (None, None, None)
    sample_rate = deployment.sample_rate
    call = _choose_audible(rng, kind, scene, duration_s, below_hz=0.45 * sample_rate)
    recorder = deployment.recorder
    y = render(call, sample_rate=sample_rate, duration_s=duration_s)
    paths = image_paths(
        range_m=scene.range_m,
        source_depth_m=scene.source_depth_m,
        receiver_depth_m=0.8 * deployment.water_depth_m,
        water_depth_m=deployment.water_depth_m,
    )
    y = propagate(y, sample_rate=sample_rate, paths=paths, range_m=scene.range_m)
    y = reverberate(y, deployment.chain, sample_rate=sample_rate)
    sea = sea_noise(rng, scene.sea, sample_rate=sample_rate, duration_s=duration_s)
    y, noise = record(np.stack([y, sea]), recorder, sample_rate=sample_rate)
    noise = noise + self_noise(rng, recorder, len(y), sample_rate=sample_rate)
    noise = with_chain_noise(rng, noise, deployment.chain, sample_rate=sample_rate)
    start_s, end_s = span_s(call)
    truth_db = rng.uniform(*snr_db) + deployment.snr_shift_db
    gain = call_gain(
        y,
        noise,
        sample_rate=sample_rate,
        span_s=(start_s, end_s),
        band_hz=band_hz(call),
        target_db=truth_db,
    )
    mix = play_back(gain * y + noise, deployment.chain, sample_rate=sample_rate)
    return mix, (start_s, min(end_s, duration_s), truth_db)


def _choose_audible(
    rng: np.random.Generator,
    kind: Kind,
    scene: Scene,
    duration_s: float,
    *,
    below_hz: float,
) -> Call:
    """Choose calls until one begins below what the recorder hears; at most 50."""
    for _ in range(50):
        call = kind.choose(rng, scene.animal, duration_s)
        if band_hz(call)[0] < below_hz:
            break
    return call


def _recorded_sea(
    rng: np.random.Generator, deployment: Deployment, sea: Sea, duration_s: float
) -> FloatArray:
    rate, recorder = deployment.sample_rate, deployment.recorder
    pressure = sea_noise(rng, sea, sample_rate=rate, duration_s=duration_s)
    y = record(pressure, recorder, sample_rate=rate)
    return y + self_noise(rng, recorder, len(y), sample_rate=rate)


def _choose_noise(
    rng: np.random.Generator,
    deployment: Deployment,
    scene: Scene,
    duration_s: float,
) -> FloatArray:
    """Choose what ``unknown`` holds: the sea, a ship, rain or calm, in equal parts."""
    sea, rate = scene.sea, deployment.sample_rate
    draw = int(rng.integers(4))
    if draw == 1:
        sea = Sea(sea.wind_m_s, sea.shipping, rain_db=rng.uniform(60.0, 80.0))
    elif draw == 2:
        sea = Sea(wind_m_s=0.5, shipping=0.0)
    y = _recorded_sea(rng, deployment, sea, duration_s)
    if draw == 3:
        ship = Ship(
            level_db=rng.uniform(85.0, 110.0),
            blade_hz=rng.uniform(3.0, 12.0),
            firing_hz=rng.uniform(12.0, 45.0),
            beat_depth=rng.uniform(0.2, 0.8),
        )
        pressure = ship_noise(rng, ship, sample_rate=rate, duration_s=duration_s)
        y = y + record(pressure, deployment.recorder, sample_rate=rate)
    y = with_chain_noise(rng, y, deployment.chain, sample_rate=rate)
    return play_back(y, deployment.chain, sample_rate=rate)

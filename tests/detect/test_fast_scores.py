"""The compiled front end scores like the plain one, on made and on real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from seacall.audio import fast
from seacall.detect.classify import classify_recording
from seacall.models.backend import load_classifier

pytest.importorskip("numba")

TOLERANCE = 1e-5
PER_RECORDING = 3


def differences(
    path: Path, monkeypatch: pytest.MonkeyPatch, n_clips: int
) -> NDArray[np.float32]:
    classifier = load_classifier()
    scores = []
    for switch in ("0", "1"):
        monkeypatch.setenv(fast.SWITCH, switch)
        clips = classify_recording(path, classifier, batch_size=1)
        found = [clip.scores for clip, _ in zip(clips, range(n_clips), strict=False)]
        scores.append(np.array(found))
    return np.abs(scores[0] - scores[1])


# Where the upper bands of a recording are empty all that is in them is rounding: SciPy
# in float32 is 3e-4 away from float64 there itself.
@pytest.mark.parametrize(
    ("rate", "tolerance"),
    [(16_000, 1e-3), (44_100, TOLERANCE), (48_000, TOLERANCE), (96_000, TOLERANCE)],
)
def test_scores_of_made_recordings_agree(
    rate: int, tolerance: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(rate)
    t = np.arange(11 * rate) / rate
    y = 0.02 * rng.standard_normal(len(t))
    y += 0.1 * np.sin(2 * np.pi * (3_000 + 800 * np.sin(2 * np.pi * t)) * t)
    y[4 * rate : 5 * rate] *= 8
    path = tmp_path / "made.wav"
    soundfile.write(path, y, rate, subtype="PCM_16")
    assert differences(path, monkeypatch, 3).max() < tolerance


@pytest.mark.real
def test_scores_of_real_recordings_agree(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(real_data.rglob("*.flac"))[::40]
    found = [differences(path, monkeypatch, PER_RECORDING).max() for path in paths]
    worst = np.array(found)
    print(f"{len(worst)} recordings: median {np.median(worst):.1e}")
    print(f"{np.mean(worst < TOLERANCE):.0%} below 1e-5, worst {worst.max():.1e}")
    assert np.median(worst) < TOLERANCE
    assert worst.max() < 1e-3

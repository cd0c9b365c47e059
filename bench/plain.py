"""The plain pipeline: the original description as one would write it at first.

librosa for reading, features and mel bands, scipy for the filter, torch for the
networks; each library at its defaults. The numbers are those that seacall gives, to
rounding, so that both sides do the same work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from scipy import signal

from seacall.config import Profile


def features(y: np.ndarray[Any, Any], sample_rate: int) -> np.ndarray[Any, Any]:
    """Compute the 18 features by six librosa calls, as the description lists them."""
    centroid = librosa.feature.spectral_centroid(y=y, sr=sample_rate).mean()
    rms = librosa.feature.rms(y=y).mean()
    crossings = librosa.feature.zero_crossing_rate(y=y).mean()
    rolloff = librosa.feature.spectral_rolloff(y=y, sr=sample_rate).mean()
    magnitude = np.abs(librosa.stft(y))
    hz = librosa.fft_frequencies(sr=sample_rate)
    low, high = min(3_000, sample_rate / 4), min(19_000, sample_rate / 2 - 1_000)
    ratio = magnitude[(hz >= low) & (hz <= high)].sum() / magnitude.sum()
    mfcc = librosa.feature.mfcc(y=y, sr=sample_rate, n_mfcc=13).mean(axis=1)
    return np.array([centroid, rms, crossings, rolloff, ratio, *mfcc], np.float32)


def log_mel(y: np.ndarray[Any, Any], profile: Profile) -> np.ndarray[Any, Any]:
    """Compute five patches of log-mel by librosa."""
    # librosa puts a short window into the middle of n_fft samples; ours begins there.
    lead = (profile.n_fft - profile.win_length) // 2
    mel = librosa.feature.melspectrogram(
        y=np.pad(y, (lead, lead)),
        sr=profile.sample_rate,
        n_fft=profile.n_fft,
        win_length=profile.win_length,
        hop_length=profile.hop_length,
        n_mels=profile.n_mels,
        fmin=profile.fmin,
        fmax=profile.fmax,
        htk=True,
        norm=None,
        center=False,
        power=2.0 if profile.spectrum == "power" else 1.0,
    )
    patches = np.log(mel + profile.log_offset).T[:480]
    if profile.background == "removed":
        patches = patches - patches.mean(axis=0)
    return np.pad(patches, ((0, 480 - len(patches)), (0, 0))).reshape(5, 96, 64)


def chain(
    path: Path, network: torch.nn.Module, profile: Profile, *, at_native_rate: bool
) -> np.ndarray[Any, Any]:
    """Take one recording from disk to scores.

    With ``at_native_rate`` the features are computed before resampling, as the
    description has its stages; without, on what the network sees, as seacall does.
    """
    y, sample_rate = librosa.load(path, sr=None, mono=True)
    y = librosa.util.fix_length(y, size=5 * sample_rate)
    if profile.band_hz:
        low, high = profile.band_hz
        edges = (low, min(high, 0.49 * sample_rate))
        sos = signal.butter(4, edges, "bandpass", fs=sample_rate, output="sos")
        y = signal.sosfilt(sos, y)
    native = y
    y = librosa.resample(y, orig_sr=sample_rate, target_sr=profile.sample_rate)
    values = (
        features(native, int(sample_rate))
        if at_native_rate
        else features(y, profile.sample_rate)
    )
    with torch.inference_mode():
        logits = network(
            torch.from_numpy(log_mel(y, profile).astype(np.float32))[None],
            torch.from_numpy(values)[None],
        )
        return torch.softmax(logits, dim=1).numpy()

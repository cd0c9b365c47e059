"""Small models to make packages of: an 8 kHz front end with everything switched on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from seacall.config import ClipSettings, FrontEndSettings, Profile
from seacall.learn.export import export_onnx
from seacall.models.checkpoint import Calibration, Card, UnknownRule
from seacall.models.network import build_network, save_model

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="needs the extra pamguard",
)

RATE = 8_000
LABELS = ("Orca", "Fin Whale", "Béluga", "unknown")
PROFILE = Profile(
    name="small",
    sample_rate=RATE,
    band_hz=(300.0, 3_000.0),
    n_fft=256,
    win_length=200,
    hop_length=80,
    n_mels=64,
    fmin=50.0,
    fmax=4_000.0,
    spectrum="magnitude",
    log_offset=1e-4,
    background="removed",
)
PLATT = Calibration(
    method="platt", slopes=(1.0, 0.9, 1.1, 1.0), offsets=(0.4, 0.2, 0.5, -1.0)
)
RULE = UnknownRule(
    method="combined",
    weights={"energy": 0.3, "entropy": 1.0, "max_score": 0.2, "log_event_strength": 1},
    lowest=1.0,
    lowest_event_db=1.0,
)


def small_card(**changes) -> Card:
    values = {
        "seacall_version": "0.1.0",
        "architecture": "AudioTransformerStudent",
        "labels": LABELS,
        "front_end": FrontEndSettings(
            profile=PROFILE, clip=ClipSettings(duration_s=1.2, fit="tile")
        ),
        "calibration": PLATT,
        "unknown": RULE,
        "threshold": 0.3,
        "thresholds": {"Béluga": 1.0, "Orca": 0.25},
    }
    return Card(**values | changes)


def write_model(folder: Path) -> Path:
    """A student with random weights, whose logits differ enough to be told apart."""
    torch.manual_seed(7)
    network = build_network("AudioTransformerStudent", len(LABELS)).eval()
    last = network.classifier[-1]
    last.weight.data *= 3
    save_model(network, folder, small_card())
    export_onnx(folder)
    return folder

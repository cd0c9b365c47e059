"""Exports a tiny model once for all tests of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from seacall.deploy.exported import ExportSettings
from seacall.deploy.kinds import export

RATE = 24_000
"""Of the file that filters and resamples for itself, Hz."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights, calibrated, with a threshold of its own."""
    n = len(tiny.LABELS)
    calibration = {
        "method": "platt",
        "slopes": [0.5 + 0.1 * k for k in range(n)],
        "offsets": [0.3 - 0.2 * k for k in range(n)],
    }
    return tiny.write_model(
        tmp_path_factory.mktemp("deploy") / "model",
        calibration=calibration,
        thresholds={"Fin Whale": 0.35},
        threshold=0.3,
    )


@pytest.fixture(scope="session")
def waveform_file(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("waveform") / "model.onnx"
    return export(model, out, to="onnx", settings=ExportSettings()).path


@pytest.fixture(scope="session")
def native_file(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native") / "model.onnx"
    return export(model, out, to="onnx", settings=ExportSettings(rate=RATE)).path


@pytest.fixture(scope="session")
def torchscript_file(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("torchscript") / "model.pt"
    return export(model, out, to="torchscript", settings=ExportSettings()).path

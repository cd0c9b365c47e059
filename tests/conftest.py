"""Shared fixtures: the real recordings if they are there, and quiet processes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

# One thread for each process: xdist runs one process for each core already.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; tests that need it are marked ``real``."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SEACALL_DATA", beside))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real recordings at {folder}; set SEACALL_DATA to have them")
    return folder

"""Shared fixtures: the real recordings if they are there, and quiet processes."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# The same examples on every day, so that a red suite means a change of the code.
# HYPOTHESIS_PROFILE=explore draws new ones, to look for what nobody thought of.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

# What shells start in the background ignores Ctrl-C, and so would all programs that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One thread for each process: xdist runs one process for each core already.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture(autouse=True)
def logs_are_heard_again() -> Iterator[None]:
    """``--quiet`` silences the whole process: not the tests behind it."""
    yield
    logging.disable(logging.NOTSET)


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


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder of 24 short recordings; see ``tiny``."""
    import tiny

    return tiny.write_dataset(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_teacher(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder: a teacher that was trained for two epochs."""
    import tiny

    from seacall.learn import runs

    out = tmp_path_factory.mktemp("teacher") / "run"
    runs.train(tiny.TEACHER_RUN, tiny.context(tiny_dataset, out))
    return out


@pytest.fixture(scope="session")
def tiny_student(
    tiny_dataset: Path, tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run folder: a student that was distilled for two epochs."""
    import tiny

    from seacall.learn import runs

    out = tmp_path_factory.mktemp("student") / "run"
    runs.distill(tiny_teacher, tiny.DISTILL_RUN, tiny.context(tiny_dataset, out))
    return out


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights."""
    import tiny

    return tiny.write_model(tmp_path_factory.mktemp("model") / "model")

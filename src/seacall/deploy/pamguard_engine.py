"""Run a SavedModel in TensorFlow, in a process of its own: it is large and loud."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def require_tensorflow() -> None:
    """Raise a MissingExtraError if TensorFlow is not installed, without loading it."""
    from seacall.errors import MissingExtraError

    if importlib.util.find_spec("tensorflow") is None:
        raise MissingExtraError("tensorflow-cpu", "pamguard")


def run_saved_model(folder: Path, batches: Sequence[Float32]) -> list[Float32]:
    """Run the signature ``serving_default`` on each batch.

    Parameters
    ----------
    folder
        Where ``saved_model.pb`` is.
    batches
        Segments, each of shape ``(n_segments, n_samples)``.

    Returns
    -------
    results
        Of its one output, a table for each batch.

    Raises
    ------
    CheckpointError
        If TensorFlow does not load it, or fails to run it.
    """
    from seacall.errors import CheckpointError

    require_tensorflow()
    with tempfile.TemporaryDirectory() as place:
        given, found = Path(place, "given.npz"), Path(place, "found.npz")
        np.savez(given, *batches)
        done = subprocess.run(
            [sys.executable, __file__, str(folder), str(given), str(found)],
            env=os.environ | _QUIET,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise CheckpointError(
                f"{folder}: TensorFlow does not run what was made of the model "
                f"({last[0]}); report this with the version of TensorFlow"
            )
        with np.load(found) as arrays:
            return [arrays[f"arr_{k}"] for k in range(len(batches))]


def _run(folder: str, given: str, found: str) -> None:
    """Do what :func:`run_saved_model` says; called in the process of its own."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)
    signature: Any = loaded.signatures["serving_default"]
    (takes,) = signature.structured_input_signature[1]
    (gives,) = signature.structured_outputs
    with np.load(given) as arrays:
        batches = [arrays[f"arr_{k}"] for k in range(len(arrays))]
    results = [signature(**{takes: tf.constant(y)})[gives].numpy() for y in batches]
    np.savez(found, *results)


if __name__ == "__main__":
    _run(*sys.argv[1:])

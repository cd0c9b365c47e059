"""Convert a SavedModel to LiteRT, in a process of its own: TensorFlow is loud."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def require_converter() -> None:
    """Raise a MissingExtraError if TensorFlow or LiteRT is not installed."""
    from seacall.errors import MissingExtraError

    if importlib.util.find_spec("tensorflow") is None:
        raise MissingExtraError("tensorflow-cpu", "litert-export")
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise MissingExtraError("ai-edge-litert", "litert-export")


def converted_to_litert(saved_model: bytes) -> bytes:
    """Convert the signature ``serving_default`` to a LiteRT model in float32.

    Parameters
    ----------
    saved_model
        Contents of ``saved_model.pb``; its shapes are fixed.

    Raises
    ------
    CheckpointError
        If TensorFlow does not convert it.
    """
    from seacall.errors import CheckpointError

    with tempfile.TemporaryDirectory() as place:
        Path(place, "saved_model.pb").write_bytes(saved_model)
        out = Path(place, "model.tflite")
        done = subprocess.run(
            [sys.executable, __file__, place, str(out)],
            env=os.environ | _QUIET,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not out.is_file():
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise CheckpointError(
                f"TensorFlow does not convert what was made of the model ({last[0]}); "
                "report this with the version of TensorFlow"
            )
        return out.read_bytes()


def _convert(folder: str, out: str) -> None:
    """Do what :func:`converted_to_litert` says; called in the process of its own."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    Path(out).write_bytes(converter.convert())


if __name__ == "__main__":
    _convert(*sys.argv[1:])

"""Open ONNX files: the one door to ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seacall.errors import CheckpointError
from seacall.models.untrusted import one_line


def open_session(path: Path, *, content: bytes | None = None) -> Any:
    """Load an ONNX file for one thread of this machine's processor.

    Parameters
    ----------
    path
        The file.
    content
        Load this in its place; the path is what errors name.

    Returns
    -------
    session
        An ``onnxruntime.InferenceSession``.

    Raises
    ------
    CheckpointError
        If ONNX Runtime cannot load it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Processes, not threads, share the work: a network this small gains nothing.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Memory is given back: 2 MB less, and no slower where layers are this small.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            content or str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise CheckpointError(
            f"{path}: ONNX Runtime cannot load it ({one_line(str(error))}); "
            "export it again"
        ) from error

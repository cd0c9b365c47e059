"""Write a model as one ONNX file: the network alone, or with its front end inside."""

from __future__ import annotations

import shutil
from pathlib import Path

from seacall.deploy.exported import ExportResult, ExportSettings, size_of
from seacall.files import written_whole
from seacall.models.checkpoint import ONNX_NAME, checked_file, read_card


def export_network(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    """Write the network alone: log-mel patches and features to logits.

    Parameters
    ----------
    model
        Model folder with an ONNX file.
    out
        File to write.
    """
    card = read_card(model)
    source = checked_file(model, card, ONNX_NAME)
    with written_whole(out) as part:
        shutil.copyfile(source, part)
    return ExportResult("onnx-network", out, size_of(out))

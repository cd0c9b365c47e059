"""The kinds of file that a model can be exported to, by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from seacall.deploy.exported import ExportResult, ExportSettings
from seacall.deploy.proof import Proof
from seacall.deploy.report import keep_report
from seacall.deploy.verify import verify
from seacall.errors import CheckpointError, SettingsError, require

Export = Callable[[Path, Path, ExportSettings], ExportResult]
"""From a model folder, and what is to be written, to what was written."""


def _by(module: str, name: str) -> Export:
    """Return an export that loads what it needs, torch above all, when it is asked."""

    def run(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
        require("torch", "train")
        write: Export = getattr(import_module(f"seacall.deploy.{module}"), name)
        return write(model, out, settings)

    return run


KINDS: dict[str, Export] = {
    "onnx": _by("graphs", "export_waveform"),
    "onnx-network": _by("graphs", "export_network"),
    "onnx-int8": _by("quantise", "export_int8"),
    "onnx-fp16": _by("quantise", "export_fp16"),
    "litert": _by("litert", "export_litert"),
    "litert-int8": _by("litert", "export_litert_int8"),
    "litert-waveform": _by("litert", "export_litert_waveform"),
    "torchscript": _by("torchscript", "export_torchscript"),
    "pamguard": _by("pamguard", "export_pamguard"),
}
"""By the name that ``seacall export --to`` takes."""


def export(
    model: Path, out: Path, *, to: str, settings: ExportSettings
) -> ExportResult:
    """Write a model as a file of another kind, or nothing if it answers differently.

    The file is written aside, run beside the model (:mod:`seacall.deploy.verify`), and
    gets its name when both answer alike. The report is kept in the model folder and
    beside the file.

    Parameters
    ----------
    model
        Model folder.
    out
        File, or folder, to write.
    to
        Name of the kind.

    Raises
    ------
    SettingsError
        If there is no such kind.
    CheckpointError
        If the model cannot be read, or the file would not answer as it does.
    MissingExtraError
        If a package that the kind needs is not installed.
    """
    if to not in KINDS:
        raise SettingsError(
            f"--to {to}: is no kind of file; choose one of {', '.join(KINDS)}"
        )
    if out.is_dir():
        raise SettingsError(f"{out}: is a folder; name the file to write in it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as folder:
        part = Path(folder, out.name)
        result = KINDS[to](model, part, settings)
        if result.report:  # proved by its own kind's rules
            final = out.with_name(result.path.name)  # to which it may have added
            result.path.replace(final)
            return replace(result, path=final)
        proof = proved(model, part, out, settings)
        part.replace(out)
    report = keep_report(model, out, to, proof)
    return replace(result, path=out, report=report)


def proved(model: Path, part: Path, out: Path, settings: ExportSettings) -> Proof:
    """Compare a file that was just written with its model.

    Raises
    ------
    CheckpointError
        If it does not answer as the model does.
    """
    proof = verify(model, part, audio=settings.audio)
    proof = replace(proof, b=str(out))
    if proof.beyond:
        raise CheckpointError(
            f"{proof.summary}; nothing was written, report this with the versions of "
            "torch and onnxruntime or LiteRT"
        )
    return proof

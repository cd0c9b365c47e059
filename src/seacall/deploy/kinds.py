"""The kinds of file that a model can be exported to, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seacall.deploy.exported import ExportResult, ExportSettings
from seacall.errors import SettingsError, require

Export = Callable[[Path, Path, ExportSettings], ExportResult]
"""From a model folder, and what is to be written, to what was written."""


def _onnx_network(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    require("torch", "train")
    from seacall.deploy.graphs import export_network

    return export_network(model, out, settings)


KINDS: dict[str, Export] = {
    "onnx-network": _onnx_network,
}
"""By the name that ``seacall export --to`` takes. Each imports what it needs itself."""


def export(
    model: Path, out: Path, *, to: str, settings: ExportSettings
) -> ExportResult:
    """Write a model as a file of another kind, or nothing if it answers differently.

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
    return KINDS[to](model, out, settings)

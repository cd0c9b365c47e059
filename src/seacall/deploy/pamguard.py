"""Write a model as a package for PAMGuard's deep learning module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seacall.deploy.exported import ExportResult, ExportSettings, size_of
from seacall.deploy.pamguard_engine import require_tensorflow
from seacall.deploy.pamguard_graph import pamguard_graph
from seacall.deploy.pamguard_package import (
    check_name,
    package_name,
    size_ms,
    threshold,
    to_untick,
    write_package,
)
from seacall.deploy.pamguard_proof import prove
from seacall.errors import SettingsError
from seacall.models.checkpoint import Card, read_card


def export_pamguard(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    """Write a zip that holds the model with all that comes before and behind it.

    Parameters
    ----------
    model
        Model folder.
    out
        Name of the zip; a hash of its contents is added to it.
    settings
        ``audio`` measures what PAMGuard's resampling costs on recordings.

    Returns
    -------
    result
        With the name that the zip has.

    Raises
    ------
    SettingsError
        If a rate is asked for, or the name is not that of a zip.
    CheckpointError
        If the model cannot be read or converted, or the graph answers differently.
    MissingExtraError
        If TensorFlow, on which the graph is proved, is not installed.
    """
    if settings.rate is not None:
        raise SettingsError(
            f"--rate {settings.rate}: PAMGuard resamples by itself, from any rate; "
            "leave it out"
        )
    check_name(out)
    require_tensorflow()
    card = read_card(model)
    saved_model = pamguard_graph(model)
    path = package_name(out, card, saved_model)
    proof = prove(saved_model, model, audio=settings.audio)
    write_package(path, card, saved_model, proof=proof)
    report = {**proof, "summary": _summary(card, proof)}
    return ExportResult("pamguard", path, size_of(path), report)


def _summary(card: Card, proof: dict[str, Any]) -> str:
    graph, transforms = proof["graph"], proof.get("transforms")
    said = (
        f"scores within {graph['max']:.0e} of the model's on {graph['n']} sounds "
        f"({proof['engine']})"
    )
    if transforms:
        same = 1 - transforms["n_changed"] / transforms["n"]
        said += (
            f"; after PAMGuard's resampling {same:.1%} of {transforms['n']} recordings "
            "get the same answer"
        )
    return (
        f"{said}; in PAMGuard use the default segment length ({size_ms(card):g} ms), "
        f"set the threshold to {threshold(card):g}, untick {', '.join(to_untick(card))}"
    )

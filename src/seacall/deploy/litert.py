"""Write a model as a LiteRT (TensorFlow Lite) file: the network, or all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from seacall.audio.features import FEATURE_FACTORS
from seacall.deploy.exported import ExportResult, ExportSettings, size_of
from seacall.deploy.graphs import (
    card_with_patches,
    described,
    network_graph,
    waveform_graph,
)
from seacall.deploy.litert_bytes import in_int8, stripped
from seacall.deploy.litert_engine import converted_to_litert, require_converter
from seacall.deploy.pamguard_onnx import OnnxGraph
from seacall.deploy.pamguard_operators import converted
from seacall.deploy.pamguard_saved_model import Nodes
from seacall.errors import SettingsError
from seacall.models.checkpoint import Card
from seacall.models.file_card import metadata_of
from seacall.models.litert_file import SUFFIX, write_litert

_TENSORFLOW = "2.7.0"
"""What the graph says it was written by; an older one than any that will read it."""
_Shapes = dict[str, tuple[int, ...]]


def export_litert(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    """Write the network alone, in float32: log-mel patches and features to logits.

    Parameters
    ----------
    model
        Model folder.
    out
        File to write; its name ends in ``.tflite``.

    Raises
    ------
    SettingsError
        If a rate is asked for, or the name ends otherwise.
    CheckpointError
        If the model cannot be read or converted.
    MissingExtraError
        If TensorFlow or LiteRT is not installed.
    """
    return _export(model, out, settings, "litert")


def export_litert_int8(
    model: Path, out: Path, settings: ExportSettings
) -> ExportResult:
    """Write the network alone, its products in int8; see :func:`export_litert`.

    Weights are int8; what a layer is given is brought to int8 when it is given, by the
    range that it then has. No calibration clips are needed.
    """
    return _export(model, out, settings, "litert-int8")


def export_litert_waveform(
    model: Path, out: Path, settings: ExportSettings
) -> ExportResult:
    """Write waveform to logits and scores, with the front end inside, in float32.

    See :func:`export_litert`. The waveform is a clip at the profile's rate.
    """
    return _export(model, out, settings, "litert-waveform")


def _export(
    model: Path,
    out: Path,
    settings: ExportSettings,
    kind: Literal["litert", "litert-int8", "litert-waveform"],
) -> ExportResult:
    _refuse(out, settings)
    require_converter()
    card = card_with_patches(model)
    takes = "waveform" if kind == "litert-waveform" else "patches"
    network = network_graph(model, card)
    description = described(card, ExportSettings(), takes=takes, network=network)
    if takes == "waveform":
        graph = waveform_graph(network, card, ExportSettings(), answered=False)
        written = converted_to_litert(saved_model(graph, _waveform_shapes(card)))
    else:
        written = converted_to_litert(saved_model(network, _patch_shapes(card)))
    if kind == "litert-int8":
        written = in_int8(written)
        description = description.model_copy(update={"precision": "int8"})
    # Half of a card is what was measured of the model: a board has no use for it.
    small = card.model_copy(update={"metrics": {}, "training": {}})
    metadata = metadata_of(small, description)
    write_litert(out, stripped(written), metadata=metadata, labels=card.labels)
    return ExportResult(kind, out, size_of(out))


def saved_model(graph: Any, shapes: _Shapes) -> bytes:
    """Turn an ONNX model into a TensorFlow SavedModel whose shapes are all fixed.

    Parameters
    ----------
    graph
        ONNX model.
    shapes
        Of its inputs and outputs by name, for one clip. What is no output of the graph
        is an input.
    """
    nodes = Nodes()
    onnx_graph = OnnxGraph(graph)
    outputs = [name for name in onnx_graph.outputs if name in shapes]
    inputs = {
        name: nodes.placeholder(name, shape)
        for name, shape in shapes.items()
        if name not in outputs
    }
    found = converted(onnx_graph, nodes, inputs)
    for name in outputs:
        nodes.output(name, found[name])
    return nodes.saved_model(
        takes={name: name for name in inputs},
        gives={name: name for name in outputs},
        version=_TENSORFLOW,
        shapes=shapes,
    )


def _patch_shapes(card: Card) -> _Shapes:
    profile = card.front_end.profile
    patches = (1, card.front_end.n_patches, profile.n_frames, profile.n_mels)
    return {
        "log_mel": patches,
        "features": (1, len(FEATURE_FACTORS)),
        "logits": (1, len(card.labels)),
    }


def _waveform_shapes(card: Card) -> _Shapes:
    n_classes = len(card.labels)
    return {
        "waveform": (1, card.front_end.clip_length),
        **_patch_shapes(card),
        "scores": (1, n_classes),
    }


def _refuse(out: Path, settings: ExportSettings) -> None:
    if settings.rate is not None:
        raise SettingsError(
            f"--rate {settings.rate}: LiteRT files take clips at the rate of the "
            "model's front end; leave it out, or choose --to onnx"
        )
    if out.suffix != SUFFIX:
        raise SettingsError(
            f"{out}: LiteRT files end in {SUFFIX}; give the file such a name"
        )

"""Write a model as one ONNX file: the network alone, or with its front end inside."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import compose
from torch import Tensor, nn

from seacall.deploy.answer_graph import ScoresAndAnswer
from seacall.deploy.committee_graph import committee_graph
from seacall.deploy.conditioner_graph import Conditioner
from seacall.deploy.exported import ExportResult, ExportSettings, size_of
from seacall.deploy.front_end_graph import FrontEnd
from seacall.deploy.scores_graph import Scores
from seacall.errors import CheckpointError, SettingsError
from seacall.learn.export import export_onnx, onnx_graph
from seacall.models.checkpoint import ONNX_NAME, Card, checked_file, read_card
from seacall.models.file_card import FileDescription, metadata_of
from seacall.models.network import load_network, save_model

OUTPUTS = ("logits", "scores", "answer", "features", "log_mel")
"""Of a graph that takes waveforms, in this order."""
_INT8_NODES = {"QuantizeLinear", "QLinearConv", "DynamicQuantizeLinear", "ConvInteger"}


class WaveformToInputs(nn.Module):
    """From a clip to what the network sees of it.

    Parameters
    ----------
    card
        Of the model.
    settings
        With a rate filter and resampler come first.
    """

    def __init__(self, card: Card, settings: ExportSettings) -> None:
        super().__init__()
        self.front_end = FrontEnd(card.front_end)
        self.conditioner: nn.Module = nn.Identity()
        if settings.rate is not None:
            self.conditioner = Conditioner(rate=settings.rate, settings=card.front_end)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return patches and features of clips, shape ``(batch, length)``."""
        log_mel, features = self.front_end(self.conditioner(waveform))
        return log_mel, features


def export_network(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    """Write the network alone: log-mel patches and features to logits and scores.

    Parameters
    ----------
    model
        Model folder.
    out
        File to write.
    """
    if settings.rate is not None:
        raise SettingsError(
            f"--rate {settings.rate}: the network alone takes no waveform; "
            "leave it out, or choose --to onnx"
        )
    card = card_with_patches(model)
    network = network_graph(model, card)
    description = described(card, settings, takes="patches", network=network)
    graph = _scored(compose.add_prefix(network, "", rename_nodes=False), card)
    write_graph(graph, out, card, description)
    return ExportResult("onnx-network", out, size_of(out))


def export_waveform(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    """Write the network with its front end: waveform to logits and scores.

    Parameters
    ----------
    model
        Model folder.
    out
        File to write.
    settings
        ``rate`` puts filter and resampler into the file too.
    """
    card = card_with_patches(model)
    network = network_graph(model, card)
    description = described(card, settings, takes="waveform", network=network)
    graph = waveform_graph(network, card, settings)
    write_graph(graph, out, card, description)
    return ExportResult("onnx", out, size_of(out))


def waveform_graph(
    network: Any, card: Card, settings: ExportSettings, *, answered: bool = True
) -> Any:
    """Put front end and calibration around a network.

    Parameters
    ----------
    network
        ONNX model with inputs ``log_mel`` and ``features`` and the output ``logits``,
        float or quantised.
    answered
        Whether thresholds and the rule for unknown are in the graph too. A committee's
        rule needs its members' scores, which no graph gives.

    Returns
    -------
    graph
        ONNX model from ``waveform``, ``(batch, length)``, to :data:`OUTPUTS`.
    """
    length = described(card, settings, takes="waveform", network=network).length
    front_end = onnx_graph(
        WaveformToInputs(card, settings).eval(),
        (torch.zeros(2, length),),
        inputs=["waveform"],
        outputs=["log_mel", "features"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        folded=False,
    )
    network = _with_versions_of(front_end, network)
    joined = _join(front_end, network, ("log_mel", "features"), "network/")
    if answered and not card.members:
        return _answered(joined, card)
    return _scored(joined, card)


def network_graph(model: Path, card: Card) -> Any:
    """Return the network of a model folder as an ONNX model.

    Raises
    ------
    CheckpointError
        If the folder holds no network, or one that was changed.
    """
    if card.members:
        return committee_graph(model, network_graph, _with_versions_of)
    if ONNX_NAME in card.files:
        return onnx.load(checked_file(model, card, ONNX_NAME))
    with tempfile.TemporaryDirectory() as folder:
        save_model(load_network(model), Path(folder), card)
        export_onnx(Path(folder))
        return onnx.load(Path(folder, ONNX_NAME))


def described(
    card: Card, settings: ExportSettings, *, takes: Any, network: Any
) -> FileDescription:
    """Say what a file will have to be given."""
    front_end = card.front_end
    rate = settings.rate or front_end.profile.sample_rate
    nodes = {node.op_type for node in network.graph.node}
    return FileDescription(
        takes=takes,
        rate=rate,
        length=round(front_end.clip.duration_s * rate)
        if settings.rate
        else front_end.clip_length,
        conditioned=settings.rate is None,
        precision="int8" if nodes & _INT8_NODES else "float32",
    )


def write_graph(
    graph: Any, out: Path, card: Card, description: FileDescription
) -> None:
    """Write an ONNX model with what it says of itself, the same bytes each time."""
    del graph.metadata_props[:]
    metadata = metadata_of(card, description)
    onnx.helper.set_model_props(graph, dict(sorted(metadata.items())))
    graph.producer_name, graph.producer_version = "seacall", card.seacall_version
    graph.doc_string = ""
    onnx.checker.check_model(graph, full_check=True)
    out.write_bytes(graph.SerializeToString(deterministic=True))


def card_with_patches(model: Path) -> Card:
    """Read the card of a model whose network takes patches.

    Raises
    ------
    CheckpointError
        If it takes waveforms.
    """
    card = read_card(model)
    if card.members and card.takes != "patches":
        raise CheckpointError(
            f"{model}: its members take different front ends, which no graph holds; "
            f"export a student distilled from it (seacall distill {model} DATASET), or "
            f"one of its members: {model / card.members[0].folder}"
        )
    if card.takes != "patches":
        raise CheckpointError(
            f"{model}: {card.architecture} computes its own log-mel outside of the "
            "network, which no graph holds; export a student distilled from it"
        )
    return card


def _scored(graph: Any, card: Card) -> Any:
    """Let calibrated scores follow from the logits."""
    n_classes = len(card.labels)
    scores = onnx_graph(
        Scores(card.calibration, n_classes).eval(),
        (torch.zeros(2, n_classes),),
        inputs=["logits"],
        outputs=["scores"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
    )
    graph = _with_versions_of(scores, graph)
    return _join(graph, scores, ("logits",), "scores/")


def _answered(graph: Any, card: Card) -> Any:
    """Let calibrated scores and the answer follow from logits and log-mel."""
    n_classes, front_end = len(card.labels), card.front_end
    profile = front_end.profile
    patches = (front_end.n_patches, profile.n_frames, profile.n_mels)
    batch = torch.export.Dim("batch", min=1)
    answer = onnx_graph(
        ScoresAndAnswer(card).eval(),
        (torch.zeros(2, n_classes), torch.zeros(2, *patches)),
        inputs=["logits", "log_mel"],
        outputs=["scores", "answer"],
        dynamic_shapes=({0: batch}, {0: batch}),
    )
    graph = _with_versions_of(answer, graph)
    return _join(graph, answer, ("logits", "log_mel"), "answer/")


def _join(first: Any, second: Any, shared: tuple[str, ...], prefix: str) -> Any:
    """Let a model follow on another; what they share stays an output.

    Everything else in the second model gets a name of its own.
    """
    second = compose.add_prefix(second, prefix, rename_edges=True, rename_inputs=True)
    graph = first.graph
    outputs = [output.name for output in second.graph.output]
    names = {f"{prefix}{name}": name for name in shared}
    names |= {name: name.removeprefix(prefix) for name in outputs}
    for node in second.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in second.graph.output:
        output.name = names[output.name]
    graph.node.extend(second.graph.node)
    graph.initializer.extend(second.graph.initializer)
    found = {o.name: o for o in [*graph.output, *second.graph.output]}
    del graph.output[:]
    graph.output.extend(found[name] for name in OUTPUTS if name in found)
    del graph.value_info[:]
    _import_of_both(first, second)
    return first


def _import_of_both(first: Any, second: Any) -> None:
    known = {entry.domain for entry in first.opset_import}
    first.opset_import.extend(e for e in second.opset_import if e.domain not in known)
    first.ir_version = max(first.ir_version, second.ir_version)


def _with_versions_of(wanted: Any, model: Any) -> Any:
    """Bring a model to the operator versions of another, where they differ."""
    version = {entry.domain: entry.version for entry in wanted.opset_import}[""]
    own = {entry.domain: entry.version for entry in model.opset_import}[""]
    return (
        model
        if own == version
        else onnx.version_converter.convert_version(model, version)
    )

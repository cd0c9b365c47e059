"""Write a model as TorchScript: waveform in, logits and scores out."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from seacall.deploy.committee_graph import refuse_committee
from seacall.deploy.exported import ExportResult, ExportSettings, size_of
from seacall.deploy.graphs import (
    WaveformToInputs,
    card_with_patches,
    described,
    network_graph,
)
from seacall.deploy.scores_graph import Scores
from seacall.deploy.sides import METADATA_NAME
from seacall.errors import CheckpointError
from seacall.models.checkpoint import WEIGHTS_NAME, Card
from seacall.models.file_card import metadata_of
from seacall.models.network import build_network, load_network


class WholeModel(nn.Module):
    """Waveform in; logits, scores, features and log-mel out.

    Parameters
    ----------
    network
        From patches and features to logits.
    card
        Of the model.
    settings
        With a rate filter and resampler come first.
    """

    def __init__(
        self, network: nn.Module, card: Card, settings: ExportSettings
    ) -> None:
        super().__init__()
        self.inputs = WaveformToInputs(card, settings)
        self.network = network
        self.scores = Scores(card.calibration, len(card.labels))

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Answer clips, shape ``(batch, length)``."""
        log_mel, features = self.inputs(waveform)
        logits = self.network(log_mel, features)
        return logits, self.scores(logits), features, log_mel


def export_torchscript(
    model: Path, out: Path, settings: ExportSettings
) -> ExportResult:
    """Write front end, network and calibration as one TorchScript file.

    Parameters
    ----------
    model
        Model folder.
    out
        File to write; its name ends in ``.pt``.
    settings
        ``rate`` puts filter and resampler into the file too.
    """
    if out.suffix != ".pt":
        raise CheckpointError(
            f"{out}: a TorchScript file's name ends in .pt; "
            f"write {out.with_suffix('.pt').name}"
        )
    card = card_with_patches(model)
    refuse_committee(model, card, "a TorchScript file")
    description = described(
        card, settings, takes="waveform", network=network_graph(model, card)
    )
    if description.precision != "float32":
        raise CheckpointError(
            f"{model}: its network is {description.precision}, which TorchScript does "
            "not hold; export to onnx, or the model that it was made from"
        )
    whole = WholeModel(torch_network(model, card), card, settings).eval()
    metadata = json.dumps(metadata_of(card, description), sort_keys=True)
    with warnings.catch_warnings(), torch.inference_mode(mode=False), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch about its own future
        clips = torch.zeros(2, description.length)
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            whole, clips, check_trace=False
        )
        frozen = torch.jit.freeze(traced)
        torch.jit.save(frozen, str(out), _extra_files={METADATA_NAME: metadata})
    return ExportResult("torchscript", out, size_of(out))


def torch_network(model: Path, card: Card) -> nn.Module:
    """Return the network of a model folder, also where it holds an ONNX file alone.

    Raises
    ------
    CheckpointError
        If the ONNX file is not one that the training wrote.
    """
    if WEIGHTS_NAME in card.files:
        return load_network(model).eval()
    network = build_network(card.architecture, len(card.labels)).eval()
    graph = network_graph(model, card).graph
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    state = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            state |= _folded(name, module, stored)
    for name in state.keys() & stored.keys():
        state[name] = torch.from_numpy(stored[name].copy())
    missing = [
        name
        for name, _ in network.named_parameters()
        if name not in stored and not _is_norm(network, name)
    ]
    if missing:
        raise CheckpointError(
            f"{model}: holds an ONNX file without {missing[0]}; export the folder that "
            "has model.safetensors"
        )
    network.load_state_dict(state)
    return network


def _is_norm(network: nn.Module, parameter: str) -> bool:
    return isinstance(
        network.get_submodule(parameter.rpartition(".")[0]), nn.BatchNorm2d
    )


def _folded(
    name: str, norm: nn.BatchNorm2d, stored: dict[str, Any]
) -> dict[str, Tensor]:
    """Make a normalisation add the bias that the exporter made of it, and no more.

    The exporter multiplies the convolution before it by the rest.
    """
    before = f"{name.rpartition('.')[0]}.{int(name.rpartition('.')[2]) - 1}"
    bias = stored.get(f"{before}.weight_bias", torch.zeros(norm.num_features).numpy())
    ones = torch.ones(norm.num_features)
    return {
        f"{name}.weight": ones,
        f"{name}.bias": torch.from_numpy(bias.copy()),
        f"{name}.running_mean": 0 * ones,
        f"{name}.running_var": ones - norm.eps,
    }

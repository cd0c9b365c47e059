"""Join a committee's members to one ONNX graph: patches in, mean log scores out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from onnx import compose
from torch import Tensor, nn

from seacall.deploy.scores_graph import Scores
from seacall.errors import CheckpointError
from seacall.learn.export import onnx_graph
from seacall.models.checkpoint import Card, read_card
from seacall.models.committee import LEAST_SCORE, member_folders

INPUTS = ("log_mel", "features")
_LOGITS = "logits"


class MeanLogScores(nn.Module):
    """From members' logits to a committee's; see `seacall.models.committee.pooled`.

    Parameters
    ----------
    cards
        Of the members, whose calibrations are applied.
    """

    def __init__(self, cards: Sequence[Card]) -> None:
        super().__init__()
        self.scores = nn.ModuleList(
            Scores(card.calibration, len(card.labels)) for card in cards
        )

    def forward(self, *logits: Tensor) -> Tensor:
        """Return the mean of the logarithms of calibrated scores."""
        said = [
            torch.log(torch.clamp_min(scores(z), LEAST_SCORE))
            for scores, z in zip(self.scores, logits, strict=True)
        ]
        return torch.stack(said).mean(dim=0)


def committee_graph(
    model: Path, member_graph: Callable[[Path, Card], Any], aligned: Callable[..., Any]
) -> Any:
    """Return a committee as one ONNX model with the inputs of any of its members.

    Parameters
    ----------
    model
        Model folder of a committee whose members take the same patches.
    member_graph
        Gives the network of a member.
    aligned
        Brings a model to the operator versions of another.

    Raises
    ------
    CheckpointError
        If a member cannot be read.
    """
    folders = member_folders(model)
    cards = [read_card(folder) for folder in folders]
    graphs = [member_graph(*each) for each in zip(folders, cards, strict=True)]
    names = [f"{_LOGITS}_{k}" for k in range(1, len(cards) + 1)]
    n_classes = len(cards[0].labels)
    mean = onnx_graph(
        MeanLogScores(cards).eval(),
        tuple(torch.zeros(2, n_classes) for _ in cards),
        inputs=names,
        outputs=[_LOGITS],
        dynamic_shapes=(tuple({0: torch.export.Dim("batch", min=1)} for _ in cards),),
    )
    mean = compose.add_prefix(mean, "mean/")
    whole = None
    for name, graph in zip(names, graphs, strict=True):
        part = _prefixed(aligned(mean, graph), name)
        whole = part if whole is None else _beside(whole, part)
    return _topped(whole, mean, names)


def _prefixed(graph: Any, name: str) -> Any:
    """Give all of a member's graph names of its own, but for what it takes."""
    keep = {f"{name}/{one}": one for one in INPUTS}
    graph = compose.add_prefix(graph, f"{name}/")
    _renamed(graph.graph, keep | {f"{name}/{_LOGITS}": name})
    return graph


def _renamed(graph: Any, names: dict[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [names.get(one, one) for one in node.input]
        node.output[:] = [names.get(one, one) for one in node.output]
    for value in [*graph.input, *graph.output]:
        value.name = names.get(value.name, value.name)
    del graph.value_info[:]


def _beside(whole: Any, part: Any) -> Any:
    """Put a member beside others that take the same."""
    whole.graph.node.extend(part.graph.node)
    whole.graph.initializer.extend(part.graph.initializer)
    known = {entry.domain for entry in whole.opset_import}
    whole.opset_import.extend(e for e in part.opset_import if e.domain not in known)
    whole.ir_version = max(whole.ir_version, part.ir_version)
    return whole


def _topped(whole: Any, mean: Any, names: Sequence[str]) -> Any:
    """Let the mean follow on the members."""
    _renamed(
        mean.graph,
        {f"mean/{name}": name for name in names} | {f"mean/{_LOGITS}": _LOGITS},
    )
    outputs = list(mean.graph.output)
    whole = _beside(whole, mean)
    del whole.graph.output[:]
    whole.graph.output.extend(outputs)
    return whole


def refuse_committee(model: Path, card: Card, what: str) -> None:
    """Refuse what takes one network alone.

    Raises
    ------
    CheckpointError
        If the model is a committee.
    """
    if card.members:
        raise CheckpointError(
            f"{model}: is a committee, and {what} holds one network; export a student "
            f"distilled from it (seacall distill {model} DATASET), or one of its "
            f"members: {model / card.members[0].folder}"
        )

"""Build the graph of a package for PAMGuard: segments in, scores out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from seacall.deploy.committee_graph import refuse_committee
from seacall.deploy.exported import ExportSettings
from seacall.deploy.graphs import WaveformToInputs, network_graph
from seacall.deploy.pamguard_onnx import OnnxGraph
from seacall.deploy.pamguard_operators import converted
from seacall.deploy.pamguard_saved_model import FLOAT, INT32, ElementType, Nodes
from seacall.deploy.pamguard_scores import ScoresWithRefusals
from seacall.errors import CheckpointError
from seacall.learn.export import onnx_graph
from seacall.models.checkpoint import Card, read_card

INPUT, OUTPUT = "waveform", "scores"
_TENSORFLOW = "2.7.0"
"""What the file says it was written by; an older one than any that will read it."""


def pamguard_graph(model: Path) -> bytes:
    """Return ``saved_model.pb`` of a model folder.

    Its signature takes segments at the profile's rate, ``(batch, n_samples)``, of any
    length, and gives scores, ``(batch, n_classes)``.

    Raises
    ------
    CheckpointError
        If the folder is none, holds no network that takes patches, or a network with
        an operator that cannot be converted.
    """
    card = read_card(model)
    refuse_committee(model, card, "a package for PAMGuard")
    if card.takes != "patches":
        raise CheckpointError(
            f"{model}: takes {card.takes}, and packages for PAMGuard are made of "
            "models that take patches; export a student distilled from it"
        )
    nodes = Nodes()
    segments = nodes.placeholder(INPUT, (-1, -1))
    clips = fitted(nodes, segments, card)
    heard = converted(OnnxGraph(front_end_graph(card)), nodes, {"y": clips})
    logits = converted(OnnxGraph(network_graph(model, card)), nodes, heard)
    inputs = {"logits": logits["logits"], "log_mel": heard["log_mel"]}
    scores = converted(OnnxGraph(scores_graph(card)), nodes, inputs)
    nodes.output(OUTPUT, scores["scores"])
    return nodes.saved_model(
        takes={INPUT: INPUT}, gives={OUTPUT: OUTPUT}, version=_TENSORFLOW
    )


def fitted(nodes: Nodes, segments: str, card: Card) -> str:
    """Bring segments to a clip's length; see `seacall.audio.framing.fit_clip`.

    PAMGuard's segments may be a sample longer or shorter than asked for, and have any
    length if its user asks for none.
    """
    length = card.front_end.clip_length
    dtype, index = ElementType(FLOAT), ElementType(INT32)
    if card.front_end.clip.fit == "pad":
        widths = nodes.constant(np.array([[0, 0], [0, length]], np.int32))
        zero = nodes.constant(np.float32(0))
        segments = nodes.add("PadV2", segments, widths, zero, T=dtype)
        places = nodes.constant(np.arange(length, dtype=np.int32))
    else:
        sizes = nodes.add("Shape", segments, T=dtype, out_type=index)
        one, two = (nodes.constant(np.array([k], np.int32)) for k in (1, 2))
        n_samples = nodes.add(
            "StridedSlice", sizes, one, two, one, T=index, Index=index
        )
        every = nodes.constant(np.arange(length, dtype=np.int32))
        places = nodes.add("FloorMod", every, n_samples, T=index)
    return nodes.add(
        "GatherV2",
        segments,
        places,
        nodes.constant(np.int32(1)),
        Tparams=dtype,
        Tindices=index,
        Taxis=index,
    )


def front_end_graph(card: Card) -> Any:
    """From clips to patches and features, with the filter if the profile has one."""
    profile = card.front_end.profile
    # The recorder's rate is not known here: PAMGuard resamples before the filter.
    settings = ExportSettings(rate=profile.sample_rate if profile.band_hz else None)
    clips = torch.zeros(2, card.front_end.clip_length)
    return onnx_graph(
        WaveformToInputs(card, settings).eval(),
        (clips,),
        inputs=["y"],
        outputs=["log_mel", "features"],
        dynamic_shapes=({0: _batch()},),
        folded=False,
    )


def scores_graph(card: Card) -> Any:
    """From logits and patches to scores."""
    settings = card.front_end
    p = settings.profile
    log_mel = torch.zeros(2, settings.n_patches, p.n_frames, p.n_mels)
    return onnx_graph(
        ScoresWithRefusals(card).eval(),
        (torch.zeros(2, len(card.labels)), log_mel),
        inputs=["logits", "log_mel"],
        outputs=["scores"],
        dynamic_shapes=({0: _batch()}, {0: _batch()}),
    )


def _batch() -> Any:
    return torch.export.Dim("batch", min=1)

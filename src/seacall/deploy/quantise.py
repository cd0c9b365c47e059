"""Write a model with smaller numbers: products in int8, or weights kept in float16.

Static quantisation (Jacob et al., "Quantization and training of neural networks for
efficient integer-arithmetic-only inference", 2018): the range of what each layer is
given is measured on calibration clips; weights have a scale for each output channel.
Front end, features and calibration stay in float32: their range is that of sound.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from seacall.audio.calls import choose_animal
from seacall.audio.framing import fit_clip
from seacall.audio.frontend import clip_inputs
from seacall.audio.repertoire import KINDS
from seacall.audio.sea import Sea, sea_noise
from seacall.audio.synth import render
from seacall.config import FrontEndSettings
from seacall.deploy.exported import ExportResult, ExportSettings, size_of
from seacall.deploy.graphs import (
    card_with_patches,
    described,
    network_graph,
    waveform_graph,
    write_graph,
)
from seacall.deploy.proof_sounds import recorded_sounds
from seacall.learn.unknown_kinds import SIMULATED

Float32 = NDArray[np.float32]
Inputs = dict[str, Float32]

_SEED = 7  # other calls than those that the result is proved on
_MOST_RECORDED = 200
_LEAST_NUMBERS = 64
"""Smaller tensors stay in float32: they would save nothing."""


def export_int8(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    """Write waveform to scores with the network in int8.

    Parameters
    ----------
    model
        Model folder.
    out
        File to write.
    settings
        ``audio`` names recordings to calibrate on beside simulated calls.
    """
    card = card_with_patches(model)
    inputs = calibration_inputs(card.front_end, settings.audio)
    network = in_int8(network_graph(model, card), inputs)
    description = described(card, settings, takes="waveform", network=network)
    write_graph(waveform_graph(network, card, settings), out, card, description)
    return ExportResult("onnx-int8", out, size_of(out))


def export_fp16(model: Path, out: Path, settings: ExportSettings) -> ExportResult:
    """Write waveform to scores with the network's weights kept in float16."""
    card = card_with_patches(model)
    network = in_fp16(network_graph(model, card))
    description = described(card, settings, takes="waveform", network=network)
    description = description.model_copy(update={"precision": "float16"})
    write_graph(waveform_graph(network, card, settings), out, card, description)
    return ExportResult("onnx-fp16", out, size_of(out))


def in_int8(network: Any, inputs: Iterator[Inputs]) -> Any:
    """Quantise convolutions and fully connected layers of an ONNX model.

    Parameters
    ----------
    network
        Takes ``log_mel`` and ``features``, gives ``logits``.
    inputs
        What the network is given of each calibration clip.

    Returns
    -------
    quantised
        The same with pairs of QuantizeLinear and DequantizeLinear, which engines turn
        into integer products.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, done = (Path(folder, f"{k}.onnx") for k in range(3))
        onnx.save(network, plain)
        # Its symbolic shapes fail on a network whose number of patches is open.
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            done,
            _Reader(inputs),
            quant_format=QuantFormat.QDQ,
            # The scaling of inputs is left out: raw features share no range.
            op_types_to_quantize=["Conv", "Gemm", "MatMul", "MaxPool"],
            # Nothing evens out what the last layer rounds off; it is a few kB.
            nodes_to_exclude=_last_layer(onnx.load(ready)),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return onnx.load(done)


def _last_layer(network: Any) -> list[str]:
    """Return the name of the node that gives the logits."""
    return [node.name for node in network.graph.node if "logits" in node.output]


def in_fp16(network: Any) -> Any:
    """Keep the weights of an ONNX model in float16; products stay in float32.

    A cast stands between; ONNX Runtime does it once, when it loads the file.
    """
    graph = network.graph
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LEAST_NUMBERS:
            continue
        name = tensor.name
        tensor.CopyFrom(
            onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}/fp16")
        )
        cast = onnx.helper.make_node(
            "Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT
        )
        casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return network


def calibration_inputs(
    front_end: FrontEndSettings, folder: Path | None = None
) -> Iterator[Inputs]:
    """Yield what the network is given of calibration clips.

    Parameters
    ----------
    folder
        Recordings to use beside simulated calls and noises: every other one, at most
        200. Simulated sounds alone do worse.

    Raises
    ------
    AudioError
        If there is no recording in it that can be read.
    """
    for y in _clips(front_end, folder):
        inputs = clip_inputs(y, front_end)
        yield {"log_mel": inputs.log_mel[None], "features": inputs.features[None]}


def _clips(front_end: FrontEndSettings, folder: Path | None) -> Iterator[Float32]:
    rate, duration_s = front_end.profile.sample_rate, front_end.clip.duration_s
    rng = np.random.default_rng(_SEED)
    for y in _simulated(rng, rate, duration_s):
        level = float(10 ** rng.uniform(-2.0, -0.1))  # faint to full scale
        y = level * y / max(float(np.abs(y).max()), 1e-12)
        yield fit_clip(
            y.astype(np.float32), length=front_end.clip_length, fit=front_end.clip.fit
        )
    if folder is not None:
        found = recorded_sounds(folder, front_end, rate=rate, conditioned=True)
        yield from (sound.y for sound in islice(found, 0, 2 * _MOST_RECORDED, 2))


def _simulated(
    rng: np.random.Generator, rate: int, duration_s: float
) -> Iterator[NDArray[np.float64]]:
    for kind in KINDS:
        call = kind.choose(rng, choose_animal(rng), duration_s)
        y = render(call, sample_rate=rate, duration_s=duration_s)
        sea = sea_noise(rng, Sea(), sample_rate=rate, duration_s=duration_s)
        share = float(10 ** rng.uniform(-2.0, 0.0))
        yield y + share * np.abs(y).max() * sea / max(float(np.abs(sea).max()), 1e-12)
    for draw in SIMULATED.values():
        yield draw(rng, rate, duration_s)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives onnxruntime one clip after the other."""

    def __init__(self, inputs: Iterator[Inputs]) -> None:
        self._inputs = inputs

    def get_next(self) -> Inputs | None:
        """Return the next clip's inputs; None: there is no more."""
        return next(self._inputs, None)

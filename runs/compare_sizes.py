"""What is lost by making a student smaller: macro-F1 on deployments that were held out.

    python runs/compare_sizes.py DATASET TRUNK WEIGHTS OUT [--seeds 3] [--only NAME ...]

In each fold a student is distilled as ``seacall evaluate --recipe student-distilled``
does (the layers behind the frozen TRUNK; WEIGHTS are EfficientAT mn04's), then made
smaller as ``seacall export`` and ``seacall prune`` do, from the fold's training clips
alone, and asked about the rest. ``qat`` learns for as long as the pruned ones, whole,
with its numbers rounded to int8 in each step. Prints macro-F1 with its interval over
deployments, and the paired difference to float32. Stopped, it goes on where it was.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from compare_recipes import SharedViews, table
from torch import nn
from torch.ao.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    PerChannelMinMaxObserver,
)
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from seacall.data.loader import clip_tensors
from seacall.deploy.graphs import network_graph
from seacall.deploy.prune import pruned
from seacall.deploy.quantise import calibration_inputs, in_fp16, in_int8
from seacall.learn import recipes
from seacall.learn.context import RunContext, logits_of
from seacall.learn.dataset import some_rows
from seacall.learn.distill import DistillationLoss
from seacall.learn.export import export_onnx
from seacall.learn.observe import Silent
from seacall.learn.protocol import ProtocolRun, run_protocol
from seacall.learn.protocol_report import write_protocol
from seacall.learn.train import fit
from seacall.models.checkpoint import Card, read_card
from seacall.models.network import save_model
from seacall.training import DistillSettings, TrainSettings

MOST_CALIBRATED = 200
TUNING = TrainSettings(epochs=8, learning_rate=5e-4, schedule="cosine")
"""Of pruned and of quantised students: answers of the whole one, no labels."""
WAYS = ("float32", "float16", "int8", "keep 75 %", "keep 50 %", "keep 25 %")
MORE = ("int8, simulated clips", "qat", "keep 100 %", "litert-int8", "keep 50 %, int8")
_WHOLE: dict[str, nn.Module] = {}
"""Students by seed and training clips: all ways share them."""


class Smaller(SharedViews):
    """As its parent; then made smaller."""

    way: str = WAYS[0]

    @property
    def is_file(self) -> bool:
        """Whether what answers is an exported file."""
        return self.way != "float32" and not self.way.endswith("%")

    def fit_predict(self, train, test, *, labels, seed, context):
        torch.manual_seed(seed)
        trunk = self._trunk()
        key = f"{seed} {hash(tuple(clip.path for clip in train.clips))}"
        if key not in _WHOLE:
            self._look_at(train, trunk, context)
            student = trunk.student(len(labels))
            lesson = self._lesson(train, n_classes=len(labels))
            self._distilled(student, lesson, seed, context)
            _WHOLE[key] = student.to("cpu").eval()
        whole = _WHOLE[key]
        tuned = whole
        if self.way.startswith("keep") and "100" not in self.way:
            share = int(self.way.split()[1]) / 100
            tuned = tune(pruned(whole, keep=share), whole, train, seed, context)
        if self.way in {"qat", "keep 100 %"}:
            tuned = tune(copy_of(whole), whole, train, seed, context, self.way == "qat")
        if not self.is_file:
            found = logits_of(tuned, clip_tensors(test), context, stage="", half=False)
            return found.numpy().astype(np.float32)
        card = read_card(Path(str(self.student.start)))
        card = card.model_copy(
            update={
                "labels": labels,
                "files": {},
                "channels": tuned.channels,
                "thresholds": {},
            }
        )
        return answered(self.way, tuned, card, train, test)


def copy_of(student: nn.Module) -> nn.Module:
    own = type(student)(num_classes=student.num_classes)
    own.load_state_dict(student.state_dict())
    return own


def tune(small, whole, train, seed, context, rounded=False) -> nn.Module:
    """Let a student learn another's answers to training clips."""
    tensors = clip_tensors(train)
    soft = logits_of(whole, tensors, context, stage="", half=False)
    some = torch.from_numpy(some_rows(len(tensors[0])))
    tensors = (*tensors, soft)
    torch.manual_seed(seed)
    hooks = round_numbers(small) if rounded else []
    with tempfile.TemporaryDirectory() as folder:
        fit(
            small,
            tensors,
            tuple(part[some] for part in tensors),
            criterion=DistillationLoss.of(DistillSettings(alpha=1.0)),
            settings=TUNING.model_copy(update={"seed": seed}),
            folder=Path(folder),
            device=context.device,
            keep="last",
        )
    for module, hook in hooks:
        hook.remove()
        del module.rounds_input
        remove_parametrizations(module, "weight", leave_parametrized=False)
    return small.eval()


def round_numbers(student: nn.Module) -> list:
    """Let what is int8 in the exported graph be rounded so in training."""
    layers = [
        module
        for name, module in student.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "classifier" not in name
    ]
    hooks = []
    for module in layers:
        module.rounds_input = FakeQuantize(
            MovingAverageMinMaxObserver, quant_min=0, quant_max=255
        )
        rounds_weight = FakeQuantize(
            PerChannelMinMaxObserver,
            quant_min=-127,
            quant_max=127,
            dtype=torch.qint8,
            qscheme=torch.per_channel_symmetric,
            ch_axis=0,
        )
        register_parametrization(module, "weight", rounds_weight, unsafe=True)
        hook = module.register_forward_pre_hook(lambda m, x: (m.rounds_input(x[0]),))
        hooks.append((module, hook))
    return hooks


def answered(way: str, student, card: Card, train, test) -> np.ndarray:
    """Export a student, and ask the file about clips."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_model(student, folder, card)
        if way == "litert-int8":
            return in_litert(folder, test)
        export_onnx(folder)
        network = network_graph(folder, read_card(folder))
        if way == "float16":
            network = in_fp16(network)
        else:
            recorded = [] if "simulated" in way else list(recordings(train))
            network = in_int8(network, iter([*simulated(card), *recorded]))
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = [session.run(["logits"], one)[0] for one in inputs_of(test)]
    return np.concatenate(rows)


_SIMULATED: list = []


def simulated(card: Card) -> list:
    if not _SIMULATED:
        _SIMULATED.extend(calibration_inputs(card.front_end))
    return _SIMULATED


def recordings(train) -> Iterator[dict]:
    rows = np.linspace(0, len(train.clips) - 1, min(len(train.clips), MOST_CALIBRATED))
    every = list(inputs_of(train))
    yield from (every[k] for k in np.unique(rows.astype(int)))


def inputs_of(clips) -> Iterator[dict]:
    for log_mel, features in zip(clips.log_mel, clips.features, strict=True):
        yield {"log_mel": log_mel[None], "features": features[None]}


def in_litert(folder: Path, test) -> np.ndarray:
    from seacall.deploy.exported import ExportSettings
    from seacall.deploy.litert import export_litert_int8
    from seacall.models.backend import load_classifier

    out = folder / "model.tflite"
    export_litert_int8(folder, out, ExportSettings())
    return load_classifier(out).logits(test.log_mel, test.features)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("dataset", "trunk", "weights", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=WAYS, choices=(*WAYS, *MORE))
    options = parser.parse_args()
    torch.set_num_threads(1)
    own = {}
    for way in options.only:
        recipes.RECIPES[way] = Smaller
        own[way] = {"way": way}
    settings = ProtocolRun(
        protocols=("folds",),
        n_seeds=options.seeds,
        teacher={"weights": str(options.weights)},
        student={"start": str(options.trunk)},
        head={"augment": {"n_views": 1}},
        recipes=tuple(options.only),
        recipe=own,
    )
    context = RunContext(
        data=options.dataset,
        out=options.out,
        device=torch.device("cpu"),
        observer=Silent(),
    )
    report = run_protocol(settings, context)
    write_protocol(report, options.out)
    for result in report.results:
        print("\n".join(table(result)), flush=True)


if __name__ == "__main__":
    main()

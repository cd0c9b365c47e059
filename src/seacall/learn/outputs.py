"""What a finished run leaves in its folder, and under which names."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np
from torch import nn

from seacall.config import FrontEndSettings, write_toml
from seacall.data.manifest import SETTINGS_FILE
from seacall.learn.calibrate import calibration_temperature
from seacall.learn.context import RunContext, logits_of
from seacall.learn.dataset import Dataset
from seacall.learn.export import export_onnx
from seacall.learn.heard import logits_of_waveforms, takes_waveforms
from seacall.learn.measure import measure, summary
from seacall.learn.plots import plot_curves
from seacall.learn.tables import write_curves
from seacall.learn.train import CHECKPOINT_NAME, FitResult
from seacall.models.checkpoint import (
    CARD_NAME,
    Calibration,
    Card,
    read_card,
    write_card,
)
from seacall.models.network import save_model, save_pth


@dataclass(frozen=True)
class OutputNames:
    """File names of a run."""

    best: str
    final: str
    curves: str
    misclassified: str


STUDENT_FILES = OutputNames(
    best="best_student_with_attention_model.pth",
    final="final_student_model_with_attention.pth",
    curves="train_vs_val_student_with_attention.xlsx",
    misclassified="student_with_attention_misclassified_samples.xlsx",
)
"""The original description's names."""
TEACHER_FILES = OutputNames(
    best="best_teacher_model.pth",
    final="final_teacher_model.pth",
    curves="train_vs_val_teacher.xlsx",
    misclassified="teacher_misclassified_samples.xlsx",
)


def finish(
    network: nn.Module,
    result: FitResult,
    card: Card,
    dataset: Dataset,
    names: OutputNames,
    context: RunContext,
) -> Card:
    """Write the model folder, its curves and its evaluation; the card comes last.

    Returns
    -------
    card
        With calibration temperature, sizes, sha256 and figures filled in.
    """
    out = context.out
    calibration = Calibration()
    if dataset.all_clips:
        context.observer.say(
            "trained on all clips: no figures, and scores not calibrated; measure what "
            "such a model is worth with seacall evaluate --protocol, and calibrate it "
            "with the answers that this writes"
        )
    else:
        calibration = _calibrated(network, dataset, card.front_end, context)
    card = card.model_copy(update={"calibration": calibration})
    network = network.to("cpu")
    save_pth(network, out / names.best)
    if result.history:
        write_curves(result.history, out / names.curves)
        plot_curves(result.history, out / "curves.png")
    partial = out / "unfinished-model"  # so that a kill leaves no half-checked folder
    shutil.rmtree(partial, ignore_errors=True)
    save_model(network, partial, card)
    if card.architecture == "AudioTransformerStudent":
        context.observer.say("exporting to ONNX and comparing it with torch")
        export_onnx(partial)
    card = read_card(partial)
    if len(dataset.test.targets):
        evaluation = measure(
            partial,
            dataset,
            out=out,
            observer=context.observer,
            misclassified_name=names.misclassified,
            history=result.history,
        )
        card = card.model_copy(update={"metrics": summary(evaluation)})
    save_pth(network, out / names.final, card)
    write_toml(out / SETTINGS_FILE, card.training)
    (partial / CARD_NAME).unlink()
    for path in partial.iterdir():
        path.replace(out / path.name)
    partial.rmdir()
    card = write_card(out, card)
    (out / CHECKPOINT_NAME).unlink(missing_ok=True)
    return card


def _calibrated(
    network: nn.Module,
    dataset: Dataset,
    front_end: FrontEndSettings,
    context: RunContext,
) -> Calibration:
    stage = "calibration"
    if takes_waveforms(network):
        clips = dataset.val.clips
        asked = logits_of_waveforms(network, clips, front_end, context, stage=stage)
    else:
        asked = logits_of(network, dataset.tensors("val"), context, stage=stage)
    logits = asked.numpy()
    temperature = calibration_temperature(
        logits.astype(np.float32), dataset.val.targets
    )
    if temperature is None:
        context.observer.say(
            f"scores not calibrated: {len(logits)} validation clips give no "
            "temperature (all answers right, or as good as drawn at random)"
        )
        return Calibration()
    context.observer.say(
        f"scores calibrated on {len(logits)} validation clips: "
        f"calibration temperature {temperature:.2f}"
    )
    n_deployments = len({clip.deployment for clip in dataset.val.clips})
    return Calibration(
        method="temperature",
        temperature=temperature,
        fitted_on=f"{len(logits)} validation clips of {n_deployments} deployments",
    )

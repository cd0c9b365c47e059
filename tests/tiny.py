"""Makes a dataset of a few short recordings, and models that learn from it in seconds.

Three species call at their own pitch; four deployments differ in their noise. A clip
lasts 1 s, which is one patch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from sounds import noise, tone, write_wav

from seacall.config import (
    DistillRun,
    FrontEndChoice,
    FrontEndSettings,
    TeacherSettings,
    TrainRun,
    TrainSettings,
)
from seacall.data.prepare import PrepareSettings, prepare_dataset
from seacall.learn.context import RunContext
from seacall.learn.export import export_onnx
from seacall.learn.observe import Silent
from seacall.models.checkpoint import Card
from seacall.models.efficientat import EfficientAT
from seacall.models.network import build_network, save_model
from seacall.models.weights import write_safetensors

RATE = 16_000
PITCH_HZ = {"Béluga blanc": 3_600.0, "Fin Whale": 5_200.0, "Minke Whale": 7_000.0}
LABELS = (*PITCH_HZ, "unknown")
DEPLOYMENTS = ("north", "east", "south", "west")
FRONT_END = FrontEndChoice(profile="original-16k", fit="tile", duration_s=1.0)
TWO_EPOCHS = TrainSettings(epochs=2, batch_size=4, warmup_epochs=1)
TEACHER_RUN = TrainRun(
    network="vggish",
    front_end=FRONT_END,
    teacher=TeacherSettings(convolutions="frozen"),
    train=TWO_EPOCHS,
)
STUDENT_RUN = TrainRun(network="student", front_end=FRONT_END, train=TWO_EPOCHS)
DISTILL_RUN = DistillRun(train=TWO_EPOCHS)


def write_recordings(folder: Path) -> Path:
    """One folder a species, in it one a deployment, two recordings in each."""
    seed = 0
    for label, hz in PITCH_HZ.items():
        for place, deployment in enumerate(DEPLOYMENTS):
            for _ in range(2):
                seed += 1
                duration_s = 0.6 + 0.03 * seed
                y = noise(
                    sample_rate=RATE,
                    duration_s=duration_s,
                    sigma=0.01 * (1 + place),
                    seed=seed,
                )
                y += tone(hz + 20 * seed, sample_rate=RATE, duration_s=duration_s)
                write_wav(folder / label / deployment / f"{seed}.wav", y, RATE)
    return folder


def write_dataset(folder: Path) -> Path:
    """The same as a dataset folder: 12 clips to train on, 6 to validate, 6 to test."""
    write_recordings(folder / "recordings")
    settings = PrepareSettings(front_end=FRONT_END)
    prepare_dataset(folder / "recordings", folder / "dataset", settings=settings)
    return folder / "dataset"


def context(data: Path, out: Path, *, resume: bool = False) -> RunContext:
    return RunContext(
        data=data,
        out=out,
        device=torch.device("cpu"),
        observer=Silent(),
        resume=resume,
    )


def card(
    architecture: str = "AudioTransformerStudent",
    *,
    labels: tuple[str, ...] = LABELS,
    front_end: FrontEndSettings | None = None,
    **changes: object,
) -> Card:
    return Card.model_validate(
        {
            "seacall_version": "0.1.0",
            "architecture": architecture,
            "labels": labels,
            "front_end": (front_end or FRONT_END.front_end()).model_dump(mode="json"),
            **changes,
        }
    )


def network(
    architecture: str = "AudioTransformerStudent", n_classes: int = len(LABELS)
) -> torch.nn.Module:
    """Random weights, the same each time, with batch statistics that do something."""
    torch.manual_seed(0)
    model = build_network(architecture, n_classes)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
            elif name.endswith("running_mean"):
                value.normal_()
    return model.eval()


def write_efficientat(folder: Path) -> Path:
    """EfficientAT with random weights that lets something through, as a file."""
    torch.manual_seed(0)
    efficientat = EfficientAT()
    with torch.no_grad():
        for name, value in efficientat.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.1, 0.5)
    write_safetensors(efficientat, folder / "mn04.safetensors")
    return folder / "mn04.safetensors"


def write_model(folder: Path, **changes: object) -> Path:
    """A student that knows nothing, as a folder with both engines' files."""
    save_model(network(), folder, card(**changes))
    export_onnx(folder)
    return folder

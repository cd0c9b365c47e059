"""How long 60 epochs over 1,500 clips take, from a few epochs on made-up arrays.

    python -m bench.training [--clips 1500] [--epochs 4]

Run it on an idle machine with the memory settings that the Makefile sets. The front end
is not in it (its results are cached), validation on a fifth as many clips is.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from seacall.config import TrainSettings
from seacall.learn.distill import DistillationLoss
from seacall.learn.train import LabelLoss, fit
from seacall.models.student import AudioTransformerStudent
from seacall.models.vggish import N_EMBEDDING, TeacherHead, VGGishTeacher

N_CLASSES = 20
FULL_EPOCHS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1_500)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    torch.manual_seed(0)
    student = AudioTransformerStudent(num_classes=N_CLASSES)
    head = TeacherHead(VGGishTeacher(num_classes=N_CLASSES))
    print(f"{options.clips} clips, {torch.get_num_threads()} threads")
    show("student, cached logits", student, DistillationLoss(), (5, 96, 64), options)
    show("teacher's layers, cached", head, LabelLoss(), (N_EMBEDDING,), options)


def show(
    name: str,
    network: nn.Module,
    criterion: nn.Module,
    shape: tuple[int, ...],
    options: argparse.Namespace,
) -> None:
    settings = TrainSettings(epochs=options.epochs, warmup_epochs=0)
    with tempfile.TemporaryDirectory() as folder:
        result = fit(
            network,
            made_up(options.clips, shape),
            made_up(options.clips // 5, shape),
            criterion=criterion,
            settings=settings,
            folder=Path(folder),
            device=torch.device("cpu"),
        )
    seconds = statistics.median(epoch["seconds"] for epoch in result.history)
    minutes = seconds * FULL_EPOCHS / 60
    print(f"{name:<26}{seconds:6.2f} s an epoch, {minutes:5.1f} min for {FULL_EPOCHS}")


def made_up(n_clips: int, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (
        torch.randn(n_clips, *shape),
        torch.randn(n_clips, 18),
        torch.randint(0, N_CLASSES, (n_clips,)),
        torch.randn(n_clips, N_CLASSES),
    )


if __name__ == "__main__":
    main()

"""The whole chain in one go, on simulated sounds or on a folder of real recordings."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from seacall.audio.locate import find_recordings
from seacall.config import (
    DEFAULT_PROFILE,
    DetectRun,
    DistillRun,
    FrontEndChoice,
    TrainRun,
    TrainSettings,
)
from seacall.data.prepare import PrepareSettings, prepare_dataset
from seacall.data.simulate import SimulationSettings, simulate_dataset
from seacall.detect.archive import ArchiveResult
from seacall.detect.recordings import detect_recordings
from seacall.errors import SettingsError
from seacall.learn import runs
from seacall.learn.context import RunContext
from seacall.learn.evaluation import MODEL
from seacall.learn.observe import Observer
from seacall.learn.text import measured_on, table
from seacall.models.checkpoint import ONNX_NAME, WEIGHTS_NAME, Card

T = TypeVar("T")

SIMULATED = "The sounds are simulated: these figures say nothing about real animals."
TEACHER_EPOCHS = 14
"""Enough to learn from and short enough to wait for: a real run has 60."""
HEARD_FORMATS = ("csv", "raven", "clips", "timeline")
_MARKER = ".seacall-demo"


@dataclass
class DemoResult:
    """What the demo ended with."""

    out: Path
    simulated: bool
    teacher: Card
    student: Card
    heard: ArchiveResult
    failures: list[str]
    """Reasons of what was left out."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time of each step, s."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "simulated": self.simulated,
            "seconds": {k: round(v, 1) for k, v in self.seconds.items()},
            "teacher": self.teacher.metrics,
            "student": self.student.metrics,
            "heard": vars(self.heard),
        }

    def lines(self) -> list[str]:
        """Render the one table, and where the rest is."""
        metrics = self.student.metrics
        rows = [
            ["", "macro F1", "accuracy", "answered at 0.7", "parameters", "bytes"],
            _row("teacher (VGGish)", self.teacher, self.out / "teacher" / WEIGHTS_NAME),
            _row("student (CBAM)", self.student, self.out / "student" / ONNX_NAME),
            *(
                _baseline_row(name, figures)
                for name, figures in metrics["figures"].items()
                if name != MODEL
            ),
        ]
        fewer = 1 - self.student.n_parameters / self.teacher.n_parameters
        times = ", ".join(f"{name} {s:.0f} s" for name, s in self.seconds.items())
        return [
            "",
            *([SIMULATED] if self.simulated else []),
            measured_on(metrics),
            "",
            *table(rows),
            "",
            f"student: {100 * fewer:.2f} % fewer parameters than the teacher",
            f"heard: {self.heard.summary()}",
            f"times: {times}",
            f"reports: {self.out / 'student' / 'report.html'}, "
            f"{self.out / 'teacher' / 'report.html'}",
            f"detections: {self.out / 'heard'}",
            f"try: seacall detect RECORDINGS -m {self.out / 'student'} -o OUT",
        ]


def run_demo(
    out: Path,
    *,
    data: Path | None,
    split_by: str,
    profile: str | None,
    seed: int,
    device: torch.device,
    n_workers: int,
    observer: Observer,
) -> DemoResult:
    """Prepare, train a teacher, distil a student, evaluate both, and listen.

    Parameters
    ----------
    out
        Folder to write into; a demo that lies there is replaced.
    data
        Folder of real recordings; None: sounds are simulated.

    Raises
    ------
    SeacallError
        Any of its kinds, in one line.
    """
    _clear(out)
    clock = _Clock(observer)
    recordings = data
    if recordings is None:
        observer.say(SIMULATED)
        clock.run(
            "simulate",
            lambda: simulate_dataset(
                out / "recordings", settings=SimulationSettings(seed=seed)
            ),
        )
        recordings = out / "recordings"
    choice = FrontEndChoice(profile=profile or DEFAULT_PROFILE)
    prepared = PrepareSettings.model_validate(
        {
            "split_by": split_by,
            "front_end": choice,
            "seed": seed,
        }
    )
    report = clock.run(
        "prepare",
        lambda: prepare_dataset(
            recordings,
            out / "dataset",
            settings=prepared,
            n_workers=n_workers,
            progress=lambda done, total: observer.progress("prepare", done, total),
        ),
    )
    for line in report.lines():
        observer.say(line)

    def context(name: str) -> RunContext:
        return RunContext(
            data=out / "dataset",
            out=out / name,
            device=device,
            observer=observer,
            n_workers=n_workers,
        )

    teacher_run = TrainRun(
        front_end=choice,
        train=TrainSettings(seed=seed, epochs=TEACHER_EPOCHS, n_train_patches=1),
    )
    teacher = clock.run("teacher", lambda: runs.train(teacher_run, context("teacher")))
    student_run = DistillRun(train=TrainSettings(seed=seed))
    student = clock.run(
        "student",
        lambda: runs.distill(out / "teacher", student_run, context("student")),
    )
    heard = clock.run(
        "listen",
        lambda: detect_recordings(
            find_recordings(out / "dataset" / "test"),
            out / "heard",
            DetectRun(model=str(out / "student"), formats=HEARD_FORMATS),
            n_workers=n_workers,
        ),
    )
    return DemoResult(
        out=out,
        simulated=data is None,
        teacher=teacher.card,
        student=student.card,
        heard=heard,
        failures=[failure.reason for failure in report.failures],
        seconds=clock.seconds,
    )


class _Clock:
    """Announces steps and times them."""

    def __init__(self, observer: Observer) -> None:
        self.seconds: dict[str, float] = {}
        self._observer = observer

    def run(self, name: str, step: Callable[[], T]) -> T:
        self._observer.say(f"== {name}")
        started = time.perf_counter()
        result = step()
        self.seconds[name] = time.perf_counter() - started
        return result


def _clear(out: Path) -> None:
    """Remove an earlier demo, and only that."""
    if out.exists() and any(out.iterdir()) and not (out / _MARKER).is_file():
        raise SettingsError(
            f"{out}: is not empty and holds no demo; choose another folder with -o"
        )
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / _MARKER).touch()


def _row(name: str, card: Card, weights: Path) -> list[str]:
    figures = card.metrics["figures"][MODEL]
    return [
        name,
        *_figure_cells(figures),
        _share(figures["share_answered"]),
        f"{card.n_parameters:,}",
        f"{weights.stat().st_size:,}",
    ]


def _baseline_row(name: str, figures: dict[str, Any]) -> list[str]:
    return [name, *_figure_cells(figures), "", "", ""]


def _figure_cells(figures: dict[str, Any]) -> list[str]:
    return [_share(figures["macro_f1"]), _share(figures["accuracy"])]


def _share(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    interval = estimate["interval"]
    spread = f" ({interval[0]:.2f}-{interval[1]:.2f})" if interval else ""
    return f"{estimate['value']:.3f}{spread}"

"""What the original program does: teacher if needed, then the distilled student."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import typer

from seacall.cli.console import (
    Console,
    finish_with_failures,
    guarded,
    store_settings,
)


def run(options: argparse.Namespace) -> None:
    """Distil on a folder as described, with the original front end; then exit.

    Parameters
    ----------
    options
        ``root``, ``teacher``, ``weights``, ``out``, ``epochs``, ``device``, ``resume``.
    """
    try:
        sys.exit(guarded(lambda: _run(options, Console())))
    except typer.Exit as end:
        sys.exit(end.exit_code)


def _run(options: argparse.Namespace, console: Console) -> None:
    from seacall.errors import require

    require("torch", "train")
    from seacall.config import (
        DistillRun,
        FrontEndChoice,
        TeacherSettings,
        TrainRun,
        TrainSettings,
        checked,
    )
    from seacall.learn import runs
    from seacall.learn.context import RunContext
    from seacall.learn.text import card_lines
    from seacall.models.device import choose_device

    out = options.out or options.root / "output"
    device = choose_device(options.device)
    settings = checked(TrainSettings, {"epochs": options.epochs})

    def context(folder: Path) -> RunContext:
        return RunContext(
            data=options.root,
            out=folder,
            device=device,
            observer=console,
            resume=options.resume,
        )

    teacher = options.teacher or out / "teacher"
    with console.live():
        finished = options.resume and (teacher / "card.json").is_file()
        if options.teacher is None and not finished:
            teacher_run = TrainRun(
                front_end=FrontEndChoice(profile="original-16k", fit="pad"),
                teacher=TeacherSettings(weights=options.weights),
                train=settings,
            )
            runs.train(teacher_run, context(teacher))
            store_settings(teacher_run, teacher)
        student_run = DistillRun(train=settings)
        result = runs.distill(teacher, student_run, context(out))
        store_settings(student_run, out)
    console.say("\n".join([*card_lines(result.card), f"student: {out}"]))
    finish_with_failures([f.reason for f in result.failures], console)

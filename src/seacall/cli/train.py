"""The commands that train: train, pretrain, distill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seacall.cli.console import (
    Console,
    finish_with_failures,
    keep_settings,
    print_result,
    settings_from,
)
from seacall.cli.options import (
    AllClips,
    Balance,
    BatchSize,
    Config,
    Dataset,
    Device,
    Epochs,
    Extra,
    Json,
    LearningRate,
    Out,
    Quiet,
    Resume,
    Schedule,
    Seed,
    Start,
    Trunk,
    Verbose,
    Views,
    Workers,
    console_for,
    given_front_end,
    require_training,
)

if TYPE_CHECKING:
    from seacall.learn.context import RunContext
    from seacall.models.checkpoint import Card


def train(
    data: Dataset,
    out: Out,
    network: Annotated[
        str | None,
        typer.Option(
            help="vggish or efficientat (teachers), or student: without distillation."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="The teacher's checkpoint: a path, or download. Default: VGGish at "
            "random."
        ),
    ] = None,
    convolutions: Annotated[
        str | None,
        typer.Option(
            help="frozen: train the layers behind them; trained: all; auto (default): "
            "frozen with a checkpoint, trained without."
        ),
    ] = None,
    start: Start = None,
    trunk: Trunk = None,
    head: Annotated[
        str | None,
        typer.Option(
            help="trained; or prototypes: keep what --start knows, and compare with "
            "each class's mean (trained)."
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="original-16k, vggish-16k or wide-48k. Default: the start's, else "
            "the dataset's."
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(help="Short clips: pad or tile. Default: the dataset's."),
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    views: Views = None,
    balance: Balance = None,
    extra: Extra = None,
    all_clips: AllClips = False,
    seed: Seed = None,
    device: Device = "auto",
    workers: Workers = 1,
    resume: Resume = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a teacher, or a student alone, on a dataset folder.

    The result is a model folder.
    """
    from seacall.config import TrainRun

    console = console_for(quiet=quiet, verbose=verbose)
    settings = settings_from(
        TrainRun,
        config,
        {
            "network": network,
            "teacher.weights": weights,
            "teacher.convolutions": convolutions,
            "student.start": None if start is None else str(start),
            "student.trunk": trunk,
            "student.head": head,
            "front_end": given_front_end(config, data, start),
            "front_end.profile": profile,
            "front_end.fit": fit,
            **_loop(epochs, batch_size, learning_rate, seed),
            **_varied(views, balance),
            "train.schedule": schedule,
            "all_clips": all_clips or None,
        },
    )
    with _context(data, out, device, console, resume, workers, extra) as context:
        from seacall.learn import runs

        keep_settings(settings, out, console, resume=resume)
        result = runs.train(settings, context)
    _print_card(result.card, out, as_json=as_json)
    finish_with_failures([f.reason for f in result.failures], console)


def pretrain(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Dataset folders, as seacall prepare writes them: of the first come "
            "classes, validation and test, of the others more to train on."
        ),
    ],
    out: Out,
    weights: Annotated[
        str | None,
        typer.Option(
            help="EfficientAT checkpoint, to learn what it hears: a path, or download. "
            "Default: learn from the labels alone."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Front end. Default: the first dataset's.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs (15).")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Clips in a step (32).")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="AdamW step size (0.003).")
    ] = None,
    views: Views = None,
    balance: Balance = None,
    seed: Seed = None,
    device: Device = "auto",
    workers: Workers = 1,
    resume: Resume = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Teach a student's trunk on labelled clips, such as simulated ones.

    The result is a model folder for train --start.
    """
    from seacall.config import PretrainRun

    console = console_for(quiet=quiet, verbose=verbose)
    data, *extra = folders
    settings = settings_from(
        PretrainRun,
        config,
        {
            "weights": weights,
            "front_end": given_front_end(config, data, None),
            "front_end.profile": profile,
            **_loop(epochs, batch_size, learning_rate, seed),
            **_varied(views, balance),
        },
    )
    with _context(data, out, device, console, resume, workers, extra) as context:
        from seacall.learn.pretrain import pretrain as run

        keep_settings(settings, out, console, resume=resume)
        result = run(settings, context)
    _print_card(result.card, out, as_json=as_json)
    finish_with_failures([f.reason for f in result.failures], console)


def distill(
    teacher: Annotated[
        list[Path],
        typer.Argument(help="Model folder of the teacher, or of each of several."),
    ],
    data: Dataset,
    out: Out,
    temperature: Annotated[
        float | None, typer.Option(help="Distillation temperature (3).")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Weight of the teacher's answers (0.7).")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="Comparison of answers: kl, standardised or decoupled (kl)."),
    ] = None,
    start: Start = None,
    trunk: Trunk = None,
    profile: Annotated[
        str | None, typer.Option(help="The student's. Default: the first teacher's.")
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    views: Views = None,
    balance: Balance = None,
    extra: Extra = None,
    all_clips: AllClips = False,
    seed: Seed = None,
    device: Device = "auto",
    workers: Workers = 1,
    resume: Resume = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Distil a student from a teacher; the result is a model folder."""
    from seacall.config import DistillRun

    console = console_for(quiet=quiet, verbose=verbose)
    settings = settings_from(
        DistillRun,
        config,
        {
            "distill.distill_temperature": temperature,
            "distill.alpha": alpha,
            "distill.method": method,
            "student.start": None if start is None else str(start),
            "student.trunk": trunk,
            "front_end.profile": profile,
            **_loop(epochs, batch_size, learning_rate, seed),
            **_varied(views, balance),
            "train.schedule": schedule,
            "all_clips": all_clips or None,
        },
    )
    with _context(data, out, device, console, resume, workers, extra) as context:
        from seacall.learn import runs

        keep_settings(settings, out, console, resume=resume)
        result = runs.distill(teacher, settings, context)
    _print_card(result.card, out, as_json=as_json)
    finish_with_failures([f.reason for f in result.failures], console)


def _loop(
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
) -> dict[str, Any]:
    return {
        "train.epochs": epochs,
        "train.batch_size": batch_size,
        "train.learning_rate": learning_rate,
        "train.seed": seed,
    }


def _varied(views: int | None, balance: str | None) -> dict[str, Any]:
    return {"train.augment.n_views": views, "train.balance": balance}


def _context(
    data: Path,
    out: Path,
    device: str,
    console: Console,
    resume: bool,
    workers: int,
    extra: list[Path] | None,
) -> _Running:
    require_training()
    return _Running(data, out, device, console, resume, workers, extra)


class _Running:
    """A run's context, with progress shown while it lasts."""

    def __init__(
        self,
        data: Path,
        out: Path,
        device: str,
        console: Console,
        resume: bool,
        workers: int,
        extra: list[Path] | None,
    ) -> None:
        from seacall.learn.context import RunContext
        from seacall.models.device import choose_device

        self._live = console.live()
        self.context = RunContext(
            data=data,
            out=out,
            device=choose_device(device),
            observer=console,
            resume=resume,
            n_workers=workers,
            extra=tuple(extra or ()),
        )

    def __enter__(self) -> RunContext:
        self._live.__enter__()
        return self.context

    def __exit__(self, *details: Any) -> None:
        self._live.__exit__(*details)


def _print_card(card: Card, out: Path, *, as_json: bool) -> None:
    from seacall.learn.text import card_lines

    lines = [*card_lines(card), f"model: {out}", f"report: {out / 'report.html'}"]
    print_result(lines, card.model_dump(mode="json"), as_json=as_json)

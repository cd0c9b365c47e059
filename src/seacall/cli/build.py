"""The commands that make models: prepare, train, distill, evaluate, demo."""

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
from seacall.errors import SeacallError, require

if TYPE_CHECKING:
    from seacall.learn.context import RunContext
    from seacall.models.checkpoint import Card

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder to write into.")]
Config = Annotated[
    Path | None,
    typer.Option(help="Settings file (TOML), such as an earlier run's settings.toml."),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that read recordings.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where a stopped run was.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of all random choices.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Most epochs (60).")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Clips in a step (16).")]
LearningRate = Annotated[float | None, typer.Option(help="AdamW step size (0.001).")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but the result.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log more.")]
Dataset = Annotated[
    Path, typer.Argument(help="Dataset folder, as seacall prepare writes it.")
]


def prepare(
    source: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    out: Out,
    table: Annotated[
        Path | None,
        typer.Option(
            help="Table (CSV, Excel, Parquet) with file_name and species_name, or a "
            "Raven selection table. Default: one folder a species, or a table that "
            "lies in the source folder."
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Column of selection tables with the label. Default: the first usual "
            "one, such as Species."
        ),
    ] = None,
    split_by: Annotated[
        str | None,
        typer.Option(
            help="What must not be torn apart: deployment, recording, random (leaky) "
            "or auto: the first that is known."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Front end of the features (wide-48k).")
    ] = None,
    fit: Annotated[
        str | None, typer.Option(help="Short clips: pad, or tile (default).")
    ] = None,
    seed: Seed = None,
    workers: Workers = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a dataset in the out folder.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Build a dataset folder: splits, features, Excel tables; report what was found."""
    from seacall.data.prepare import PrepareSettings, prepare_dataset

    console = _console(quiet=quiet, verbose=verbose)
    settings = settings_from(
        PrepareSettings,
        config,
        {
            "label_column": label_column,
            "split_by": split_by,
            "front_end.profile": profile,
            "front_end.fit": fit,
            "seed": seed,
        },
    )
    with console.live():
        report = prepare_dataset(
            source,
            out,
            settings=settings,
            table=table,
            overwrite=overwrite,
            n_workers=workers,
            progress=lambda done, total: console.progress("prepare", done, total),
        )
    print_result(report.lines(), report.as_dict(), as_json=as_json)
    finish_with_failures([f.reason for f in report.failures], console)


def train(
    data: Dataset,
    out: Out,
    network: Annotated[
        str | None,
        typer.Option(help="vggish (the teacher), or student: without distillation."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="VGGish checkpoint: a path, or download. Default: random."),
    ] = None,
    convolutions: Annotated[
        str | None,
        typer.Option(
            help="frozen: train the layers behind them; trained: all; auto (default): "
            "frozen with a checkpoint, trained without."
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="original-16k, vggish-16k or wide-48k. Default: the dataset's."
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(help="Short clips: pad or tile. Default: the dataset's."),
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    seed: Seed = None,
    device: Device = "auto",
    workers: Workers = 1,
    resume: Resume = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a teacher on a dataset folder; the result is a model folder."""
    from seacall.config import TrainRun, read_toml
    from seacall.data.manifest import dataset_front_end

    console = _console(quiet=quiet, verbose=verbose)
    own_front_end = config is not None and "front_end" in read_toml(config)
    settings = settings_from(
        TrainRun,
        config,
        {
            "network": network,
            "teacher.weights": weights,
            "teacher.convolutions": convolutions,
            "front_end": None if own_front_end else dataset_front_end(data),
            "front_end.profile": profile,
            "front_end.fit": fit,
            **_loop(epochs, batch_size, learning_rate, seed),
        },
    )
    with _context(data, out, device, console, resume, workers) as context:
        from seacall.learn import runs

        keep_settings(settings, out, console, resume=resume)
        result = runs.train(settings, context)
    _print_card(result.card, out, as_json=as_json)
    finish_with_failures([f.reason for f in result.failures], console)


def distill(
    teacher: Annotated[Path, typer.Argument(help="Model folder of the teacher.")],
    data: Dataset,
    out: Out,
    temperature: Annotated[
        float | None, typer.Option(help="Distillation temperature (3).")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Weight of the teacher's answers (0.7).")
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
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

    console = _console(quiet=quiet, verbose=verbose)
    settings = settings_from(
        DistillRun,
        config,
        {
            "distill.distill_temperature": temperature,
            "distill.alpha": alpha,
            **_loop(epochs, batch_size, learning_rate, seed),
        },
    )
    with _context(data, out, device, console, resume, workers) as context:
        from seacall.learn import runs

        keep_settings(settings, out, console, resume=resume)
        result = runs.distill(teacher, settings, context)
    _print_card(result.card, out, as_json=as_json)
    finish_with_failures([f.reason for f in result.failures], console)


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    data: Dataset,
    out: Out,
    split: Annotated[
        str, typer.Option(help="Which recordings: test, val or train.")
    ] = "test",
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Smallest score that counts (the card's)."),
    ] = None,
    workers: Workers = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure a model on a dataset folder, beside look-ups that hear nothing."""
    console = _console(quiet=quiet, verbose=verbose)
    _require_training()
    from seacall.learn.dataset import load_dataset
    from seacall.learn.measure import REPORT_NAME, measure
    from seacall.learn.text import evaluation_lines
    from seacall.models.checkpoint import read_card

    if split not in {"train", "val", "test"}:
        raise SeacallError(f"split {split!r} does not exist; choose test, val or train")
    card = read_card(model)
    with console.live():
        dataset = load_dataset(
            data,
            card.front_end,
            observer=console,
            labels=card.labels,
            n_workers=workers,
        )
        evaluation = measure(
            model,
            dataset,
            out=out,
            observer=console,
            split=split,  # type: ignore[arg-type]
            threshold=threshold,
        )
    lines = [*evaluation_lines(evaluation), f"report: {out / REPORT_NAME}"]
    print_result(lines, evaluation.as_dict(), as_json=as_json)
    finish_with_failures([f.reason for f in dataset.failures], console)


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder to write into.")
    ] = Path("demo"),
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of real recordings. Default: simulated sounds."),
    ] = None,
    split_by: Annotated[
        str, typer.Option(help="deployment, recording, random (leaky) or auto.")
    ] = "auto",
    profile: Annotated[str | None, typer.Option(help="Front end (wide-48k).")] = None,
    device: Device = "auto",
    workers: Workers = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run the whole chain: prepare, train a teacher, distil, evaluate, classify."""
    console = _console(quiet=quiet, verbose=verbose)
    _require_training()
    from seacall.learn.demo import run_demo
    from seacall.models.device import choose_device

    with console.live():
        result = run_demo(
            out,
            data=data,
            split_by=split_by,
            profile=profile,
            seed=seed,
            device=choose_device(device),
            n_workers=workers,
            observer=console,
        )
    print_result(result.lines(), result.as_dict(), as_json=as_json)
    finish_with_failures(result.failures, console)


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


def _console(*, quiet: bool, verbose: bool) -> Console:
    import logging

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(message)s",
        force=True,
    )
    if quiet:
        logging.disable(logging.WARNING)
    return Console(quiet=quiet)


def _require_training() -> None:
    require("torch", "train")


def _context(
    data: Path,
    out: Path,
    device: str,
    console: Console,
    resume: bool,
    workers: int,
) -> _Running:
    _require_training()
    return _Running(data, out, device, console, resume, workers)


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

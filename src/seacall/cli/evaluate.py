"""The command that measures: a model on a split, or recipes over a whole dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from seacall.cli.console import (
    Console,
    finish_with_failures,
    keep_settings,
    print_result,
    settings_from,
)
from seacall.cli.judge import SimulatedUnknown, Unknown, measure_kinds
from seacall.cli.options import (
    Config,
    Device,
    Json,
    Out,
    Quiet,
    Start,
    Verbose,
    Workers,
    console_for,
    given_front_end,
    require_training,
)
from seacall.cli.quality import (
    Annotations,
    Detections,
    Iou,
    LeaveOut,
    Map,
    Negative,
    OnlyAnnotated,
    Window,
    compare,
    measure_settings,
    refuse_without_detections,
)
from seacall.errors import SeacallError, SettingsError


def evaluate(
    out: Out,
    model: Annotated[
        Path | None,
        typer.Argument(
            help="Model folder; with --protocol the dataset folder, with --detections "
            "TABLE the folder of its recordings."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(help="Dataset folder, as seacall prepare writes it."),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which recordings: test, val or train.")
    ] = "test",
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Smallest score that counts (the card's; with --protocol 0.7).",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            help="Train and measure over the whole dataset: deployments (each held out "
            "in turn), folds (of whole deployments), random (leaky). Repeat it for "
            "several."
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="What is trained in each fold: student, teacher, distilled, "
            "student-prototypes, student-distilled, efficientat (student). Repeat "
            "it for several."
        ),
    ] = None,
    n_folds: Annotated[
        int | None, typer.Option(min=2, help="Folds of a protocol (5).")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How often all is repeated (3).")
    ] = None,
    species_only: Annotated[
        str | None,
        typer.Option(
            help="all: species of one deployment are trained on, not scored; scored: "
            "they are left out (all)."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs in each fold (30).")
    ] = None,
    start: Start = None,
    unknown: Unknown = None,
    simulated_unknown: SimulatedUnknown = False,
    detections: Detections = None,
    annotations: Annotations = None,
    iou: Iou = None,
    window: Window = None,
    only_annotated: OnlyAnnotated = False,
    negative: Negative = None,
    leave_out: LeaveOut = None,
    map_: Map = None,
    config: Config = None,
    device: Device = "auto",
    workers: Workers = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure a model on a dataset folder, recipes over all of it, or detections.

    Look-ups that hear nothing stand beside the first two. A protocol that was stopped
    goes on where it was: give the same command again. With --detections what a run of
    seacall detect found, or a table of another program, is compared with annotations.
    """
    console = console_for(quiet=quiet, verbose=verbose)
    asked = measure_settings(
        iou=iou,
        window=window,
        only_annotated=only_annotated,
        negative=negative,
        leave_out=leave_out,
        names=map_,
    )
    own: dict[str, Any] = {
        "recipes": recipe,
        "n_folds": n_folds,
        "n_seeds": seeds,
        "species": species_only,
        "train.epochs": epochs,
        "student.start": None if start is None else str(start),
    }
    if detections is not None:
        if protocol:
            raise SettingsError("--protocol and --detections exclude each other")
        _refuse_without_protocol(own | {"config": config})
        compare(
            detections,
            annotations,
            model,
            out,
            console,
            asked,
            threshold=threshold,
            as_json=as_json,
        )
        return
    refuse_without_detections(asked | ({"annotations": 1} if annotations else {}))
    if not protocol:
        _refuse_without_protocol(own | {"config": config})
        if model is None or data is None:
            raise SettingsError(
                "give a model folder and a dataset folder; or, to measure over a whole "
                "dataset, the dataset folder and --protocol"
            )
        strange = unknown is not None or simulated_unknown
        kinds = _Kinds(unknown) if strange else None
        _evaluate_model(
            model, data, out, console, split, threshold, workers, kinds, as_json=as_json
        )
        return
    if unknown is not None or simulated_unknown:
        raise SettingsError(
            "unknown sounds are measured against a trained model; leave out --protocol"
        )
    if data is not None:
        raise SettingsError(
            f"{data}: with --protocol give the dataset folder only; "
            "its models are trained on the way"
        )
    if model is None:
        raise SettingsError("--protocol needs a dataset folder; give it")
    own |= {"protocols": protocol, "threshold": threshold}
    _evaluate_protocol(
        model, out, own, console, config, device, workers, as_json=as_json
    )


@dataclass(frozen=True)
class _Kinds:
    """Sounds that are no species: simulated ones, and those of a folder."""

    folder: Path | None


def _refuse_without_protocol(own: dict[str, Any]) -> None:
    given = [name for name, value in own.items() if value]
    if given:
        raise SettingsError(
            f"{', '.join(given)}: belong to --protocol; add it, or leave them out"
        )


def _evaluate_model(
    model: Path,
    data: Path,
    out: Path,
    console: Console,
    split: str,
    threshold: float | None,
    workers: int,
    kinds: _Kinds | None,
    *,
    as_json: bool,
) -> None:
    require_training()
    from seacall.learn.adjust import unknown_lines
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
        strange: dict[str, Any] = {}
        failures = [failure.reason for failure in dataset.failures]
        if kinds is not None:
            arrays = dataset.arrays(split)  # type: ignore[arg-type]
            strange, more = measure_kinds(
                model, arrays, root=data, folder=kinds.folder, out=out, console=console
            )
            failures += more
    lines = [*evaluation_lines(evaluation), *unknown_lines(strange)]
    values = evaluation.as_dict() | ({"unknown": strange} if strange else {})
    print_result([*lines, f"report: {out / REPORT_NAME}"], values, as_json=as_json)
    finish_with_failures(failures, console)


def _evaluate_protocol(
    data: Path,
    out: Path,
    own: dict[str, Any],
    console: Console,
    config: Path | None,
    device: str,
    workers: int,
    *,
    as_json: bool,
) -> None:
    require_training()
    from seacall.learn.context import RunContext
    from seacall.learn.protocol import ProtocolRun, run_protocol
    from seacall.learn.protocol_report import REPORT_NAME, write_protocol
    from seacall.learn.protocol_words import lines
    from seacall.models.device import choose_device

    start = own["student.start"]
    front_end = given_front_end(config, data, None if start is None else Path(start))
    settings = settings_from(ProtocolRun, config, own | {"front_end": front_end})
    keep_settings(settings, out, console, resume=False)
    context = RunContext(
        data=data,
        out=out,
        device=choose_device(device),
        observer=console,
        n_workers=workers,
    )
    with console.live():
        report = run_protocol(settings, context)
        write_protocol(report, out)
    text = [*lines(report), "", f"report: {out / REPORT_NAME}"]
    print_result(text, report.as_dict(), as_json=as_json)
    finish_with_failures([f.reason for f in report.pooled.failures], console)

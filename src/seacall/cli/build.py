"""The commands that make models: prepare, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import (
    finish_with_failures,
    print_result,
    settings_from,
)
from seacall.cli.options import (
    Config,
    Device,
    Json,
    Out,
    Quiet,
    Seed,
    Verbose,
    Workers,
    console_for,
    require_training,
)


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

    console = console_for(quiet=quiet, verbose=verbose)
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
    console = console_for(quiet=quiet, verbose=verbose)
    require_training()
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

"""The command that teaches a model new classes from a few clips: adapt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import finish_with_failures, print_result, settings_from
from seacall.cli.options import (
    Config,
    Json,
    Out,
    Quiet,
    Seed,
    Verbose,
    console_for,
)
from seacall.errors import SettingsError


def adapt(
    model: Annotated[
        str,
        typer.Argument(help="Model folder; shipped: the model in the package."),
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            help="Labelled clips: one folder a class (in it one a deployment), or a "
            "table, or a dataset of seacall prepare."
        ),
    ],
    out: Out,
    table: Annotated[
        Path | None,
        typer.Option(
            help="Table with file_name and species_name, or a Raven selection table."
        ),
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of selection tables with the label.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Teach classes anew that the model has already."
        ),
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="new", help="new: forget the old classes; what is left is unknown."
        ),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(
            help="Folder of recordings in which nothing of the classes calls."
        ),
    ] = None,
    old: Annotated[
        Path | None,
        typer.Option(help="Labelled clips of old classes, which must not fade."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(help="Labelled clips to measure on; copies are not learned from."),
    ] = None,
    fine_tune: Annotated[
        bool,
        typer.Option(
            "--fine-tune",
            help="Train a student's last layers too where that does better on what was "
            "held out; needs torch.",
        ),
    ] = False,
    most_false: Annotated[
        float | None,
        typer.Option(
            help="Share of background and other classes that may be answered with a "
            "new class (0.01)."
        ),
    ] = None,
    seed: Seed = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Teach a model new classes from a few labelled clips, without torch."""
    from seacall.adapt.adapt import adapt as write
    from seacall.adapt.settings import AdaptSettings

    console = console_for(quiet=quiet, verbose=verbose)
    if only not in (None, "new") or (only and replace):
        raise SettingsError(
            f"--only {only}: write --only new, and not together with --replace"
        )
    mode = "only" if only else "replace" if replace else None
    settings = settings_from(
        AdaptSettings,
        config,
        {
            "mode": mode,
            "label_column": label_column,
            "most_false": most_false,
            "fine_tune": fine_tune or None,
            "seed": seed,
        },
    )
    with console.live():
        found = write(
            None if model == "shipped" else Path(model),
            folder,
            out,
            settings=settings,
            table=table,
            old=old,
            negatives=negatives,
            test=test,
            tell=console.progress,
        )
    print_result(found.lines(), found.as_dict(), as_json=as_json)
    finish_with_failures([failure.reason for failure in found.failures], console)

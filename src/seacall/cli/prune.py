"""The command that makes a student smaller: prune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import keep_settings, print_result, settings_from
from seacall.cli.options import (
    Config,
    Dataset,
    Device,
    Epochs,
    Json,
    Out,
    Quiet,
    Seed,
    Verbose,
    console_for,
    require_training,
)


def prune(
    model: Annotated[Path, typer.Argument(help="Model folder of a student.")],
    data: Dataset,
    out: Out,
    keep: Annotated[
        float | None,
        typer.Option(help="Share of each convolution's channels that stays (0.5)."),
    ] = None,
    epochs: Epochs = None,
    seed: Seed = None,
    device: Device = "auto",
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Take channels out of a student; the rest learns to answer as the whole did."""
    require_training()
    from seacall.deploy.prune import PruneSettings
    from seacall.deploy.prune import prune as write
    from seacall.learn.context import RunContext
    from seacall.models.describe import describe
    from seacall.models.device import choose_device

    console = console_for(quiet=quiet, verbose=verbose)
    settings = settings_from(
        PruneSettings,
        config,
        {"keep": keep, "train.epochs": epochs, "train.seed": seed},
    )
    with console.live():
        keep_settings(settings, out, console, resume=False)
        context = RunContext(
            data=data, out=out, device=choose_device(device), observer=console
        )
        write(model, settings, context)
    found = describe(out)
    print_result(found.lines(), found.as_dict(), as_json=as_json)

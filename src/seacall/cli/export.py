"""The commands that take a model elsewhere: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import print_result
from seacall.cli.options import Config, Json, Quiet, Verbose, console_for

# Named here for the help, so that it shows without loading what kinds need.
KIND_NAMES = "onnx-network"


def export(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    to: Annotated[
        str, typer.Option(metavar=KIND_NAMES, help="Kind of file.")
    ] = "onnx-network",
    rate: Annotated[
        int | None,
        typer.Option(
            help="Sample rate, Hz, of the waveforms that the file takes, with filter "
            "and resampler inside. Default: the rate of the model's front end."
        ),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(help="Folder of recordings to prove it on, and to calibrate on."),
    ] = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a model as a file for other programs, proved to answer alike."""
    from seacall.cli.console import settings_from
    from seacall.deploy.exported import ExportSettings
    from seacall.deploy.kinds import export as write

    console = console_for(quiet=quiet, verbose=verbose)
    settings = settings_from(ExportSettings, config, {"rate": rate, "audio": audio})
    with console.live():
        result = write(model, out, to=to, settings=settings)
    print_result(result.lines(), result.as_dict(), as_json=as_json)

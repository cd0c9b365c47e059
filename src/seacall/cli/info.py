"""The command that says what a model is: info. It needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import print_result
from seacall.cli.options import Json


def info(
    model: Annotated[
        Path | None,
        typer.Argument(help="Model folder. Default: the model that is built in."),
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Model folder to compare sizes with.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a model is: classes, front end, size, figures."""
    from seacall.models.describe import describe

    description = describe(model, teacher=teacher)
    print_result(description.lines(), description.as_dict(), as_json=as_json)

"""The command that measures what a model costs on this machine: bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import print_result
from seacall.cli.options import Json


def bench(
    model: Annotated[
        Path | None,
        typer.Argument(help="Model folder. Default: the model that is built in."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Times that each stage runs; the median counts.")
    ] = 30,
    rate: Annotated[
        int, typer.Option(min=1_000, max=500_000, help="Of the recording, Hz.")
    ] = 48_000,
    as_json: Json = False,
) -> None:
    """Measure a model on one core: time by stage, memory, size."""
    from seacall.deploy.bench import bench as measure

    found = measure(model, rounds=rounds, sample_rate=rate)
    print_result(found.lines(), found.as_dict(), as_json=as_json)

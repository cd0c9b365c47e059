"""The commands that run models: detect, info. They need no torch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from seacall.cli.console import finish_with_failures, print_result
from seacall.cli.options import Json, Quiet, Verbose, console_for
from seacall.errors import SettingsError

Model = Annotated[
    Path | None,
    typer.Option(
        "-m", "--model", help="Model folder. Default: the model that is built in."
    ),
]


def detect(
    paths: Annotated[
        list[Path], typer.Argument(help="Recordings, or folders of them.")
    ],
    model: Model = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="CSV file to write. Default: print."),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds between clips' starts (clip length)."),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X|LABEL=X",
            help="Lowest score that is answered, of all classes or of one; may be "
            "given again (the card's).",
        ),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(min=1, help="Channel to listen to, from 1 (the card's, or mean)."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Classify recordings clip by clip, of any length and number."""
    from seacall.detect.files import classify_paths
    from seacall.models.backend import load_classifier
    from seacall.models.decide import with_channel, with_thresholds

    console = console_for(quiet=quiet, verbose=verbose)
    if hop is not None and not math.isfinite(hop):
        raise SettingsError(f"hop={hop}: need a number of seconds; choose such as 2.5")
    classifier = load_classifier(model)
    classifier.card = with_thresholds(classifier.card, threshold or ())
    if channel is not None:
        classifier.card = with_channel(classifier.card, channel)
    clips: list[dict[str, Any]] = []
    with console.live():
        result = classify_paths(
            paths,
            classifier,
            hop_s=hop,
            out=out,
            take=(lambda found: clips.append(found.as_dict(classifier.card)))
            if as_json
            else None,
            progress=console.progress,
        )
    lines = [] if out is None else [result.summary(), f"table: {out}"]
    values = result.as_dict() | ({"clips": clips} if out is None else {})
    print_result(lines, values, as_json=as_json)
    finish_with_failures(list(result.failures.values()), console)


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

"""The commands that take a model elsewhere: export, verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import print_result, settings_from
from seacall.cli.options import Config, Json, Quiet, Verbose, console_for
from seacall.errors import CheckpointError

# Named here for the help, so that it shows without loading what kinds need; a test
# compares.
KIND_NAMES = (
    *("onnx", "onnx-network", "onnx-int8", "onnx-fp16"),
    *("litert", "litert-int8", "litert-waveform", "torchscript", "pamguard"),
)

Audio = Annotated[
    Path | None,
    typer.Option(
        help="Folder of recordings to compare on too; those in a folder named like a "
        "class count for macro-F1."
    ),
]


def export(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")],
    to: Annotated[
        str, typer.Option(metavar="|".join(KIND_NAMES), help="Kind of file.")
    ] = "onnx",
    rate: Annotated[
        int | None,
        typer.Option(
            help="Sample rate, Hz, of the waveforms that the file takes, with filter "
            "and resampler inside. Default: the rate of the model's front end."
        ),
    ] = None,
    audio: Audio = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a model as a file for other programs, proved to answer alike."""
    from seacall.deploy.exported import ExportSettings
    from seacall.deploy.kinds import export as write

    console = console_for(quiet=quiet, verbose=verbose)
    settings = settings_from(ExportSettings, config, {"rate": rate, "audio": audio})
    with console.live():
        result = write(model, out, to=to, settings=settings)
    print_result(result.lines(), result.as_dict(), as_json=as_json)


def verify(
    a: Annotated[Path, typer.Argument(help="Model folder or exported file.")],
    b: Annotated[Path, typer.Argument(help="The one to compare with it.")],
    audio: Audio = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="JSON file for the report.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare two models end to end; exit code 1 if they do not answer alike."""
    from seacall.deploy.verify import verify as compare
    from seacall.files import written_whole

    console = console_for(quiet=quiet, verbose=verbose)
    with console.live():
        proof = compare(a, b, audio=audio)
    if out is not None:
        with written_whole(out) as part:
            part.write_text(json.dumps(proof.as_dict(), indent=2), encoding="utf-8")
    lines = proof.lines()
    print_result(
        lines[:-1] if proof.beyond else lines, proof.as_dict(), as_json=as_json
    )
    if proof.beyond:
        raise CheckpointError(proof.summary)

"""The commands that pass models on: push, pull."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import print_result
from seacall.cli.options import Json


def push(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    folder: Annotated[Path, typer.Argument(help="Repository to write into.")],
    as_json: Json = False,
) -> None:
    """Lay a model out as a repository for a model hub: page, config, weights."""
    from seacall.deploy.repository import card_sha256
    from seacall.deploy.repository import push as write

    paths = [str(path) for path in write(model, folder)]
    sha256 = card_sha256(folder)
    lines = [*paths, f"pull it with --sha256 {sha256}"]
    values = {"paths": paths, "sha256": sha256}
    print_result(lines, values, as_json=as_json)


def pull(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, or URL under which the files lie, such as "
            "https://huggingface.co/NAME/MODEL/resolve/main."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Model folder to make.")],
    sha256: Annotated[
        str | None,
        typer.Option(help="sha256 of its card.json, as push says; pins all files."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch a model from a folder or URL, and check it before it is kept."""
    from seacall.deploy.repository import pull as fetch
    from seacall.models.describe import describe

    fetch(source, out, sha256=sha256)
    found = describe(out)
    print_result(found.lines(), found.as_dict(), as_json=as_json)

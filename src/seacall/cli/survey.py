"""The command that looks at recordings before any compute: survey."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seacall.cli.console import finish_with_failures, print_result
from seacall.cli.options import Json, Quiet, Verbose, console_for
from seacall.errors import SettingsError

if TYPE_CHECKING:
    from seacall.detect.survey import Survey


def survey(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Recordings, folders, URLs such as s3://bucket/folder, or @list.txt."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for survey.csv, survey.json and the picture survey.html.",
        ),
    ] = None,
    file_list: Annotated[
        Path | None,
        typer.Option(help="Text file with one recording a line, beside PATHS."),
    ] = None,
    timezone: Annotated[
        str,
        typer.Option(help="Zone of times that carry none: a name, or such as -05:00."),
    ] = "UTC",
    time_pattern: Annotated[
        str | None,
        typer.Option(help='How names hold the time, such as "*yyyyMMdd_HHmmss".'),
    ] = None,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Listen to everything, not to a few seconds of each."
        ),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what recordings there are, when they were made, and what is wrong."""
    from seacall.detect.survey import survey as run_survey
    from seacall.detect.survey_report import as_dict

    console = console_for(quiet=quiet, verbose=verbose)
    arguments = [*(paths or ()), *([f"@{file_list}"] if file_list else ())]
    if not arguments:
        raise SettingsError("nothing to survey; give recordings, folders or a list")
    with console.live():
        found = run_survey(
            arguments,
            pattern=time_pattern,
            timezone=timezone,
            thorough=thorough,
            n_workers=workers,
            progress=console.progress,
        )
    written = _write(found, out) if out is not None else []
    if as_json:
        print_result([], as_dict(found), as_json=True)
    else:
        _print(found)
        if written:
            print(f"\nwritten: {', '.join(map(str, written))}")
    finish_with_failures(found.failures, console)


def _write(found: Survey, out: Path) -> list[Path]:
    from seacall.detect.survey_picture import write_picture
    from seacall.detect.survey_report import write_tables

    try:
        out.mkdir(parents=True, exist_ok=True)
        return [*write_tables(found, out), *write_picture(found, out)]
    except OSError as error:
        raise SettingsError(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def _print(found: Survey) -> None:
    """Print tables: drawn on a terminal, aligned by spaces elsewhere."""
    from seacall.detect.survey_report import (
        deployment_rows,
        plain_table,
        problem_rows,
        totals,
    )

    print("\n".join([*totals(found), ""]))
    names, rows = deployment_rows(found)
    problems = problem_rows(found)
    heads = ("problem", "files", "meaning and first files")
    if sys.stdout.isatty():
        _print_rich(names, rows)
        _print_rich(heads, problems)
        return
    print("\n".join(plain_table(names, rows)))
    if problems:
        print("\n".join(["", *plain_table(heads, problems)]))


def _print_rich(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    kept = [k for k in range(len(names)) if any(row[k] for row in rows)]
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k in kept:
        right = names[k] in {"files", "recorded"}
        table.add_column(names[k], justify="right" if right else "left")
    for row in rows:
        table.add_row(*(Text(row[k]) for k in kept))
    Console().print(table)

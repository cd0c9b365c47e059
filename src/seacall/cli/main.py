"""The program ``seacall``: its verbs, and how errors become exit codes.

Exit codes: 0 done; 1 error, one line on stderr; 2 wrong usage; 3 finished, but some
files failed; 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import metadata
from typing import Annotated

import typer

from seacall.cli import (
    adapt,
    bench,
    build,
    committee,
    detect,
    evaluate,
    export,
    info,
    judge,
    listen,
    prior,
    prune,
    repository,
    review,
    search,
    serve,
    simulate,
    survey,
    train,
)
from seacall.cli.console import EXIT_INTERRUPTED, EXIT_USAGE, guarded

app = typer.Typer(
    name="seacall",
    help="Train, distil, check and run small classifiers of marine mammal sounds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"seacall {metadata.version('seacall')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show it."),
    ] = False,
) -> None:
    pass


# typer brings a copy of click of its own, under no public name.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

for verb in (
    build.demo,
    simulate.simulate,
    build.prepare,
    train.train,
    train.pretrain,
    train.distill,
    evaluate.evaluate,
    judge.calibrate,
    committee.committee,
    survey.survey,
    detect.detect,
    listen.listen,
    review.review,
    search.search,
    serve.serve,
    prior.prior,
    info.info,
    bench.bench,
    export.export,
    export.verify,
    adapt.adapt,
    prune.prune,
    repository.push,
    repository.pull,
):
    app.command()(verb)


def main(arguments: list[str] | None = None) -> None:
    """Run the program with the command line's arguments, and exit."""
    code = 0
    # Before numpy is loaded: its products here are so small that threads only cost.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _let_any_file_name_through()

    def call() -> None:
        nonlocal code
        code = app(arguments, standalone_mode=False) or 0
        if code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt

    try:
        sys.exit(guarded(call) or code)
    except typer.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except _UsageError as error:
        error.show()  # type: ignore[attr-defined]
        sys.exit(EXIT_USAGE)


def _let_any_file_name_through() -> None:
    """Print names that are no text (on Linux they are bytes) instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        utf8 = sys.stdout.encoding.lower() == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")


if __name__ == "__main__":
    main()

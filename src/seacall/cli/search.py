"""The command that finds more like an example, and chooses what to label next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seacall.cli.console import Console, print_result
from seacall.cli.options import Json, Quiet, Verbose, console_for
from seacall.errors import SettingsError

if TYPE_CHECKING:
    from seacall.search.batch import Pick
    from seacall.search.find import Hit, Wanted
    from seacall.search.index import Index

_N = 50


def search(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders that seacall detect -o --embeddings wrote."),
    ],
    like: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLIP",
            help="What to look for: FILE, FILE@FROM-TO in seconds, or "
            "RUN:RECORDING@FROM-TO; may be given again.",
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(metavar="CLIP", help="What not to find; may be given again."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", min=1, max=100_000, help="Results (50).")
    ] = None,
    next_: Annotated[
        int | None,
        typer.Option(
            "--next",
            min=1,
            max=1_000,
            help="Choose so many clips to label next, in place of a search.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="With --next: table of what is labelled already."),
    ] = None,
    species: Annotated[
        list[str] | None,
        typer.Option(help="Only what the model takes for this; may be given again."),
    ] = None,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Lowest score of the model's guess.")
    ] = 0.0,
    max_score: Annotated[
        float, typer.Option(min=0, max=1, help="Highest score of the model's guess.")
    ] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="File for the results: .txt (Raven), .csv or .parquet; with --next "
            ".csv.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("-m", "--model", help="Where the runs' model lies now."),
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Only make the index, or bring it up.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of --next.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find more like a clip in what was listened to, or choose what to label next."""
    console = console_for(quiet=quiet, verbose=verbose)
    _check(like, unlike, next_, labels, n, build=build)
    _check_out(out, batch=next_ is not None)
    from seacall.search.find import Wanted, find_like, open_indexes
    from seacall.search.graph import opened_usearch

    opened_usearch()

    if min_score > max_score:
        raise SettingsError(f"--min-score {min_score} is above --max-score {max_score}")
    wanted = Wanted(tuple(species or ()), min_score, max_score)
    with console.live():
        indexes = open_indexes(runs, watch=console.progress)
    for note in (note for index in indexes for note in index.notes):
        console.say(note)
    if build:
        _print_indexes(indexes, as_json=as_json)
    elif next_ is not None:
        _choose(indexes, next_, labels, wanted, seed, out, as_json=as_json)
    else:
        hits = find_like(
            indexes,
            like=like or (),
            unlike=unlike or (),
            n=n or _N,
            wanted=wanted,
            model=model,
        )
        _print_hits(hits, out, console, as_json=as_json)


def _check(
    like: list[str] | None,
    unlike: list[str] | None,
    next_: int | None,
    labels: Path | None,
    n: int | None,
    *,
    build: bool,
) -> None:
    """Refuse options that do not go together."""
    ways = [like is not None, next_ is not None, build]
    if sum(ways) != 1:
        raise typer.BadParameter("give one of --like CLIP, --next N and --build")
    if unlike and like is None:
        raise typer.BadParameter("--unlike needs a --like to keep away from")
    if labels is not None and next_ is None:
        raise typer.BadParameter("--labels goes with --next")
    if n is not None and like is None:
        raise typer.BadParameter("-n goes with --like; give --next N")


def _check_out(out: Path | None, *, batch: bool) -> None:
    """Refuse a name before anything is searched for."""
    from seacall.search.endings import check_batch, check_ending

    if out is not None:
        (check_batch if batch else check_ending)(out)


def _choose(
    indexes: Sequence[Index],
    n: int,
    labels: Path | None,
    wanted: Wanted,
    seed: int,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    from seacall.search.batch import next_batch
    from seacall.search.outputs import pick_row, write_batch

    picks = next_batch(indexes, n, labels=labels, wanted=wanted, seed=seed)
    lines = _pick_lines(picks)
    if out is not None:
        write_batch(out, picks)
        lines.append(f"written: {out}; fill in species_name")
    values: dict[str, Any] = {"clips": [pick_row(pick) for pick in picks]}
    print_result(lines, values, as_json=as_json)


def _print_indexes(indexes: Sequence[Index], *, as_json: bool) -> None:
    values: list[dict[str, Any]] = [
        {
            "run": str(index.run),
            "n_clips": index.header.n_rows,
            "length": index.header.length,
            "model": index.header.model,
            "bytes": sum(mark.size for mark in index.header.files.values()),
        }
        for index in indexes
    ]
    lines = [
        f"{one['run']}: {one['n_clips']:,} clips, {one['length']} numbers each, "
        f"{one['bytes'] / 1e6:.1f} MB ({one['model']})"
        for one in values
    ]
    print_result(lines, {"indexes": values}, as_json=as_json)


def _print_hits(
    hits: Sequence[Hit], out: Path | None, console: Console, *, as_json: bool
) -> None:
    from seacall.search.outputs import hit_row, write_hits

    lines = _hit_lines(hits)
    if not hits:
        console.say("nothing is left to be found; widen --species or the scores")
    if out is not None:
        write_hits(out, hits)
        lines.append(f"written: {out}")
    rows = [hit_row(rank, hit) for rank, hit in enumerate(hits, start=1)]
    print_result(lines, {"hits": rows}, as_json=as_json)


def _hit_lines(hits: Sequence[Hit]) -> list[str]:
    rows = [
        (
            str(rank),
            f"{hit.similarity:.3f}",
            _when(hit),
            hit.path.name,
            f"{hit.label} {hit.score:.2f}",
        )
        for rank, hit in enumerate(hits, start=1)
    ]
    return _aligned(("rank", "alike", "seconds", "recording", "model's guess"), rows)


def _pick_lines(picks: Sequence[Pick]) -> list[str]:
    rows = [
        (
            pick.why,
            _when(pick.hit),
            pick.hit.path.name,
            f"{pick.guess} {pick.score:.2f}",
        )
        for pick in picks
    ]
    return _aligned(("why", "seconds", "recording", "guess"), rows)


def _when(hit: Hit) -> str:
    return f"{hit.start_s:.1f}-{hit.end_s:.1f}"


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Set rows below one another; without any there is no head either."""
    if not rows:
        return []
    table = [head, *rows]
    widths = [max(len(row[k]) for row in table) for k in range(len(head))]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]

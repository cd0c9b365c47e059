"""The command that makes recordings: simulate."""

from __future__ import annotations

from typing import Annotated

import typer

from seacall.cli.console import print_result, store_settings
from seacall.cli.options import Json, Out, Quiet, Verbose, console_for


def simulate(
    out: Out,
    species: Annotated[
        list[str] | None,
        typer.Option(help='Such as "Ross Seal"; may be repeated. Default: all.'),
    ] = None,
    n_clips: Annotated[
        int, typer.Option(min=1, help="Mean files of a species in a deployment.")
    ] = 8,
    n_deployments: Annotated[
        int, typer.Option(min=1, help="Recorders, each at a place of its own.")
    ] = 12,
    repertoire: Annotated[
        str,
        typer.Option(help="full, or plain: of ten species what sets them apart."),
    ] = "full",
    names: Annotated[
        str,
        typer.Option(
            help='Labels: simulated ("Simulated Beluga"), real ("Beluga"), or watkins '
            '("Beluga_White_Whale", as the folders of that database).'
        ),
    ] = "simulated",
    recorders: Annotated[
        str,
        typer.Option(
            help="modern (moored, 32-96 kHz), or any: also old tape, hand-held, pools, "
            "towed arrays, 5-96 kHz."
        ),
    ] = "any",
    snr_db: Annotated[
        tuple[float, float],
        typer.Option(help="Least and most signal-to-noise ratio of the calls, dB."),
    ] = (-3.0, 30.0),
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write simulated recordings, a folder for each species, to train on or to try."""
    from seacall.audio.repertoire import KINDS
    from seacall.config import checked
    from seacall.data.simulate import SimulationSettings, simulate_dataset

    console = console_for(quiet=quiet, verbose=verbose)
    values = {
        "n_species": len(KINDS),
        "species": species or (),
        "n_clips": n_clips,
        "n_deployments": n_deployments,
        "repertoire": repertoire,
        "names": names,
        "recorders": recorders,
        "snr_db": snr_db,
        "seed": seed,
    }
    settings = checked(SimulationSettings, values)
    with console.live():
        table = simulate_dataset(
            out,
            settings=settings,
            n_workers=workers,
            progress=lambda done, total: console.progress("simulate", done, total),
        )
    store_settings(settings, out)
    n_files = sum(1 for _ in out.rglob("*.wav"))
    print_result(
        [f"{n_files} files, table: {table}"],
        {"n_files": n_files, "table": str(table)},
        as_json=as_json,
    )

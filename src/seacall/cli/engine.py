"""Options that say where an archive is listened to: here, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from seacall.errors import SettingsError, require

if TYPE_CHECKING:
    from seacall.detect.archive import Engine
    from seacall.detect.store import Store

ENGINES = ("local", "ray")

EngineName = Annotated[
    str,
    typer.Option(
        metavar="|".join(ENGINES),
        help="Where scores are made: by processes here, or on a Ray cluster.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT|auto",
        help="Ray cluster to join (start one on this machine).",
    ),
]
ScratchFolder = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|URL",
        help="Where workers on other machines put their results, if they do not "
        "share OUT (OUT/units).",
    ),
]


def engine_for(
    name: str, *, address: str | None, scratch: str | None, workers: int | None
) -> Callable[[Store], Engine | None]:
    """Return what makes the engine of a run's ledger; None: the one of this machine.

    Raises
    ------
    SettingsError
        If there is no such engine, or options do not fit it.
    MissingExtraError
        If Ray is not installed.
    """
    if name not in ENGINES:
        raise SettingsError(f"engine {name!r}: choose one of {', '.join(ENGINES)}")
    if name == "local":
        if address is not None or scratch is not None:
            raise SettingsError(
                "--address and --scratch are for clusters; add --engine ray"
            )
        return lambda _: None
    require("ray", "cluster")

    def engine(store: Store) -> Engine:
        from seacall.audio.io import location
        from seacall.detect.cluster import Cluster

        folder = None if scratch is None else location(scratch)
        return Cluster(store, address=address, scratch=folder, n_workers=workers)

    return engine

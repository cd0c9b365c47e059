"""Options that say where one listens, and the command that learns seasons: prior."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seacall.cli.console import print_result
from seacall.cli.options import Json
from seacall.errors import SettingsError

NONE = "none"

PriorTable = Annotated[
    str | None,
    typer.Option(
        "--prior",
        metavar="TABLE|none",
        help="Table (CSV) of how likely species are by month, place and depth.",
    ),
]
Latitude = Annotated[
    float | None, typer.Option(help="Of the recorder, degrees, south negative.")
]
Longitude = Annotated[
    float | None, typer.Option(help="Of the recorder, degrees, west negative.")
]
Depth = Annotated[float | None, typer.Option(help="Of the water there, m.")]
Strength = Annotated[
    float | None,
    typer.Option(help="How far the table is believed: 0 not at all, 1 (1)."),
]


def prior_of(
    table: str | None,
    *,
    latitude: float | None,
    longitude: float | None,
    depth: float | None,
    strength: float | None,
) -> dict[str, Any]:
    """Return what the options change in settings, by dotted name.

    Raises
    ------
    SettingsError
        If the table is wrong, or a place is given without one.
    """
    place = {
        "latitude_deg": latitude,
        "longitude_deg": longitude,
        "depth_m": depth,
        "strength": strength,
    }
    said = {name: value for name, value in place.items() if value is not None}
    if table is None or table == NONE:
        if said:
            raise SettingsError(
                f"{', '.join(said)}: of use with a table only; give --prior TABLE"
            )
        return {} if table is None else {"detect.prior": NONE}
    from seacall.prior import read_prior

    return {"detect.prior": read_prior(Path(table), **said).model_dump()}


def prior(
    table: Annotated[
        Path,
        typer.Argument(
            help="Labelled sounds: species_name, and month or date or start_utc; "
            "deployment or recording if known."
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Table (CSV) for detect --prior.")
    ],
    smoothing: Annotated[
        float,
        typer.Option(
            min=0.01, help="Sounds in a month by which half of it is believed."
        ),
    ] = 20.0,
    as_json: Json = False,
) -> None:
    """Learn from labelled sounds in which months each species is heard."""
    from seacall.data.seasons import learn_seasons, write_prior

    rows = learn_seasons(table, smoothing=smoothing)
    write_prior(out, rows)
    species = sorted({row.label for row in rows})
    months = sorted({month for row in rows for month in row.months})
    line = f"{out}: weights of {len(species)} species in {len(months)} months"
    print_result([line], {"species": species, "months": months}, as_json=as_json)

"""How likely each species is at a place, in a month, at a depth: weights of scores."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from seacall.errors import SettingsError
from seacall.settings import Settings, checked

Month = Annotated[int, Field(ge=1, le=12)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]

COLUMNS = (
    *("label", "months", "south", "north", "west", "east"),
    *("min_depth_m", "max_depth_m", "weight"),
)
"""Of a table of priors; all but ``label`` and ``weight`` may be empty or missing."""
_LONGEST_TABLE = 10_000


class PriorRow(Settings):
    """How many times more likely a class is where and when all that is named fits."""

    label: str = Field(min_length=1)
    """Class."""
    months: tuple[Month, ...] = ()
    """1 to 12; none: all year."""
    south: Latitude | None = None
    north: Latitude | None = None
    """Degrees, south negative; all four edges or none."""
    west: Longitude | None = None
    east: Longitude | None = None
    """Degrees, west negative; west above east spans the date line."""
    min_depth_m: float | None = Field(default=None, ge=0, le=12_000)
    max_depth_m: float | None = Field(default=None, ge=0, le=12_000)
    """Of the water, m."""
    weight: float = Field(ge=0, le=1e6)
    """Odds here over odds among the recordings that the model was trained on: 1 as
    there, 0.1 ten times rarer."""

    @model_validator(mode="after")
    def _edges_go_together(self) -> Self:
        edges = (self.south, self.north, self.west, self.east)
        if self.box is None and edges != (None,) * 4:
            raise ValueError("give south, north, west and east, or none of them")
        if self.box is not None and self.box[0] > self.box[1]:
            raise ValueError(f"south {self.south:g} lies above north {self.north:g}")
        low, high = self.min_depth_m, self.max_depth_m
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_depth_m {low:g} is above max_depth_m {high:g}")
        return self

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """South, north, west and east, degrees; None: all the world."""
        south, north, west, east = self.south, self.north, self.west, self.east
        if south is None or north is None or west is None or east is None:
            return None
        return south, north, west, east

    @property
    def asks_depth(self) -> bool:
        """Whether it holds for some depths only."""
        return self.min_depth_m is not None or self.max_depth_m is not None


class SpeciesPrior(Settings):
    """Weights of classes for where one listens.

    Of the rows that fit, the last one of a class counts; a class without one has the
    weight 1, and so has ``unknown`` always: what species lose goes to all others.
    """

    rows: tuple[PriorRow, ...] = Field(max_length=_LONGEST_TABLE)
    """The table."""
    latitude_deg: Latitude | None = None
    """Where one listens, south negative."""
    longitude_deg: Longitude | None = None
    """West negative."""
    depth_m: float | None = Field(default=None, ge=0, le=12_000)
    """Depth of the water there."""
    strength: float = Field(default=1.0, ge=0, le=1)
    """Power of the weights: 0 leaves scores as they are, 1 takes the table at its
    word."""
    floor: float = Field(default=0.01, gt=0, le=1)
    """Lowest weight: a sound that is clear enough is answered where no one expects
    it."""

    @model_validator(mode="after")
    def _the_table_can_be_read_here(self) -> Self:
        placed = self.latitude_deg is not None and self.longitude_deg is not None
        if any(row.box for row in self.rows) and not placed:
            raise ValueError(
                "the table names places; give latitude and longitude of the recorder"
            )
        if any(row.asks_depth for row in self.rows) and self.depth_m is None:
            raise ValueError("the table names depths; give the depth of the water")
        return self

    def check_labels(self, labels: Sequence[str]) -> None:
        """Refuse rows for classes that the model does not have.

        Raises
        ------
        SettingsError
            It names the classes that the model has.
        """
        for row in self.rows:
            if row.label not in labels[:-1]:
                raise SettingsError(
                    f"prior {row.label!r}: the model has no such species; it has "
                    f"{', '.join(labels[:-1])}"
                )

    def weights(self, labels: Sequence[str], month: int | None) -> list[float]:
        """Return the weight of each class.

        Parameters
        ----------
        labels
            The model's, ``unknown`` last.
        month
            1 to 12; None: not known, which gives the mean over the year.

        Returns
        -------
        weights
            One for each class, above 0.

        Examples
        --------
        >>> rows = [{"label": "Fin_Whale", "months": (6, 7), "weight": 0.1}]
        >>> prior = SpeciesPrior(rows=rows)
        >>> prior.weights(["Fin_Whale", "Blue_Whale", "unknown"], 7)
        [0.1, 1.0, 1.0]
        """
        months = range(1, 13) if month is None else [month]
        every = zip(*(self._in_month(labels, one) for one in months), strict=True)
        return [sum(ones) / len(ones) for ones in every]

    def _in_month(self, labels: Sequence[str], month: int) -> list[float]:
        named = {row.label: row.weight for row in self.rows if self._fits(row, month)}
        weights = [*(named.get(label, 1.0) for label in labels[:-1]), 1.0]
        return [max(weight, self.floor) ** self.strength for weight in weights]

    def _fits(self, row: PriorRow, month: int) -> bool:
        if row.months and month not in row.months:
            return False
        return self._lies_in(row) and self._is_as_deep(row)

    def _lies_in(self, row: PriorRow) -> bool:
        latitude, longitude = self.latitude_deg, self.longitude_deg
        if row.box is None or latitude is None or longitude is None:
            return row.box is None
        south, north, west, east = row.box
        if not south <= latitude <= north:
            return False
        if west <= east:
            return west <= longitude <= east
        return longitude >= west or longitude <= east

    def _is_as_deep(self, row: PriorRow) -> bool:
        if self.depth_m is None:
            return not row.asks_depth
        low = 0.0 if row.min_depth_m is None else row.min_depth_m
        high = math.inf if row.max_depth_m is None else row.max_depth_m
        return low <= self.depth_m <= high


def read_prior(path: Path, **place: Any) -> SpeciesPrior:
    """Read a table of priors: CSV with a header, columns as in `COLUMNS`.

    Parameters
    ----------
    place
        The other settings of `SpeciesPrior`.

    Raises
    ------
    SettingsError
        If it cannot be read, or a row says what cannot be; names file and line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(csv.DictReader(file), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(
            f"{path}: is no table of priors ({error}); give a CSV with the columns "
            f"{', '.join(COLUMNS)}"
        ) from error
    return checked(SpeciesPrior, {"rows": rows} | place)


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str, Any]]:
    names = reader.fieldnames or []
    wrong = [name for name in names if name not in COLUMNS]
    if wrong or not {"label", "weight"} <= set(names):
        raise SettingsError(
            f"{path}: columns {', '.join(names) or 'none'}; need label and weight, and "
            f"may have {', '.join(c for c in COLUMNS if c not in ('label', 'weight'))}"
        )
    for row in reader:
        values = {name: text for name, text in row.items() if name and text}
        try:
            months = months_of(values.pop("months", ""))
            checked(PriorRow, values | {"months": months})
        except (SettingsError, ValueError) as error:
            raise SettingsError(f"{path}, line {reader.line_num}: {error}") from error
        yield values | {"months": months}


def months_of(text: str) -> tuple[int, ...]:
    """Read months: numbers and spans, which may run over the new year.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> months_of("11-2 6")
    (11, 12, 1, 2, 6)
    """
    found: list[int] = []
    for part in text.replace(";", " ").replace(",", " ").split():
        ends = [int(end) if end.isdecimal() else 0 for end in part.split("-")]
        if len(ends) > 2 or not all(1 <= end <= 12 for end in ends):
            raise ValueError(f"months {text!r}: give such as 6 7 8, or 11-2")
        length = (ends[-1] - ends[0]) % 12 + 1
        found += [(ends[0] - 1 + k) % 12 + 1 for k in range(length)]
    return tuple(dict.fromkeys(found))

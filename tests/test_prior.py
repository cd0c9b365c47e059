"""Weights of species by place, month and depth."""

from __future__ import annotations

import pytest

from seacall.errors import SettingsError
from seacall.prior import (
    COLUMNS,
    PriorRow,
    SpeciesPrior,
    months_of,
    read_prior,
)

LABELS = ("Fin_Whale", "Ross_Seal", "unknown")


def prior(*rows: dict[str, object], **place: object) -> SpeciesPrior:
    return SpeciesPrior(rows=tuple(PriorRow(**row) for row in rows), **place)


def weight(one: SpeciesPrior, label: str = "Ross_Seal", month: int | None = 7) -> float:
    return one.weights(LABELS, month)[LABELS.index(label)]


def test_a_clip_without_a_date_gets_the_mean_of_the_year():
    half = prior({"label": "Ross_Seal", "months": tuple(range(1, 7)), "weight": 0.5})
    assert weight(half, month=None) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [(-70, 0, 3.0), (-70, 180, 3.0), (-50, 0, 1.0), (70, 0, 1.0)],
)
def test_a_box_counts_inside_of_its_edges(latitude, longitude, expected):
    box = {"south": -90, "north": -60, "west": -180, "east": 180}
    one = prior(
        {"label": "Ross_Seal", "weight": 3, **box},
        latitude_deg=latitude,
        longitude_deg=longitude,
    )
    assert weight(one) == expected


@pytest.mark.parametrize(("longitude", "inside"), [(179, 1), (-179, 1), (0, 0)])
def test_a_box_may_span_the_date_line(longitude, inside):
    box = {"south": -10, "north": 10, "west": 170, "east": -170}
    one = prior(
        {"label": "Ross_Seal", "weight": 3, **box},
        latitude_deg=0,
        longitude_deg=longitude,
    )
    assert weight(one) == (3 if inside else 1)


@pytest.mark.parametrize(("depth_m", "expected"), [(50, 1.0), (200, 0.2), (900, 0.2)])
def test_depth_counts_from_its_edge_on(depth_m, expected):
    row = {"label": "Ross_Seal", "min_depth_m": 200, "weight": 0.2}
    assert weight(prior(row, depth_m=depth_m)) == expected


def test_of_rows_that_fit_the_last_counts():
    one = prior(
        {"label": "Ross_Seal", "weight": 0.1},
        {"label": "Ross_Seal", "months": (7, 8), "weight": 2},
    )
    assert (weight(one, month=7), weight(one, month=1)) == (2, 0.1)


def test_no_species_becomes_impossible():
    one = prior({"label": "Ross_Seal", "weight": 0})
    assert weight(one) == 0.01


def test_half_strength_is_half_of_the_way_on_a_logarithmic_scale():
    row = {"label": "Ross_Seal", "weight": 0.04}
    assert weight(prior(row, strength=0.5)) == pytest.approx(0.2)
    assert weight(prior(row, strength=0)) == 1


def test_unknown_is_never_weighed():
    with pytest.raises(SettingsError, match="unknown"):
        prior({"label": "unknown", "weight": 2}).check_labels(LABELS)


def test_a_species_that_the_model_lacks_is_named():
    with pytest.raises(SettingsError, match=r"'Orca'.*no such species.*Fin_Whale"):
        prior({"label": "Orca", "weight": 2}).check_labels(LABELS)


# ---------------------------------------------------------------------- tables


def written(tmp_path, text: str):
    path = tmp_path / "prior.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_needs_only_labels_and_weights(tmp_path):
    path = written(tmp_path, "label,weight,months\nRoss_Seal,0.1,11-2\n")
    one = read_prior(path)
    assert one.rows[0].months == (11, 12, 1, 2)
    assert weight(one, month=12) == 0.1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("label\nA\n", "need label and weight"),
        ("label,weight,colour\nA,1,red\n", "colour"),
        ("label,weight\nA,much\n", "line 2.*much"),
        ("label,weight,months\nA,1,13\n", "line 2.*13"),
        ("label,weight,south\nA,1,5\n", "line 2.*north"),
        ("label,weight\nA,-1\n", "line 2"),
        (
            "label,weight,south,north,west,east\nA,1,5,4,0,1\n",
            "line 2.*south 5 lies above north 4",
        ),
        ("label,weight,min_depth_m\nA,1,100\n", "depth of the water"),
        ("label,weight,south,north,west,east\nA,1,1,4,0,1\n", "latitude and longitude"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_in_one_line(tmp_path, text, named):
    with pytest.raises(SettingsError, match=named) as error:
        read_prior(written(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.csv"):
        read_prior(tmp_path / "none.csv")


def test_a_place_off_the_globe_is_refused(tmp_path):
    path = written(tmp_path, "label,weight\nA,1\n")
    with pytest.raises(SettingsError, match=r"latitude_deg.*91"):
        read_prior(path, latitude_deg=91.0)


def test_the_columns_are_the_fields_of_a_row():
    assert set(COLUMNS) == set(PriorRow.model_fields)


@pytest.mark.parametrize("text", ["0", "13", "1-", "x", "3-13", "-3"])
def test_months_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="months"):
        months_of(text)

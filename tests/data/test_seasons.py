"""Weights of months, learned from labelled sounds."""

from __future__ import annotations

import pytest

from seacall.data.seasons import learn_seasons, learned_rows, write_prior
from seacall.errors import AnnotationError
from seacall.prior import SpeciesPrior, read_prior


def weights(rows) -> dict[tuple[str, int], float]:
    return {(row.label, row.months[0]): row.weight for row in rows}


def test_with_much_data_the_weight_is_the_share_in_the_month_over_that_in_the_year():
    labels = ["Fin"] * 3_000 + ["Ross"] * 1_000 + ["Fin"] * 1_000 + ["Ross"] * 3_000
    months = [1] * 4_000 + [7] * 4_000
    found = weights(learned_rows(labels, months))
    assert found["Fin", 1] == pytest.approx(0.75 / 0.5, rel=0.01)
    assert found["Ross", 1] == pytest.approx(0.25 / 0.5, rel=0.01)
    assert found["Ross", 7] == pytest.approx(0.75 / 0.5, rel=0.01)


def test_one_sound_in_a_month_says_little():
    found = weights(learned_rows(["Fin"] * 50 + ["Ross"] * 51, [1] * 100 + [7]))
    assert 1 < found["Ross", 7] < 1.25
    assert 0.8 < found["Fin", 7] < 1


def test_weights_leave_the_shares_of_a_month_summing_to_one():
    labels = ["Fin", "Fin", "Ross", "Minke", "Ross", "Fin"]
    months = [1, 1, 1, 2, 2, None]
    found = weights(learned_rows(labels, months))
    shares = {"Fin": 2 / 5, "Ross": 2 / 5, "Minke": 1 / 5}
    for month in (1, 2):
        total = sum(shares[name] * found[name, month] for name in shares)
        assert total == pytest.approx(1)


def written(tmp_path, *lines: str):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_calls_of_one_encounter_count_once(tmp_path):
    many = written(
        tmp_path,
        "species_name,date,deployment",
        *["Fin,2024-01-05,a"] * 40,
        "Ross,2024-01-09,b",
        "unknown,2024-03-09,c",
    )
    found = weights(learn_seasons(many))
    assert found == pytest.approx({("Fin", 1): 1.0, ("Ross", 1): 1.0})


def test_what_is_learned_is_what_is_read_back(tmp_path):
    table = written(tmp_path, "label,month", *["Fin,1"] * 9, *["Ross,7"] * 9, "Fin,")
    rows = learn_seasons(table)
    write_prior(tmp_path / "new" / "prior.csv", rows)
    prior = read_prior(tmp_path / "new" / "prior.csv")
    labels = ("Fin", "Ross", "unknown")
    for month in (1, 4, 7):
        expected = SpeciesPrior(rows=tuple(rows)).weights(labels, month)
        assert prior.weights(labels, month) == pytest.approx(expected, rel=1e-3)
    assert prior.weights(labels, 4) == [1, 1, 1]


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (("name,month", "Fin,1"), "species_name or label"),
        (("label,place", "Fin,1"), "month or start_utc or date"),
        (("label,month", "Fin,13"), "row 2.*13"),
        (("label,date", "Fin,yesterday"), "row 2.*yesterday"),
        (("label,month", "Fin,"), "says its month"),
    ],
)
def test_a_table_that_says_no_months_is_refused_in_one_line(tmp_path, lines, named):
    with pytest.raises(AnnotationError, match=named) as error:
        learn_seasons(written(tmp_path, *lines))
    assert "\n" not in str(error.value)

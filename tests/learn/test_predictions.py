import dataclasses

import numpy as np
import pytest
from scored import predictions, random_scores

from seacall.errors import AnnotationError
from seacall.learn.predictions import (
    Predictions,
    mistakes,
    read_predictions,
    write_predictions,
)


def assert_same(a: Predictions, b: Predictions) -> None:
    for field in dataclasses.fields(Predictions):
        mine, theirs = getattr(a, field.name), getattr(b, field.name)
        np.testing.assert_array_equal(mine, theirs)
        assert type(mine) is type(theirs)


def test_a_file_of_predictions_reads_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 6)
    written = predictions(targets=targets, scores=random_scores(rng, targets, 3))
    write_predictions(written, tmp_path / "predictions.csv")
    assert_same(read_predictions(tmp_path / "predictions.csv"), written)


def test_awkward_names_read_back_exactly(tmp_path):
    awkward = predictions(
        labels=('Beluga, "white"', "split", "unknown"),
        file_names=(
            "a,b.wav",
            'c"d.wav',
            "é\n.wav",
            "=1+1.wav",
            " x.wav ",
            "\udcff.wav",
        ),
        deployments=("007", "", "ж", "NA", "1e5", "nan"),
    )
    write_predictions(awkward, tmp_path / "p.csv")
    assert_same(read_predictions(tmp_path / "p.csv"), awkward)


def test_the_file_has_one_column_of_scores_for_each_class(tmp_path):
    write_predictions(predictions(), tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == (
        "file_name,species_name,deployment,sample_rate,split,"
        "score_Beluga,score_Narwhal,score_unknown"
    )
    assert lines[1] == "a.wav,Beluga,north,48000,test,0.9,0.1,0.0"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("species_name", "species", r"columns missing: \['species_name'\]"),
        ("Beluga,north", "Dugong,north", r"without a column of scores: \['Dugong'\]"),
        ("0.9,0.1,0.0", "0.9,0.1", "row 1 has 7 values for 8 columns"),
        ("0.9,0.1,0.0", "0.9,x,0.0", "'x'"),
        ("0.9,0.1,0.0", "0.9,0.3,0.0", "sum to 1"),
        ("0.9,0.1,0.0", "nan,0.1,0.0", "sum to 1"),
        ("48000,test", "48000,val", "need one split"),
        ("48000,test", "48k,test", "48k"),
    ],
)
def test_a_damaged_file_is_refused_with_its_reason(tmp_path, old, new, message):
    path = tmp_path / "p.csv"
    write_predictions(predictions(), path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(AnnotationError, match=message):
        read_predictions(path)


def test_a_missing_and_an_empty_file_are_refused(tmp_path):
    (tmp_path / "empty.csv").touch()
    for name in ("missing.csv", "empty.csv"):
        with pytest.raises(AnnotationError, match=name):
            read_predictions(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": np.array([0, 0, 0, 1, 1, 3])}, "targets must be 0 to 2"),
        ({"scores": np.zeros((6, 2))}, r"scores must be \(6, 3\)"),
        ({"scores": np.full((6, 3), 2.0)}, "row 0 sums to 6"),
        ({"scores": np.array([[1.5, -0.5, 0.0]] * 6)}, "not logits"),
        ({"file_names": ("a.wav",)}, "file_names has 1 entries for 6 targets"),
    ],
)
def test_values_that_break_a_rule_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        predictions(**changes)


def test_no_recordings_are_refused():
    with pytest.raises(ValueError, match="no recordings"):
        predictions(targets=np.array([], dtype=np.int64))


def test_mistakes_come_with_the_most_confident_first():
    first, second = mistakes(predictions())
    assert (first.file_name, first.true_species) == ("e.wav", "Narwhal")
    assert (first.predicted_species, first.confidence) == ("Beluga", 0.85)
    assert (first.second_species, first.second_confidence) == ("Narwhal", 0.15)
    assert (first.deployment, first.sample_rate) == ("west", 16000)
    assert second.file_name == "c.wav"


def test_a_tie_that_is_answered_right_is_no_mistake():
    scores = np.array([[0.5, 0.5, 0.0]] * 6)
    wrong = mistakes(predictions(scores=scores))
    assert [m.file_name for m in wrong] == ["d.wav", "e.wav", "f.wav"]
    assert {(m.predicted_species, m.second_species) for m in wrong} == {
        ("Beluga", "Narwhal")
    }

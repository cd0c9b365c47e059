"""Logits of held-out clips: what is written reads back, what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seacall.errors import AnnotationError
from seacall.learn.held_out import HeldOut, read_held_out

LABELS = ("Béluga blanc", "Fin, whale", "unknown")
HEADER = "file_name,species_name,deployment,seed,scored"
LOGITS = 'logit_unknown,"logit_Fin, whale",logit_Béluga blanc'


def table(folder: Path, *rows: str, header: str = f"{HEADER},{LOGITS}") -> Path:
    path = folder / "logits.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_columns_are_put_into_the_models_order(tmp_path):
    path = table(
        tmp_path,
        "a.wav,Béluga blanc,north,0,1,0.5,1,2",
        'b.wav,"Fin, whale",south,0,1,-1,3e1,-2',
    )
    found = read_held_out(path, LABELS)
    np.testing.assert_array_equal(found.logits, [[2, 1, 0.5], [-2, 30, -1]])
    assert found.targets.tolist() == [0, 1]
    assert found.deployments == ("north", "south")
    assert found.groups.tolist() == [0, 1]


def test_species_of_one_deployment_are_left_out_and_seeds_are_counted(tmp_path):
    path = table(
        tmp_path,
        "a.wav,Béluga blanc,north,0,1,0,1,2",
        "a.wav,Béluga blanc,north,7,1,0,1,2",
        "b.wav,Béluga blanc,south,7,0,0,1,2",
    )
    found = read_held_out(path, LABELS)
    assert found.n_seeds == 2
    assert found.words() == "1 clips of 1 deployments, 2 seeds"


def test_a_species_that_the_model_does_not_know_counts_as_unknown(tmp_path):
    path = table(tmp_path, "a.wav,Yeti,north,0,1,0,1,2")
    assert read_held_out(path, LABELS).targets.tolist() == [2]


def test_arrays_read_like_tables(tmp_path):
    path = tmp_path / "logits.npz"
    np.savez(
        path,
        logits=[[1.0, 2.0, 3.0]],
        labels=[LABELS[2], LABELS[0], LABELS[1]],
        species_name=[LABELS[1]],
        deployment=["north"],
    )
    found = read_held_out(path, LABELS)
    np.testing.assert_array_equal(found.logits, [[2, 3, 1]])
    assert found.targets.tolist() == [1]


@pytest.mark.parametrize(
    ("header", "row", "match"),
    [
        (HEADER, "a,b,c,0,1", "its classes are not the model's: lacks"),
        (f"file_name,{LOGITS}", "a,1,2,3", "columns missing: species_name, deployment"),
        (f"{HEADER},{LOGITS}", "a,Yeti,d,0,1,1,2,much", "could not convert"),
        (f"{HEADER},{LOGITS}", "a,Yeti,d,0,1,1,2,nan", "must be finite"),
        (f"{HEADER},{LOGITS}", "a,Yeti,d,0,0,1,2,3", "no clips"),
        (f"{HEADER},{LOGITS}", "a,Yeti,d", "not equally long"),
        (f"{HEADER},{LOGITS},logit_X", "a,b,c,0,1,1,2,3,4", r"\['X'\] too many"),
    ],
)
def test_a_table_that_is_wrong_is_one_line(tmp_path, header, row, match):
    path = table(tmp_path, row, header=header)
    with pytest.raises(AnnotationError, match=match) as caught:
        read_held_out(path, LABELS)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.csv", "none.npz"])
def test_a_file_that_is_not_there_is_one_line(tmp_path, name):
    with pytest.raises(AnnotationError, match="cannot be read as logits"):
        read_held_out(tmp_path / name, LABELS)


def test_a_file_that_is_no_archive_of_arrays_is_one_line(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no zip")
    with pytest.raises(AnnotationError, match="cannot be read as logits"):
        read_held_out(tmp_path / "a.npz", LABELS)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="deployments, got"):
        HeldOut(LABELS, np.zeros((2, 3)), np.zeros(2, np.int64), ("a",))

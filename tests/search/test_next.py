"""What to label next: typical and uncertain clips, each kind once, none twice."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import LENGTH, kinds, write_run
from sklearn.metrics import pairwise_distances_argmin

from seacall.cli.main import main
from seacall.data.sources import read_source
from seacall.errors import AnnotationError, SettingsError
from seacall.search.batch import next_batch
from seacall.search.find import Wanted, open_indexes
from seacall.search.outputs import write_batch
from seacall.search.pick import (
    Labelled,
    choose,
    margins,
    scores_by_means,
    typical,
    uncertain_and_diverse,
)
from seacall.search.rows import unit_vectors


def units(n_each=20, n_kinds=4, **options):
    x, kind = kinds(n_each, n_kinds, **options)
    return unit_vectors(x)[0].astype(np.float64), kind


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_first_typical_clips_are_of_different_kinds(rng):
    x, kind = units(spread=0.02)
    chosen = typical(x, 4, known=x[:0], rng=rng)
    assert sorted(kind[chosen]) == [0, 1, 2, 3]


def test_typical_clips_are_near_the_middle_of_their_kind(rng):
    x, kind = units(spread=0.05)
    for one in typical(x, 4, known=x[:0], rng=rng):
        mine = x[kind == kind[one]]
        far = np.linalg.norm(mine - mine.mean(axis=0), axis=1)
        assert np.linalg.norm(x[one] - mine.mean(axis=0)) <= np.quantile(far, 0.3)


def test_kinds_that_have_labels_come_last(rng):
    x, kind = units(spread=0.02)
    known = x[np.isin(kind, (0, 1))][::4]
    chosen = typical(x, 2, known=known, rng=rng)
    assert set(kind[chosen]) <= {2, 3}


def test_uncertain_clips_lie_between_classes(rng):
    x, kind = units(spread=0.02)
    between, _ = unit_vectors(x[kind == 0][:5] + x[kind == 1][:5])
    everything = np.concatenate([x, between.astype(float)])
    labelled = Labelled(x[::5], kind[::5])
    scores, _ = scores_by_means(everything, labelled)
    chosen = uncertain_and_diverse(everything, scores, 5, rng=rng)
    assert margins(scores)[chosen].mean() < np.median(margins(scores))
    assert (chosen >= len(x)).sum() >= 1


def test_the_nearest_mean_is_that_of_scikit_learn(rng):
    x, kind = units(spread=0.4)
    labelled = Labelled(x[::3], kind[::3])
    scores, classes = scores_by_means(x, labelled)
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    means = np.stack([x[::3][kind[::3] == c].mean(axis=0) for c in classes])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    expected = pairwise_distances_argmin(x, means, metric="cosine")
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)


@given(
    n_clips=st.integers(1, 40),
    n=st.integers(1, 50),
    n_labels=st.integers(0, 6),
    seed=st.integers(0, 100),
    same=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_choice_has_as_many_clips_as_there_are_and_none_twice(
    n_clips, n, n_labels, seed, same
):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_clips, LENGTH))
    if same:
        x[:] = x[0]
    x = unit_vectors(x)[0].astype(float)
    scores = rng.dirichlet(np.ones(3), size=n_clips)
    labelled = None
    if n_labels:
        known = unit_vectors(rng.normal(size=(n_labels, LENGTH)))[0].astype(float)
        labelled = Labelled(known, rng.integers(3, size=n_labels))
    chosen = choose(x, n, scores=scores, labelled=labelled, rng=rng)
    assert len(chosen) == len(set(chosen.tolist())) == min(n, n_clips)
    assert chosen.min() >= 0
    assert chosen.max() < n_clips


@pytest.fixture
def run(tmp_path):
    x, _ = kinds(15, 4, spread=0.05)
    return write_run(tmp_path / "run", {"a.wav": x[:30], "b.wav": x[30:]})


def fill(path, of):
    """Label a batch as a person would."""
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["species_name"] = of(row)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def true_kind(row):
    first = 0 if row["file_name"].endswith("a.wav") else 30
    return f"kind {(first + int(float(row['start_s']))) // 15}"


def places(picks):
    return {(pick.hit.path.name, pick.hit.start_s) for pick in picks}


def test_batches_follow_one_another_without_a_clip_twice(run, tmp_path):
    indexes = open_indexes([run])
    first = next_batch(indexes, 8)
    assert {pick.why for pick in first} == {"typical"}
    table = tmp_path / "labels.csv"
    write_batch(table, first)
    # Clips that wait for a label are not chosen again.
    assert not places(next_batch(indexes, 8, labels=table)) & places(first)
    fill(table, true_kind)
    second = next_batch(indexes, 8, labels=table)
    assert [pick.why for pick in second] == ["typical"] * 4 + ["uncertain"] * 4
    assert not places(second) & places(first)
    known = {pick.guess for pick in second}
    assert known <= {f"kind {k}" for k in range(4)}


def test_guesses_are_by_the_labels_so_far(run, tmp_path):
    indexes = open_indexes([run])
    table = tmp_path / "labels.csv"
    write_batch(table, next_batch(indexes, 16))
    fill(table, true_kind)
    right = [
        pick.guess
        == true_kind({"file_name": pick.hit.path.name, "start_s": pick.hit.start_s})
        for pick in next_batch(indexes, 20, labels=table)
    ]
    assert np.mean(right) > 0.8


def test_a_batch_is_the_same_each_time(run):
    indexes = open_indexes([run])
    assert places(next_batch(indexes, 6)) == places(next_batch(indexes, 6))


def test_a_batch_keeps_to_what_is_wanted(run):
    indexes = open_indexes([run])
    with pytest.raises(SettingsError, match="no clip is left to label"):
        next_batch(indexes, 6, wanted=Wanted(min_score=0.99))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file_name,start_s\na.wav,1\n", "row 2: needs start_s and end_s"),
        ("file_name,start_s,end_s\na.wav,2,1\n", "row 2: needs start_s and end_s"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(run, tmp_path, text, reason):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(AnnotationError, match=reason):
        next_batch(open_indexes([run]), 2, labels=tmp_path / "labels.csv")


def test_raven_tables_say_what_is_labelled(run, tmp_path):
    from seacall.search.find import find_like
    from seacall.search.outputs import write_hits

    indexes = open_indexes([run])
    hits = find_like(indexes, like=["a.wav@2-3"], n=3)
    write_hits(tmp_path / "r.txt", hits)
    for pick in next_batch(indexes, 10, labels=tmp_path / "r.txt"):
        assert not any(
            pick.hit.path == hit.path
            and pick.hit.start_s < hit.end_s
            and pick.hit.end_s > hit.start_s
            for hit in hits
        )


# --- the command


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["search", *map(str, arguments)])
    return ended.value.code


def test_the_command_finds_chooses_and_writes(run, tmp_path, capsys):
    assert call(run, "--build") == 0
    assert "60 clips, 8 numbers each" in capsys.readouterr().out
    out = tmp_path / "r.txt"
    assert call(run, "--like", "a.wav@2-3", "-n", 4, "-o", out) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[:2] == ["rank", "alike"]
    assert out.read_text().startswith("Selection\t")
    assert call(run, "--next", 5, "-o", tmp_path / "n.csv", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["clips"]) == 5
    assert call(run, "--like", "a.wav@2-3", "--species", "Orca") == 1
    assert "no such class" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--like", "x", "--next", "3"],
        ["--unlike", "x", "--build"],
        ["--like", "x", "--labels", "y"],
        ["--next", "3", "-n", "5"],
        ["--next", "0"],
    ],
)
def test_options_that_do_not_go_together_are_refused(run, arguments, capsys):
    assert call(run, *arguments) == 2
    assert capsys.readouterr().err


def test_names_of_results_are_checked_before_anything_is_done(tmp_path, capsys):
    assert call(tmp_path, "--like", "x", "-o", tmp_path / "r.xls") == 1
    assert "choose one of these endings" in capsys.readouterr().err
    assert call(tmp_path, "--next", 3, "-o", tmp_path / "r.txt") == 1
    assert "ends in .csv" in capsys.readouterr().err
    assert call(tmp_path, "--like", "x") == 1
    assert "holds no ledger.sqlite" in capsys.readouterr().err


def test_a_filled_batch_is_a_table_that_prepare_takes(tiny_model, tmp_path):
    from listening import archive

    from seacall.config import DetectRun
    from seacall.detect.recordings import detect_recordings

    paths = archive(tmp_path / "sound", n=2)
    detect_recordings(
        paths,
        tmp_path / "run",
        DetectRun(model=str(tiny_model), embeddings=True, formats=("csv",)),
        n_workers=1,
    )
    table = tmp_path / "labels.csv"
    picks = next_batch(open_indexes([tmp_path / "run"]), 4)
    write_batch(table, picks)
    fill(table, lambda _: "Orca")
    found = read_source(tmp_path / "sound", table=table)
    assert {(one.path, one.start_s, one.label) for one in found.stretches} == {
        (pick.hit.path, pick.hit.start_s, "Orca") for pick in picks
    }
    assert not found.failures

"""What is like the examples is found, what is unlike is not, and calls count once."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from searching import CARD, LENGTH, kinds, write_run
from sounds import noise, write_wav

from seacall.config import DetectRun
from seacall.data.annotations import read_marks
from seacall.data.selections import read_selections
from seacall.detect.archive import Plan
from seacall.detect.embeddings import open_embedding_classifier
from seacall.detect.recordings import detect_recordings
from seacall.errors import AudioError, CheckpointError, SettingsError
from seacall.models.checkpoint import read_card
from seacall.search.examples import Example, parse
from seacall.search.find import (
    UNLIKE,
    Wanted,
    direction,
    find_like,
    nearest_hits,
    open_indexes,
)
from seacall.search.outputs import COLUMNS, write_hits

KINDS = 4


@pytest.fixture
def runs(tmp_path):
    """Two runs; kinds of sound follow one another, each for ten clips."""
    x, _ = kinds(10, KINDS, seed=1)
    y, _ = kinds(10, KINDS, seed=2)
    return [
        write_run(tmp_path / "north", {"a.wav": x, "b.wav": x[::-1]}),
        write_run(tmp_path / "south", {"c.wav": y}),
    ]


@pytest.fixture
def indexes(runs):
    return open_indexes(runs)


def apart(folder):
    """A run in which no clip of a kind lies beside another of it."""
    x, kind = kinds(12, KINDS, seed=3)
    turn = np.array([0, 2, 1, 3])[kind]  # the first two kinds do not touch either
    order = np.lexsort((turn, np.arange(len(x)) % 12))
    return write_run(folder, {"a.wav": x[order]}), kind[order]


def kind_of(hit):
    return int(hit.start_s) // 10


def test_what_is_named_in_a_run_finds_its_kind_in_all_runs(indexes):
    hits = find_like(indexes, like=["north:a.wav@12-13"], n=20)
    assert {hit.run.name for hit in hits[:3]} == {"north", "south"}
    best = [hit for hit in hits if hit.similarity > 0.9]
    assert {hit.path.name for hit in best} == {"a.wav", "b.wav", "c.wav"}
    for hit in best:
        first = 20 if hit.path.name == "b.wav" else 10
        assert first <= hit.start_s < hit.end_s <= first + 10


def test_the_example_itself_is_not_among_the_answers(indexes):
    hits = find_like(indexes, like=["north:a.wav@12-13"], n=100)
    assert not any(
        hit.path.name == "a.wav" and hit.start_s < 13 and hit.end_s > 12 for hit in hits
    )


def test_clips_that_touch_are_one_answer(indexes):
    hits = find_like(indexes, like=["c.wav@5-6"], n=1)
    assert len(hits) == 1
    first, second, third, *rest = find_like(indexes, like=["c.wav@5-6"], n=20)
    # What is left of its own ten clips around it, and ten in each of the others.
    near = {(h.path.name, h.start_s, h.end_s) for h in (first, second, third)}
    assert sum(hit.n_clips for hit in (first, second, third)) > 15
    assert all(end - start > 1 for _, start, end in near)
    assert all(hit.similarity < first.similarity - 0.1 for hit in rest[1:])


def test_answers_are_in_order_and_more_of_them_begin_with_fewer(tmp_path):
    run, _ = apart(tmp_path / "run")
    indexes = open_indexes([run])
    many = find_like(indexes, like=["a.wav@0-1"], n=12)
    similar = [hit.similarity for hit in many]
    assert similar == sorted(similar, reverse=True)
    few = find_like(indexes, like=["a.wav@0-1"], n=5)
    assert [hit.similarity for hit in few] == similar[:5]
    assert len(many) == 12


def test_what_is_unlike_is_kept_away_from(tmp_path):
    run, kind = apart(tmp_path / "run")
    indexes = open_indexes([run])
    both = np.eye(LENGTH)[:2].sum(axis=0) + 0.2  # as like the first kind as the second
    example = Example("both", both[None])
    plain = nearest_hits(indexes, [example], n=16)
    other = Example("second", (np.eye(LENGTH)[1] + 0.2)[None])
    away = nearest_hits(indexes, [example], [other], n=16)
    found = [[kind[int(hit.start_s)] for hit in hits] for hits in (plain, away)]
    assert found[0].count(1) > 4
    assert found[1][:8].count(1) == 0


def test_the_direction_is_that_of_rocchio():
    rng = np.random.default_rng(0)
    like, unlike = rng.normal(size=(2, 3, LENGTH)), rng.normal(size=(1, 2, LENGTH))
    found = direction(
        [Example("a", x) for x in like], [Example("b", x) for x in unlike]
    )

    def unit(x):
        return x / np.linalg.norm(x)

    expected = np.mean([unit(x.mean(axis=0)) for x in like], axis=0)
    expected = unit(expected - UNLIKE * unit(unlike[0].mean(axis=0)))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_examples_that_cancel_are_told():
    one = np.eye(LENGTH)[:1]
    with pytest.raises(SettingsError, match="cancel"):
        direction([Example("a", one), Example("b", -one)])


def test_only_what_the_model_takes_for_a_species_is_found(tmp_path):
    x, _ = kinds(6, 2)
    scores = {"a.wav": np.tile([[0.9, 0.0], [0.0, 0.7]], (6, 1))}
    indexes = open_indexes([write_run(tmp_path / "run", {"a.wav": x}, scores=scores)])

    def found(wanted):
        hits = find_like(indexes, like=["a.wav@0-1"], n=50, wanted=wanted)
        return {(hit.label, round(hit.score, 1)) for hit in hits}

    first, second, *_ = CARD.labels
    assert found(Wanted()) == {(first, 0.9), (second, 0.7)} or len(found(Wanted())) == 1
    assert found(Wanted(species=(second,))) == {(second, 0.7)}
    assert found(Wanted(max_score=0.8)) == {(second, 0.7)}
    assert found(Wanted(min_score=0.95)) == set()
    with pytest.raises(SettingsError, match="no such class; choose from"):
        found(Wanted(species=("Orca",)))


def test_runs_of_two_models_are_not_searched_together(runs, tmp_path):
    other = CARD.model_copy(update={"files": {"model.safetensors": "b" * 64}})
    x, _ = kinds(3, 2)
    third = write_run(tmp_path / "third", {"d.wav": x}, card=other)
    with pytest.raises(SettingsError, match="two models cannot be compared"):
        open_indexes([*runs, third])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nowhere.wav", "is no file"),
        ("a.wav@5-5", "ends before it begins"),
        ("a.wav@900-901", "no clip of a.wav lies there"),
        ("/sea/a.wav", "is 40 clips long"),
        ("b.wav@0-39", "clips long"),
    ],
)
def test_examples_that_cannot_be_used_are_told(indexes, text, reason):
    with pytest.raises(SettingsError, match=reason):
        find_like(indexes, like=[text])


def test_a_name_that_could_be_several_recordings_is_told(tmp_path):
    x, _ = kinds(2, 2)
    runs = [write_run(tmp_path / name, {"a.wav": x}) for name in ("one", "two")]
    indexes = open_indexes(runs)
    with pytest.raises(SettingsError, match=r"could be .*one:.*two:"):
        find_like(indexes, like=["a.wav@0-1"])
    assert find_like(indexes, like=["two:a.wav@0-1"])
    with pytest.raises(SettingsError, match="asked for and asked not"):
        find_like(indexes, like=["two:a.wav@0-1"], unlike=["two:a.wav@0-1"])
    with pytest.raises(SettingsError, match="nothing is named"):
        find_like(indexes, like=[])


def test_a_stretch_is_read_from_the_end_of_a_name():
    assert parse("a@b.wav@1-2.5").place == "a@b.wav"
    assert parse("a@b.wav@1-2.5").stretch_s == (1.0, 2.5)
    assert parse("s3://x/a.wav").stretch_s is None


# --- sound files, with a real network


@pytest.fixture(scope="module")
def heard(tiny_model, tmp_path_factory):
    from listening import archive

    folder = tmp_path_factory.mktemp("heard")
    paths = archive(folder / "sound")
    run = DetectRun(model=str(tiny_model), embeddings=True, formats=("csv",))
    detect_recordings(paths, folder / "run", run, n_workers=1)
    return folder / "run", paths


def test_a_cut_of_a_recording_finds_where_it_was_cut(heard, tmp_path):
    import soundfile

    run, paths = heard
    y, rate = soundfile.read(paths[2], start=2 * 16_000, stop=3 * 16_000)
    cut = write_wav(tmp_path / "cut.wav", y, rate)
    (best, *_) = find_like(open_indexes([run]), like=[str(cut)], n=1)
    assert best.path == paths[2]
    assert best.start_s <= 2 < best.end_s


def test_a_file_is_embedded_as_the_run_embedded_it(heard):
    from seacall.search.examples import Examples

    run, paths = heard
    indexes = open_indexes([run])
    inside = Examples(indexes).find(f"{paths[0].name}@0-1").vectors
    outside = Examples(indexes)._embedded(parse(f"{paths[0]}@0-1"), paths[0]).vectors
    np.testing.assert_allclose(inside, outside, atol=2e-2)


def test_a_file_that_is_too_short_or_silent_is_told(heard, tmp_path):
    run, _ = heard
    indexes = open_indexes([run])
    short = write_wav(
        tmp_path / "short.wav", noise(sample_rate=16_000, duration_s=0.02), 16_000
    )
    with pytest.raises(AudioError, match="shorter than a frame"):
        find_like(indexes, like=[str(short)])
    silent = write_wav(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    with pytest.raises(AudioError, match="silent"):
        find_like(indexes, like=[str(silent)])


def test_another_model_is_refused(heard, tmp_path):
    import tiny
    import torch

    from seacall.learn.export import export_onnx
    from seacall.models.network import save_model

    run, paths = heard
    network = tiny.network()
    with torch.no_grad():
        next(network.parameters()).mul_(1.5)
    save_model(network, tmp_path / "other", tiny.card())
    export_onnx(tmp_path / "other")
    indexes = open_indexes([run])
    sound = write_wav(
        tmp_path / "x.wav", noise(sample_rate=16_000, duration_s=1), 16_000
    )
    with pytest.raises(CheckpointError, match="another model than the one"):
        find_like(indexes, like=[str(sound)], model=tmp_path / "other")
    with pytest.raises(CheckpointError, match="name its folder with -m"):
        find_like(indexes, like=[str(sound)], model=tmp_path / "nowhere")
    assert paths


# --- files


def test_a_selection_table_gives_back_what_was_found(indexes, tmp_path):
    hits = find_like(indexes, like=["north:a.wav@12-13"], n=10)
    write_hits(tmp_path / "r.txt", hits)
    sounds = sorted({hit.path for hit in hits})
    found = read_selections(tmp_path / "r.txt", recordings=sounds).annotations
    assert {(a.path, a.start_s, a.end_s) for a in found} == {
        (hit.path, hit.start_s, hit.end_s) for hit in hits
    }


def test_csv_and_parquet_hold_the_same(indexes, tmp_path):
    import pandas as pd

    hits = find_like(indexes, like=["north:a.wav@12-13"], n=10)
    write_hits(tmp_path / "r.csv", hits)
    write_hits(tmp_path / "r.parquet", hits)
    with (tmp_path / "r.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["rank"]) for row in rows] == list(range(1, len(hits) + 1))
    table = pd.read_parquet(tmp_path / "r.parquet")
    assert table["similarity"].tolist() == [float(row["similarity"]) for row in rows]
    marks = read_marks(
        [tmp_path / "r.csv"], recordings=sorted({hit.path for hit in hits})
    )
    assert len(marks.annotations) == len(hits)


def test_a_table_that_cannot_be_written_is_told(indexes, tmp_path):
    hits = find_like(indexes, like=["c.wav@5-6"], n=1)
    with pytest.raises(SettingsError, match="choose one of these endings"):
        write_hits(tmp_path / "r.xls", hits)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_hits(tmp_path / "file" / "r.csv", hits)


def test_the_plan_keeps_embeddings(tiny_model):
    plan = Plan(tiny_model, read_card(tiny_model), embeddings=True)
    assert plan.job.embeddings
    assert open_embedding_classifier(tiny_model).card == plan.card

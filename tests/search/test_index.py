"""An index holds what the ledger has, finds what is nearest, and survives its disk."""

from __future__ import annotations

import json
import os
import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import CARD, LENGTH, kinds, write_run

from seacall.detect.store import Store
from seacall.errors import SeacallError, SettingsError
from seacall.search.files import FOLDER, HEADER, read_header
from seacall.search.graph import nearest_exactly
from seacall.search.index import open_index
from seacall.search.rows import unit_vectors

ALWAYS, NEVER = 0, 10**15
"""When there is a graph."""


def random_run(folder, *, n=60, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, LENGTH))
    return write_run(folder, {"a.wav": x[: n // 2], "b.wav": x[n // 2 :]}), x


def cosines(x, query):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit @ (query / np.linalg.norm(query))


def query_of(vector):
    return unit_vectors(np.asarray(vector)[None])[0][0]


@given(seed=st.integers(0, 10_000), k=st.integers(1, 80), chosen=st.booleans())
@settings(max_examples=30, deadline=None)
def test_what_is_found_one_by_one_is_what_numpy_finds(seed, k, chosen):
    rng = np.random.default_rng(seed)
    x, _ = unit_vectors(rng.normal(size=(50, LENGTH)))
    query = query_of(rng.normal(size=LENGTH))
    mask = rng.random(50) < 0.5 if chosen else None
    rows, found = nearest_exactly(x, query, k, chosen=mask)
    expected = cosines(x.astype(float), query.astype(float))
    among = np.arange(50) if mask is None else np.flatnonzero(mask)
    assert len(rows) == min(k, len(among))
    assert set(rows) <= set(among.tolist())
    np.testing.assert_allclose(found, expected[rows], atol=2e-3)
    assert (np.diff(found) <= 0).all()
    left = np.setdiff1d(among, rows)
    assert not len(left) or expected[left].max() <= found.min() + 2e-3


@pytest.mark.parametrize("graph_from", [ALWAYS, NEVER])
def test_the_nearest_clip_of_a_run_is_found(tmp_path, graph_from):
    run, x = random_run(tmp_path / "run", n=400)
    index = open_index(run, graph_from=graph_from)
    assert (index.graph is not None) == (graph_from == ALWAYS)
    for number in (0, 7, 399):
        rows, found = index.nearest(query_of(x[number]), 5)
        assert rows[0] == number
        assert found[0] == pytest.approx(1, abs=2e-3)
        expected = np.sort(cosines(x, x[number]))[::-1][:5]
        np.testing.assert_allclose(found, expected, atol=5e-3)


def test_rows_say_where_clips_lie_and_what_the_model_takes_them_for(tmp_path):
    scores = {"a.wav": np.array([[0.9], [0.2], [0.6]])}
    x = np.random.default_rng(0).normal(size=(3, LENGTH))
    index = open_index(write_run(tmp_path / "run", {"a.wav": x}, scores=scores))
    np.testing.assert_array_equal(index.rows["start_s"], [0, 1, 2])
    np.testing.assert_array_equal(index.rows["end_s"], [1, 2, 3])
    assert [CARD.labels[k] for k in index.rows["label"]] == [
        CARD.labels[0],
        "unknown",
        CARD.labels[0],
    ]
    np.testing.assert_allclose(index.rows["score"], [0.9, 0.8, 0.6], atol=1e-4)
    np.testing.assert_allclose(
        np.linalg.norm(index.vectors.astype(float), axis=1), 1, atol=2e-3
    )


def test_clips_without_a_direction_are_left_out(tmp_path):
    x = np.ones((4, LENGTH))
    x[1] = 0
    x[2, 0] = np.nan
    index = open_index(write_run(tmp_path / "run", {"a.wav": x}))
    np.testing.assert_array_equal(index.rows["start_s"], [0, 3])


def test_a_run_of_nothing_but_silence_is_told(tmp_path):
    run = write_run(tmp_path / "run", {"a.wav": np.zeros((4, LENGTH))})
    with pytest.raises(SettingsError, match="silent"):
        open_index(run)
    assert not list((run / FOLDER).glob("*.bin"))


def test_a_run_without_embeddings_names_the_command(tmp_path):
    with Store(tmp_path / "run") as store:
        store.run_of({}, {"card": CARD.model_dump(mode="json"), "run": {"model": "m"}})
    with pytest.raises(SettingsError, match=r"detect RECORDINGS -m m -o .* --embed"):
        open_index(tmp_path / "run")


def test_an_index_that_is_up_to_date_is_not_written_again(tmp_path):
    run, _ = random_run(tmp_path / "run")
    first = open_index(run).header
    assert open_index(run).header == first


@pytest.mark.parametrize("graph_from", [ALWAYS, NEVER])
def test_an_index_grows_with_its_ledger(tmp_path, graph_from):
    x = np.random.default_rng(0).normal(size=(300, LENGTH))
    run = write_run(tmp_path / "run", {"a.wav": x[:100]})
    open_index(run, graph_from=graph_from)
    write_run(run, {"a.wav": x[:100], "b.wav": x[100:]})
    index = open_index(run, graph_from=graph_from)
    assert len(index.rows) == 300
    for number in (5, 250):
        rows, _ = index.nearest(query_of(x[number]), 1)
        assert rows[0] == number
    # No file of the smaller one is left.
    assert len(list((run / FOLDER).glob("*-*"))) == len(index.header.files)


def test_a_recording_that_changed_leaves_nothing_behind(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, LENGTH))
    run = write_run(tmp_path / "run", {"a.wav": x[:20], "b.wav": x[20:]})
    open_index(run)
    write_run(run, {"a.wav": x[:20], "b.wav": x[20:30] + 1})
    index = open_index(run)
    assert len(index.rows) == 30
    _, found = index.nearest(query_of(x[25]), 1)
    assert found[0] < 0.999


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def scribble(path):
    content = bytearray(path.read_bytes())
    for at in range(0, len(content), 7):
        content[at] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["rows", "vectors", "units", "graph"])
@pytest.mark.parametrize("harm", [cut, scribble, os.unlink])
def test_a_damaged_index_is_made_anew(tmp_path, kind, harm):
    run, x = random_run(tmp_path / "run")
    header = open_index(run, graph_from=ALWAYS).header
    harm(header.path(run / FOLDER, kind))
    index = open_index(run, graph_from=ALWAYS)
    assert index.header.generation != header.generation
    assert index.nearest(query_of(x[3]), 1)[0][0] == 3


HOSTILE = {
    "no JSON": "{",
    "a path out of the folder": {"generation": "../../../../etc/pa"},
    "too many rows": {"n_rows": 10**12},
    "an embedding that is too long": {"length": 10**9},
    "another format": {"format": 99},
    "no files": {"files": {}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_lies_is_not_believed(tmp_path, name):
    run, x = random_run(tmp_path / "run")
    open_index(run, graph_from=ALWAYS)
    path = run / FOLDER / HEADER
    change = HOSTILE[name]
    if isinstance(change, str):
        path.write_text(change)
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    index = open_index(run, graph_from=ALWAYS)
    assert index.nearest(query_of(x[3]), 1)[0][0] == 3


def test_a_graph_of_other_vectors_with_a_fitting_hash_is_not_opened(tmp_path):
    """Its own header says that it is another: before usearch maps it."""
    from seacall.search.files import mark_of

    run, x = random_run(tmp_path / "run")
    other, _ = random_run(tmp_path / "other", n=20)
    header = open_index(run, graph_from=ALWAYS).header
    theirs = open_index(other, graph_from=ALWAYS).header
    path = header.path(run / FOLDER, "graph")
    path.write_bytes(theirs.path(other / FOLDER, "graph").read_bytes())
    files = header.files | {"graph": mark_of(path)}
    lying = header.model_copy(update={"files": files})
    (run / FOLDER / HEADER).write_text(lying.model_dump_json())
    index = open_index(run, graph_from=ALWAYS)
    assert index.header.generation != header.generation
    assert index.nearest(query_of(x[3]), 1)[0][0] == 3


def test_a_copied_index_is_used_as_it_is(tmp_path):
    run, _ = random_run(tmp_path / "run")
    header = open_index(run).header
    for kind in header.files:
        os.utime(header.path(run / FOLDER, kind), (1, 1))
    assert open_index(run).header == header


@pytest.fixture
def small_files():
    """Files cannot become larger than a few kilobytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("graph_from", [ALWAYS, NEVER])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, small_files, graph_from):
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (10**9, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    )
    n = 400 if graph_from == ALWAYS else 3_000
    run, _ = random_run(tmp_path / "run", n=n)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (40_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    )
    with pytest.raises(SeacallError, match="make room"):
        open_index(run, graph_from=graph_from)
    assert not list((run / FOLDER).glob("*-*"))


def test_too_little_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    import shutil

    run, _ = random_run(tmp_path / "run")
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0)
    )
    with pytest.raises(SeacallError, match="are free; make room"):
        open_index(run)


def test_a_stale_index_answers_where_it_cannot_be_brought_up(tmp_path, monkeypatch):
    x = np.random.default_rng(0).normal(size=(40, LENGTH))
    run = write_run(tmp_path / "run", {"a.wav": x[:20]})
    open_index(run)
    write_run(run, {"a.wav": x[:20], "b.wav": x[20:]})
    from seacall.search import build

    monkeypatch.setattr(
        build,
        "_require_room",
        lambda *_: (_ for _ in ()).throw(SeacallError("no room")),
    )
    index = open_index(run)
    assert len(index.rows) == 20
    assert "1 parts of the run are not searched yet" in index.notes[0]


def test_two_processes_do_not_write_one_index(tmp_path):
    from seacall.detect.lock import locked

    run, _ = random_run(tmp_path / "run")
    handle = locked(run / FOLDER)
    with pytest.raises(SettingsError, match="another run is writing"):
        open_index(run)
    os.close(handle)
    assert open_index(run).header == read_header(run / FOLDER)


def test_a_filter_finds_the_nearest_of_what_is_left(tmp_path):
    x, kind = kinds(100, 4)
    run = write_run(tmp_path / "run", {"a.wav": x})
    for graph_from in (ALWAYS, NEVER):
        index = open_index(run, graph_from=graph_from)
        rows, _ = index.nearest(query_of(x[0]), 10, chosen=kind == 2)
        assert (kind[rows] == 2).all()
        assert len(rows) == 10


def test_a_network_can_be_opened_after_an_index():
    """Some versions of the two libraries end the process in the other order."""
    import programs

    program = (
        "from seacall.search.graph import opened_usearch\n"
        "opened_usearch()\n"
        "from seacall.models.embedding import load_embedder\n"
        "print(load_embedder().length)"
    )
    done = programs.run("-c", program)
    assert (done.code, int(done.out)) == (0, 96)

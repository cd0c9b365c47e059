"""Embeddings are kept with the scores: all of them, once, and at no price to others."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from listening import archive, assert_same, plan_for, record, run

from seacall.cli.main import main
from seacall.config import DetectRun
from seacall.detect import archive as archive_module
from seacall.detect.archive import listen
from seacall.detect.clip_table import ClipTable, empty_table
from seacall.detect.cluster_parts import part_name, part_of, result_of
from seacall.detect.embeddings import (
    embedded_units,
    embeddings_of,
    has_embeddings,
    in_16_bits,
    lacking,
)
from seacall.detect.recordings import detect_in_scores, detect_recordings
from seacall.detect.store import LEDGER_NAME, Store
from seacall.detect.units import UnitResult
from seacall.detect.workers import score_here
from seacall.errors import SettingsError
from seacall.models.backend import load_classifier
from seacall.models.embedding import load_embedder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def plan(tiny_model):
    return plan_for(tiny_model, unit_s=1.0, embeddings=True)


@pytest.fixture(scope="module")
def whole(recordings, plan, tmp_path_factory):
    """A run with embeddings that nobody stopped."""
    out = tmp_path_factory.mktemp("run")
    run(recordings, out, plan)
    return out


def embedded(out):
    with Store(out, writable=False) as store, store.reading() as ledger:
        return {
            (unit.path.name, unit.channel, unit.segment, unit.first_clip): x.copy()
            for unit, x in embeddings_of(ledger, embedded_units(ledger))
        }


def assert_same_embeddings(found, expected):
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        np.testing.assert_array_equal(found[name], x, err_msg=str(name))


def units_of(out):
    with sqlite3.connect(out / LEDGER_NAME) as ledger:
        return ledger.execute("SELECT COUNT(*) FROM units").fetchone()[0]


def test_an_embedding_is_what_the_last_layer_is_given(whole, tiny_model, recordings):
    from seacall.audio.clips import ClipGrid, Stretch, stretch_clips
    from seacall.audio.frontend import clip_inputs
    from seacall.audio.io import probe
    from seacall.events import Segment

    embedder = load_embedder(tiny_model)
    front_end = embedder.card.front_end.with_channel(None)
    found = np.concatenate(
        [x for key, x in embedded(whole).items() if key[0] == "r1.wav"]
    )
    recording = probe(recordings[1])
    stretch = Stretch(recordings[1], 16_000, Segment(0, recording.n_samples), 0, None)
    grid = ClipGrid.of(front_end)
    inputs = [
        clip_inputs(y, front_end)
        for _, y in stretch_clips(stretch, front_end, grid=grid)
    ]
    expected = embedder.embed(
        np.stack([one.log_mel for one in inputs]),
        np.stack([one.features for one in inputs]),
    )
    assert found.shape == (len(inputs), embedder.length)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_scores_are_the_same_with_embeddings_and_without(
    recordings, tiny_model, plan, tmp_path
):
    without = run(recordings, tmp_path / "a", plan_for(tiny_model, unit_s=1.0))
    assert_same(run(recordings, tmp_path / "b", plan), without)
    assert not embedded(tmp_path / "a")


def test_scores_kept_without_embeddings_stay_and_get_them(
    recordings, tiny_model, plan, whole, tmp_path
):
    before = run(recordings, tmp_path / "out", plan_for(tiny_model, unit_s=1.0))
    after = run(recordings, tmp_path / "out", plan)
    for name, rows in before.items():
        np.testing.assert_array_equal(after[name], rows)
    assert_same_embeddings(embedded(tmp_path / "out"), embedded(whole))


def test_what_has_embeddings_is_not_run_again(recordings, plan, tmp_path):
    run(recordings, tmp_path / "out", plan)

    def engine(tasks, job):
        raise AssertionError(tasks)

    run(recordings, tmp_path / "out", plan, engine=engine)


def test_a_stopped_run_goes_on_and_keeps_each_embedding_once(
    recordings, plan, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(archive_module, "_COMMIT_S", 0.0)

    def stops(tasks, job):
        for number, result in enumerate(score_here(tasks, job)):
            if number == 3:
                raise KeyboardInterrupt
            yield result
            yield result  # what comes twice is kept once

    with pytest.raises(KeyboardInterrupt):
        run(recordings, tmp_path / "out", plan, engine=stops)
    assert 0 < len(embedded(tmp_path / "out")) < units_of(tmp_path / "out")
    run(recordings, tmp_path / "out", plan)
    assert_same_embeddings(embedded(tmp_path / "out"), embedded(whole))


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from listening import plan_for
from seacall.detect import archive
from seacall.detect.store import Store
archive._COMMIT_S = 0.0
put, n = Store.put, [0]
def counted(self, results):
    put(self, results)
    n[0] += 1
    if n[0] == 4:
        os.kill(os.getpid(), 9)
Store.put = counted
paths = [Path(name) for name in {paths!r}]
plan = plan_for(Path({model!r}), unit_s=1.0, embeddings=True)
with Store(Path({out!r})) as store:
    archive.listen(paths, store, plan)
"""


def test_a_killed_run_goes_on_to_the_same_ledger(
    recordings, tiny_model, plan, whole, tmp_path
):
    program = KILLED.format(
        tests=os.path.dirname(os.path.dirname(__file__)),  # noqa: PTH120
        paths=[str(path) for path in recordings],
        model=str(tiny_model),
        out=str(tmp_path / "out"),
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(embedded(tmp_path / "out")) == 4
    run(recordings, tmp_path / "out", plan)
    assert_same_embeddings(embedded(tmp_path / "out"), embedded(whole))


@pytest.mark.slow
def test_worker_processes_give_the_same_embeddings(recordings, plan, whole, tmp_path):
    run(recordings, tmp_path / "out", plan, n_workers=2)
    assert_same_embeddings(embedded(tmp_path / "out"), embedded(whole))


def test_a_part_of_a_cluster_carries_embeddings(recordings, plan, tmp_path):
    with Store(tmp_path / "out") as store:
        listen(recordings[:1], store, plan, engine=lambda *_: iter(()))
        units = store.waiting(embeddings=True)
    (result, *_) = score_here([tuple(units)], plan.job)
    found = result_of(part_of(result), result.unit)
    assert found.table.embeddings.dtype == np.float16
    np.testing.assert_array_equal(found.table.embeddings, result.table.embeddings)
    stamp = (1, 2)
    assert part_name(result.unit, key=plan.key, stamp=stamp) != part_name(
        result.unit, key=plan.key | {"embeddings": True}, stamp=stamp
    )


def test_a_recording_that_changed_is_embedded_anew(plan, tmp_path):
    path = record(tmp_path / "r.wav", seed=1)
    run([path], tmp_path / "out", plan)
    first = embedded(tmp_path / "out")
    record(path, seed=2, duration_s=2.5)
    run([path], tmp_path / "out", plan)
    second = embedded(tmp_path / "out")
    assert len(second) < len(first)
    assert not np.array_equal(first["r.wav", 0, 0, 0], second["r.wav", 0, 0, 0])


def test_scores_without_embeddings_are_told(recordings, tiny_model, plan, tmp_path):
    """As where a recording could be read at first, and not a second time."""
    run(recordings, tmp_path / "out", plan_for(tiny_model, unit_s=1.0))

    def unreadable(tasks, job):
        for task in tasks:
            for unit in task:
                yield UnitResult(unit, empty_table(4), f"{unit.path}: is gone")

    with Store(tmp_path / "out") as store:
        listen(recordings, store, plan, engine=unreadable)
        with store.reading() as ledger:
            assert [path.name for path, _ in lacking(ledger)] == [
                path.name for path in recordings
            ]
        assert len(store.waiting(embeddings=True)) == units_of(tmp_path / "out")
        assert not store.waiting()
    result = detect_in_scores(
        tmp_path / "out", tmp_path / "new", DetectRun(formats=("csv",))
    )
    assert not result.failures


def test_embeddings_of_other_clips_than_have_scores_are_not_taken(
    recordings, tiny_model, plan, tmp_path
):
    run(recordings[:1], tmp_path / "out", plan_for(tiny_model))

    def fewer(tasks, job):
        for result in score_here(tasks, job):
            table = result.table
            some = {k: v[:1] for k, v in vars(table).items()}
            yield UnitResult(result.unit, ClipTable(**some))

    with_embeddings = plan_for(tiny_model, embeddings=True)
    run(recordings[:1], tmp_path / "out", with_embeddings, engine=fewer)
    assert not embedded(tmp_path / "out")


def test_what_float16_cannot_hold_stays_finite():
    found = in_16_bits(np.array([[1e9, -1e9, 0.5]], np.float32))
    np.testing.assert_array_equal(found, np.array([[65504, -65504, 0.5]], np.float16))


def test_tables_with_and_without_embeddings_are_not_mixed():
    column = np.zeros(1, np.float32)
    logits = np.zeros((1, 2), np.float32)
    one = ClipTable(column, logits, column > 0, *[column] * 5)
    other = ClipTable(column, logits, column > 0, *[column] * 5, logits.astype("f2"))
    assert len(ClipTable.joined([empty_table(2), other]).embeddings) == 1
    with pytest.raises(ValueError, match="some parts"):
        ClipTable.joined([one, other])


def test_a_ledger_of_an_earlier_version_has_none(recordings, tiny_model, tmp_path):
    run(recordings, tmp_path / "out", plan_for(tiny_model))
    with sqlite3.connect(tmp_path / "out" / LEDGER_NAME) as ledger:
        ledger.execute("DROP TABLE embeddings")
    with Store(tmp_path / "out", writable=False) as store, store.reading() as ledger:
        assert not has_embeddings(ledger)
        assert embedded_units(ledger) == []
    with pytest.raises(SettingsError, match="--embeddings"):
        detect_in_scores(tmp_path / "out", tmp_path / "new", DetectRun(embeddings=True))


def test_the_command_keeps_embeddings(recordings, tiny_model, tmp_path, capsys):
    words = [str(path) for path in recordings[:1]]
    out = str(tmp_path / "out")
    arguments = ["detect", *words, "-m", str(tiny_model), "-o", out, "--workers", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--embeddings", "--quiet"])
    assert ended.value.code == 0
    assert embedded(tmp_path / "out")
    with pytest.raises(SystemExit) as ended:
        main(["detect", *words, "-m", str(tiny_model), "--embeddings"])
    assert ended.value.code == 1
    assert "give -o" in capsys.readouterr().err


def test_the_run_says_which_recordings_lack_embeddings(
    recordings, tiny_model, tmp_path
):
    settings = DetectRun(model=str(tiny_model), formats=("csv",))
    detect_recordings(recordings, tmp_path / "out", settings, n_workers=1)

    def engine(_store):
        return lambda tasks, job: (
            UnitResult(unit, empty_table(4), f"{unit.path}: is gone")
            for task in tasks
            for unit in task
        )

    with_embeddings = settings.model_copy(update={"embeddings": True})
    result = detect_recordings(
        recordings, tmp_path / "out", with_embeddings, n_workers=1, engine=engine
    )
    assert len(result.failures) == len(recordings)
    assert "no embeddings" in next(iter(result.failures.values()))
    assert load_classifier(tiny_model).card.labels

"""An archive's scores: the same however the work is cut; kept once, made once."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing import VICTIM, KillingJob
from listening import archive, assert_same, kept, plainly, plan_for, record, run
from sounds import noise, write_wav
from wav_bytes import chunk, fmt, harp, wave

from seacall.detect import archive as module
from seacall.detect.archive import ArchiveResult, found_in, listen
from seacall.detect.recordings import detect_in_scores
from seacall.detect.store import LEDGER_NAME, Store
from seacall.detect.units import tasks_of
from seacall.detect.workers import score_here, score_in_processes
from seacall.detection import DetectSettings
from seacall.errors import SettingsError
from seacall.models.decide import with_thresholds

RATE = 16_000


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("archive"))


@given(
    unit_s=st.sampled_from([0.3, 1.0, 2.5, 3.0, 600.0]),
    hop_s=st.sampled_from([None, 0.5, 0.7, 1.5]),
    turned=st.booleans(),
)
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_scores_do_not_depend_on_how_the_work_is_cut(
    recordings, tiny_model, tmp_path_factory, unit_s, hop_s, turned
):
    paths = recordings[::-1] if turned else recordings
    plan = plan_for(tiny_model, unit_s=unit_s, hop_s=hop_s)
    found = run(paths, tmp_path_factory.mktemp("out"), plan)
    assert_same(found, plainly(paths, plan))


@pytest.mark.slow
def test_worker_processes_give_the_same_scores(recordings, tiny_model, tmp_path):
    plan = plan_for(tiny_model, unit_s=1.0)
    found = run(recordings, tmp_path / "out", plan, n_workers=2)
    assert_same(found, plainly(recordings, plan))


def test_results_may_come_in_any_order_and_more_than_once(
    recordings, tiny_model, tmp_path
):
    plan = plan_for(tiny_model, unit_s=1.0)

    def engine(tasks, job):
        results = list(score_here(tasks, job))
        return iter([*results[::-1], *results])

    found = run(recordings, tmp_path / "out", plan, engine=engine)
    assert_same(found, plainly(recordings, plan))


def test_what_is_done_is_not_done_again(recordings, tiny_model, tmp_path):
    plan = plan_for(tiny_model, unit_s=1.0)
    first = run(recordings, tmp_path / "out", plan)

    def engine(tasks, job):
        raise AssertionError(tasks)

    assert_same(run(recordings, tmp_path / "out", plan, engine=engine), first)


def test_a_stopped_run_goes_on_inside_a_recording(recordings, tiny_model, tmp_path):
    plan = plan_for(tiny_model, unit_s=1.0)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(module, "_COMMIT_S", 0.0)

    def stops(tasks, job):
        for number, result in enumerate(score_here(tasks, job)):
            if number == 4:
                raise KeyboardInterrupt
            yield result

    with monkey.context(), pytest.raises(KeyboardInterrupt):
        run(recordings, tmp_path / "out", plan, engine=stops)
    asked = []

    def engine(tasks, job):
        asked.extend(unit for task in tasks for unit in task)
        return score_here(tasks, job)

    found = run(recordings, tmp_path / "out", plan, engine=engine)
    assert_same(found, plainly(recordings, plan))
    tasks = tasks_of(_units(tmp_path / "all", recordings, plan), grid=plan.grid)
    assert len(asked) == sum(map(len, tasks)) - 4


def test_what_nobody_listened_to_yet_is_said(recordings, tiny_model, tmp_path):
    plan = plan_for(tiny_model, unit_s=1.0)

    def stops(tasks, job):
        yield from list(score_here(tasks[:1], job))

    with Store(tmp_path / "out") as store:
        listen(recordings, store, plan, engine=stops)
        found = [one for one, _ in found_in(store, plan.card, DetectSettings())]
        assert "not listened to yet" in found[-1].failure
        listen(recordings, store, plan)
        found = [one for one, _ in found_in(store, plan.card, DetectSettings())]
        assert not any(one.failure for one in found)


def test_a_run_that_knew_no_recordings_has_no_results(tiny_model, tmp_path):
    plan = plan_for(tiny_model)
    with Store(tmp_path / "out") as store:
        store.run_of(plan.key, {})
    with pytest.raises(SettingsError, match="run it again"):
        detect_in_scores(tmp_path / "out", tmp_path / "new")


def counted(store, plan):
    result = ArchiveResult()
    for searched, found in found_in(store, plan.card, DetectSettings()):
        result.add(searched, found)
    return result


def _units(out, recordings, plan):
    with Store(out) as store:
        listen(recordings, store, plan, engine=lambda tasks, job: iter(()))
        return store.waiting()


def test_a_recording_that_changed_is_heard_anew(tiny_model, tmp_path):
    paths = archive(tmp_path / "in", 2)
    plan = plan_for(tiny_model)
    run(paths, tmp_path / "out", plan)
    record(paths[0], duration_s=4.4, seed=7)
    found = run(paths, tmp_path / "out", plan)
    assert_same(found, plainly(paths, plan))


def test_a_recording_that_is_gone_for_a_while_keeps_its_scores(tiny_model, tmp_path):
    path = record(tmp_path / "in" / "a.wav")
    plan = plan_for(tiny_model)
    before = run([path], tmp_path / "out", plan)
    away = path.rename(tmp_path / "away.wav")
    assert_same(run([path], tmp_path / "out", plan), before)
    away.rename(path)
    with Store(tmp_path / "out") as store:
        assert listen([path], store, plan).n_units == 0


def test_results_are_of_the_recordings_that_are_named(tiny_model, tmp_path):
    paths = archive(tmp_path / "in", 3)
    plan = plan_for(tiny_model)
    run(paths, tmp_path / "out", plan)
    found = run(paths[1:], tmp_path / "out", plan)
    assert_same(found, plainly(paths[1:], plan))


def test_a_bad_recording_is_one_line_and_the_others_are_all_there(tiny_model, tmp_path):
    paths = archive(tmp_path / "in", 2)
    (tmp_path / "in" / "bad.wav").write_text("no sound")
    plan = plan_for(tiny_model)
    named = [paths[0], tmp_path / "in" / "bad.wav", paths[1]]
    with Store(tmp_path / "out") as store:
        listen(named, store, plan)
        assert_same(kept(store, plan), plainly(paths, plan))
        result = counted(store, plan)
    assert list(result.failures) == [str(named[1])]
    assert result.n_recordings == 2


def test_a_bad_recording_that_was_mended_is_heard(tiny_model, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"")
    plan = plan_for(tiny_model)
    assert run([path], tmp_path / "out", plan) == {}
    record(path)
    assert_same(run([path], tmp_path / "out", plan), plainly([path], plan))


def test_samples_that_are_no_numbers_cost_only_what_follows_in_their_unit(
    tiny_model, tmp_path
):
    y = noise(sample_rate=RATE, duration_s=8.0).astype(np.float32)
    y[int(3.5 * RATE)] = np.nan
    path = write_wav(tmp_path / "nan.wav", y, RATE, subtype="FLOAT")
    plan = plan_for(tiny_model, unit_s=2.0)
    with Store(tmp_path / "out") as store:
        listen([path], store, plan)
        (rows,) = kept(store, plan).values()
        (searched,) = [s for s, _ in found_in(store, plan.card, DetectSettings())]
    assert rows[:, 0].tolist() == [0, 1, 2, 6, 7]
    assert "not a finite number" in searched.failure
    assert searched.heard == ((0, 3), (6, 8))


def test_another_model_or_hop_is_refused_with_a_way_out(
    recordings, tiny_model, tmp_path
):
    run(recordings, tmp_path / "out", plan_for(tiny_model))
    with pytest.raises(SettingsError, match="another hop; choose another folder"):
        run(recordings, tmp_path / "out", plan_for(tiny_model, hop_s=0.5))


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with Store(tmp_path), pytest.raises(SettingsError, match="another run is writing"):
        Store(tmp_path)
    Store(tmp_path).close()


def test_a_ledger_that_is_damaged_is_one_line(tmp_path):
    (tmp_path / LEDGER_NAME).write_bytes(b"x" * 5_000)
    with pytest.raises(SettingsError, match="file is not a database"):
        Store(tmp_path)


def test_a_folder_without_a_ledger_is_no_run(tmp_path):
    with pytest.raises(SettingsError, match="holds no ledger"):
        Store(tmp_path, writable=False)


def test_a_name_that_is_no_text_is_kept(tiny_model, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9 \t\n.wav")
    record(tmp_path / "x.wav").rename(path)
    plan = plan_for(tiny_model)
    with Store(tmp_path / "out") as store:
        listen([path], store, plan)
        (searched,) = [s for s, _ in found_in(store, plan.card, DetectSettings())]
    assert searched.path == path


def test_each_channel_is_heard_on_its_own(tiny_model, tmp_path):
    left = noise(sample_rate=RATE, duration_s=3.0, seed=1)
    right = noise(sample_rate=RATE, duration_s=3.0, seed=2)
    both = write_wav(tmp_path / "both.wav", np.stack([left, right], axis=1), RATE)
    alone = write_wav(tmp_path / "right.wav", right, RATE)
    plan = plan_for(tiny_model, each_channel=True)
    found = run([both], tmp_path / "out", plan)
    assert list(found) == [("both.wav", 1, 0), ("both.wav", 2, 0)]
    (expected,) = plainly([alone], plan).values()
    np.testing.assert_allclose(found["both.wav", 2, 0], expected, atol=1e-5)


@pytest.mark.slow
def test_a_unit_that_kills_its_worker_is_named_and_costs_nothing_else(
    tiny_model, tmp_path
):
    good = archive(tmp_path / "in", 2)
    victim = record(tmp_path / "in" / VICTIM)
    plan = plan_for(tiny_model)

    def engine(tasks, job):
        one_by_one = [(unit,) for task in tasks for unit in task]
        killing = KillingJob(job.model, job.card, job.grid)
        return score_in_processes(one_by_one, killing, n_workers=2)

    with Store(tmp_path / "out") as store:
        listen([good[0], victim, good[1]], store, plan, engine=engine)
        result = counted(store, plan)
        assert_same(kept(store, plan), plainly(good, plan))
    assert list(result.failures) == [str(victim)]
    assert "was killed twice" in result.failures[str(victim)]


def test_the_ledger_is_small(recordings, tiny_model, tmp_path):
    run(recordings, tmp_path / "out", plan_for(tiny_model, hop_s=0.1))
    n_bytes = (tmp_path / "out" / LEDGER_NAME).stat().st_size
    with sqlite3.connect(tmp_path / "out" / LEDGER_NAME) as db:
        (n_clips,) = db.execute("SELECT sum(n_done) FROM units").fetchone()
    db.close()
    assert n_clips > 50
    assert n_bytes < 50_000 + 60 * n_clips


def test_a_duty_cycle_puts_each_detection_where_it_was(tiny_model, tmp_path):
    """Two seconds at noon, four an hour later, one right behind the other in a file."""
    noon = datetime(2019, 5, 1, 12, tzinfo=UTC)
    y = noise(sample_rate=RATE, duration_s=6.0)
    samples = (y * 32_767).astype("<i2").tobytes()
    records = [
        (noon.replace(tzinfo=None), 2 * RATE),
        (noon.replace(hour=13, tzinfo=None), 4 * RATE),
    ]
    # A false rate, as these files have: that of the records counts.
    head = fmt(rate=2 * RATE)
    blank = harp(records, data_offset=0, rate=RATE)
    offset = 12 + len(head) + len(blank) + 8
    path = tmp_path / "X_A_190501_120000.x.wav"
    path.write_bytes(
        wave(
            head,
            harp(records, data_offset=offset, rate=RATE),
            chunk(b"data", samples),
        )
    )
    plan = plan_for(tiny_model)
    card = with_thresholds(plan.card, ["0"])
    with Store(tmp_path / "out") as store:
        listen([path], store, plan)
        scores = kept(store, plan)
        ((searched, found),) = found_in(store, card, DetectSettings(max_gap_s=60))
    assert list(scores) == [(path.name, 0, 0), (path.name, 0, 2 * RATE)]
    assert searched.heard == ((0.0, 6.0),)
    assert searched.recording is not None
    assert searched.recording.duration_s == 6.0
    assert {(d.start_s, d.end_s, d.start) for d in found} == {
        (0.0, 2.0, noon),
        (2.0, 6.0, noon.replace(hour=13)),
    }
    own = write_wav(tmp_path / "own.wav", y[2 * RATE :], RATE)
    (expected,) = plainly([own], plan).values()
    np.testing.assert_allclose(
        scores[path.name, 0, 2 * RATE][:, 1:], expected[:, 1:], atol=1e-5
    )

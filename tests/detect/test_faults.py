"""What the field does to a run: each good clip is there once, each fault is named."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import programs
import pytest
import soundfile
from listening import assert_same, kept, plainly, plan_for, record, run
from sounds import noise, write_wav

from seacall.detect.archive import found_in, listen
from seacall.detect.store import Store
from seacall.detect.workers import score_here
from seacall.detection import DetectSettings
from seacall.models.decide import with_thresholds

RATE = 16_000


def scores_in(out: Path, plan):
    with Store(out, writable=False) as store:
        return kept(store, plan)


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
import seacall.detect.archive as archive
from listening import plan_for, run

archive._COMMIT_S = 0.0  # as often as can be
out = Path({out!r})
plan = plan_for(Path({model!r}), hop_s=0.1, unit_s=5.0)
paths = [Path(p) for p in {paths!r}]
rng = random.Random(0)
killed = 0
for _ in range(20):
    child = os.fork()
    if child == 0:
        run(paths, out, plan)
        os._exit(0)
    time.sleep(rng.uniform(0.0, 0.6))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
print(killed)
"""


@pytest.mark.slow
def test_a_run_may_be_killed_at_any_moment(tiny_model, tmp_path):
    """Twenty times kill -9 at random, then once to the end: the same as undisturbed."""
    paths = [
        record(tmp_path / "in" / f"r{k}.wav", duration_s=100.0, seed=k)
        for k in range(4)
    ]
    program = tmp_path / "program.py"
    program.write_text(
        KILLED.format(
            tests=str(Path(__file__).parents[1]),
            out=str(tmp_path / "out"),
            model=str(tiny_model),
            paths=[str(path) for path in paths],
        )
    )
    done = programs.run(program)
    assert done.code == 0, done.err
    assert int(done.out) >= 10, "too fast for the test to mean something"
    plan = plan_for(tiny_model, hop_s=0.1, unit_s=5.0)
    asked = []

    def engine(tasks, job):
        asked.extend(tasks)
        return score_here(tasks, job)

    assert_same(run(paths, tmp_path / "out", plan, engine=engine), plainly(paths, plan))


@pytest.mark.slow
def test_workers_end_with_the_run_that_is_killed(tiny_model, tmp_path):
    paths = [
        record(tmp_path / "in" / f"r{k}.wav", duration_s=300.0, seed=k)
        for k in range(2)
    ]
    process = programs.start(
        *("-m", "seacall", "detect", tmp_path / "in", "-m", tiny_model),
        *("-o", tmp_path / "out", "--hop", "0.1", "--workers", "2"),
    )
    workers = _wait_for(lambda: _children(process.pid, at_least=2))
    os.kill(process.pid, signal.SIGKILL)  # and not its workers
    process.wait()
    _wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    programs.kill(process)
    done = programs.run(
        *("-m", "seacall", "detect", *paths, "-m", tiny_model),
        *("-o", tmp_path / "out", "--hop", "0.1", "--workers", "2"),
    )
    assert done.code == 0, done.err
    plan = plan_for(tiny_model, hop_s=0.1)
    assert_same(scores_in(tmp_path / "out", plan), plainly(paths, plan))


def test_workers_end_at_once_with_the_run_that_is_interrupted(tiny_model, tmp_path):
    """Ctrl-C goes to all processes of a terminal, and some press it twice."""
    record(tmp_path / "in" / "long.wav", duration_s=1300.0)
    process = programs.start(
        *("-m", "seacall", "detect", tmp_path / "in", "-m", tiny_model),
        *("-o", tmp_path / "out", "--hop", "0.1", "--workers", "2"),
    )
    workers = _wait_for(lambda: _children(process.pid, at_least=2))
    for pid in (process.pid, *workers, process.pid):
        os.kill(pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    _wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def _children(pid, *, at_least):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(word) for word in path.read_text().split()]
    return found if len(found) > at_least else None  # and one that tracks resources


def _wait_for(condition, *, timeout_s=60.0):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_a_full_disk_is_one_line_and_what_is_done_is_kept(tiny_model, tmp_path):
    paths = [
        record(tmp_path / "in" / f"r{k}.wav", duration_s=30.0, seed=k) for k in range(4)
    ]
    plan = plan_for(tiny_model, hop_s=0.1, unit_s=5.0)
    command = (
        *("-m", "seacall", "detect", *paths, "-m", tiny_model, "--hop", "0.1"),
        *("-o", tmp_path / "out", "--workers", "1"),
    )
    done = programs.run(*command, "--quiet", preexec_fn=lambda: _limit_files(90_000))
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith(f"seacall: {tmp_path / 'out'}")
    assert "same command again" in line
    done = programs.run(*command)
    assert done.code == 0, done.err
    plan = plan_for(tiny_model, hop_s=0.1)
    assert_same(scores_in(tmp_path / "out", plan), plainly(paths, plan))


def _limit_files(n_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def test_a_drive_that_is_unplugged_costs_what_was_not_read(tiny_model, tmp_path):
    paths = [record(tmp_path / "in" / f"r{k}.wav", seed=k) for k in range(3)]
    kept_path = tmp_path / "away.wav"
    plan = plan_for(tiny_model)

    def unplugs(tasks, job):
        paths[1].rename(kept_path)
        return score_here(tasks, job)

    found = run(paths, tmp_path / "out", plan, engine=unplugs)
    assert_same(found, plainly([paths[0], paths[2]], plan))
    with Store(tmp_path / "out", writable=False) as store:
        searched = [s for s, _ in found_in(store, plan.card, DetectSettings())]
    assert [bool(s.failure) for s in searched] == [False, True, False]
    assert "no such file" in searched[1].failure
    kept_path.rename(paths[1])
    assert_same(run(paths, tmp_path / "out", plan), plainly(paths, plan))


def test_digital_silence_has_scores_and_no_detections(tiny_model, tmp_path):
    path = write_wav(tmp_path / "zeros.wav", np.zeros(5 * RATE, np.float32), RATE)
    plan = plan_for(tiny_model)
    (rows,) = run([path], tmp_path / "out", plan).values()
    assert np.isfinite(rows).all()
    assert (rows[:, -1] == 1.0).all()  # unknown
    with Store(tmp_path / "out", writable=False) as store:
        ((searched, found),) = found_in(
            store, with_thresholds(plan.card, ["0.01"]), DetectSettings()
        )
    assert found == []
    assert searched.heard == ((0.0, 5.0),)


def test_a_flac_that_was_cut_off_gives_what_is_there(tiny_model, tmp_path):
    y = noise(sample_rate=RATE, duration_s=12.0)
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, y, RATE)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    plan = plan_for(tiny_model)
    (expected,) = plainly([whole], plan).values()
    with Store(tmp_path / "out") as store:
        listen([cut], store, plan)
        (rows,) = kept(store, plan).values()
        ((searched, _),) = found_in(store, plan.card, DetectSettings())
    assert 4 <= len(rows) <= 6
    # The last clip is filled up.
    np.testing.assert_allclose(rows[:-1], expected[: len(rows) - 1], atol=1e-5)
    assert str(cut) in searched.failure

"""A cluster gives what one process gives, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import programs
import pytest
from clusters import (
    OWN_TOKEN,
    QUIET,
    DeadlyJob,
    SlowJob,
    as_,
    end,
    machines,
    s3_server,
    until,
)
from faulty import faulty_proxy
from killing import VICTIM
from listening import archive, assert_same, kept, plainly, plan_for, record

from seacall.audio.io import location
from seacall.detect import cluster_parts
from seacall.detect.archive import listen
from seacall.detect.classify import score_unit
from seacall.detect.clip_table import empty_table
from seacall.detect.cluster import Cluster
from seacall.detect.cluster_parts import Scratch, part_name, part_of, result_of
from seacall.detect.cluster_worker import (
    MOST_TRIES,
    Order,
    Tries,
    Worker,
    _check_machine,
    _classifier,
    model_files,
)
from seacall.detect.store import Store
from seacall.detect.units import Unit, UnitResult, plan_units
from seacall.errors import CheckpointError, SeacallError, SettingsError
from seacall.events import Recording, Segment

RATE = 16_000
STAMP = (1_000, 2_000)
# Ray warns of its own ways, from its own threads.
quiet_ray = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def own_token():
    """Ray reads it when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (OWN_TOKEN | QUIET).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("archive"), n=4)


@pytest.fixture(scope="module")
def plan(tiny_model):
    return plan_for(tiny_model, unit_s=1.0)


@pytest.fixture(scope="module")
def units(recordings, plan) -> list[Unit]:
    """The first recording's two seconds, a unit each."""
    recording = Recording(recordings[0], RATE, 1, 2 * RATE, "PCM_16")
    return plan_units(
        recording,
        [Segment(0, 2 * RATE)],
        sample_rate=RATE,
        channels=[1],
        grid=plan.grid,
        unit_s=1.0,
    )


@pytest.fixture
def short_tasks(monkeypatch):
    monkeypatch.setattr("seacall.detect.units.TASK_S", 1.0)


def order_of(plan, scratch: Scratch, **changes: object) -> Order:
    scratch.prepare("a.token")
    order = Order(plan.job, model_files(plan.job), scratch, "a.token")
    return replace(order, **changes)


def assert_same_result(found: UnitResult, expected: UnitResult) -> None:
    assert (found.unit, found.failure) == (expected.unit, expected.failure)
    for name, column in vars(expected.table).items():
        np.testing.assert_array_equal(getattr(found.table, name), column, err_msg=name)


# --- parts


def test_a_part_gives_back_what_came_of_a_unit(units, plan):
    result = score_unit(units[1], plan.job.classifier(), grid=plan.grid)
    assert len(result.table) == 1
    assert_same_result(result_of(part_of(result), units[1]), result)


def test_a_part_without_clips_keeps_the_reason(units):
    result = UnitResult(units[0], empty_table(4), "r.wav: is cut off at 0.3 s, ähem")
    assert_same_result(result_of(part_of(result), units[0]), result)


def test_a_part_is_a_table_that_pandas_reads(units, plan, tmp_path):
    import pandas

    result = score_unit(units[1], plan.job.classifier(), grid=plan.grid)
    (tmp_path / "part.parquet").write_bytes(part_of(result))
    table = pandas.read_parquet(tmp_path / "part.parquet")
    assert table["start_s"].tolist() == [1.0]
    np.testing.assert_array_equal(np.stack(table["logits"]), result.table.logits)
    np.testing.assert_array_equal(table["level_db"], result.table.level_db)


@pytest.mark.parametrize("part", [b"", b"PAR1", b"no table" * 100])
def test_a_damaged_part_is_one_line(units, part):
    with pytest.raises(SeacallError, match=r"damaged.*delete it"):
        result_of(part, units[0])


def test_a_half_part_is_one_line(units):
    whole = part_of(UnitResult(units[0], empty_table(4)))
    with pytest.raises(SeacallError, match="damaged"):
        result_of(whole[: len(whole) // 2], units[0])


def test_parts_of_other_settings_recordings_and_units_have_other_names(units):
    key = {"model": {"model.onnx": "0" * 64}, "hop": None}
    first, second = units
    names = [
        part_name(first, key=key, stamp=STAMP),
        part_name(second, key=key, stamp=STAMP),
        part_name(first, key={**key, "hop": 0.5}, stamp=STAMP),
        part_name(first, key=key, stamp=(1_000, 2_001)),
        part_name(replace(first, path=Path("other.wav")), key=key, stamp=STAMP),
        part_name(replace(first, channel=None), key=key, stamp=STAMP),
        part_name(replace(first, n_clips=None), key=key, stamp=STAMP),
    ]
    assert len(set(names)) == len(names)
    assert part_name(first, key=dict(key), stamp=STAMP) == names[0]


# --- the folder of parts


@pytest.fixture(params=["disk", "memory"])
def scratch(request, tmp_path):
    place = "memory://parts/" + tmp_path.name if request.param == "memory" else None
    return Scratch(location(place) if place else tmp_path / "deep" / "parts")


def test_a_scratch_folder_keeps_files_whole_and_names_parts(scratch):
    scratch.prepare("x.token")
    scratch.write("a.parquet", b"first")
    scratch.write("a.parquet", b"second")
    scratch.write("b.parquet", b"")
    assert scratch.names() == {"a", "b"}
    assert scratch.read("a.parquet") == b"second"
    assert scratch.read("c.parquet") is None
    scratch.remove("a.parquet")
    scratch.remove("a.parquet")
    assert scratch.names() == {"b"}


class Failing:
    """A store that answers after so many tries."""

    def __init__(self, fs, n: int) -> None:
        self.fs, self.n, self.n_asked = fs, n, 0

    def pipe_file(self, key: str, content: bytes) -> None:
        self.n_asked += 1
        if self.n_asked <= self.n:
            raise ConnectionResetError("connection\nreset")
        self.fs.pipe_file(key, content)


@pytest.mark.parametrize("n", [0, 2, 4])
def test_a_store_that_fails_for_a_while_is_asked_again(monkeypatch, n):
    scratch = Scratch(location(f"memory://again/{n}"))
    failing = Failing(scratch.folder.fs, n)
    monkeypatch.setattr(cluster_parts, "PAUSES_S", (0.0,) * 4)
    monkeypatch.setattr(
        cluster_parts, "_remote", lambda path: (failing, str(path.path))
    )
    scratch.write("a", b"kept")
    monkeypatch.undo()
    assert scratch.read("a") == b"kept"


def test_a_store_that_does_not_answer_is_one_line(monkeypatch):
    scratch = Scratch(location("memory://never"))
    failing = Failing(scratch.folder.fs, 99)
    monkeypatch.setattr(cluster_parts, "PAUSES_S", (0.0,) * 4)
    monkeypatch.setattr(cluster_parts, "_remote", lambda path: (failing, str(path)))
    with pytest.raises(SeacallError, match=r"connection reset.*--scratch") as error:
        scratch.write("a", b"kept")
    assert "\n" not in str(error.value)
    assert failing.n_asked == 5


def test_a_scratch_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SeacallError, match=r"file.*--scratch"):
        Scratch(tmp_path / "file" / "parts").prepare("x")


# --- workers


class Alone(Worker):
    """A worker without a cluster."""

    def __init__(self, order: Order, tries: Tries) -> None:
        self._scratch, self._tries = order.scratch, tries
        self._grid, self._classifier = order.job.grid, _classifier(order)
        self.n_scored = 0

    def _begin(self, name: str) -> int:
        return self._tries.begin(name)

    def _result(self, unit: Unit, n_before: int) -> UnitResult:
        self.n_scored += 1
        return super()._result(unit, n_before)

    def do(self, task) -> dict[str, bytes]:
        found = list(self._parts(task))
        assert len(dict(found)) == len(found)
        return dict(found)


@pytest.fixture
def worker(plan, tmp_path):
    return Alone(order_of(plan, Scratch(tmp_path / "parts")), Tries())


def test_a_worker_writes_each_unit_once_and_hands_over_what_it_wrote(units, worker):
    parts = worker.do((("a", units[0]), ("b", units[1])))
    assert list(parts) == ["a", "b"]
    for name, part in parts.items():
        assert worker._scratch.read(f"{name}.parquet") == part
    assert worker._scratch.names() == {"a", "b"}


def test_a_worker_that_takes_over_does_not_do_again_what_was_written(units, worker):
    task = (("a", units[0]), ("b", units[1]))
    before = worker.do(task)
    worker._scratch.remove("b.parquet")
    assert worker.n_scored == 2
    assert worker.do(task) == before
    assert worker.n_scored == 3


def test_a_unit_that_kills_its_worker_each_time_is_given_up_alone(
    units, worker, monkeypatch
):
    real = Worker._result

    def dies(self, unit, n_before):
        if unit == units[0] and n_before < MOST_TRIES:
            raise KeyboardInterrupt  # nothing after this point happens
        return real(self, unit, n_before)

    monkeypatch.setattr(Worker, "_result", dies)
    task = (("a", units[0]), ("b", units[1]))
    for _ in range(1 + MOST_TRIES):
        with pytest.raises(KeyboardInterrupt):
            worker.do(task)
    parts = worker.do(task)
    given_up = result_of(parts["a"], units[0])
    assert f"died {MOST_TRIES} times" in given_up.failure
    assert len(given_up.table) == 0
    assert result_of(parts["b"], units[1]).failure == ""


def test_a_recording_that_a_worker_does_not_see_names_the_machine(units, worker):
    unseen = replace(units[0], path=Path("/nowhere/at/all.wav"))
    part = worker.do((("a", unseen),))["a"]
    assert socket.gethostname() in result_of(part, unseen).failure


def test_machines_set_up_in_another_way_refuse_to_work(plan, tmp_path):
    order = order_of(plan, Scratch(tmp_path))
    _check_machine(order)
    with pytest.raises(SettingsError, match=r"0\.0\.0.*same version"):
        _check_machine(replace(order, seacall_version="0.0.0"))
    with pytest.raises(SettingsError, match=r"does not see.*--scratch"):
        _check_machine(replace(order, scratch=Scratch(tmp_path / "other")))


def test_a_model_that_changed_on_its_way_is_refused(plan, tmp_path):
    order = order_of(plan, Scratch(tmp_path))
    assert _classifier(order).card == plan.card
    changed = {**order.model, "model.onnx": order.model["model.onnx"][:-1] + b"!"}
    with pytest.raises(CheckpointError):
        _classifier(replace(order, model=changed))


# --- taking up, and what is refused before anything starts


def test_parts_of_a_killed_run_are_taken_up_and_failed_ones_are_not(
    recordings, plan, tmp_path, short_tasks, monkeypatch
):
    """The parts that are left are all: no cluster is needed."""
    written = {}

    def write_all(tasks, job):
        cluster = Cluster(store)
        scratch = Scratch(store.folder / "units")
        scratch.folder.mkdir()
        classifier = job.classifier()
        for task in cluster._named(tasks, job):
            for name, unit in task:
                result = score_unit(unit, classifier, grid=job.grid)
                written[name] = replace(result, failure="") if written else result
                scratch.write(f"{name}.parquet", part_of(written[name]))
        raise KeyboardInterrupt

    with Store(tmp_path / "out") as store, pytest.raises(KeyboardInterrupt):
        listen(recordings, store, plan, engine=write_all)
    failed, damaged, *_ = sorted(written)
    scratch = Scratch(tmp_path / "out" / "units")
    broken = replace(written[failed], failure="the disk was full")
    scratch.write(f"{failed}.parquet", part_of(broken))
    scratch.write(f"{damaged}.parquet", b"half")
    scratch.write("of-another-run.parquet", b"left alone")
    monkeypatch.setattr("seacall.detect.cluster._joined", no_cluster)
    with Store(tmp_path / "out") as store:
        with pytest.raises(LookupError):
            listen(recordings, store, plan, engine=Cluster(store))
        (waiting,) = Cluster(store)._named([tuple(store.waiting())], plan.job)
    assert scratch.names() == set(written) - {failed, damaged} | {"of-another-run"}
    assert not list(scratch.folder.glob("*.token"))
    assert {name for name, _ in waiting} >= {failed, damaged}


def no_cluster(*_):
    raise LookupError


def test_addresses_of_rays_client_are_refused(recordings, plan, tmp_path):
    pytest.importorskip("ray")
    with Store(tmp_path) as store:
        cluster = Cluster(store, address="ray://127.0.0.1:10001")
        with pytest.raises(SettingsError, match="host:6379"):
            listen(recordings, store, plan, engine=cluster)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "spark", "-o", "OUT"], "choose one of local, ray"),
        (["--address", "auto", "-o", "OUT"], "add --engine ray"),
        (["--scratch", "s3://b/k", "-o", "OUT"], "add --engine ray"),
        (["--engine", "ray"], "add -o OUT"),
    ],
)
def test_options_that_do_not_fit_are_one_line(recordings, tmp_path, options, message):
    options = [str(tmp_path / "o") if one == "OUT" else one for one in options]
    done = programs.run("-m", "seacall", "detect", recordings[0], *options)
    assert done.code == 1
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


# --- a real cluster


@pytest.fixture(scope="module")
def s3():
    """S3 behind a proxy that can be told to fail; its port, that of S3, faults."""
    pytest.importorskip("moto")
    with s3_server() as port, faulty_proxy(port) as (faulty_port, faults):
        yield faulty_port, port, faults


@pytest.fixture(scope="module")
def cluster(s3):
    """A head and two machines of one core; workers find S3 through the proxy."""
    pytest.importorskip("ray")
    env = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3[0]}",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        with machines(2, env) as found:
            yield found


@pytest.mark.slow
@quiet_ray
def test_a_cluster_gives_the_rows_of_one_process_whatever_s3_does(
    cluster, s3, recordings, plan, tmp_path, short_tasks
):
    boto3 = pytest.importorskip("boto3")
    _, port, faults = s3
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    client.create_bucket(Bucket="sea")
    for path in recordings:
        client.upload_file(str(path), "sea", f"year 1/{path.name}")
    remote = [location(f"s3://sea/year 1/{path.name}") for path in recordings]
    scratch = location("s3://sea/scratch")
    faults.every = 5
    names = set()

    def engine(tasks, job):
        found = Cluster(store, address=cluster.address, scratch=scratch)
        names.update(name for task in found._named(tasks, job) for name, _ in task)
        return found(tasks, job)

    with Store(tmp_path) as store:
        progress = listen(remote, store, plan, engine=engine)
        found = kept(store, plan)
    faults.every = 0
    assert_same(found, plainly(recordings, plan))
    assert progress.n_units_done == progress.n_units > 8
    assert faults.n_failed >= 6
    listed = client.list_objects_v2(Bucket="sea", Prefix="scratch/")["Contents"]
    assert {Path(one["Key"]).stem for one in listed} == names


@pytest.mark.slow
@quiet_ray
def test_nothing_is_lost_or_twice_when_an_actor_and_then_a_machine_die(
    cluster, recordings, plan, tmp_path, short_tasks
):
    doomed = cluster.workers[0]
    seen = []

    def engine(tasks, job):
        for result in Cluster(store, address=cluster.address)(tasks, as_(SlowJob, job)):
            seen.append(result.unit)
            if len(seen) == 2:
                for pid in cluster.actors(cluster.workers[1]):
                    os.kill(pid, signal.SIGKILL)
            if len(seen) == 5:
                end(doomed)
            yield result

    with Store(tmp_path) as store:
        progress = listen(recordings, store, plan, engine=engine)
        found = kept(store, plan)
    cluster.join()  # for the tests that follow
    assert_same(found, plainly(recordings, plan))
    assert len(seen) == len(set(seen)) == progress.n_units


@pytest.mark.slow
@quiet_ray
def test_a_recording_that_kills_its_workers_is_a_failure_and_not_the_end(
    cluster, recordings, plan, tmp_path
):
    victim = record(tmp_path / VICTIM, duration_s=1.0)
    paths = [recordings[0], victim, recordings[1]]
    with Store(tmp_path / "out") as store:
        engine = Cluster(store, address=cluster.address)
        listen(paths, store, plan, engine=lambda t, j: engine(t, as_(DeadlyJob, j)))
        found = kept(store, plan)
        failures = {e.path: s.failure for e, s in store.searched(plan.grid)}
    assert_same(found, plainly(recordings[:2], plan))
    assert f"died {MOST_TRIES} times" in failures.pop(victim)
    assert set(failures.values()) == {""}


@pytest.mark.slow
@quiet_ray
def test_a_rerun_takes_up_what_a_killed_driver_had_not(
    cluster, recordings, plan, tmp_path, short_tasks
):
    out = tmp_path / "out"
    values = [[str(path) for path in recordings], str(out), str(plan.model)]
    code = f"import clusters; clusters.listen_slowly(*{values!r}, {cluster.address!r})"
    env = {**os.environ, **QUIET, "PYTHONPATH": str(Path(__file__).parents[1])}
    driver = programs.subprocess.Popen(
        [programs.sys.executable, "-c", code], env=env, start_new_session=True
    )
    try:
        until(lambda: len(list(out.glob("units/*.parquet"))) >= 3, what="no parts")
    finally:
        programs.kill(driver)
    parts = {path: path.stat().st_mtime_ns for path in out.glob("units/*.parquet")}
    with Store(out) as store:
        assert len(store.waiting()) > len(parts) - 3 > -1
        listen(recordings, store, plan, engine=Cluster(store, address=cluster.address))
        found = kept(store, plan)
    assert_same(found, plainly(recordings, plan))
    assert {p: p.stat().st_mtime_ns for p in parts} == parts


@pytest.mark.slow
def test_the_command_line_gives_the_same_files_on_a_cluster_of_its_own(
    recordings, tiny_model, tmp_path
):
    pytest.importorskip("ray")
    text = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        done = programs.run(
            *("-m", "seacall", "detect", *recordings, "-m", tiny_model, "-o", out),
            *(
                "--engine",
                engine,
                "--workers",
                1,
                "--threshold",
                0.1,
                "--json",
                "--quiet",
            ),
        )
        assert done.code == 0, done.err
        assert json.loads(done.out)["n_recordings"] == len(recordings)
        assert done.err == ""
        text[engine] = {p.name: p.read_text() for p in out.glob("*.csv")}
    assert text["ray"] == text["local"]
    assert len(text["ray"]) >= 1

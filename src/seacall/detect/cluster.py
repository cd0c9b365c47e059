"""The engine of a cluster: score tasks with Ray Data, on this machine or on many."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import re
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seacall import errors
from seacall.audio.remote import is_remote
from seacall.detect.clip_table import empty_table
from seacall.detect.cluster_parts import SUFFIX, Scratch, part_name, result_of
from seacall.detect.cluster_worker import NamedUnit, Order, Tries, Worker, model_files
from seacall.detect.store import Store
from seacall.detect.units import Task, Unit, UnitResult
from seacall.detect.workers import Job
from seacall.errors import SeacallError, SettingsError, require

SCRATCH_NAME = "units"
"""Folder of the parts, in the run's folder if no other is named."""
_WAVE = 10_000
"""Tasks that Ray is given at once: it keeps account of each in the driver's memory."""
_IN_FLIGHT = 2
"""Tasks handed to each worker, so that none waits and few are lost."""
_OURS = re.compile(r"seacall\.errors\.(\w*Error): (.+)")
"""How Ray tells of an error in a worker: as the last line of a traceback."""
_OBJECT_STORE_BYTES = 256 * 2**20
"""Of a cluster of our own; parts are some kilobytes."""


@dataclass(frozen=True)
class Cluster:
    """Scores tasks on a Ray cluster: an engine for `seacall.detect.archive.listen`.

    Each unit's results are written once, as a part of Parquet, by the worker that
    scored it, and come back through Ray. Parts that an earlier run wrote and did not
    live to take up are taken up first.
    """

    store: Store
    """The run's ledger: it tells parts of other settings and recordings apart."""
    address: str | None = None
    """``host:port`` of a cluster's head, or ``auto``; None: start one here."""
    scratch: Path | None = None
    """Folder or URL that all workers reach; None: in the run's folder."""
    n_workers: int | None = None
    """Actors, one core each; None: as many as there are cores."""

    def __call__(self, tasks: Sequence[Task], job: Job) -> Iterator[UnitResult]:
        """Yield what came of each unit, once, as it is ready.

        Raises
        ------
        MissingExtraError
            If Ray is not installed.
        SettingsError
            If there is no cluster at the address, or a worker's machine is not set up
            as this one.
        SeacallError
            If the cluster fails, or the scratch folder cannot be written.
        """
        require("ray", "cluster")
        scratch = Scratch(_everywhere(self.scratch or self.store.folder / SCRATCH_NAME))
        order = Order(job, model_files(job), scratch, f"{uuid.uuid4().hex}.token")
        scratch.prepare(order.token)
        try:
            yield from self._results(self._named(tasks, job), order)
        finally:
            scratch.remove(order.token)

    def _named(self, tasks: Sequence[Task], job: Job) -> list[tuple[NamedUnit, ...]]:
        key, stamps = self.store.key, self.store.stamps()
        if job.embeddings:  # a part without them is not what is wanted
            key = key | {"embeddings": True}
        return [
            tuple(
                (part_name(unit, key=key, stamp=stamps[unit.path]), unit)
                for unit in task
            )
            for task in tasks
        ]

    def _results(
        self, tasks: Sequence[tuple[NamedUnit, ...]], order: Order
    ) -> Iterator[UnitResult]:
        left = {name: unit for task in tasks for name, unit in task}
        yield from _taken_up(left, order.scratch)
        waiting = [[one for one in task if one[0] in left] for task in tasks]
        waiting = [task for task in waiting if task]
        if not waiting:
            return
        with _joined(self.address, self.n_workers) as n_workers:
            for name, part in _parts(waiting, order, n_workers):
                unit = left.pop(name, None)  # None: Ray did it twice
                if unit is not None:
                    yield result_of(part, unit)
        empty = empty_table(len(order.job.card.labels))
        for unit in left.values():
            failure = f"{unit.path}: the cluster lost a part of it; run again"
            yield UnitResult(unit, empty, failure)


def _taken_up(left: dict[str, Unit], scratch: Scratch) -> Iterator[UnitResult]:
    """Yield what an earlier run left behind; what failed then is tried again."""
    for name in sorted(scratch.names() & left.keys()):
        try:
            result = result_of(scratch.read(name + SUFFIX) or b"", left[name])
        except SeacallError:
            result = None
        if result is None or result.failure:
            scratch.remove(name + SUFFIX)
            continue
        del left[name]
        yield result


def _parts(
    tasks: Sequence[Sequence[NamedUnit]], order: Order, n_workers: int
) -> Iterator[tuple[str, bytes]]:
    """Yield names and parts as workers give them."""
    ray = require("ray", "cluster")
    told, tries = ray.put(order), _tries(ray)
    for first in range(0, len(tasks), _WAVE):
        wave = tasks[first : first + _WAVE]
        done = _mapped(wave, told, tries, n_workers=n_workers)
        for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
            for row in batch.to_pylist():
                yield row["name"], row["part"]


def _mapped(
    tasks: Sequence[Sequence[NamedUnit]], told: Any, tries: Any, *, n_workers: int
) -> Any:
    """Return the data set of parts that workers make of tasks, one task a block."""
    data = importlib.import_module("ray.data")
    rows = [{"task": pickle.dumps(tuple(_elsewhere(task)))} for task in tasks]
    n_most = min(n_workers, len(tasks))
    return data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Worker,
        batch_size=1,
        fn_constructor_args=(told, tries),
        # Not a fixed number: where a machine is lost, the actors that are left must
        # make room in the end for one that has work and no place.
        compute=data.ActorPoolStrategy(
            min_size=1,
            max_size=n_most,
            initial_size=n_most,
            max_tasks_in_flight_per_actor=_IN_FLIGHT,
        ),
        # Ray Data restarts actors and tries again for ever: what kills its worker is
        # found, and given up, by the worker that comes next.
        num_cpus=1,
    )


def _elsewhere(task: Sequence[NamedUnit]) -> Iterator[NamedUnit]:
    """Yield units as they are named on machines that work in other folders."""
    for name, unit in task:
        yield name, replace(unit, path=_everywhere(unit.path))


def _everywhere(path: Path) -> Path:
    return path if is_remote(path) else path.absolute()


def _tries(ray: Any) -> Any:
    """Start the run's counter on this machine, which the run does not outlive."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=True
    )
    return (
        ray.remote(Tries)
        .options(
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
            scheduling_strategy=here,
        )
        .remote()
    )


@contextmanager
def _joined(address: str | None, n_workers: int | None) -> Iterator[int]:
    """Join a cluster, or start one; yields the number of workers."""
    ray = _quiet_ray()
    if ray.is_initialized():  # by whoever called: theirs to end
        with _translated(ray):
            yield n_workers or _n_cores(ray)
        return
    try:
        with _translated(ray):
            with _silence():
                _init(ray, address, n_workers)
            yield n_workers or _n_cores(ray)
    finally:
        ray.shutdown()


def _init(ray: Any, address: str | None, n_workers: int | None) -> None:
    quiet: Mapping[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    if address is None:
        ray.init(
            address="local",
            num_cpus=n_workers or len(os.sched_getaffinity(0)),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            **quiet,
        )
        return
    if "://" in address:
        raise SettingsError(
            f"address {address!r}: Ray's client cannot run this; start seacall on a "
            "machine of the cluster, and give host:6379 or auto"
        )
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SettingsError(
            f"address {address!r}: no Ray cluster answers there ({_line(error)}); "
            "start one with ray start --head and give its host:port; if it asks for a "
            "token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH"
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Drop what Ray's own threads write to standard error; errors come as such."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _quiet_ray() -> Any:
    """Import Ray so that it neither writes to the terminal nor tells its makers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray = require("ray", "cluster")
        context = importlib.import_module("ray.data").DataContext.get_current()
    context.enable_progress_bars = False
    return ray


def _n_cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


@contextmanager
def _translated(ray: Any) -> Iterator[None]:
    """Translate what Ray raises; an error of ours that a worker met comes as it was."""
    try:
        yield
    except ray.exceptions.RayError as error:
        line = _line(error)
        if found := _OURS.search(line):
            kind = getattr(errors, found[1], SeacallError)
            raise (kind if issubclass(kind, SeacallError) else SeacallError)(
                found[2]
            ) from error
        raise SeacallError(
            f"the Ray cluster failed ({line}); run the same command again: what is "
            "done is kept"
        ) from error


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__

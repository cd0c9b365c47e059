"""What runs on the machines of a cluster: score tasks, and keep each unit's part."""

from __future__ import annotations

import pickle
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seacall.audio.remote import is_remote
from seacall.detect.classify import score_unit
from seacall.detect.clip_table import empty_table
from seacall.detect.cluster_parts import SUFFIX, Scratch, part_of
from seacall.detect.units import Unit, UnitResult
from seacall.detect.workers import Job
from seacall.errors import SeacallError, SettingsError, require
from seacall.models.backend import Classifier
from seacall.models.checkpoint import CARD_NAME, ONNX_NAME, WEIGHTS_NAME, checked_file
from seacall.models.pretrained import check_sha256
from seacall.models.shipped import shipped_folder

MOST_TRIES = 3
"""A unit whose worker dies so often is given up. A machine may go away once or twice
while it is at the same unit; three times is the recording."""

NamedUnit = tuple[str, Unit]
"""A unit and the name of its part."""


@dataclass(frozen=True)
class Order:
    """What workers are told, wherever they run."""

    job: Job
    model: Mapping[str, bytes]
    """The model folder's files, since workers need not have it."""
    scratch: Scratch
    token: str
    """A file that lies in the scratch folder, if it is the right one."""
    seacall_version: str = version("seacall")


def model_files(job: Job) -> dict[str, bytes]:
    """Return the files by which a model is run.

    Raises
    ------
    CheckpointError
        If one is missing, or is not the card's.
    """
    folder = job.model or shipped_folder()
    if job.card.members:
        paths = {k: checked_file(folder, job.card, k) for k in job.card.files}
        paths[CARD_NAME] = folder / CARD_NAME
        return {name: path.read_bytes() for name, path in paths.items()}
    name = ONNX_NAME if ONNX_NAME in job.card.files else WEIGHTS_NAME
    network = checked_file(folder, job.card, name)
    return {path.name: path.read_bytes() for path in (folder / CARD_NAME, network)}


class Tries:
    """Counts how often work was begun: one for a run, beside it.

    A worker that dies cannot tell; whoever gets its work next asks here.
    """

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, name: str) -> int:
        """Return how often work was begun before, and count this time."""
        self._begun[name] += 1
        return self._begun[name] - 1


class Worker:
    """An actor of Ray Data: loads the model once, then scores task after task.

    Raises
    ------
    SettingsError
        If this machine is not set up as the one that started the run.
    """

    def __init__(self, order: Any, tries: Any) -> None:
        self._ray = require("ray", "cluster")
        told: Order = self._ray.get(order)
        _check_machine(told)
        self._scratch = told.scratch
        self._tries = tries
        self._grid = told.job.grid
        self._classifier = _classifier(told)

    def __call__(self, batch: Mapping[str, Any]) -> Any:
        """Return names and parts of the units of a batch of tasks."""
        done = [
            one for task in batch["task"] for one in self._parts(pickle.loads(task))
        ]
        pa = require("pyarrow", "cluster")
        names, parts = [name for name, _ in done], [part for _, part in done]
        return pa.table({"name": pa.array(names), "part": pa.array(parts, pa.binary())})

    def _parts(
        self, task: tuple[NamedUnit, ...], *, again: bool = False
    ) -> Iterator[tuple[str, bytes]]:
        """Score a task; one that was begun before, unit by unit and with care."""
        first, _ = task[0]
        n_before = self._begin(f"{first}+{len(task)}")
        if n_before and len(task) > 1:
            for one in task:
                yield from self._parts((one,), again=True)
            return
        for name, unit in task:
            part = self._scratch.read(name + SUFFIX) if again or n_before else None
            if part is None:
                part = part_of(self._result(unit, n_before))
                self._scratch.write(name + SUFFIX, part)
            yield name, part

    def _begin(self, name: str) -> int:
        return int(self._ray.get(self._tries.begin.remote(name)))

    def _result(self, unit: Unit, n_before: int) -> UnitResult:
        empty = empty_table(len(self._classifier.card.labels))
        host = socket.gethostname()
        if n_before >= MOST_TRIES:
            return UnitResult(
                unit,
                empty,
                f"{unit.path}: the worker that read it died {MOST_TRIES} times (the "
                f"last try was given up on {host}), most likely for memory; run again "
                "with fewer workers, or leave it out",
            )
        if not is_remote(unit.path) and not unit.path.exists():
            return UnitResult(
                unit,
                empty,
                f"{unit.path}: no such file on {host}; workers must see recordings "
                "under the same path, or by URL",
            )
        return score_unit(unit, self._classifier, grid=self._grid)


def _check_machine(order: Order) -> None:
    host = socket.gethostname()
    if order.seacall_version != version("seacall"):
        raise SettingsError(
            f"{host} has seacall {version('seacall')} and the run was started with "
            f"{order.seacall_version}; install the same version on all machines"
        )
    if order.scratch.read(order.token) is None:
        raise SettingsError(
            f"{host} does not see {order.scratch.folder} of the machine that started "
            "the run; give a shared folder or a URL with --scratch"
        )


def _classifier(order: Order) -> Classifier:
    with tempfile.TemporaryDirectory(prefix="seacall-") as name:
        folder = Path(name)
        for file_name, content in order.model.items():
            (folder / file_name).parent.mkdir(exist_ok=True)
            (folder / file_name).write_bytes(content)
            if file_name != CARD_NAME:
                sha256 = order.job.card.files.get(file_name)
                if sha256 is None:
                    raise SeacallError(
                        f"{file_name}: the model's card does not list it"
                    )
                check_sha256(folder / file_name, sha256)
        return replace(order.job, model=folder).classifier()

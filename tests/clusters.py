"""Starts a Ray cluster of several machines' worth of processes, and an S3 server."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from killing import VICTIM
from listening import plan_for

from seacall.audio import io as audio
from seacall.detect import units
from seacall.detect.archive import listen
from seacall.detect.cluster import Cluster
from seacall.detect.store import Store
from seacall.detect.workers import Job
from seacall.models.backend import Classifier

HERE = Path(__file__).resolve().parent
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # A machine that is gone is missed after seconds, not half a minute.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "3",
}
# Ray listens on all of this machine's addresses: none but the test's own may come in.
OWN_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
_STORE = "--object-store-memory=80000000"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """The processes below one, and what they started in turn."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and all that it started, as if its machine lost power."""
    pids = [process.pid, *descendants(process.pid)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def until(is_so: Callable[[], bool], *, timeout_s: float = 60, what: str = "") -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


@dataclass
class Machines:
    """A head without cores, where the driver runs, and machines of one core each."""

    address: str
    env: Mapping[str, str]
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The workers, the head, and what did not come to be one."""

    def join(self) -> subprocess.Popen[bytes]:
        """Start one more machine."""
        number = len(self.workers) + 2
        worker = self.started(
            f"--address={self.address}", f"--node-ip-address=127.0.0.{number}",
            "--num-cpus=1",
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def actors(self, worker: subprocess.Popen[bytes]) -> list[int]:
        """The actors' processes on a machine."""
        found = []
        for pid in descendants(worker.pid):
            with suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                found += [pid] if b"MapWorker" in line else []
        return found

    def started(self, *options: str) -> subprocess.Popen[bytes]:
        """Start Ray; it gives up after 30 s itself where a machine is busy."""
        before = self.n_started
        for _ in range(4):
            process = self._start(*options)
            until(
                lambda p=process: self.n_started > before or p.poll() is not None,
                what=self.said(),
            )
            if self.n_started > before:
                return process
            end(process)
        raise TimeoutError(self.said())

    @property
    def n_started(self) -> int:
        return self.said().count("Ray runtime started")

    def said(self) -> str:
        out = self.folder / "out"
        return out.read_text(errors="replace") if out.exists() else ""

    def _start(self, *options: str) -> subprocess.Popen[bytes]:
        program = ("-c", "from ray.scripts.scripts import main; main()")
        process = subprocess.Popen(
            [sys.executable, *program, "start", "--block", _STORE, *options],
            env=dict(self.env),
            cwd="/",  # as on another machine: not where the run was started
            stdout=(self.folder / "out").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes.append(process)
        return process


@contextmanager
def machines(n: int, extra_env: Mapping[str, str]) -> Iterator[Machines]:
    # Sockets lie in it, and their names may have 107 letters.
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    port = free_port()
    env = {
        **os.environ, **QUIET, **OWN_TOKEN, **extra_env, "PYTHONPATH": str(HERE),
        "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    found = Machines(f"127.0.0.1:{port}", env, folder)
    try:
        found.started(
            "--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false",
            f"--temp-dir={folder}",
        )  # fmt: skip
        for _ in range(n):
            found.join()
        yield found
    finally:
        for process in found.processes:
            end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def s3_server() -> Iterator[int]:
    """Moto's server, in a process of its own."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", f"-p{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: _answers(port), what="moto's server did not start")
        yield port
    finally:
        end(server)


class SlowJob(Job):
    """Takes its time over each unit, so that a run can be met in the middle of it."""

    def classifier(self) -> Classifier:
        plain = audio.read_blocks

        def read_blocks(path: Path, **options):
            time.sleep(0.3)
            return plain(path, **options)

        audio.read_blocks = read_blocks
        return super().classifier()


class DeadlyJob(Job):
    """Ends its process, as ``kill -9`` would, once the victim is to be read."""

    def classifier(self) -> Classifier:
        plain = audio.read_blocks

        def read_blocks(path: Path, **options):
            if path.name == VICTIM:
                os._exit(9)
            return plain(path, **options)

        audio.read_blocks = read_blocks
        return super().classifier()


def as_(kind: type[Job], job: Job) -> Job:
    return kind(job.model, job.card, job.grid)


def listen_slowly(paths: list[str], out: str, model: str, address: str) -> None:
    """A driver, to be run in a process of its own."""
    plan = plan_for(Path(model), unit_s=1.0)
    units.TASK_S = 1.0
    with Store(Path(out)) as store:
        cluster = Cluster(store, address=address)
        listen(
            [Path(path) for path in paths],
            store,
            plan,
            engine=lambda tasks, job: cluster(tasks, as_(SlowJob, job)),
        )

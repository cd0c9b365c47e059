"""Runs programs as a user does: in processes of their own, with an end in any case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """Start ``python ARGUMENTS`` as the first of its own group of processes."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        **options,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a program and all that it started, as ``kill -9`` does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def run(*arguments: object, timeout_s: float = 90, **options: object) -> Done:
    """Run ``python ARGUMENTS`` to its end."""
    process = start(*arguments, **options)
    try:
        out, err = process.communicate(timeout=timeout_s)
        return Done(process.returncode, out, err)
    finally:
        kill(process)


def torchrun(n_processes: int, *arguments: object) -> Done:
    """Run a program in several processes that train together."""
    launcher: Sequence[object] = (
        *("-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", n_processes),
    )
    return run(*launcher, *arguments)

"""A job whose worker process dies when it comes to a certain recording."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

from seacall.audio import io
from seacall.detect.workers import Job

VICTIM = "victim.wav"


class KillingJob(Job):
    """Ends the process, as ``kill -9`` would, once the recording is to be read."""

    def classifier(self):
        if multiprocessing.parent_process() is None:
            return super().classifier()
        plain = io.read_blocks

        def read_blocks(path: Path, **options):
            if path.name == VICTIM:
                os._exit(9)
            return plain(path, **options)

        io.read_blocks = read_blocks
        return super().classifier()

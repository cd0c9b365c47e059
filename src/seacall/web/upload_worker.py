"""What runs in a process of its own: open what strangers sent, and listen to it.

    python -m seacall.web.upload_worker look RECORDING
    python -m seacall.web.upload_worker listen FOLDER MODEL

Lines of JSON on standard output. Decoders are large programs: one that crashes, or
needs hours for a few bytes, takes this process with it, and no server. It ends when its
standard input does, which is when the server ends, however that comes about.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

from seacall.audio import io
from seacall.config import DetectRun
from seacall.errors import AudioError, SeacallError

RECORDINGS = "recordings"
LOOK_S = 20
"""Processor time that opening a recording may take, s."""
_LOOK_BYTES = 8 * 2**30


def look(path: Path) -> None:
    """Open a recording in little time and memory, and say how long it is.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (LOOK_S, LOOK_S))
    resource.setrlimit(resource.RLIMIT_AS, (_LOOK_BYTES, _LOOK_BYTES))
    _tell(duration_s=opened(path))


def opened(path: Path) -> float:
    """Read the beginning of a recording; return how long it is, s.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    recording = io.probe(path)
    if next(io.read_blocks(path), None) is None:
        raise AudioError(f"{path}: holds no sample; give another recording")
    return recording.n_samples / recording.sample_rate


def listen(folder: Path, model: str) -> None:
    """Listen to all recordings of a folder that were not heard yet.

    Raises
    ------
    SeacallError
        If the folder cannot be used, or there is no such model.
    """
    from seacall.detect.recordings import detect_recordings

    os.nice(10)  # a station that listens beside it comes first
    result = detect_recordings(
        sorted((folder / RECORDINGS).iterdir()),
        folder,
        DetectRun(model=model or None),
        n_workers=1,
        watch=lambda p: _tell(progress=p.audio_done_s / max(p.audio_s, 1e-9)),
    )
    failures = {Path(path).name: reason for path, reason in result.failures.items()}
    _tell(failures=failures)


def main(arguments: list[str]) -> int:
    """Do what is asked for; return the exit code."""
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        if arguments[0] == "look":
            look(Path(arguments[1]))
        else:
            listen(Path(arguments[1]), arguments[2])
    except (SeacallError, OSError, MemoryError) as error:
        _tell(error=" ".join(str(error).split()) or type(error).__name__)
        return 1
    return 0


def _end_with_the_server() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


def _tell(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

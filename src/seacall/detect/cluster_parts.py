"""Keep what came of each unit as a Parquet file, in a folder that all workers reach."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from seacall.audio.remote import is_remote
from seacall.detect.clip_table import ClipTable
from seacall.detect.rows import MEASURES, path_bytes, unit_key
from seacall.detect.units import Unit, UnitResult
from seacall.errors import SeacallError, require
from seacall.files import written_whole

SUFFIX = ".parquet"
PAUSES_S = (0.5, 2.0, 8.0, 30.0)
"""Waited before the second and each further try of a remote folder, s. A run of days
should outlive a minute without an answer."""
_ABOUT = b"seacall"
_FINAL = (FileNotFoundError, PermissionError)
R = TypeVar("R")


def part_name(unit: Unit, *, key: Mapping[str, Any], stamp: tuple[int, int]) -> str:
    """Name a unit's part so that none is taken for another's.

    Parameters
    ----------
    key
        All that decides the scores.
    stamp
        Size and time of last change of the recording: of one that changed, no part
        is used again.
    """
    values = [
        dict(key),
        path_bytes(unit.path).hex(),
        *stamp,
        unit.sample_rate,
        *(unit.segment.first_sample, unit.segment.n_samples),
        *unit_key(unit),
        unit.n_clips,
    ]
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def part_of(result: UnitResult) -> bytes:
    """Return what came of a unit as a Parquet file: a row for each clip.

    The columns are ``start_s``, ``logits``, the measures of `ClipTable` and, if they
    were asked for, ``embedding``; the metadata says which unit it is and why it is
    shorter than it should be, if it is.
    """
    pa, parquet = _arrow()
    unit, table = result.unit, result.table
    n_classes = table.logits.shape[1]
    logits = pa.FixedSizeListArray.from_arrays(
        pa.array(table.logits.astype("<f4").ravel()), n_classes
    )
    about = {
        "path": os.fsdecode(path_bytes(unit.path)).encode(errors="replace").decode(),
        **dict(zip(("channel", "segment", "first_clip"), unit_key(unit), strict=True)),
        "failure": result.failure,
    }
    rows = pa.table(
        {
            "start_s": pa.array(table.start_s),
            "logits": logits,
            **{name: pa.array(getattr(table, name)) for name in MEASURES},
            **_embedding_column(pa, table),
        }
    ).replace_schema_metadata({_ABOUT: json.dumps(about)})
    content = io.BytesIO()
    parquet.write_table(rows, content, compression="zstd")
    return content.getvalue()


def result_of(part: bytes, unit: Unit) -> UnitResult:
    """Return what came of a unit from its Parquet file.

    Raises
    ------
    SeacallError
        If it is damaged.
    """
    pa, parquet = _arrow()
    try:
        rows = parquet.read_table(io.BytesIO(part))
        about = json.loads(rows.schema.metadata[_ABOUT])
        logits = rows["logits"].combine_chunks()
        n_classes = rows.schema.field("logits").type.list_size
        columns = {name: rows[name].to_numpy() for name in ("start_s", *MEASURES)}
        embeddings = _embeddings_of(rows)
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError) as error:
        raise SeacallError(
            f"{unit.path}: a part of its results is damaged ({_reason(error)}); "
            "delete it and run again"
        ) from error
    values = logits.flatten().to_numpy(zero_copy_only=False)
    table = ClipTable(
        logits=values.reshape(-1, n_classes).astype(np.float32),
        embeddings=embeddings,
        **columns,
    )
    return UnitResult(unit, table, str(about["failure"]))


def _embedding_column(pa: Any, table: ClipTable) -> dict[str, Any]:
    if table.embeddings is None:
        return {}
    values = pa.array(table.embeddings.ravel())
    length = table.embeddings.shape[1]
    return {"embedding": pa.FixedSizeListArray.from_arrays(values, length)}


def _embeddings_of(rows: Any) -> NDArray[np.float16] | None:
    if "embedding" not in rows.column_names:
        return None
    values = rows["embedding"].combine_chunks().flatten()
    length = rows.schema.field("embedding").type.list_size
    found: NDArray[np.float16] = values.to_numpy(zero_copy_only=False)
    return found.reshape(-1, length)


@dataclass(frozen=True)
class Scratch:
    """A folder of parts: on a disk that all workers share, or a URL."""

    folder: Path

    def prepare(self, token: str) -> None:
        """Make it, and leave a token by which workers know it."""
        self.write(token, b"")

    def names(self) -> set[str]:
        """Return the names of all parts that are there."""
        if not is_remote(self.folder):
            found = [entry.name for entry in os.scandir(self.folder)]
        else:
            found = self._asked(self._listed)
        return {name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)}

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; one that is there gives way.

        Raises
        ------
        SeacallError
            If the folder cannot be written.
        """
        path = self.folder / name
        if is_remote(path):
            fs, key = _remote(path)
            self._asked(lambda: fs.pipe_file(key, content))
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as part:
                part.write_bytes(content)
        except OSError as error:
            raise self._failure(error) from error

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None: it is not there.

        Raises
        ------
        SeacallError
            If it is there and cannot be read.
        """
        path = self.folder / name
        try:
            if not is_remote(path):
                return path.read_bytes()
            fs, key = _remote(path)
            return self._asked(lambda: bytes(fs.cat_file(key)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failure(error) from error

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        path = self.folder / name
        if not is_remote(path):
            path.unlink(missing_ok=True)
            return
        fs, key = _remote(path)
        try:
            self._asked(lambda: fs.rm_file(key))
        except FileNotFoundError:
            return

    def _listed(self) -> list[str]:
        fs, key = _remote(self.folder)
        fs.invalidate_cache()  # others write there
        return [str(name).rsplit("/", 1)[-1] for name in fs.find(key)]

    def _asked(self, question: Callable[[], R]) -> R:
        """Ask a store, again after a pause if it may answer then."""
        for pause_s in (*PAUSES_S, None):
            try:
                return question()
            except _FINAL:
                raise
            # Every store has errors of its own, some no OSError (aiohttp, botocore).
            except Exception as error:
                if pause_s is None or "Credentials" in type(error).__name__:
                    raise self._failure(error) from error
            time.sleep(pause_s)
        raise AssertionError("unreachable")

    def _failure(self, error: Exception) -> SeacallError:
        return SeacallError(
            f"{self.folder}: cannot be used for the parts of the results "
            f"({_reason(error)}); make room or choose another folder or URL with "
            "--scratch, and run the same command again: what is done is kept"
        )


def _remote(path: Path) -> tuple[Any, str]:
    found = cast("Any", path)
    return found.fs, str(found.path)


def _arrow() -> tuple[Any, Any]:
    arrow = require("pyarrow", "cluster")
    from pyarrow import parquet

    return arrow, parquet


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__

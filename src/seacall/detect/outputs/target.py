"""Where outputs go: one place for each file, and none is seen before it is whole."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from seacall.events import Detection, Searched
from seacall.files import written_whole

LONGEST_NAME = 255
"""Bytes that file systems take in one name; 20 are kept for the name while writing."""

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """What every format needs to know to begin."""

    out: Path
    folder: Path | Parts | None
    """What names of recordings are counted from."""
    labels: tuple[str, ...] = ()
    """All that could be detected; empty: not known."""
    written: list[Path] = field(default_factory=list)

    @contextmanager
    def text(self, name: str) -> Iterator[TextIO]:
        """Open a text file of the output, and note that it is written."""
        self.written.append(self.out / name)
        with opened_text(self.out / name) as stream:
            yield stream

    def named(self, recording: Path, *, under: str, ending: str) -> Path:
        """Return the path of a recording's own file: no other recording has it."""
        *folders, name = self.relative(recording)
        kept = LONGEST_NAME - 20 - len(ending)
        path = self.out.joinpath(under, *(_short(f, kept) for f in folders))
        return path / (_short(name, kept) + ending)

    def folder_of(self, recording: Path) -> str:
        """Return the folder that a recording lies in; ``.``: that of all."""
        return "/".join(self.relative(recording)[:-1]) or "."

    def relative(self, recording: Path) -> Parts:
        """Return where a recording lies, as names that any folder may hold."""
        parts = parts_of(recording)
        base = self.folder if isinstance(self.folder, tuple) else ()
        if isinstance(self.folder, Path):
            base = parts_of(self.folder)
        if parts[: len(base)] == base and len(parts) > len(base):
            parts = parts[len(base) :]
        return tuple(_plain(part) for part in parts)


Take = Callable[[Searched, list[Detection]], None]
Format = Callable[[Target], AbstractContextManager[Take]]
"""Opens a format's files; what it gives takes one recording after the other."""


def parts_of(path: Path) -> Parts:
    """Split an absolute path or a URL into its names, the machine's or bucket's first.

    Examples
    --------
    >>> parts_of(Path("/data/a.wav"))
    ('data', 'a.wav')
    """
    text = str(path)
    if "://" not in text:
        text = os.path.abspath(text)  # noqa: PTH100 (links stay, as the user named them)
    return tuple(part for part in text.split("/") if part)


def shared_folder(paths: Iterable[Path]) -> Parts | None:
    """Return the innermost folder that holds all recordings, None without any."""
    shared: Parts | None = None
    for path in paths:
        above = parts_of(path)[:-1]
        if shared is None:
            shared = above
        n = sum(1 for _ in _equal(shared, above))
        shared = shared[:n]
    return shared


def _equal(one: Parts, other: Parts) -> Iterator[str]:
    for a, b in zip(one, other, strict=False):
        if a != b:
            return
        yield a


@contextmanager
def opened_text(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears when it is whole, with its folder.

    Names of files that are not UTF-8 are written with escapes: one of them must not
    make a table that no program opens.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        written_whole(path) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def _plain(part: str) -> str:
    """Escape what file systems or programs trip over; different names stay so."""
    escaped = re.sub(r"[\x00-\x1f\x7f%\\:*?\"<>|]", lambda m: f"%{ord(m[0]):02X}", part)
    return escaped.replace(".", "%2E") if part in {".", ".."} else escaped


def _short(name: str, longest: int) -> str:
    coded = os.fsencode(name)
    if len(coded) <= longest:
        return name
    digest = hashlib.sha256(coded).hexdigest()[:12]
    return os.fsdecode(coded[: longest - 13]).encode("utf-8", "ignore").decode() + (
        f"~{digest}"
    )

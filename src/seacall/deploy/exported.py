"""What an export is told, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from seacall.settings import Settings


class ExportSettings(Settings):
    """How a model is exported."""

    rate: int | None = Field(default=None, ge=1_000, le=500_000)
    """Sample rate, Hz, of the waveforms that the file takes: filter and resampler go
    into it. None: the profile's rate, and clips that have been through both."""
    audio: Path | None = None
    """Folder of recordings to prove the file on, beside synthetic sounds, and to take
    calibration clips from where the kind needs some."""


@dataclass(frozen=True)
class ExportResult:
    """A file, or a folder, that an export wrote."""

    kind: str
    """Name of the kind in `seacall.deploy.kinds`."""
    path: Path
    """What was written."""
    n_bytes: int
    """Its size; of a folder: of all in it."""
    report: dict[str, Any] = field(default_factory=dict)
    """What `seacall.deploy.verify` found, as plain values."""

    def lines(self) -> list[str]:
        """Say it in words."""
        said = self.report.get("summary")
        return [
            f"{self.path}: {self.kind}, {self.n_bytes / 1e3:.0f} kB",
            *([str(said)] if said else []),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": self.kind,
            "path": str(self.path),
            "n_bytes": self.n_bytes,
            "verify": self.report,
        }


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())

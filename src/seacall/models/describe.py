"""What a model folder holds, in words, read from its card: needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seacall.models.checkpoint import Card, checked_file, read_card


@dataclass(frozen=True)
class Description:
    """A model, and the teacher that it is compared with."""

    folder: Path
    card: Card
    files: dict[str, int]
    """Bytes of each file, by name; their sha256 were checked."""
    teacher: Card | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "card": self.card.model_dump(mode="json"),
            "file_bytes": self.files,
            "fewer_parameters": self._fewer(),
        }

    def lines(self) -> list[str]:
        """Render for people."""
        card = self.card
        profile, clip = card.front_end.profile, card.front_end.clip
        band = (
            "no filter"
            if profile.band_hz is None
            else f"{profile.band_hz[0] / 1000:g}-{profile.band_hz[1] / 1000:g} kHz"
        )
        lines = [
            f"{self.folder}: {card.architecture}, seacall {card.seacall_version}",
            f"  parameters       {card.n_parameters:,}",
            f"  weights          {card.n_parameters * 4:,} bytes in float32",
            f"  multiply-adds    {card.n_multiply_adds:,} for one clip",
            f"  profile          {profile.name}: {profile.sample_rate} Hz, {band}, "
            f"{profile.n_mels} mel bands {profile.fmin:g}-{profile.fmax:g} Hz",
            f"  clips            {clip.duration_s:g} s, shorter ones: {clip.fit}",
            f"  threshold        {card.threshold:g}",
            f"  classes          {len(card.labels)}: {', '.join(card.labels)}",
            f"  teacher          {card.teacher or 'none'}",
        ]
        lines += [f"  {name:<17}{size:,} bytes" for name, size in self.files.items()]
        fewer = self._fewer()
        if fewer is not None and self.teacher is not None:
            lines.append(
                f"  {100 * fewer:.2f} % fewer parameters than "
                f"{self.teacher.architecture} ({self.teacher.n_parameters:,})"
            )
        return lines

    def _fewer(self) -> float | None:
        if self.teacher is None or not self.teacher.n_parameters:
            return None
        return 1 - self.card.n_parameters / self.teacher.n_parameters


def describe(folder: Path, *, teacher: Path | None = None) -> Description:
    """Read a model folder's card and check its files.

    Raises
    ------
    CheckpointError
        If it is no model folder, or a file is not that of the card.
    """
    card = read_card(folder)
    files = {
        name: checked_file(folder, card, name).stat().st_size for name in card.files
    }
    return Description(
        folder=folder,
        card=card,
        files=files,
        teacher=None if teacher is None else read_card(teacher),
    )

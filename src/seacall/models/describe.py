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
        rows = {
            "parameters": f"{card.n_parameters:,}",
            "weights": f"{card.n_parameters * 4:,} bytes in float32",
            "multiply-adds": f"{card.n_multiply_adds:,} for one clip",
            "profile": f"{profile.name}: {profile.sample_rate} Hz, {band}, "
            f"{profile.n_mels} mel bands {profile.fmin:g}-{profile.fmax:g} Hz",
            "clips": f"{clip.duration_s:g} s, shorter ones: {clip.fit}",
            "threshold": f"{card.threshold:g}, calibration temperature "
            f"{card.calibration_temperature:.2f}",
            "classes": f"{len(card.labels)}: {', '.join(card.labels)}",
            "teacher": card.teacher or "none",
            **{name: f"{size:,} bytes" for name, size in self.files.items()},
            **_measured(card.metrics),
        }
        lines = [f"{self.folder}: {card.architecture}, seacall {card.seacall_version}"]
        lines += [f"  {name:<19}{text}" for name, text in rows.items()]
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


def _measured(metrics: dict[str, Any]) -> dict[str, str]:
    """Say how well the model did when it was trained, if that was measured."""
    try:
        model = metrics["figures"]["model"]
        leaky = ", leaky" if metrics["leaky"] else ""
        return {
            "measured": f"macro-F1 {model['macro_f1']['value']:.3f}, accuracy "
            f"{model['accuracy']['value']:.3f} on {metrics['n_recordings']} "
            f"{metrics['split']} recordings of {metrics['n_deployments']} "
            f"deployments{leaky}"
        }
    except (KeyError, TypeError, ValueError):  # a card of another making
        return {}


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

"""What a model folder holds, in words, read from its card: needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seacall.models.checkpoint import NEVER, Card, checked_file
from seacall.models.file_classifier import card_of
from seacall.models.shipped import shipped_folder


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
            **_members(card),
            "parameters": f"{card.n_parameters:,}",
            "weights": f"{card.n_parameters * 4:,} bytes in float32",
            "multiply-adds": f"{card.n_multiply_adds:,} for one clip",
            "profile": f"{profile.name}: {profile.sample_rate} Hz, {band}, "
            f"{profile.n_mels} mel bands {profile.fmin:g}-{profile.fmax:g} Hz",
            "clips": f"{clip.duration_s:g} s, shorter ones: {clip.fit}",
            "threshold": _threshold(card),
            "calibration": _calibration(card),
            "unknown": _unknown(card),
            "classes": f"{len(card.labels)}: {', '.join(card.labels)}",
            "teacher": card.teacher or "none",
            **{name: f"{size:,} bytes" for name, size in self.files.items()},
            **_measured(card.metrics),
            **_about(card),
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


def _members(card: Card) -> dict[str, str]:
    """Say who sits on a committee."""
    if not card.members:
        return {}
    listed = (f"{member.folder}: {member.name}" for member in card.members)
    return {"members": _ROW_BREAK.join(listed)}


def _threshold(card: Card) -> str:
    """Say from which score on a class is answered."""
    if not card.thresholds:
        return f"{card.threshold:g} for every class"
    never = [label for label, lowest in card.thresholds.items() if lowest >= NEVER]
    lowest = [value for value in card.thresholds.values() if value < NEVER]
    text = f"{min(lowest):.2f} to {max(lowest):.2f} by class" if lowest else "none"
    if len(card.thresholds) < len(card.labels) - 1:
        own = ", ".join(f"{k} {v:.2f}" for k, v in card.thresholds.items() if v < NEVER)
        text = f"{card.threshold:g}" + (f", but {own}" if own else "")
    if card.target_precision is not None:
        text += f", for a precision of {card.target_precision:g}"
    if card.false_alarms.target_per_hour is not None:
        text += (
            f", for {card.false_alarms.target_per_hour:g} false alarms per hour and "
            f"class, set on {card.false_alarms.set_on}"
        )
    return text + (f"; never answered: {', '.join(never)}" if never else "")


def _calibration(card: Card) -> str:
    c = card.calibration
    if c.method == "none":
        return "none"
    text = f"temperature {c.temperature:.2f}" if c.method == "temperature" else c.method
    if c.error_before is not None and c.error_after is not None:
        text += f", error {c.error_before:.3f} before, {c.error_after:.3f} after"
    return text + (f"; fitted on {c.fitted_on}" if c.fitted_on else "")


def _unknown(card: Card) -> str:
    """Say what is refused whatever the scores."""
    rule, parts = card.unknown, ["silence"]
    if rule.lowest_event_db is not None:
        parts.append(f"events below {rule.lowest_event_db:.1f} dB")
    if rule.most_disagreement is not None:
        parts.append(f"members apart by more than {rule.most_disagreement:.2f} nats")
    if rule.method != "none" and rule.lowest is not None:
        parts.append(f"{rule.method} below {rule.lowest:.2f}")
    return ", ".join(parts)


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


_ROW_BREAK = "\n" + 21 * " "
"""A further line of the same row."""


def _about(card: Card) -> dict[str, str]:
    """Say what the model was trained on and what it cannot do."""
    found = {}
    if card.data:
        sources = (f"{s.name} ({s.n_recordings:,}; {s.terms})" for s in card.data)
        found["trained on"] = _ROW_BREAK.join(sources)
    if card.limits:
        found["beware"] = _ROW_BREAK.join(card.limits)
    return found


def describe(folder: Path | None = None, *, teacher: Path | None = None) -> Description:
    """Read a model folder's card and check its files.

    Parameters
    ----------
    folder
        Model folder; None: the model that comes with the package.
    teacher
        Model folder to compare sizes with.

    Raises
    ------
    CheckpointError
        If it is no model folder, or a file is not that of the card.
    """
    folder = folder or shipped_folder()
    card = card_of(folder)
    paths = {folder.name: folder}
    if not folder.is_file():
        paths = {name: checked_file(folder, card, name) for name in card.files}
    files = {name: path.stat().st_size for name, path in paths.items()}
    return Description(
        folder=folder,
        card=card,
        files=files,
        teacher=None if teacher is None else card_of(teacher),
    )

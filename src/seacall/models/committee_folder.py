"""Put several model folders together as one: a committee."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from seacall.errors import CheckpointError, SettingsError
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import (
    COMMITTEE,
    MOST_MEMBERS,
    ONNX_NAME,
    WEIGHTS_NAME,
    Card,
    DataSource,
    Member,
    checked_file,
    read_card,
    write_card,
)
from seacall.models.committee import common_card


@dataclass(frozen=True)
class Plan:
    """Models that can answer together, and the card that they will have."""

    models: tuple[Path, ...]
    cards: tuple[Card, ...]
    card: Card


def plan_committee(models: Sequence[Path]) -> Plan:
    """Check that models can answer together.

    Parameters
    ----------
    models
        Two or more model folders that know the same classes, in the same order, and
        hear clips of the same length.

    Raises
    ------
    CheckpointError
        If one is no model folder, or a file is not the card's.
    SettingsError
        If they cannot answer together.
    """
    if not 2 <= len(models) <= MOST_MEMBERS:
        raise SettingsError(
            f"{len(models)} models: a committee has 2 to {MOST_MEMBERS}; name more "
            "model folders, or fewer"
        )
    cards = tuple(_member_card(folder) for folder in models)
    _refuse_twins(models, cards)
    names = [f"member-{k}" for k in range(1, len(models) + 1)]
    members = tuple(
        Member(folder=folder, name=card.name)
        for folder, card in zip(names, cards, strict=True)
    )
    manifests = {card.manifest_sha256 for card in cards}
    card = Card(
        seacall_version=metadata.version("seacall"),
        architecture=COMMITTEE,
        members=members,
        labels=cards[0].labels,
        n_parameters=sum(card.n_parameters for card in cards),
        n_multiply_adds=sum(card.n_multiply_adds for card in cards),
        manifest_sha256=manifests.pop() if len(manifests) == 1 else "",
        deployments=_deployments(cards),
        training={"members": [_about(card) for card in cards]},
        data=_data(cards),
        limits=tuple(dict.fromkeys(text for card in cards for text in card.limits)),
        **common_card(cards, models),
    )
    return Plan(tuple(models), cards, card)


def write_committee(plan: Plan, out: Path) -> Card:
    """Write a committee's folder, its members' folders inside.

    Raises
    ------
    CheckpointError
        If the members cannot be run.
    SettingsError
        If ``out`` holds something already, or cannot be written.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise SettingsError(f"{out}: is a file; choose another name for the committee")
    if out.is_dir() and any(out.iterdir()):
        raise SettingsError(f"{out}: holds something already; choose another folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".committee-", dir=out.parent) as place:
            part = Path(place, "model")
            card = _written(plan, part)
            load_classifier(part)  # whatever does not run is noticed here
            if out.is_dir():
                out.rmdir()
            part.rename(out)
    except OSError as error:
        raise SettingsError(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    return card


def _written(plan: Plan, part: Path) -> Card:
    for source, card, member in zip(
        plan.models, plan.cards, plan.card.members, strict=True
    ):
        folder = part / member.folder
        folder.mkdir(parents=True)
        for name in (WEIGHTS_NAME, ONNX_NAME):
            if name in card.files:
                shutil.copyfile(checked_file(source, card, name), folder / name)
        write_card(folder, card)
    return write_card(part, plan.card)


def _member_card(folder: Path) -> Card:
    if folder.is_file():
        raise CheckpointError(
            f"{folder}: is a single file; a committee is made of model folders"
        )
    card = read_card(folder)
    if card.members:
        raise CheckpointError(
            f"{folder}: is a committee itself; name its members instead: "
            f"{folder / card.members[0].folder}, ..."
        )
    if not card.files.keys() & {WEIGHTS_NAME, ONNX_NAME}:
        raise CheckpointError(
            f"{folder}: its card lists no weights; copy the model folder again"
        )
    return card


def _refuse_twins(models: Sequence[Path], cards: Sequence[Card]) -> None:
    """Refuse the same network twice: it would look as if two agreed."""
    seen: dict[str, Path] = {}
    for folder, card in zip(models, cards, strict=True):
        sha256 = card.files.get(WEIGHTS_NAME) or card.files[ONNX_NAME]
        if sha256 in seen:
            raise SettingsError(
                f"{folder}: is the same network as {seen[sha256]}; a committee needs "
                "models that were trained apart, such as with other seeds"
            )
        seen[sha256] = folder


def _deployments(cards: Sequence[Card]) -> tuple[str, ...]:
    """Return what any was trained on; empty, not known, where one does not say."""
    if not all(card.deployments for card in cards):
        return ()
    return tuple(sorted({name for card in cards for name in card.deployments}))


def _data(cards: Sequence[Card]) -> tuple[DataSource, ...]:
    found: dict[str, DataSource] = {}
    for source in (source for card in cards for source in card.data):
        known = found.setdefault(source.name, source)
        if source.n_recordings > known.n_recordings:
            found[source.name] = source
    return tuple(found.values())


def _about(card: Card) -> dict[str, Any]:
    """Return what sets a member apart from the others."""
    return {
        "name": card.name,
        "seed": card.seed,
        "profile": card.front_end.profile.name,
        "calibration": card.calibration.method,
        "n_parameters": card.n_parameters,
    }

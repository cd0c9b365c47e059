"""Choose the card with which the scores of an earlier run are judged anew."""

from __future__ import annotations

from pathlib import Path

from seacall.config import DetectRun
from seacall.detect.store import Store
from seacall.errors import SettingsError
from seacall.models.checkpoint import Card
from seacall.models.decide import with_thresholds
from seacall.models.file_classifier import card_of


def card_for(store: Store, run: DetectRun) -> Card:
    """Return the card of the run that made the scores, or a newly calibrated one.

    Raises
    ------
    SettingsError
        If the settings ask for what only listening again could give.
    """
    kept = Card.model_validate(store.about["card"])
    card = kept if run.model is None else card_of(Path(run.model))
    if card.weights != kept.weights or card.labels != kept.labels:
        raise SettingsError(
            f"model {run.model}: these scores were made by {kept.name}; give that "
            "model, calibrated anew if you like, or listen again with -o"
        )
    if run.hop_s not in (None, store.key["hop"]):
        raise SettingsError(
            f"hop {run.hop_s}: the clips were scored with {store.key['hop']}; "
            "leave it out, or listen again with -o"
        )
    if card.unknown.needs_events and not store.key["measured_events"]:
        raise SettingsError(
            f"model {run.model}: its rule for unknown needs what was not measured "
            "when these scores were made; listen again with -o"
        )
    return with_thresholds(card, run.threshold)

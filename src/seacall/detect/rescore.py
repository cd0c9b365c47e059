"""Choose the card with which the scores of an earlier run are judged anew."""

from __future__ import annotations

from pathlib import Path

from seacall.config import DetectRun
from seacall.detect.embeddings import has_embeddings
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
    _refuse_to_listen_otherwise(store, run)
    with store.reading() as ledger:
        if run.embeddings and not has_embeddings(ledger):
            raise SettingsError(
                "embeddings: this run kept none; run detect PATHS again with "
                "--embeddings and the same -o, which listens again and keeps the scores"
            )
    if card.unknown.needs_events and not store.key["measured_events"]:
        raise SettingsError(
            f"model {run.model}: its rule for unknown needs what was not measured "
            "when these scores were made; listen again with -o"
        )
    return with_thresholds(card, run.threshold)


def _refuse_to_listen_otherwise(store: Store, run: DetectRun) -> None:
    kept = store.about.get("run", {})
    for name in ("channel", "timezone", "time_pattern"):
        asked = getattr(run, name)
        # What is not said may be anything; null in a settings file says nothing.
        said = name in run.model_fields_set and asked is not None
        if said and name in kept and asked != kept[name]:
            raise SettingsError(
                f"{name} {asked}: the earlier run was with {kept[name]}; leave it out, "
                "or run detect PATHS again"
                + ("" if name == "channel" else ", which does not listen again")
            )


def as_listened(earlier: Path, run: DetectRun) -> DetectRun:
    """Return settings that name what the scores of an earlier run were made with.

    A model that is named, one calibrated anew, stays, and so do thresholds.
    """
    with Store(earlier, writable=False) as store:
        kept = dict(store.about.get("run", {}))
    if run.model is not None:
        kept.pop("model", None)
    threshold = tuple(kept.pop("threshold", ()))
    if not run.threshold and run.model is None:
        kept["threshold"] = threshold
    return run.model_copy(update=kept)

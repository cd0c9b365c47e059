"""Put a trained student into the package: ship_model.py MODEL_FOLDER --about FILE.

Copies the graph, writes the card with what FILE (TOML) says of data and limits, renders
MODEL_CARD.md from it, and refuses what is too big or does not say what it was made of.
A model that was trained on all clips has no figures of its own: --protocol gives it
those of its recipe on deployments that were held out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

from seacall.errors import SeacallError
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import (
    CARD_NAME,
    ONNX_NAME,
    Card,
    checked_file,
    read_card,
    write_card,
)
from seacall.models.page import model_page
from seacall.models.shipped import shipped_folder

MOST_BYTES = 250_000
PAGE_NAME = "MODEL_CARD.md"
NAME = "The model in the package"


def ship(
    model: Path, about: Path, out: Path, metrics: dict[str, Any] | None = None
) -> int:
    """Fill the folder ``out``; return its size in bytes."""
    card = without_places(with_origin(read_card(model), about))
    if metrics:
        card = card.model_copy(update={"metrics": metrics})
    graph = checked_file(model, card, ONNX_NAME)
    part = out.with_name(out.name + "-part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copyfile(graph, part / ONNX_NAME)
    card = write_card(part, card)
    sizes = {ONNX_NAME: (part / ONNX_NAME).stat().st_size}
    page = model_page(card, name=NAME, file_bytes=sizes)
    (part / PAGE_NAME).write_text(page, encoding="utf-8")
    n_bytes = sum(path.stat().st_size for path in part.iterdir())
    if n_bytes > MOST_BYTES:
        raise SeacallError(
            f"{model}: {n_bytes:,} bytes and at most {MOST_BYTES:,} go into the "
            "package; train a smaller student"
        )
    load_classifier(part)
    out.mkdir(exist_ok=True)
    for name in (ONNX_NAME, CARD_NAME, PAGE_NAME):
        (part / name).replace(out / name)
    part.rmdir()
    return n_bytes


def with_origin(card: Card, about: Path) -> Card:
    """Add data, limits and, under ``unknown``, what the rule of the unknown lacks."""
    told = tomllib.loads(about.read_text(encoding="utf-8"))
    if not told.get("data") or not told.get("limits"):
        raise SeacallError(
            f"{about}: must say what the model was trained on ([[data]] with name, "
            "terms, credit) and what it cannot do (limits)"
        )
    gate = told.pop("unknown", {})
    values = card.model_dump() | told
    return Card.model_validate(values | {"unknown": values["unknown"] | gate})


def without_places(card: Card) -> Card:
    """Leave names in place of the paths of the machine that trained it."""

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: named(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [named(one) for one in value]
        is_path = isinstance(value, str) and value.startswith(("/", "~"))
        return Path(value).name if is_path else value

    return card.model_copy(update={"training": named(card.training)})


def protocol_metrics(path: Path, recipe: str) -> dict[str, Any]:
    """Return what a protocol found of a recipe, as a card has it.

    Figures are those of the first protocol, beside the look-ups that hear nothing.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    protocol = found["protocols"][0]
    if recipe not in protocol["recipes"]:
        raise SeacallError(
            f"{path}: has no recipe {recipe!r}; it has {', '.join(protocol['recipes'])}"
        )
    heard = recipe in protocol["recipes_that_heard_clips_before"]
    others = [name for name in protocol["systems"] if name not in protocol["recipes"]]
    return {
        "split": "held-out",
        "n_recordings": found["n_scored_clips"],
        "n_deployments": found["n_scored_deployments"],
        "leaky": protocol["leaky"] or heard,
        "interval_level": found["interval_level"],
        "interval_note": _how(found, protocol),
        "figures": {
            "model": protocol["systems"][recipe]["figures"],
            **{name: protocol["systems"][name]["figures"] for name in others},
        },
    }


def _how(found: dict[str, Any], protocol: dict[str, Any]) -> str:
    what, n_seeds = protocol["what"], found["n_seeds"]
    return (
        f"{what[:1].upper()}{what[1:]}: trained anew {protocol['n_folds']} times, each "
        f"without the clips asked about, {n_seeds} seed{'' if n_seeds == 1 else 's'}; "
        f"{len(found['scored_species'])} species of several deployments are scored. In "
        f"brackets {found['interval_level']:.0%} intervals over deployments. The model "
        "itself was trained on all clips."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="model folder of the student")
    parser.add_argument("--about", type=Path, required=True, help="TOML file")
    parser.add_argument("--out", type=Path, default=shipped_folder())
    parser.add_argument("--protocol", type=Path, help="protocol.json of an evaluation")
    parser.add_argument("--recipe", default="student-distilled", help="whose figures")
    options = parser.parse_args()
    try:
        metrics = None
        if options.protocol:
            metrics = protocol_metrics(options.protocol, options.recipe)
        n_bytes = ship(options.model, options.about, options.out, metrics)
        print(f"{options.out}: {n_bytes:,} bytes")
    except SeacallError as error:
        raise SystemExit(f"ship_model: {error}") from None


if __name__ == "__main__":
    main()

"""What the model in the package is made with: its table, its figures, its settings."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import pytest
import tiny

from seacall.config import DistillRun, HeadDistillation, HeadTraining, checked
from seacall.errors import SeacallError
from seacall.models.checkpoint import read_card
from seacall.settings import read_toml

RUNS = Path(__file__).resolve().parents[1] / "runs"


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, RUNS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("collection", "name", "label"),
    [
        ("watkins", "Humpback_Whale", "Humpback_Whale"),
        ("killer_whale_calls", "killer_whale", "Killer_Whale"),
        ("sanctsound", "north_atlantic_right_whale", "Northern_Right_Whale"),
        ("sanctsound", "blue_whale", None),
        ("sanctsound", "noise_rain", "unknown"),
        ("sanctsound", "ambient_soundscape", "unknown"),
        ("sanctsound", "fish_and_snapping_shrimp", "unknown"),
        ("unlabelled", "unlabelled_underwater", "unknown"),
        ("samana", "humpback_whale_long_pam", None),
    ],
)
def test_labels_of_other_collections_join_those_of_watkins(collection, name, label):
    assert script("shipped_table").label_of(collection, name) == label


def test_the_table_has_one_row_for_each_recording_that_is_kept(tmp_path):
    rows = [
        "set,file_name,species_name,sample_rate,deployment,recording",
        'watkins,watkins/a.wav,Ross_Seal,44100,ship,"tape 1, side 2"',
        "sanctsound,sanctsound/b.wav,gray_whale,48000,buoy,r",
        "sanctsound,sanctsound/c.wav,noise_rain,48000,buoy,r",
    ]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert script("shipped_table").write_table(manifest, tmp_path / "table.csv") == 2
    with (tmp_path / "table.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["species_name"] for row in found] == ["Ross_Seal", "unknown"]
    assert found[0]["recording"] == "tape 1, side 2"


def test_the_student_in_the_package_is_made_as_the_recipe_makes_it():
    """What was measured by the protocol is what is trained on all clips."""
    values = read_toml(RUNS / "frozen.toml")
    values["student"]["start"] = "trunk"
    run = checked(DistillRun, values)
    assert run.student.trunk == "frozen"
    assert run.train.model_dump() == HeadTraining().model_dump()
    assert run.distill.model_dump() == HeadDistillation().model_dump()


def protocol_file(folder: Path, **changes: object) -> Path:
    figures = {"macro_f1": {"value": 0.4, "interval": [0.3, 0.5]}}
    protocol = {
        "what": "each deployment held out in turn",
        "leaky": False,
        "n_folds": 30,
        "recipes": ["student-distilled"],
        "recipes_that_heard_clips_before": [],
        "systems": {
            "student-distilled": {"figures": figures},
            "majority class": {"figures": figures},
        },
    }
    found = {
        "n_scored_clips": 700,
        "n_scored_deployments": 28,
        "interval_level": 0.95,
        "n_seeds": 3,
        "scored_species": {"a": {}, "b": {}},
        "protocols": [protocol | changes],
    }
    path = folder / "protocol.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_a_model_trained_on_all_clips_is_shipped_with_its_recipes_figures(tmp_path):
    ship_model = script("ship_model")
    model = tiny.write_model(tmp_path / "model")
    about = tmp_path / "about.toml"
    about.write_text(
        'limits = ["Small."]\n[[data]]\nname = "Sea"\nterms = "MIT"\n', "utf-8"
    )
    metrics = ship_model.protocol_metrics(protocol_file(tmp_path), "student-distilled")
    ship_model.ship(model, about, tmp_path / "out", metrics)
    card = read_card(tmp_path / "out")
    assert card.metrics["figures"]["model"]["macro_f1"]["value"] == 0.4
    assert list(card.metrics["figures"]) == ["model", "majority class"]
    page = (tmp_path / "out" / ship_model.PAGE_NAME).read_text("utf-8")
    assert "700 held-out recordings of 28 deployments. None of these" in page
    assert "| macro-F1 | 0.400 (0.30-0.50) |" in page


def test_a_trunk_that_heard_the_clips_makes_the_shipped_figures_leaky(tmp_path):
    path = protocol_file(
        tmp_path, recipes_that_heard_clips_before=["student-distilled"]
    )
    found = script("ship_model").protocol_metrics(path, "student-distilled")
    assert found["leaky"] is True


def test_a_recipe_that_was_not_measured_is_refused(tmp_path):
    with pytest.raises(SeacallError, match="has no recipe 'teacher'"):
        script("ship_model").protocol_metrics(protocol_file(tmp_path), "teacher")

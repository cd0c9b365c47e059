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
    ("collection", "name", "label", "elsewhere"),
    [
        ("watkins", "Humpback_Whale", "Humpback_Whale", None),
        ("killer_whale_calls", "killer_whale", None, "Killer_Whale"),
        ("sanctsound", "north_atlantic_right_whale", None, "Northern_Right_Whale"),
        ("sanctsound", "blue_whale", None, None),
        ("sanctsound", "noise_rain", "unknown", None),
        ("sanctsound", "ambient_soundscape", "unknown", None),
        ("sanctsound", "fish_and_snapping_shrimp", "unknown", None),
        ("unlabelled", "unlabelled_underwater", None, None),
        ("samana", "humpback_whale_long_pam", None, None),
    ],
)
def test_each_recording_trains_or_is_kept_to_be_asked_about_or_neither(
    collection, name, label, elsewhere
):
    label_of = script("shipped_table").label_of
    assert label_of(collection, name) == label
    assert label_of(collection, name, elsewhere=True) == elsewhere


def test_the_table_has_a_row_for_each_cut_and_some_stretches_of_noise(tmp_path):
    rows = [
        "set,file_name,species_name,duration_s,deployment,recording",
        'watkins,watkins/a.wav,Ross_Seal,90,ship,"tape 1, side 2"',
        "sanctsound,sanctsound/b.wav,gray_whale,5,buoy,r",
        "sanctsound,sanctsound/c.wav,noise_rain,16,buoy,r",
        "sanctsound,sanctsound/d.wav,noise_rain,4.8,buoy,r",
    ]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert script("shipped_table").write_table(manifest, tmp_path / "table.csv") == 5
    with (tmp_path / "table.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["species_name"] for row in found] == ["Ross_Seal"] + 4 * ["unknown"]
    assert found[0]["recording"] == "tape 1, side 2"
    times = [(row["start_s"], row["end_s"]) for row in found]
    assert times[1:4] == [("0.00", "5.00"), ("5.50", "10.50"), ("11.00", "16.00")]
    assert times[0] == times[4] == ("", "")


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

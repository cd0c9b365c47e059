"""A committee of one profile is one ONNX file; other kinds say what to do instead."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import tiny
import torch

from seacall.deploy.exported import ExportSettings
from seacall.deploy.graphs import network_graph
from seacall.deploy.kinds import export
from seacall.deploy.repository import pull, push
from seacall.errors import CheckpointError
from seacall.learn.export import export_onnx
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import read_card, write_card
from seacall.models.committee_folder import plan_committee, write_committee
from seacall.models.network import build_network, save_model
from seacall.models.onnx_file import open_session

CALIBRATIONS = (
    {"method": "temperature", "temperature": 0.6},
    {"method": "platt", "slopes": (1, 0.9, 1.1, 1), "offsets": (0.2, 0, -0.1, 0)},
)


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    root = tmp_path_factory.mktemp("committee")
    for seed, calibration in enumerate(CALIBRATIONS):
        torch.manual_seed(seed)
        network = build_network("AudioTransformerStudent", 4).eval()
        save_model(network, root / str(seed), tiny.card(calibration=calibration))
        export_onnx(root / str(seed))
    plan = plan_committee([root / "0", root / "1"])
    card = write_committee(plan, root / "model")
    unknown = card.unknown.model_copy(update={"most_disagreement": 0.05})
    write_card(root / "model", card.model_copy(update={"unknown": unknown}))
    return root / "model"


def test_one_graph_answers_as_the_members_do_together(committee, tmp_path):
    path = tmp_path / "committee.onnx"
    found = export(committee, path, to="onnx", settings=ExportSettings())
    assert not found.report["beyond"]
    file = load_classifier(path)
    assert file.card.unknown.most_disagreement == 0.05
    assert [member.folder for member in file.card.members] == ["member-1", "member-2"]


def test_the_network_alone_is_the_members_mean(committee, tmp_path):
    path = tmp_path / "committee.onnx"
    onnx.save(network_graph(committee, read_card(committee)), path)
    rng = np.random.default_rng(3)
    x = rng.normal(-5, 3, (4, 1, 96, 64)).astype(np.float32)
    features = rng.normal(0, 1, (4, 18)).astype(np.float32)
    given = {"log_mel": x, "features": features}
    np.testing.assert_allclose(
        open_session(path).run(["logits"], given)[0],
        load_classifier(committee).logits(x, features),
        atol=1e-5,
    )


@pytest.mark.parametrize(("kind", "name"), [("torchscript", "c.pt")])
def test_what_holds_one_network_says_so(committee, tmp_path, kind, name):
    with pytest.raises(CheckpointError, match="seacall distill"):
        export(committee, tmp_path / name, to=kind, settings=ExportSettings())
    assert not list(tmp_path.iterdir())


def test_members_of_different_front_ends_fit_no_graph(committee, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    values = json.loads((committee / "card.json").read_text(encoding="utf-8"))
    values["takes"] = "waveform"
    (folder / "card.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match="different front ends"):
        export(folder, tmp_path / "c.onnx", to="onnx", settings=ExportSettings())


def test_it_travels_with_all_of_its_members(committee, tmp_path):
    push(committee, tmp_path / "repository")
    card = pull(str(tmp_path / "repository"), tmp_path / "pulled")
    assert card == read_card(committee)
    rng = np.random.default_rng(0)
    x = rng.normal(-5, 3, (2, 1, 96, 64)).astype(np.float32)
    features = np.zeros((2, 18), np.float32)
    np.testing.assert_array_equal(
        load_classifier(tmp_path / "pulled").logits(x, features),
        load_classifier(committee).logits(x, features),
    )


def test_a_member_that_was_changed_on_the_way_is_not_taken(committee, tmp_path):
    push(committee, tmp_path / "repository")
    path = tmp_path / "repository" / "member-2" / "model.onnx"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CheckpointError, match="sha256"):
        pull(str(tmp_path / "repository"), tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def test_files_of_folders_that_are_no_members_are_not_fetched(committee, tmp_path):
    push(committee, tmp_path / "repository")
    path = tmp_path / "repository" / "card.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["files"]["other/model.onnx"] = values["files"]["member-1/model.onnx"]
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match="other/model"):
        pull(str(tmp_path / "repository"), tmp_path / "pulled")

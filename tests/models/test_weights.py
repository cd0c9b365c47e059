"""Weight files: what is no plain weights is refused in one line, and never run."""

from __future__ import annotations

import io
import pickle
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seacall.errors import CheckpointError
from seacall.models.weights import (
    as_state_dict,
    fill,
    read_pth,
    read_state_dict,
    write_safetensors,
)


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


class Shell:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (subprocess.call, (["touch", str(self.path)],))


def refused(path: Path, match: str, read=read_state_dict) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("trap", [Trap, Shell])
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, trap, form):
    sprung = tmp_path / "sprung"
    path = tmp_path / "trap.pth"
    content = {"cnn.0.weight": torch.zeros(2), "x": trap(sprung)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(trap(sprung)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    refused(path, "refused")
    assert not sprung.exists()


def test_the_trap_of_these_tests_does_spring(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"some text\n", b"\x80\x04.", bytes(1000), b"RIFF\x00\x00"],
)
def test_a_file_of_something_else_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    refused(path, "cannot be read as weights")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_file_cut_short_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"x{suffix}"
    if suffix == ".pth":
        torch.save(tiny.network().state_dict(), path)
    else:
        write_safetensors(tiny.network(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, "cannot be read as weights")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_missing_file_and_a_folder_are_named(tmp_path, suffix):
    refused(tmp_path / f"none{suffix}", "no such file")
    (tmp_path / f"folder{suffix}").mkdir()
    refused(tmp_path / f"folder{suffix}", "no such file")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([torch.zeros(2)], "holds a list"),
        (torch.zeros(2), "holds a Tensor"),
        (3, "holds a int"),
        ({}, "no plain dictionary"),
        ({"epoch": 3}, "no plain dictionary"),
        ({1: torch.zeros(2)}, "no plain dictionary"),
        ({"model_state_dict": {}}, "no plain dictionary"),
        ({"model_state_dict": [torch.zeros(1)]}, "no plain dictionary"),
    ],
)
def test_a_file_without_a_dictionary_of_weights_is_refused(tmp_path, content, match):
    path = tmp_path / "x.pth"
    torch.save(content, path)
    refused(path, match)


def test_a_foreign_zip_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(path, "cannot be read as weights")


_SAVED = io.BytesIO()
torch.save({"a": torch.arange(6.0), "config": {"labels": ["x"]}}, _SAVED)


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(
        st.tuples(st.integers(0, len(_SAVED.getvalue()) - 1), st.integers(0, 255)),
        min_size=1,
        max_size=6,
    )
)
def test_changed_bytes_give_weights_or_one_error(tmp_path_factory, places):
    path = tmp_path_factory.mktemp("fuzz") / "x.pth"
    changed = bytearray(_SAVED.getvalue())
    for place, value in places:
        changed[place] = value
    path.write_bytes(bytes(changed))
    reason = ""
    try:
        assert isinstance(read_pth(path), dict)
    except CheckpointError as error:
        reason = str(error)
    assert "\n" not in reason


def test_weights_survive_both_forms(tmp_path):
    network = tiny.network()
    write_safetensors(network, tmp_path / "a.safetensors")
    torch.save(network.state_dict(), tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        state = read_state_dict(tmp_path / name)
        assert state.keys() == network.state_dict().keys()
        for key, value in network.state_dict().items():
            assert torch.equal(state[key], value)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    for name in ("a.safetensors", "b.safetensors"):
        write_safetensors(tiny.network(), tmp_path / name)
    first, second = (tmp_path / f"{n}.safetensors" for n in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_another_architecture_is_named_by_its_first_layer(tmp_path):
    state = tiny.network("VGGishTeacher").state_dict()
    with pytest.raises(CheckpointError, match="is no AudioTransformerStudent"):
        fill(tiny.network(), state, path=tmp_path)


def test_a_layer_too_many_is_named(tmp_path):
    state = tiny.network().state_dict() | {"surplus": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"1 layers too many .*surplus"):
        fill(tiny.network(), state, path=tmp_path)


def test_another_class_count_is_named_with_both_shapes(tmp_path):
    state = tiny.network(n_classes=7).state_dict()
    with pytest.raises(CheckpointError, match=r"\(7, 96\) .* \(4, 96\)"):
        fill(tiny.network(n_classes=4), state, path=tmp_path)


def test_a_refused_state_leaves_the_network_as_it_was(tmp_path):
    network = tiny.network()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(CheckpointError):
        fill(network, tiny.network(n_classes=7).state_dict(), path=tmp_path)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_only_tensors_by_name_count_as_weights(tmp_path):
    for content in (None, [], {"a": np.zeros(2)}, {"a": torch.zeros(1), "b": 1}):
        with pytest.raises(CheckpointError, match="no plain dictionary"):
            as_state_dict(content, path=tmp_path)


def test_a_text_named_pth_is_called_no_weight_file(tmp_path):
    (tmp_path / "x.pth").write_text("hello this is text")
    with pytest.raises(CheckpointError, match="it is no weight file"):
        read_pth(tmp_path / "x.pth")


@pytest.mark.filterwarnings("error")
def test_safetensors_with_extra_header_text_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(2)}, path, metadata={"note": "é"})
    assert list(read_state_dict(path)) == ["a"]

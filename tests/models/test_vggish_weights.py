"""The official checkpoint's layout, made small: convolutions are taken, checked."""

from __future__ import annotations

import hashlib

import pytest
import torch

from seacall.errors import CheckpointError
from seacall.models.pretrained import check_sha256
from seacall.models.vggish import VGGishTeacher, load_vggish_convolutions

CONVOLUTIONS = {
    0: (64, 1),
    3: (128, 64),
    6: (256, 128),
    8: (256, 256),
    11: (512, 256),
    13: (512, 512),
}
"""Place in torchvggish's ``features``: channels out and in, all 3x3."""


@pytest.fixture(scope="module")
def official() -> dict[str, torch.Tensor]:
    """Names and convolution shapes of vggish-10086976.pth; small embedding layers."""
    g = torch.Generator().manual_seed(0)
    state = {}
    for place, (n_out, n_in) in CONVOLUTIONS.items():
        state[f"features.{place}.weight"] = torch.randn(n_out, n_in, 3, 3, generator=g)
        state[f"features.{place}.bias"] = torch.randn(n_out, generator=g)
    for place in (0, 2, 4):
        state[f"embeddings.{place}.weight"] = torch.zeros(2, 2)
        state[f"embeddings.{place}.bias"] = torch.zeros(2)
    return state


@pytest.fixture(scope="module")
def checkpoint(official, tmp_path_factory):
    path = tmp_path_factory.mktemp("vggish") / "vggish.pth"
    torch.save(official, path)
    return path


def test_the_convolutions_are_taken_and_nothing_else_changes(official, checkpoint):
    torch.manual_seed(0)
    teacher = VGGishTeacher(num_classes=3)
    teacher.scale.fit(torch.randn(4, 1, 96, 64))
    head = {k: v.clone() for k, v in teacher.head.state_dict().items()}
    load_vggish_convolutions(teacher, checkpoint)
    for name, value in teacher.features.state_dict().items():
        assert torch.equal(value, official[f"features.{name}"])
    for name, value in teacher.head.state_dict().items():
        assert torch.equal(value, head[name])


def test_the_published_weights_see_plain_log_mel(checkpoint):
    teacher = VGGishTeacher(num_classes=3)
    teacher.scale.fit(torch.randn(4, 1, 96, 64))
    load_vggish_convolutions(teacher, checkpoint)
    log_mel = torch.randn(2, 1, 96, 64)
    assert torch.equal(teacher.scale.log_mel(log_mel), log_mel)


def test_layers_that_are_not_vggishs_are_named(official, tmp_path):
    path = tmp_path / "other.pth"
    torch.save(official | {"features.6.weight": torch.zeros(256, 128, 5, 5)}, path)
    with pytest.raises(CheckpointError, match=r"features\.6\.weight should have shape"):
        load_vggish_convolutions(VGGishTeacher(), path)
    torch.save({k: v for k, v in official.items() if "11.bias" not in k}, path)
    with pytest.raises(CheckpointError, match=r"features\.11\.bias .* has nothing"):
        load_vggish_convolutions(VGGishTeacher(), path)


def test_the_start_of_the_sha256_is_enough(checkpoint):
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    check_sha256(checkpoint, sha256[:8])
    check_sha256(checkpoint, sha256)


def test_another_sha256_is_refused_with_both(checkpoint):
    found = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:8]
    with pytest.raises(CheckpointError, match=rf"starts with {found} .* 10086976"):
        check_sha256(checkpoint, "10086976")

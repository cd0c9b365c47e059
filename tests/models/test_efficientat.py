"""EfficientAT mn04: its shapes, its weight files, and the authors' own outputs."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from seacall.audio.kaldi_mel import efficientat_log_mel
from seacall.errors import CheckpointError
from seacall.models.efficientat import (
    EFFICIENTAT_SHA256,
    EFFICIENTAT_URL,
    EMBEDDING_SIZE,
    N_CLASSES,
    EfficientAT,
    load_efficientat,
)

REFERENCE_CLIPS = ("metro_station-paris", "music", "speech", "typing")


@pytest.fixture
def network() -> EfficientAT:
    """Random weights, and batch statistics that are not all zero and one."""
    generator = torch.Generator().manual_seed(0)
    network = EfficientAT().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0, generator=generator)
            elif tensor.is_floating_point():
                tensor.normal_(std=0.1, generator=generator)
    return network


def heard(network: EfficientAT, log_mel: torch.Tensor) -> list[np.ndarray]:
    with torch.inference_mode():
        return [output.numpy() for output in network(log_mel)]


def test_it_has_the_published_number_of_parameters() -> None:
    network = EfficientAT()
    assert sum(p.numel() for p in network.parameters()) == 983_599
    assert len(network.state_dict()) == 312


@pytest.mark.parametrize("n_frames", [1, 2, 31, 96, 500, 1_000, 1_001])
def test_any_number_of_frames_gives_one_answer(
    network: EfficientAT, n_frames: int
) -> None:
    logits, embedding = heard(network, torch.zeros(2, 1, 128, n_frames))
    assert logits.shape == (2, N_CLASSES)
    assert embedding.shape == (2, EMBEDDING_SIZE)


def test_a_clip_is_heard_the_same_alone_and_in_a_batch(network: EfficientAT) -> None:
    batch = torch.randn(3, 1, 128, 100, generator=torch.Generator().manual_seed(1))
    together = heard(network, batch)
    alone = heard(network, batch[1:2])
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a[1:2], b, atol=1e-5)


def test_silence_gives_finite_numbers(network: EfficientAT) -> None:
    log_mel = torch.from_numpy(efficientat_log_mel(np.zeros(32_000)))
    for output in heard(network, log_mel[None, None]):
        assert np.isfinite(output).all()


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    network = EfficientAT().train()
    logits, _ = network(torch.randn(2, 1, 128, 64))
    logits.square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_survive_the_disk(
    network: EfficientAT, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    save(network.state_dict(), path)
    loaded = load_efficientat(path)
    assert not loaded.training
    log_mel = torch.randn(1, 1, 128, 50, generator=torch.Generator().manual_seed(2))
    for a, b in zip(heard(network, log_mel), heard(loaded, log_mel), strict=True):
        np.testing.assert_array_equal(a, b)


def save(state: dict[str, torch.Tensor], path: Path) -> None:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)


def without_a_tensor(state: dict[str, torch.Tensor]) -> None:
    del state["features.4.block.2.conc_se_layers.0.fc1.bias"]


def with_another_tensor(state: dict[str, torch.Tensor]) -> None:
    state["surplus"] = torch.zeros(1)


def with_ten_classes(state: dict[str, torch.Tensor]) -> None:
    state["classifier.5.weight"] = torch.zeros(10, 512)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_tensor, r"lacks 1 of 312 layers.*fc1\.bias"),
        (with_another_tensor, r"1 layers too many.*surplus"),
        (with_ten_classes, r"classifier\.5\.weight has shape \(10, 512\).*\(527, 512"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_weights_that_do_not_fit_are_refused_in_one_line(
    network: EfficientAT, tmp_path: Path, change: object, message: str
) -> None:
    state = network.state_dict()
    assert callable(change)
    change(state)
    path = tmp_path / "other.safetensors"
    save(state, path)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_efficientat(path)
    assert str(path) in str(caught.value)
    assert EFFICIENTAT_URL in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no.safetensors", "no.pt"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=rf"{name}: no such file"):
        load_efficientat(tmp_path / name)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not weights at all\n" * 9])
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        load_efficientat(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_file_cut_short_is_refused(
    network: EfficientAT, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"short{suffix}"
    save(network.state_dict(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_efficientat(path)


def test_changed_bytes_never_end_in_a_foreign_error(tmp_path: Path) -> None:
    path = tmp_path / "changed.pt"
    torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(200):
        changed = whole.copy()
        places = rng.integers(len(whole), size=4)
        changed[places] = rng.integers(256, size=4)
        path.write_bytes(changed.tobytes())
        with pytest.raises(CheckpointError):
            load_efficientat(path)


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this must not run",))


def test_code_in_a_weight_file_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trap.pt"
    torch.save({"weights": Trap()}, path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_efficientat(path)
    path.write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        load_efficientat(path)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [[torch.zeros(3)], {"epoch": 3}, {1: torch.zeros(3)}]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="dictionary of weights"):
        load_efficientat(path)


@pytest.mark.real
def test_the_stored_weights_say_where_they_come_from(real_data: Path) -> None:
    with safetensors.safe_open(
        real_data / "weights" / "mn04_as.safetensors", framework="pt"
    ) as weights:
        assert weights.metadata()["sha256"] == EFFICIENTAT_SHA256


@pytest.mark.real
@pytest.mark.parametrize("name", REFERENCE_CLIPS)
def test_it_gives_the_authors_outputs(real_data: Path, name: str) -> None:
    network = load_efficientat(real_data / "weights" / "mn04_as.safetensors")
    stored = np.load(real_data / "weights" / "mn04_reference_outputs.npz")
    logits, embedding = heard(network, torch.from_numpy(stored[f"{name}_spec"])[None])
    np.testing.assert_allclose(logits[0], stored[f"{name}_logits"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(embedding[0], stored[f"{name}_emb"], atol=1e-4, rtol=0)


@pytest.mark.real
def test_it_hears_speech_in_speech(real_data: Path) -> None:
    network = load_efficientat(real_data / "weights" / "mn04_as.safetensors")
    stored = np.load(real_data / "weights" / "mn04_reference_outputs.npz")
    logits, _ = heard(network, torch.from_numpy(stored["speech_spec"])[None])
    assert logits[0].argmax() == 0  # "Speech" is AudioSet's first class

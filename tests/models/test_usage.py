"""The original description's usage blocks, word for word, on small files."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from sounds import noise, write_wav
from torch.utils.data import DataLoader, TensorDataset

import seacall
from seacall.models.network import save_pth

TRAINING = """
# Load pretrained teacher model
teacher_model, config = load_model_for_inference(
    "path/to/teacher_model.pth", device
)

# Initialize student model
student = AudioTransformerStudent(num_additional_features=18, num_classes=20)

# Train with distillation
for epoch in range(num_distill_epochs):
    train_loss, train_acc = distill_train(
        student, teacher_model, train_loader, 
        optimizer, distill_criterion, device
    )
"""  # noqa: W291

INFERENCE = """
# Load trained student model
student.load_state_dict(torch.load("best_student_model.pth"))

# Process audio file
mel_spec, additional_features = process_audio_file("audio_file.wav")

# Make prediction
with torch.no_grad():
    output = student(mel_spec, additional_features)
    prediction = torch.argmax(output, dim=1)
"""


class AdamWOfTheStudent:
    """The block takes an optimizer that it makes no student for: look it up late."""

    def __init__(self, names: dict[str, object]) -> None:
        self._names = names
        self._of: dict[int, torch.optim.Optimizer] = {}

    def __getattr__(self, name: str) -> object:
        student = self._names["student"]
        if id(student) not in self._of:
            self._of[id(student)] = torch.optim.AdamW(student.parameters(), lr=1e-3)
        return getattr(self._of[id(student)], name)


@pytest.fixture
def names(tmp_path, monkeypatch) -> dict[str, object]:
    """What a reader of the description has imported and made."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {
        name: getattr(seacall, name) for name in seacall.__all__
    }
    return names | {"torch": torch, "device": torch.device("cpu")}


@pytest.mark.parametrize("with_metadata", [True, False])
def test_the_training_block_runs_as_it_stands(names, tmp_path, with_metadata):
    (tmp_path / "path" / "to").mkdir(parents=True)
    labels = (*(f"species {k}" for k in range(19)), "unknown")
    card = tiny.card("VGGishTeacher", labels=labels) if with_metadata else None
    teacher = tiny.network("VGGishTeacher", 20)
    save_pth(teacher, tmp_path / "path" / "to" / "teacher_model.pth", card)
    g = torch.Generator().manual_seed(0)
    clips = TensorDataset(
        torch.randn(4, 2, 96, 64, generator=g),
        torch.randn(4, 18, generator=g),
        torch.arange(4),
    )
    names |= {
        "num_distill_epochs": 2,
        "train_loader": DataLoader(clips, batch_size=2),
        "distill_criterion": seacall.DistillationLoss(),
    }
    names["optimizer"] = AdamWOfTheStudent(names)
    exec(TRAINING, names)
    assert np.isfinite(names["train_loss"])
    assert 0 <= names["train_acc"] <= 1
    assert not names["teacher_model"].training
    assert names["config"]["num_classes"] == 20


@pytest.mark.parametrize("duration_s", [0.3, 5.0, 7.0])
def test_the_inference_block_runs_as_it_stands(names, tmp_path, duration_s):
    trained = seacall.AudioTransformerStudent(
        num_additional_features=18, num_classes=20
    )
    torch.save(trained.state_dict(), tmp_path / "best_student_model.pth")
    y = noise(sample_rate=48_000, duration_s=duration_s)
    write_wav(tmp_path / "audio_file.wav", y, 48_000)
    names["student"] = seacall.AudioTransformerStudent(
        num_additional_features=18, num_classes=20
    )
    exec(INFERENCE, names)
    assert names["mel_spec"].shape == (1, 5, 96, 64)
    assert names["additional_features"].shape == (1, 18)
    assert names["output"].shape == (1, 20)
    assert 0 <= int(names["prediction"]) < 20


def test_a_models_own_front_end_can_be_given_as_its_config_has_it(tmp_path):
    path = write_wav(tmp_path / "a.wav", noise(duration_s=1.0), 48_000)
    save_pth(tiny.network(), tmp_path / "m.pth", tiny.card())
    _, config = seacall.load_model_for_inference(tmp_path / "m.pth")
    mel_spec, _ = seacall.process_audio_file(path, config["front_end"])
    assert mel_spec.shape == (1, 1, 96, 64)


def test_a_front_end_that_is_none_is_refused(tmp_path):
    path = write_wav(tmp_path / "a.wav", noise(duration_s=1.0), 48_000)
    with pytest.raises(seacall.SeacallError, match="profil: there is no such setting"):
        seacall.process_audio_file(path, {"profil": "wide-48k"})

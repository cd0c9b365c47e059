"""Reads a package as PAMGuard's zip reader does, by its rules and no others."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

READERS = (
    "AnimalSpot",
    "Ketos",
    "Koogu",
    "PAMGuard model",
    "delphinID",
    "DeepAcoustics",
    "Generic Model",
)
"""Names that claim a file by its framework before its extension is looked at."""
WAVEFORM_TRANSFORMS = {
    "load_audio": {"sr"},
    "load_audio_scipy": {"sr"},
    "pre_emph": {"pre_empf_factor"},
    "trim": {"min", "max"},
    "normalize_wav": set(),
}
"""Transforms that take sound and can be read from JSON, with what they must be told."""
FORBIDDEN = (".py", ".pt", ".pth", ".pk", ".onnx", ".jar", ".dll", "__MACOSX")


@dataclass(frozen=True)
class Package:
    class_names: list[str]
    segment_ms: float
    transforms: list[dict]
    input_shape: list[int]
    saved_model: bytes


def read_package(path: Path) -> Package:
    assert path.suffix == ".zip"
    assert "." not in path.stem  # unpacked into a folder named before the first dot
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        names = package.namelist()
        assert not [n for n in names for part in FORBIDDEN if part in n]
        assert not [n for n in names if n.startswith((".", "/")) or ".." in n]
        first = next(name for name in names if ".pdtf" in name)
        models = [name for name in names if name.endswith(".pb")]
        assert [n for n in names if ".pb" in n] == models
        assert len(models) == 1  # the first in the order of a folder would be taken
        assert len([n for n in names if n.endswith(".pdtf")]) == 1
        settings = json.loads(package.read(first))
        saved_model = package.read(models[0])
        assert models[0] == "saved_model.pb"  # at the top: the engine loads its folder
    framework = settings["framework_info"]["framework"]
    assert framework.lower() not in {name.lower() for name in READERS}
    assert isinstance(settings["version_info"]["version"], int)
    assert isinstance(settings["class_info"]["num_class"], int)
    names = settings["class_info"]["name_class"]
    assert isinstance(names, list)
    assert all(isinstance(name, str) for name in names)
    assert settings["class_info"]["num_class"] == len(names)
    transforms = settings["transforms"]
    assert isinstance(transforms, list)
    for transform in transforms:
        assert set(transform) == {"name", "params"}
        assert transform["name"] in WAVEFORM_TRANSFORMS  # others are for spectrograms
        assert WAVEFORM_TRANSFORMS[transform["name"]] <= set(transform["params"])
    assert transforms  # at least one
    assert "example_sound" not in settings  # a wrong one would keep it from loading
    model_info = settings["model_info"]
    assert model_info["output_shape"][1] == len(names)
    return Package(
        class_names=names,
        segment_ms=settings["seg_size"]["size_ms"],
        transforms=transforms,
        input_shape=model_info["input_shape"],
        saved_model=saved_model,
    )


def model_input(segments: list[np.ndarray], input_shape: list[int]) -> np.ndarray:
    """Stack segments as the translator of waveforms does: (batch, samples, 1, ...)."""
    assert len({len(y) for y in segments}) == 1
    stacked = np.stack(segments).astype(np.float32)
    return stacked.reshape(stacked.shape + (1,) * (len(input_shape) - 2))

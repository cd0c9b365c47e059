"""Train, distil, check and run small classifiers of marine mammal sounds.

The names below are the public interface; they are loaded when they are first used, so
that ``import seacall`` is quick and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seacall.config import PROFILES, DetectRun, FrontEndSettings, Profile
    from seacall.detect.classify import classify, classify_recording
    from seacall.detect.files import classify_paths
    from seacall.detect.recordings import detect_in_scores, detect_recordings
    from seacall.errors import SeacallError
    from seacall.learn.distill import DistillationLoss, distill_train
    from seacall.models.backend import load_classifier
    from seacall.models.network import load_model_for_inference
    from seacall.models.student import AudioTransformerStudent
    from seacall.models.tensors import process_audio_file
    from seacall.models.vggish import VGGishTeacher

_HOMES = {
    "AudioTransformerStudent": "seacall.models.student",
    "DetectRun": "seacall.config",
    "DistillationLoss": "seacall.learn.distill",
    "FrontEndSettings": "seacall.config",
    "PROFILES": "seacall.config",
    "Profile": "seacall.config",
    "SeacallError": "seacall.errors",
    "VGGishTeacher": "seacall.models.vggish",
    "classify": "seacall.detect.classify",
    "classify_paths": "seacall.detect.files",
    "classify_recording": "seacall.detect.classify",
    "detect_in_scores": "seacall.detect.recordings",
    "detect_recordings": "seacall.detect.recordings",
    "distill_train": "seacall.learn.distill",
    "load_classifier": "seacall.models.backend",
    "load_model_for_inference": "seacall.models.network",
    "process_audio_file": "seacall.models.tensors",
}
_NEED_TORCH = (
    "seacall.learn.",
    "seacall.models.network",
    "seacall.models.student",
    "seacall.models.tensors",
    "seacall.models.vggish",
)

__all__ = [
    "PROFILES",
    "AudioTransformerStudent",
    "DetectRun",
    "DistillationLoss",
    "FrontEndSettings",
    "Profile",
    "SeacallError",
    "VGGishTeacher",
    "classify",
    "classify_paths",
    "classify_recording",
    "detect_in_scores",
    "detect_recordings",
    "distill_train",
    "load_classifier",
    "load_model_for_inference",
    "process_audio_file",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("seacall")
    if name not in _HOMES:
        raise AttributeError(f"module 'seacall' has no attribute {name!r}")
    home = _HOMES[name]
    if home.startswith(_NEED_TORCH):
        from seacall.errors import require

        require("torch", "train")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

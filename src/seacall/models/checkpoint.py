"""A model folder: ``card.json`` and weight files, each checked before it is used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from seacall.config import FrontEndSettings, Settings
from seacall.errors import CheckpointError
from seacall.files import file_sha256, written_whole
from seacall.labels import UNKNOWN
from seacall.models.pretrained import check_sha256
from seacall.models.untrusted import check_plain, one_line, read_json

SCHEMA_VERSION = 1
CARD_NAME = "card.json"
WEIGHTS_NAME = "model.safetensors"
ONNX_NAME = "model.onnx"
BANK_NAME = "embeddings.npy"
"""Where the classes lie in the embedding; see `seacall.models.bank`."""
VERIFY_NAME = "verify.json"
"""Proofs that exported files answer as the model does."""
COMMITTEE: Literal["Committee"] = "Committee"
"""Architecture of several models that answer together."""
DEFAULT_THRESHOLD = 0.7
"""Best scores below it are answered ``unknown`` when nothing was calibrated."""

MOST_MEMBERS = 32
"""Of a committee: each costs as much as a model alone."""

_MAX_LABEL = 200
"""Characters."""

NEVER = 1.0
"""Threshold of a class that is never answered: its scores did not earn it."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
FolderName = Annotated[str, Field(pattern=rf"^{_NAME}$")]
"""A folder in the card's own folder: no path leads out of it."""
FileName = Annotated[str, Field(pattern=rf"^({_NAME}/)?{_NAME}$")]
"""A file in the card's own folder, or in that of a committee's member."""
Share = Annotated[float, Field(ge=0, le=1)]
Takes = Literal["patches", "waveform"]
KnownBy = Literal[
    "none", "max_logit", "energy", "max_score", "entropy", "not_unknown", "combined"
]


class Calibration(Settings):
    """How logits become scores that mean what they say."""

    method: Literal["none", "temperature", "vector", "platt"] = "none"
    """Temperature: logits / temperature, then softmax. Vector: offsets are added before
    the softmax. Platt: a slope and an offset for each class on its log odds."""
    temperature: float = Field(default=1.0, gt=0)
    """Divides logits before the softmax."""
    slopes: tuple[float, ...] = ()
    """Of each class (Platt)."""
    offsets: tuple[float, ...] = ()
    """Of each class (vector, Platt)."""
    fitted_on: str = ""
    """Clips and deployments that it was fitted on; none of them was trained on."""
    error_before: Share | None = None
    """Expected calibration error of the plain softmax."""
    error_after: Share | None = None
    """Expected calibration error on deployments that it was not fitted on."""


class UnknownRule(Settings):
    """Which clips are answered ``unknown`` whatever their best score is."""

    method: KnownBy = "none"
    """What a clip's logits must be high in; see `seacall.models.unknown`."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Of each measure, by name (combined): their weighted sum must be high."""
    lowest: float | None = None
    """Clips below it are unlike what was trained on."""
    most_disagreement: float | None = Field(default=None, gt=0)
    """Clips on which a committee's members disagree more are not answered, nats; None:
    they always are. See `seacall.models.unknown.disagreement`."""
    lowest_event_db: float | None = None
    """Clips whose loudest event stands out less from their own background are not
    looked at, dB; None: only silence is left out."""
    fitted_on: str = ""
    """Known clips that the limits were set on, and the share of them that is kept."""
    measured: dict[str, Any] = Field(default_factory=dict)
    """How well known clips were told from others: kind of sound, method, figures."""

    @property
    def needs_events(self) -> bool:
        """Whether a clip's event strength has to be measured."""
        return self.lowest_event_db is not None or self.method == "combined"


class FalseAlarms(Settings):
    """How often the thresholds let something through that no animal made."""

    target_per_hour: float | None = Field(default=None, gt=0)
    """False alarms per hour and class that the thresholds were set for; None: they were
    not."""
    set_on: str = ""
    """Recordings and hours that they were set on."""
    recordings: tuple[str, ...] = ()
    """Names of these recordings; the first thousand."""
    measured_on: str = ""
    """Other recordings, and hours, on which it was measured what came out."""
    measured: dict[str, Any] = Field(default_factory=dict)
    """By class: false alarms there, hours, rate per hour, and the rate that is not
    exceeded (95 %)."""


class DataSource(Settings):
    """Recordings that a model was trained on."""

    name: str
    """The collection."""
    terms: str
    """Under which terms it may be used."""
    credit: str = ""
    """Whom to name."""
    url: str = ""
    """Where it is found."""
    n_recordings: int = Field(default=0, ge=0)
    """Recordings of it that were trained on."""


class Member(Settings):
    """One model of a committee."""

    folder: FolderName
    """Its model folder, in the committee's own; the card's ``files`` pin what is in
    it."""
    name: str
    """Architecture and the start of its weights' sha256."""


class Card(Settings):
    """What a model is, what it needs, and how well it was seen to do."""

    schema_version: int = SCHEMA_VERSION
    """Layout of this file."""
    seacall_version: str
    """Version that wrote it."""
    architecture: Literal[
        "AudioTransformerStudent",
        "VGGishTeacher",
        "EfficientATTeacher",
        "ForeignModel",
        "Committee",
    ]
    """Network class; a model from elsewhere has none that is known here, and a
    committee has those of its members."""
    members: tuple[Member, ...] = Field(default=(), max_length=MOST_MEMBERS)
    """Of a committee; each is a model of its own."""
    takes: Takes = "patches"
    """Patches and features of a clip; or its waveform, conditioned by the front end."""
    channels: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = ()
    """Of the three convolutions of a student that was pruned; empty: 16, 32, 64."""
    labels: tuple[str, ...] = Field(min_length=2)
    """Classes in the order of the scores; the last is ``unknown``."""
    front_end: FrontEndSettings
    """From recording to network input."""
    threshold: Share = DEFAULT_THRESHOLD
    """Smallest score that counts as an answer, for classes without one of their own."""
    thresholds: dict[str, Share] = Field(default_factory=dict)
    """Smallest score that counts, by class; 1: the class is never answered."""
    target_precision: float | None = Field(default=None, gt=0, le=1)
    """Precision that the thresholds were chosen for; None: they were not."""
    false_alarms: FalseAlarms = FalseAlarms()
    """False alarms per hour that the thresholds were set for, and what came out."""
    calibration: Calibration = Calibration()
    """From logits to scores."""
    unknown: UnknownRule = UnknownRule()
    """What is answered ``unknown`` whatever the scores."""
    n_parameters: int = Field(default=0, ge=0)
    """Trained numbers in the network."""
    n_multiply_adds: int = Field(default=0, ge=0)
    """For one clip; convolutions and fully connected layers."""
    seed: int = 0
    """Seed of the training run."""
    teacher: str | None = None
    """What the student learned from; None for a network without a teacher."""
    pretrained: str | None = None
    """Where the first weights came from; None: initialised at random."""
    manifest_sha256: str = ""
    """Fingerprint of the training data's table."""
    deployments: tuple[str, ...] = ()
    """What it was trained on, and what its teacher and its first weights were; empty:
    not known."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Settings of the training run."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Figures, with the data and the split that they were measured on."""
    data: tuple[DataSource, ...] = ()
    """Where the training recordings come from."""
    limits: tuple[str, ...] = ()
    """What the model cannot do, a sentence each."""
    files: dict[FileName, Sha256] = Field(default_factory=dict)
    """sha256 of each file beside this one, by name."""

    @model_validator(mode="before")
    @classmethod
    def _read_old_cards(cls, values: Any) -> Any:
        """Take the one temperature of cards that had no ``calibration``."""
        if not isinstance(values, dict) or "calibration_temperature" not in values:
            return values
        values = dict(values)
        found = values.pop("calibration_temperature")
        if not isinstance(found, float | int) or not 0 < found < float("inf"):
            raise ValueError(f"calibration_temperature {found!r} must be above 0")
        if "calibration" not in values and found != 1:
            values["calibration"] = {"method": "temperature", "temperature": found}
        return values

    @model_validator(mode="after")
    def _labels_are_classes(self) -> Self:
        if len(self.channels) not in (0, 3):
            raise ValueError(f"channels {self.channels} must be three, or none")
        if self.labels[-1] != UNKNOWN or len(set(self.labels)) < len(self.labels):
            raise ValueError(
                f"labels {self.labels} must differ, and the last must be {UNKNOWN!r}"
            )
        odd = [k for k in self.labels if not k.isprintable() or len(k) > _MAX_LABEL]
        if odd:
            raise ValueError(
                f"label {odd[0][:_MAX_LABEL]!r} must be at most {_MAX_LABEL} "
                "characters that can be printed"
            )
        strange = sorted(set(self.thresholds) - set(self.labels))
        if strange:
            raise ValueError(f"thresholds of classes that do not exist: {strange}")
        return self

    @model_validator(mode="after")
    def _members_are_a_committee(self) -> Self:
        folders = [member.folder for member in self.members]
        if (self.architecture == COMMITTEE) != bool(folders):
            raise ValueError(
                f"members {folders} do not fit architecture {self.architecture!r}"
            )
        if self.unknown.most_disagreement is not None and not folders:
            raise ValueError("unknown.most_disagreement is for a committee's members")
        if len(folders) == 1 or len(set(folders)) < len(folders):
            raise ValueError(f"members {folders} must be two or more, and differ")
        return self

    @model_validator(mode="after")
    def _calibration_fits_the_labels(self) -> Self:
        n, c = len(self.labels), self.calibration
        need = {"vector": (0, n), "platt": (n, n)}.get(c.method, (0, 0))
        if (len(c.slopes), len(c.offsets)) != need:
            raise ValueError(
                f"calibration {c.method} of {n} classes needs {need[0]} slopes and "
                f"{need[1]} offsets, got {len(c.slopes)} and {len(c.offsets)}"
            )
        return self

    @model_validator(mode="after")
    def _front_end_is_one_of_sound(self) -> Self:
        """Refuse what would ask for more memory than any machine has."""
        profile = self.front_end.profile
        sizes = {
            "sample_rate": (profile.sample_rate, 1_000_000),
            "n_fft": (profile.n_fft, 65_536),
            "n_mels": (profile.n_mels, 1_024),
            "n_frames": (profile.n_frames, 10_000),
            "patches in a clip": (self.front_end.n_patches, 10_000),
            "samples in a clip": (self.front_end.clip_length, 60_000_000),
        }
        for what, (found, most) in sizes.items():
            if found > most:
                raise ValueError(f"front_end: {what} {found:,}, at most {most:,}")
        return self

    @property
    def weights(self) -> dict[str, str]:
        """sha256 of the files that answer, by name: what makes it this model."""
        beside = (BANK_NAME, VERIFY_NAME)
        return {k: v for k, v in self.files.items() if k not in beside}

    @property
    def name(self) -> str:
        """The architecture and the start of the weights' sha256."""
        if self.members:
            # Order makes no difference to a mean, and none to its name.
            joined = " ".join(sorted(member.name for member in self.members))
            start = hashlib.sha256(joined.encode()).hexdigest()[:12]
            return f"{self.architecture} of {len(self.members)} {start}"
        return f"{self.architecture} {self.files.get(WEIGHTS_NAME, '')[:12]}".strip()

    @property
    def lowest_scores(self) -> tuple[float, ...]:
        """Smallest score that counts as an answer, for each class in order."""
        return tuple(
            self.thresholds.get(label, self.threshold) for label in self.labels
        )


def write_card(folder: Path, card: Card) -> Card:
    """Write a card for the weight files that lie in a folder.

    Returns
    -------
    card
        The card with their sha256 filled in.
    """
    names = [WEIGHTS_NAME, ONNX_NAME, BANK_NAME, VERIFY_NAME]
    for member in card.members:
        inside = (CARD_NAME, WEIGHTS_NAME, ONNX_NAME)
        names += [f"{member.folder}/{name}" for name in inside]
    files = {k: file_sha256(folder / k) for k in names if (folder / k).is_file()}
    card = card.model_copy(update={"files": files})
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    with written_whole(folder / CARD_NAME) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return card


def read_card(folder: Path) -> Card:
    """Read a model folder's card.

    Raises
    ------
    CheckpointError
        If the folder or the card is missing, or the card is not one of ours.
    """
    path = folder / CARD_NAME
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: is no model folder (no {CARD_NAME}); "
            "give the folder that seacall train or distill wrote"
        )
    try:
        values = read_json(path)
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version != SCHEMA_VERSION:
            raise CheckpointError(
                f"{path}: schema_version is {one_line(repr(version))} and this seacall "
                f"reads {SCHEMA_VERSION}; use the seacall version that wrote it"
            )
        card = Card.model_validate(values)
        check_plain(values)  # what the card takes without a look: figures, settings
        return card
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        message = first["msg"].removeprefix("Value error, ")
        raise CheckpointError(
            f"{path}: {one_line(f'{where}: {message}')}; copy the model folder again"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as JSON ({one_line(str(error))}); "
            "copy the model folder again"
        ) from error


def checked_file(folder: Path, card: Card, name: str) -> Path:
    """Return the path of a weight file whose bytes are those of the card.

    Raises
    ------
    CheckpointError
        If the card does not list it, it is missing, or was changed.
    """
    if name not in card.files:
        raise CheckpointError(
            f"{folder / CARD_NAME}: lists no {name}; export the model to that form"
        )
    check_sha256(folder / name, card.files[name])
    return folder / name

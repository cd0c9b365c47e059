"""Every setting: frozen, its unit beside it, stored with the result that it made."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seacall.augmentation import AugmentSettings, MaskSettings
from seacall.detection import DetectSettings as DetectSettings
from seacall.errors import SettingsError
from seacall.settings import Settings as Settings
from seacall.settings import checked as checked
from seacall.settings import read_toml as read_toml
from seacall.settings import write_toml as write_toml
from seacall.training import DistillSettings as DistillSettings
from seacall.training import FixedTraining as FixedTraining
from seacall.training import HeadDistillation as HeadDistillation
from seacall.training import HeadTraining as HeadTraining
from seacall.training import StudentSettings as StudentSettings
from seacall.training import TeacherSettings as TeacherSettings
from seacall.training import TrainSettings as TrainSettings


class Profile(Settings):
    """One front end: how a recording becomes log-mel patches."""

    name: str
    """Name on the command line and in the card."""
    sample_rate: int = Field(gt=0)
    """Rate of the clip that the network sees, Hz."""
    band_hz: tuple[float, float] | None = None
    """Edges of the band-pass at the recording's own rate, Hz; None: no filter."""
    n_fft: int = Field(gt=0)
    """Length of the Fourier transform, samples."""
    win_length: int = Field(gt=0)
    """Length of the periodic Hann window, samples."""
    hop_length: int = Field(gt=0)
    """Step between frames, samples."""
    n_mels: int = Field(gt=0)
    """Number of HTK mel bands."""
    fmin: float = Field(ge=0)
    """Lower edge of the lowest mel band, Hz."""
    fmax: float = Field(gt=0)
    """Upper edge of the highest mel band, Hz."""
    mel_triangles: Literal["hz", "mel"] = "hz"
    """Scale on which the mel bands are straight-sided: librosa's, or AudioSet's."""
    spectrum: Literal["magnitude", "power"]
    """What the mel bands sum up."""
    log_offset: float = Field(gt=0)
    """Added before the natural logarithm; the floor of the log-mel is its log."""
    background: Literal["kept", "removed"] = "kept"
    """Removed: each band's mean over the clip is subtracted from its log-mel, and with
    it what is constant: the recorder's response, hum, steady noise."""
    n_frames: int = Field(default=96, gt=0)
    """Frames in one patch."""
    precision: Literal["single", "double"] = "single"
    """Of the Fourier transform: single is twice as fast, with noise at -140 dB."""

    @model_validator(mode="after")
    def _edges_fit_the_rate(self) -> Self:
        nyquist = self.sample_rate / 2
        if not self.fmin < self.fmax <= nyquist:
            raise ValueError(
                f"need fmin < fmax <= {nyquist:g} Hz (half the sample rate), "
                f"got fmin={self.fmin:g}, fmax={self.fmax:g}"
            )
        if self.win_length > self.n_fft:
            raise ValueError(
                f"need win_length <= n_fft, got {self.win_length} > {self.n_fft}"
            )
        return self


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        # The description that the project starts from, to the letter. Of its
        # 3-19 kHz band a 16 kHz clip keeps what lies below 8 kHz.
        Profile(
            name="original-16k",
            sample_rate=16_000,
            band_hz=(3_000.0, 19_000.0),
            n_fft=400,
            win_length=400,
            hop_length=160,
            n_mels=64,
            fmin=0.0,
            fmax=8_000.0,
            spectrum="power",
            log_offset=1e-6,
        ),
        # AudioSet's front end, as VGGish was trained with it (Hershey et al. 2017).
        Profile(
            name="vggish-16k",
            sample_rate=16_000,
            band_hz=None,
            n_fft=512,
            win_length=400,
            hop_length=160,
            n_mels=64,
            fmin=125.0,
            fmax=7_500.0,
            mel_triangles="mel",
            spectrum="magnitude",
            log_offset=0.01,
            precision="double",
        ),
        # The same 25 ms / 10 ms framing with the whole band of a 48 kHz recording.
        # The offset lies at the quantisation noise of a 16-bit file.
        Profile(
            name="wide-48k",
            sample_rate=48_000,
            band_hz=None,
            n_fft=2_048,
            win_length=1_200,
            hop_length=480,
            n_mels=64,
            fmin=50.0,
            fmax=24_000.0,
            spectrum="magnitude",
            log_offset=1e-4,
            background="removed",
        ),
    )
}
"""The front ends that a model can be trained with, by name."""

ORIGINAL_PROFILE = "original-16k"
"""Profile of the original program and of ``process_audio_file``."""
DEFAULT_PROFILE = "wide-48k"
"""Profile of ``seacall`` commands; chosen by leak-free validation (docs/lab-log.md)."""


def get_profile(name: str) -> Profile:
    """Return the profile of that name.

    Raises
    ------
    SettingsError
        If there is none; the message lists the names.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise SettingsError(
            f"profile {name!r} does not exist; choose one of: {', '.join(PROFILES)}"
        ) from None


class ClipSettings(Settings):
    """How a recording is cut into the clips that the network sees."""

    duration_s: float = Field(default=5.0, gt=0)
    """Length of a clip, s."""
    fit: Literal["pad", "tile"] = "tile"
    """How a shorter recording fills its clip: zeros behind it, or repeats of it."""
    channel: int | None = Field(default=None, ge=1)
    """Channel to use, counted from 1; None: the mean of all channels."""


class FrontEndSettings(Settings):
    """Everything that decides which numbers reach the network."""

    profile: Profile = PROFILES[DEFAULT_PROFILE]
    """From waveform to log-mel patches."""
    clip: ClipSettings = ClipSettings()
    """From recording to clips."""

    @property
    def clip_length(self) -> int:
        """Samples in one clip at the profile's rate."""
        return round(self.clip.duration_s * self.profile.sample_rate)

    @property
    def n_patches(self) -> int:
        """Whole patches in one clip."""
        p = self.profile
        frames = 1 + (self.clip_length - p.win_length) // p.hop_length
        return max(frames, 0) // p.n_frames

    def with_channel(self, channel: int | None) -> FrontEndSettings:
        """Return the same front end listening to one channel, or to the mean."""
        clip = self.clip.model_copy(update={"channel": channel})
        return self.model_copy(update={"clip": clip})

    @model_validator(mode="after")
    def _at_least_one_patch(self) -> Self:
        if self.n_patches < 1:
            p = self.profile
            need = (p.win_length + (p.n_frames - 1) * p.hop_length) / p.sample_rate
            raise ValueError(
                f"duration_s={self.clip.duration_s:g} holds no whole patch; "
                f"need at least {need:.3f} s"
            )
        return self


def original_front_end() -> FrontEndSettings:
    """Return the front end of the original description: 3-19 kHz, 16 kHz, padded."""
    return FrontEndSettings(
        profile=PROFILES[ORIGINAL_PROFILE], clip=ClipSettings(fit="pad")
    )


class FrontEndChoice(Settings):
    """The front end as a user names it."""

    profile: str = DEFAULT_PROFILE
    """Name of the profile: original-16k, vggish-16k or wide-48k."""
    duration_s: float = Field(default=5.0, gt=0)
    """Length of a clip, s."""
    fit: Literal["pad", "tile"] = "tile"
    """How a shorter recording fills its clip: zeros behind it, or repeats of it."""
    channel: int | None = Field(default=None, ge=1)
    """Channel to use, counted from 1; None: the mean of all channels."""

    def front_end(self) -> FrontEndSettings:
        """Return the full settings.

        Raises
        ------
        SettingsError
            If the profile does not exist or a clip holds no whole patch.
        """
        clip = {"duration_s": self.duration_s, "fit": self.fit, "channel": self.channel}
        profile = get_profile(self.profile).model_dump()
        return checked(FrontEndSettings, {"profile": profile, "clip": clip})


class DetectRun(Settings):
    """Settings of ``seacall detect``."""

    model: str | None = None
    """Model folder; None: the model that comes with the package."""
    hop_s: float | None = Field(default=None, ge=0.1)
    """From one clip's start to the next, s; None: clips lie end to end."""
    channel: int | Literal["mean", "each"] | None = None
    """Channel to listen to, counted from 1; their mean; or each of them, one by one.
    None: what the model's card says."""
    threshold: tuple[str, ...] = ()
    """Lowest scores that count, ``0.5`` or ``LABEL=0.5``, in place of the card's."""
    formats: tuple[str, ...] = ("csv", "raven")
    """What is written."""
    embeddings: bool = False
    """Keep what the model's last layer is given of each clip, for ``seacall search``:
    twice the embedding's length in bytes for each clip."""
    timezone: str = "UTC"
    """Of recorder times that do not name their own: a name such as America/Halifax, or
    an offset such as -04:00."""
    time_pattern: str | None = None
    """How file names tell the time; None: the patterns that are known."""
    detect: DetectSettings = DetectSettings()
    """From scores of clips to detections."""


class TrainRun(Settings):
    """Settings of ``seacall train``."""

    network: Literal["vggish", "efficientat", "student"] = "vggish"
    """A teacher, or the student alone (without distillation). EfficientAT is kept as
    published, and class prototypes are put behind it."""
    front_end: FrontEndChoice = FrontEndChoice()
    """From recording to network input."""
    teacher: TeacherSettings = TeacherSettings()
    """What the teacher starts from."""
    student: StudentSettings = StudentSettings()
    """What a student alone starts from, and its last layer."""
    train: TrainSettings = TrainSettings()
    """The training loop."""
    all_clips: bool = False
    """Train on validation and test clips too: for a model whose worth was measured in
    another way. The last epoch counts, and there are no figures."""

    @model_validator(mode="after")
    def _efficientat_needs_weights(self) -> Self:
        if self.network == "efficientat" and self.teacher.weights is None:
            raise ValueError(
                "network='efficientat' is kept as published; give its weights: "
                "--weights PATH, or --weights download"
            )
        return self

    @model_validator(mode="after")
    def _only_students_start_from_students(self) -> Self:
        if self.student.start is not None and self.network != "student":
            raise ValueError(
                f"student.start={self.student.start!r} is for network='student', got "
                f"network={self.network!r}"
            )
        return self


class PretrainAugment(AugmentSettings):
    """How clips are varied for a trunk: bands are missing."""

    mask: MaskSettings = MaskSettings(probability=0.5, n_frames=0, n_bands=7)
    """Batch: masks."""


class PretrainTraining(TrainSettings):
    """The training loop for a trunk: few epochs, large steps, the mean of the weights.

    The running mean does what a shrinking step size would do in a longer run.
    """

    epochs: int = Field(default=15, ge=1)
    """Upper limit; early stopping may end the run before."""
    batch_size: int = Field(default=32, ge=1)
    """Clips in one step, in each process."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """AdamW step size after the warm-up."""
    weight_decay: float = Field(default=0.02, ge=0)
    """AdamW decoupled weight decay."""
    warmup_epochs: int = Field(default=1, ge=0)
    """Epochs over which the step size grows linearly from near zero."""
    n_train_patches: int = Field(default=3, ge=0)
    """Patches drawn at random from each clip in a training step; 0: all of them."""
    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    """Share that the running mean of the weights keeps in each step; the mean is then
    measured and saved. 0: the weights themselves are."""
    augment: PretrainAugment = PretrainAugment()
    """How training clips are varied."""


class PretrainRun(Settings):
    """Settings of ``seacall pretrain``."""

    front_end: FrontEndChoice = FrontEndChoice()
    """From recording to network input."""
    weights: str | None = None
    """EfficientAT checkpoint whose embedding the trunk learns to tell: a path, or
    "download"; None: it learns from the labels alone."""
    feature_weight: float = Field(default=1.0, ge=0)
    """Weight of the embedding beside the labels."""
    n_components: int = Field(default=96, ge=1)
    """Principal components of the embedding that are learnt."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of each label that is spread over all classes (Szegedy et al. 2016)."""
    train: PretrainTraining = PretrainTraining()
    """The training loop."""


class DistillRun(Settings):
    """Settings of ``seacall distill``."""

    front_end: FrontEndChoice | None = None
    """The student's, from recording to network input; None: the first teacher's."""
    student: StudentSettings = StudentSettings()
    """What the student starts from."""
    distill: DistillSettings = DistillSettings()
    """How the student learns from the teacher."""
    hears: Literal["views", "clip"] = "views"
    """What the teacher is asked about: each changed view, or the clip itself, whose
    answer then counts for all of its views: less work, and as good."""
    train: TrainSettings = TrainSettings()
    """The training loop."""
    all_clips: bool = False
    """Train on validation and test clips too: for a model whose worth was measured in
    another way. The last epoch counts, and there are no figures."""

    @model_validator(mode="after")
    def _prototypes_learn_nothing(self) -> Self:
        if self.student.head == "prototypes":
            raise ValueError(
                "student.head='prototypes' is computed from labels, and a teacher "
                "would not be asked; choose head='trained', or use seacall train"
            )
        return self

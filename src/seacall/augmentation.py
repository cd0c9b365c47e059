"""How training clips are varied: each change, how often it is made, how far it goes.

The order is that of a sound on its way: the animal (speed, shift), the water (echoes),
the sea around it (background), the recorder (equaliser, band limit, sample rate, gain).
A clip's waveform is changed before training, once for each view of it; log-mel patches
are changed in each batch.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from seacall.settings import Settings

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


def _refuse_descending(name: str, pair: tuple[float, float]) -> None:
    if pair[0] > pair[1]:
        raise ValueError(f"need {name} to ascend, got {pair[0]:g}, {pair[1]:g}")


class _Varied(Settings):
    """Settings whose pairs are a smallest and a largest value."""

    @model_validator(mode="after")
    def _pairs_ascend(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple):
                _refuse_descending(name, value)
        return self


class SpeedSettings(_Varied):
    """Play the clip faster or slower: pitch and time change together."""

    probability: Probability = 0.2
    """Share of views."""
    factor: tuple[Positive, Positive] = (0.9, 1.1)
    """Smallest and largest speed, as a factor."""


class ShiftSettings(_Varied):
    """Start the clip elsewhere; what leaves at the end comes back at the start."""

    probability: Probability = 0.5
    """Share of views."""


class EchoSettings(_Varied):
    """Add echoes that die away exponentially: another place in the water."""

    probability: Probability = 0.2
    """Share of views."""
    n_echoes: int = Field(default=12, ge=1)
    """Echoes behind the direct sound."""
    decay_s: tuple[Positive, Positive] = (0.005, 0.1)
    """Shortest and longest time in which echoes fall to 1/e, s."""
    level_db: tuple[float, float] = (-20.0, -3.0)
    """Level of the first echoes below the direct sound, dB."""


class BackgroundSettings(_Varied):
    """Add another piece of sea."""

    probability: Probability = 0.3
    """Share of views."""
    snr_db: tuple[float, float] = (5.0, 25.0)
    """Power of the clip over that of the background, both as a whole, dB."""
    folder: str | None = None
    """Folder of recordings without calls, from deployments that neither validate nor
    test; None: wind, ships, rain and shrimps are simulated."""


class EqualiserSettings(_Varied):
    """Bend the spectrum smoothly: another hydrophone."""

    probability: Probability = 0.5
    """Share of views."""
    range_db: float = Field(default=6.0, ge=0)
    """Largest gain, up or down, dB."""
    octaves: Positive = 1.0
    """Distance of the points between which the gain is interpolated, octaves."""


class BandLimitSettings(_Varied):
    """Take away the lowest or the highest frequencies: another recorder's band."""

    probability: Probability = 0.3
    """Share of views; each is cut below, above or on both sides."""
    low_hz: tuple[Positive, Positive] = (20.0, 500.0)
    """Lowest and highest lower edge of the band, Hz."""
    high_hz: tuple[Positive, Positive] = (3_000.0, 20_000.0)
    """Lowest and highest upper edge of the band, Hz."""
    roll_off_octaves: tuple[Positive, Positive] = (0.1, 1.0)
    """Narrowest and widest way from an edge to nothing, octaves."""


class ResampleSettings(_Varied):
    """Go through a lower sample rate and back."""

    probability: Probability = 0.2
    """Share of views."""
    rate_hz: tuple[Positive, Positive] = (8_000.0, 32_000.0)
    """Lowest and highest rate, Hz; one above the clip's own changes nothing."""


class GainSettings(_Varied):
    """Make the clip louder or quieter."""

    probability: Probability = 0.5
    """Share of views."""
    gain_db: tuple[float, float] = (-10.0, 10.0)
    """Smallest and largest gain, dB."""


class MaskSettings(_Varied):
    """Hide stretches of time and bands of log-mel patches (Park et al. 2019)."""

    probability: Probability = 0.0
    """Share of clips in a batch."""
    n_masks: int = Field(default=1, ge=1)
    """Masks in time, and as many in frequency, of each patch."""
    n_frames: int = Field(default=20, ge=0)
    """Frames in the longest mask in time."""
    n_bands: int = Field(default=8, ge=0)
    """Mel bands in the widest mask in frequency."""


class MixStyleSettings(_Varied):
    """Mix each mel band's mean and deviation with another clip's (Freq-MixStyle)."""

    probability: Probability = 0.0
    """Share of batches."""
    alpha: Positive = 0.3
    """Of the beta distribution of a clip's own weight; small: nearly all or nothing."""


class MixupSettings(_Varied):
    """Mix log-mel, features and targets of two clips (Zhang et al. 2018)."""

    probability: Probability = 0.0
    """Share of batches."""
    alpha: Positive = 0.3
    """Of the beta distribution of the first clip's weight."""


class AugmentSettings(Settings):
    """How training clips are varied; as it stands, not at all."""

    n_views: int = Field(default=1, ge=1, le=256)
    """Views of each training clip, of which an epoch draws one. The first is the clip
    itself, the others have a changed waveform; 1: the clip alone."""
    seed: int = Field(default=0, ge=0)
    """Decides the views, apart from the training's own seed: runs can share them."""
    speed: SpeedSettings = SpeedSettings()
    """View: speed."""
    shift: ShiftSettings = ShiftSettings()
    """View: start."""
    echo: EchoSettings = EchoSettings()
    """View: echoes."""
    background: BackgroundSettings = BackgroundSettings()
    """View: background."""
    equaliser: EqualiserSettings = EqualiserSettings()
    """View: equaliser."""
    band_limit: BandLimitSettings = BandLimitSettings()
    """View: band limit."""
    resample: ResampleSettings = ResampleSettings()
    """View: sample rate."""
    gain: GainSettings = GainSettings()
    """View: gain."""
    mask: MaskSettings = MaskSettings()
    """Batch: masks."""
    mixstyle: MixStyleSettings = MixStyleSettings()
    """Batch: Freq-MixStyle."""
    mixup: MixupSettings = MixupSettings()
    """Batch: mixup."""

    def changes_patches(self) -> bool:
        """Tell whether batches need log-mel patches, which embeddings are not."""
        return self.mask.probability > 0 or self.mixstyle.probability > 0

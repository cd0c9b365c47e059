"""How scores of clips become detections: what is merged, dropped, how loud it was."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from seacall.prior import SpeciesPrior
from seacall.settings import Settings

Count = Annotated[int, Field(ge=1, le=10_000)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]

DBFS = "dBFS"
MICROPASCAL = "dB re 1 uPa"


class DetectSettings(Settings):
    """How scores of clips become detections.

    The thresholds themselves are the card's, class by class. Without any of these
    settings a detection is a run of clips whose scores reach the threshold of a class.
    """

    hold: float = Field(default=1.0, gt=0, le=1)
    """Share of its threshold that a class has to keep so that a detection goes on; it
    starts where the threshold itself is reached. 1: nothing below the threshold."""
    max_gap_s: Seconds = 0.0
    """Detections of a class that lie no further apart are one, s. 0: where they touch
    or overlap."""
    min_duration_s: Seconds = 0.0
    """Shorter detections are dropped once gaps are joined, s; none is shorter than a
    clip, but for the last one of a recording."""
    k_of_n: tuple[Count, Count] | None = None
    """A detection starts only from clips that reach the threshold and are among k that
    do so out of n clips in a row; None: each of them is enough."""
    level: Literal["species", "family", "group"] = "species"
    """What is detected. Scores of a family's (group's) species are added up, and have
    to reach the card's threshold for classes without one of their own."""
    top_only: bool = True
    """Of several classes that reach their thresholds on the same clip the one with the
    highest score has it. Without effect where thresholds are above 0.5, because scores
    sum to 1."""
    prior: SpeciesPrior | None = None
    """How likely each species is at this place, in the month of each clip; None: as
    among the recordings that the model was trained on; so has ``"none"``."""
    sensitivity_db: float | None = Field(default=None, lt=0)
    """Sensitivity of the hydrophone, dB re 1 V/uPa, such as -176.2. None: levels are
    dBFS, the root mean square re a full scale of 1 (a sine of full scale: -3.01)."""
    gain_db: float = 0.0
    """Gain between hydrophone and converter, dB."""
    full_scale_v: float | None = Field(default=None, gt=0)
    """Voltage at the converter that gives a sample of full scale, V: half of what a
    data sheet calls peak to peak."""
    calibration_db: float | None = Field(default=None, gt=0)
    """All of it in one: level of a sound whose root mean square is full scale, dB re
    1 uPa, such as a SoundTrap's end-to-end calibration of 176.1."""

    @field_validator("prior", mode="before")
    @classmethod
    def _none_is_none(cls, value: Any) -> Any:
        return None if value == "none" else value

    @model_validator(mode="after")
    def _k_is_not_above_n(self) -> Self:
        if self.k_of_n is not None and self.k_of_n[0] > self.k_of_n[1]:
            k, n = self.k_of_n
            raise ValueError(f"k_of_n={k},{n}: need k <= n; choose such as 2,3")
        return self

    @model_validator(mode="after")
    def _hydrophone_is_whole(self) -> Self:
        parts = self.full_scale_v is not None or self.gain_db != 0
        if self.calibration_db is not None and (
            parts or self.sensitivity_db is not None
        ):
            raise ValueError(
                f"calibration_db={self.calibration_db:g} is the whole chain; leave "
                "out sensitivity_db, gain_db and full_scale_v"
            )
        if self.sensitivity_db is not None and self.full_scale_v is None:
            raise ValueError(
                f"sensitivity_db={self.sensitivity_db:g} needs full_scale_v, the "
                "voltage of a sample of full scale; or give calibration_db alone"
            )
        if parts and self.calibration_db is None and self.sensitivity_db is None:
            raise ValueError(
                "gain_db and full_scale_v mean nothing without the hydrophone; give "
                "sensitivity_db too, such as -176.2"
            )
        return self

    @property
    def level_unit(self) -> str:
        """``dB re 1 uPa`` where the hydrophone is known, else ``dBFS``."""
        return DBFS if self._offset_db() is None else MICROPASCAL

    @property
    def level_offset_db(self) -> float:
        """What is added to dBFS for the level in `level_unit`, dB."""
        return self._offset_db() or 0.0

    def _offset_db(self) -> float | None:
        """Return the level of a sound whose root mean square is full scale.

        A sound of p uPa (root mean square) gives V volts at the converter and samples
        of y::

            V = p * 10 ** (sensitivity_db / 20) * 10 ** (gain_db / 20)
            y = V / full_scale_v

        so that, with dBFS = 20 log10 y::

            20 log10 p = dBFS + 20 log10 full_scale_v - gain_db - sensitivity_db
        """
        if self.sensitivity_db is None or self.full_scale_v is None:
            return self.calibration_db
        return 20 * math.log10(self.full_scale_v) - self.gain_db - self.sensitivity_db

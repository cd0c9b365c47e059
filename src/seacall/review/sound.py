"""Write a detection's sound to a file, to be listened to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from seacall.errors import SettingsError
from seacall.files import written_whole
from seacall.review.nouns import Detected
from seacall.review.shelf import Shelf


def write_sound(
    place: Shelf, one: Detected, path: Path, *, around_s: float = 1.0
) -> str:
    """Write a detection's sound as WAV (24 bits), with some of what lies around it.

    Returns
    -------
    text
        Where the detection lies in the file, in words.

    Raises
    ------
    AudioError
        If its sound is not there.
    SettingsError
        If the file cannot be written.
    """
    y, rate, start_s = place.sound(one.id, before_s=around_s, after_s=around_s)
    try:
        with written_whole(path) as part:
            soundfile.write(
                part, np.clip(y, -1, 1), rate, format="WAV", subtype="PCM_24"
            )
    except (OSError, soundfile.LibsndfileError) as error:
        raise SettingsError(
            f"{path}: cannot be written ({error}); choose another file"
        ) from error
    at_s = one.target.start_s - start_s
    length_s = one.target.end_s - one.target.start_s
    return f"{path}: it lies from {at_s:.2f} s to {at_s + length_s:.2f} s"

"""Keep the sound of detections: from a ring of samples to FLAC files."""

from __future__ import annotations

import logging
import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import soundfile
from numpy.typing import NDArray

from seacall.events import Detection
from seacall.files import written_whole
from seacall.live.budget import Budget
from seacall.live.growing import Change
from seacall.live.journal import Journal
from seacall.live.settings import SnippetSettings

Float32 = NDArray[np.float32]

Log = logging.getLogger("seacall.live")

FOLDER = "audio"


class Ring:
    """The last samples of a channel.

    Parameters
    ----------
    length
        Samples that are kept at least, once there are so many; little more are.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._blocks: deque[Float32] = deque()
        self._begin = 0
        self.end = 0
        """Number of the sample that comes next."""

    def push(self, y: Float32) -> None:
        """Add samples, shape ``(n,)``; the oldest go."""
        self._blocks.append(y)
        self.end += len(y)
        while self.end - self._begin - len(self._blocks[0]) >= self._length:
            self._begin += len(self._blocks.popleft())

    def between(self, begin: int, end: int) -> tuple[int, Float32]:
        """Return those from one sample to another, and where they really begin."""
        joined = np.concatenate([np.empty(0, np.float32), *self._blocks])
        begin, end = max(begin, self._begin), min(end, self.end)
        return begin, joined[begin - self._begin : max(begin, end) - self._begin]


@dataclass
class _Wanted:
    """A detection whose sound is not written yet."""

    number: int
    detection: Detection
    over: bool = False


class Snippets:
    """Writes the sound of the detections of one channel of one segment.

    A file is written when the detection and what follows it is there, or the longest
    length is reached. What a dying process had not written is lost; the detection is
    not.

    Parameters
    ----------
    journal
        Notes the files.
    settings
        Lengths.
    budget
        Makes room, or says that there is none.
    sample_rate
        Hz.
    clip_s
        Length of a clip, s: a detection begins so long before it is known.
    offset_s
        Where the segment lies in its recording, s.
    """

    def __init__(
        self,
        journal: Journal,
        settings: SnippetSettings,
        budget: Budget,
        *,
        sample_rate: int,
        clip_s: float,
        offset_s: float = 0.0,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._budget = budget
        self._rate = sample_rate
        self._offset_s = offset_s
        # A detection is known a clip's length, and that of the resampler, late.
        reach_s = settings.pre_s + settings.post_s + settings.longest_s + 2 * clip_s + 2
        self._ring = Ring(round(reach_s * sample_rate) if settings.keep else 0)
        self._wanted: dict[int, _Wanted] = {}

    def push(self, y: Float32) -> None:
        """Take the next samples, shape ``(n,)``."""
        if self._settings.keep:
            self._ring.push(y)

    def want(self, number: int, change: Change) -> None:
        """Note that a detection begins, grows or ends."""
        if not self._settings.keep:
            return
        if change.kind == "begun":
            self._wanted[number] = _Wanted(number, change.detection)
        elif number in self._wanted:
            self._wanted[number].detection = change.detection
            self._wanted[number].over = change.kind == "ended"

    def write_due(self, *, last: bool = False) -> None:
        """Write those of which all is there; of the ``last`` ones what there is."""
        for wanted in list(self._wanted.values()):
            begin, end = self._bounds(wanted)
            longest = begin + round(self._settings.longest_s * self._rate)
            whole = wanted.over and self._ring.end >= end
            if last or whole or self._ring.end >= longest:
                del self._wanted[wanted.number]
                self._write(wanted, begin, min(end, longest))

    def _bounds(self, wanted: _Wanted) -> tuple[int, int]:
        one, settings = wanted.detection, self._settings
        begin_s = one.start_s - self._offset_s - settings.pre_s
        end_s = one.end_s - self._offset_s + settings.post_s
        return max(0, round(begin_s * self._rate)), round(end_s * self._rate)

    def _write(self, wanted: _Wanted, begin: int, end: int) -> None:
        begin, y = self._ring.between(begin, end)
        if not len(y) or not self._budget.has_room(4 * len(y)):
            return
        name = _name(wanted.detection, wanted.number)
        path = self._journal.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as part:
                soundfile.write(
                    part, np.clip(y, -1, 1), self._rate, format="FLAC", subtype="PCM_24"
                )
        except (OSError, soundfile.LibsndfileError) as error:  # a full disk
            Log.warning("%s: cannot be written (%s)", path, error)
            return
        start_s = begin / self._rate + self._offset_s
        self._budget.add(wanted.number, name, path.stat().st_size, start_s=start_s)


def _name(one: Detection, number: int) -> str:
    """Return where a detection's sound is kept, from the station's folder."""
    label = re.sub(r"[^\w-]+", "_", one.label).strip("_")[:40] or "sound"
    if one.start is None:
        return f"{FOLDER}/undated/{number:08d}_{label}.flac"
    return f"{FOLDER}/{_day(one.start)}/{_moment(one.start)}_{label}_{number}.flac"


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d}"


def _moment(when: datetime) -> str:
    return f"{when:%Y%m%dT%H%M%S}.{when.microsecond // 1000:03d}Z"

"""Makes every test's detections: recordings that were heard, and what was in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from seacall.events import Detection, Recording, Searched, Segment

Found = tuple[Searched, list[Detection]]

NOON = datetime(2019, 5, 1, 12, tzinfo=UTC)
AWKWARD_NAMES = (
    "a tab\tin it.wav",
    "a line\nin it.wav",
    "return\rin it.wav",
    'quotes "in" it.wav',
    '"quoted".wav',
    "comma, semicolon; it.wav",
    "été à l'île 鯨.wav",
    "100%.wav",
    "a%09b.wav",
    " spaces .wav",
    "no ending",
)


def searched(
    path: Path | str = "/data/a.wav",
    *,
    duration_s: float = 60.0,
    sample_rate: int = 48_000,
    start: datetime | None = NOON,
    heard: tuple[tuple[float, float], ...] | None = None,
    failure: str = "",
    opened: bool = True,
) -> Searched:
    """Return a recording that was heard whole, unless something else is said."""
    n_samples = round(duration_s * sample_rate)
    length_s = n_samples / sample_rate
    recording = Recording(Path(path), sample_rate, 1, n_samples, "PCM_16")
    if not opened:
        return Searched(Path(path), None, failure=failure or "no audio file")
    whole = ((0.0, length_s),) if length_s else ()
    return Searched(
        Path(path),
        recording,
        (Segment(0, n_samples, start),),
        whole if heard is None else heard,
        failure,
    )


def detected(
    of: Searched, start_s: float = 5.0, end_s: float = 10.0, **values: Any
) -> Detection:
    """Return a detection in a recording, with its time where that is known."""
    start = of.segments[0].start if of.segments else None
    settings: dict[str, Any] = {
        "low_hz": 500.0,
        "high_hz": 4_000.0,
        "label": "Killer Whale",
        "score": 0.9312,
        "n_clips": 1,
        "snr_db": 12.25,
        "level_db": -31.5,
        "start": None if start is None else start + timedelta(seconds=start_s),
    }
    return Detection(of.path, start_s, end_s, **(settings | values))


def given(found: Sequence[Found]) -> Callable[[], Iterator[Found]]:
    """Return what ``write_outputs`` calls."""
    return lambda: iter(found)


@st.composite
def archives(draw: st.DrawFn, folder: str = "/data") -> list[Found]:
    """Draw recordings of many lengths and rates, and detections within them."""
    found: list[Found] = []
    for number in range(draw(st.integers(0, 6))):
        rate = draw(st.sampled_from([8_000, 44_100, 48_000, 96_000, 22_255]))
        n_samples = draw(st.integers(0, 200_000))
        one = searched(
            f"{folder}/{number:02d}.wav",
            duration_s=n_samples / rate,
            sample_rate=rate,
            start=draw(st.sampled_from([NOON + timedelta(hours=number), None])),
            opened=draw(st.integers(0, 9)) > 0,
        )
        rows = []
        if one.recording and n_samples > 1:
            for _ in range(draw(st.integers(0, 3))):
                first = draw(st.integers(0, n_samples - 2))
                last = draw(st.integers(first + 1, n_samples))
                low_hz = draw(st.floats(0, rate / 2 - 1))
                rows.append(
                    detected(
                        one,
                        first / rate,
                        last / rate,
                        label=draw(st.sampled_from(["Orca", "Sei Whale", "Béluga"])),
                        score=draw(st.floats(0.1, 1)),
                        low_hz=low_hz,
                        high_hz=draw(st.floats(low_hz + 0.5, rate)),
                        snr_db=draw(st.sampled_from([None, 3.5])),
                    )
                )
        found.append((one, rows))
    return found

"""Logs of SoundTraps: every form of a date, and which of several events counts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from seacall.data.soundtrap import find_logs, parse_log


def event(number: int, name: str, value: str) -> str:
    return f'<PROC_EVENT ID="{number}"><WavFileHandler {name}="{value}"/></PROC_EVENT>'


def log(start: str, *more: str) -> bytes:
    """Return a log that holds what a real one does: also snippets, and local time."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<ST><EVENT time="2021-06-10T03:36:40"><START STATE="NEW"/></EVENT>',
        '<CFG ID="3" FTYPE="x3"><FS> 576000 </FS></CFG>',
        '<CFG ID="4" FTYPE="wav" CODEC="3"><SRC ID="3" /><FS> 96000 </FS>',
        "<NCHS> 1 </NCHS><SUFFIX> wav </SUFFIX></CFG>",
        '<CFG ID="5" FTYPE="wav"><SRC ID="3" /><SUFFIX> dwv </SUFFIX></CFG>',
        event(5, "SamplingStartTimeUTC", "2021-06-10T03:36:55"),
        event(4, "OffloaderTimeZone", "Romance Standard Time"),
        event(4, "SamplingStartTimeLocal", "2021-06-10T05:36:54"),
        event(4, "SamplingStartTimeUTC", start),
        event(4, "SamplingStopTimeUTC", "2021-06-10T03:46:54"),
        *more,
        "</ST>",
    ]
    return "\n".join(lines).encode()


TENTH = datetime(2021, 6, 10, 3, 36, 54)
OCTOBER = datetime(2021, 10, 6, 3, 36, 54)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("2021-06-10T03:36:54", [TENTH]),
        ("2021-06-10T03:36:54Z", [TENTH]),
        ("2021-06-10 03:36:54 UTC", [TENTH]),
        ("10/06/2021 03:36:54", [TENTH, OCTOBER]),
        ("06/10/2021 03:36:54 AM", [OCTOBER, TENTH]),
        ("6/10/2021 3:36:54 a.m.", [OCTOBER, TENTH]),
        ("06/24/2021 03:36:54 PM", [datetime(2021, 6, 24, 15, 36, 54)]),
        ("24/06/2021 12:36:54 AM", [datetime(2021, 6, 24, 0, 36, 54)]),
        ("24/06/2021 12:36:54 PM", [datetime(2021, 6, 24, 12, 36, 54)]),
        ("06/06/2021 03:36:54", [datetime(2021, 6, 6, 3, 36, 54)]),
        ("24/24/2021 03:36:54", []),
        ("06/24/2021 13:36:54 PM", []),
        ("2021-06-10", []),
        ("2021-06-10T05:36:54+02:00", []),
        ("soon", []),
    ],
)
def test_every_form_of_a_date_is_read(text: str, readings: list[datetime]):
    found = parse_log(log(text))
    assert list(found.readings) == readings
    assert found.is_utc
    assert bool(found.doubt) == (not readings)


def test_fractions_of_a_second_are_added():
    found = parse_log(
        log("2021-06-10T03:36:54", event(4, "SamplingStartTimeSubS", "250000 us"))
    )
    assert found.readings == (TENTH.replace(microsecond=250_000),)


def test_the_log_of_pamguard_is_in_its_computers_zone():
    start = 'SAMPLINGSTARTTIMEUTC="2018-03-22 12:00:00 UTC"'
    text = f'<ST><PROC_EVENT ID="4"><WAVFILEHANDLER {start}/></PROC_EVENT></ST>'
    found = parse_log(text.encode())
    assert found.readings == (datetime(2018, 3, 22, 12),)
    assert not found.is_utc


def test_several_times_are_a_doubt():
    other = event(4, "SamplingStartTimeUTC", "2021-06-11T00:00:00")
    found = parse_log(log("2021-06-10T03:36:54", other))
    assert not found.readings
    assert "several times" in found.doubt


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"<ST>", b"RIFF", b"<ST/>", bytes(50)),
        b'<?xml version="1.0" encoding="unheard-of"?><ST/>',
        b'<?xml version="1.0" encoding="shift_jis"?><ST/>',
    ],
)
def test_a_log_that_says_nothing_is_a_doubt(content: bytes):
    found = parse_log(content)
    assert not found.readings
    assert ".log.xml" in found.doubt


def test_logs_lie_beside_their_recordings(tmp_path: Path):
    names = ["5678.210610033655.log.xml", "A.LOG.XML", "other.log.xml"]
    for name in names:
        (tmp_path / name).touch()
    recordings = [
        tmp_path / name
        for name in (
            "5678.210610033655.wav",
            "5678.210610033655.1.wav",
            "a.wav",
            "b.wav",
        )
    ]
    assert find_logs(recordings) == {
        recordings[0]: tmp_path / names[0],
        recordings[1]: tmp_path / names[0],
        recordings[2]: tmp_path / names[1],
    }
    assert find_logs([tmp_path / "gone" / "a.wav"]) == {}

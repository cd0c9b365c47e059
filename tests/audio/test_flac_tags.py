"""Tags of FLAC files: what libsndfile writes is read, and damage never fails."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from seacall.audio.flac_tags import read_flac_tags


def flac(path: Path, **tags: str) -> bytes:
    with soundfile.SoundFile(path, "w", 48_000, 1, format="FLAC") as sound:
        for name, text in tags.items():
            setattr(sound, name, text)
        sound.write(np.zeros(10_000))
    return path.read_bytes()


def test_what_libsndfile_writes_is_read(tmp_path: Path):
    content = flac(tmp_path / "x.flac", comment="Recorded at été", artist="AudioMoth")
    tags = read_flac_tags(io.BytesIO(content))
    assert tags["comment"] == "Recorded at été"
    assert tags["artist"] == "AudioMoth"


def test_a_file_without_tags_or_of_another_kind_has_none(tmp_path: Path):
    assert "comment" not in read_flac_tags(io.BytesIO(flac(tmp_path / "x.flac")))
    for content in (b"", b"RIFF", b"fLaC", b"fLaC\x84\xff\xff\xff"):
        assert read_flac_tags(io.BytesIO(content)) == {}


@given(st.binary(max_size=60))
def test_damage_never_fails(junk: bytes):
    read_flac_tags(io.BytesIO(b"fLaC" + junk))
    read_flac_tags(io.BytesIO(b"fLaC\x84\x00\x00" + bytes([len(junk)]) + junk))

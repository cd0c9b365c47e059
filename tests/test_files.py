"""Files are whole or not there."""

from __future__ import annotations

import hashlib
import os

import pytest

from seacall.files import file_sha256, written_whole


@pytest.mark.parametrize("n", [0, 1, 3_000_000])
def test_a_hash_is_that_of_the_bytes(tmp_path, n):
    content = os.urandom(n)
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_file_that_cannot_be_read_has_no_hash(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        file_sha256(tmp_path / "none")


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    with written_whole(path) as part:
        part.write_text("first half")
        assert not path.exists()
        assert part.parent == tmp_path
        assert part.name.startswith(".")
    assert path.read_text() == "first half"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("earlier")

    def fail() -> None:
        with written_whole(path) as part:
            part.write_text("later")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "a.txt"):
        pass

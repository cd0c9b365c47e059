"""Finding recordings: folders, links, lists, names of any kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seacall.audio import io
from seacall.errors import AudioError

ODD_NAMES = [
    " a b.wav",
    "tab\there.wav",
    "new\nline.wav",
    "Ålesund ñ 鯨.flac",
    "#1.wav",
]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names_in(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in io.find_recordings(root)]


def test_names_of_any_kind_are_found(tmp_path: Path) -> None:
    touch(tmp_path, *ODD_NAMES)
    assert sorted(names_in(tmp_path)) == sorted(ODD_NAMES)


def test_a_name_that_is_no_text_is_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    touch(tmp_path, name)
    assert names_in(tmp_path) == [name]


def test_what_macos_leaves_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "._a.wav", ".Trash/b.wav", "c/.d.flac", "c/e.flac")
    assert names_in(tmp_path) == ["a.wav", "c/e.flac"]


def test_a_folder_that_may_not_be_searched_is_left_out_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "a/1.wav", "lost+found/2.wav", "$RECYCLE.BIN/3.wav")
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if Path(folder).name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert names_in(tmp_path) == ["a/1.wav"]
    assert "lost+found: left out" in caplog.text
    with pytest.raises(AudioError, match="cannot be searched"):
        io.find_recordings(tmp_path / "lost+found")


def test_a_hidden_folder_that_is_named_is_searched(tmp_path: Path) -> None:
    touch(tmp_path, ".cache/a.wav")
    assert names_in(tmp_path / ".cache") == ["a.wav"]


def test_links_are_followed_and_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path, "in/a/1.wav", "elsewhere/2.wav")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/a/up").symlink_to(tmp_path / "in/a")
    (tmp_path / "in/again").symlink_to(tmp_path / "in/a")
    (tmp_path / "in/far").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/back").symlink_to(tmp_path / "in/far")
    (tmp_path / "in/dangling.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "elsewhere/home").symlink_to(tmp_path)
    found = names_in(tmp_path / "in")
    assert found[0] == "a/1.wav"
    assert [Path(name).name for name in found] == ["1.wav", "2.wav"]


def test_a_list_names_files_beside_it_and_elsewhere(tmp_path: Path) -> None:
    text = "\ufeff# a comment\r\nsub/a b.wav\r\n\r\n/far/x.wav\nname with é.flac"
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    assert io.read_file_list(tmp_path / "list.txt") == [
        tmp_path / "sub/a b.wav",
        Path("/far/x.wav"),
        tmp_path / "name with é.flac",
    ]


def test_a_list_that_find_wrote_holds_any_name(tmp_path: Path) -> None:
    content = b"\0".join(os.fsencode(name) for name in ODD_NAMES) + b"\0"
    (tmp_path / "list").write_bytes(content)
    assert io.read_file_list(tmp_path / "list") == [tmp_path / n for n in ODD_NAMES]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "names no recordings"), (b"# no\n\n", "names no"), (b"RIFFxx", "is a rec")],
)
def test_a_list_without_recordings_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(AudioError, match=words):
        io.read_file_list(tmp_path / "list.txt")


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"list\.txt: cannot be read"):
        io.gather([f"@{tmp_path / 'list.txt'}"])


def test_what_a_user_names_is_gathered_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "b/2.wav", "b/1.wav", "c.wav", "@odd.wav")
    (tmp_path / "list.txt").write_text("c.wav\nb/1.wav\n")
    monkeypatch.chdir(tmp_path)
    found = io.gather(["c.wav", "b", "@list.txt", "@odd.wav", Path("nowhere.wav")])
    names = ["c.wav", "b/1.wav", "b/2.wav", "@odd.wav", "nowhere.wav"]
    assert found == [Path(name) for name in names]

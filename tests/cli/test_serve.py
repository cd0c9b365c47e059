"""The command that serves, as users start it, and as power cuts end it."""

from __future__ import annotations

import io
import os
import signal
import stat
from pathlib import Path

import httpx
import places
import programs
import pytest
import soundfile
from stations import RATE, sound, wait_for

from seacall.cli.main import main
from seacall.cli.serve import url
from seacall.web.settings import ServeSettings

TOKEN = "a-token-of-more-than-twenty"


def serve(*arguments: object, **options):
    """Start the command; return it and the address that it prints."""
    process = programs.start("-m", "seacall", "serve", *arguments, **options)
    address = process.stdout.readline().strip()
    return process, address or process.stderr.read()


def failing(capsys, *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main(["serve", *map(str, arguments)])
    assert end.value.code == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


def test_it_serves_and_ends_when_it_is_told(tmp_path):
    folder = places.station(tmp_path / "st", [("Fin Whale", 5.0, 0.6)])
    process, address = serve(folder, "--port", 0)
    try:
        assert address.startswith("http://127.0.0.1:")
        (place,) = httpx.get(f"{address}api/places", timeout=20).json()
        assert (place["id"], place["n_detections"]) == ("st", 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        programs.kill(process)


def test_others_are_let_in_with_the_printed_address_only(tmp_path):
    folder = places.station(tmp_path / "st", [("Fin Whale", 5.0, 0.6)])
    token = tmp_path / "token"
    process, address = serve(
        folder, "--port", 0, "--host", "0.0.0.0", "--token-file", token
    )
    try:
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert address.endswith(f"/?token={token.read_text().strip()}")
        port = address.rpartition(":")[2].partition("/")[0]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as browser:
            assert browser.get("/api/places").status_code == 401
            browser.get(address.partition(port)[2])
            assert browser.get("/api/places").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        programs.kill(process)


def test_what_was_taken_outlives_a_power_cut(tmp_path):
    """kill -9 right behind an upload: the next server hears it."""
    stream = io.BytesIO()
    soundfile.write(stream, sound(2.0), RATE, format="WAV")
    process, address = serve("--uploads", tmp_path / "up", "--port", 0)
    try:
        answer = httpx.post(
            f"{address}api/uploads?name=a.wav",
            content=stream.getvalue(),
            headers={"Origin": address.rstrip("/")},
            timeout=60,
        )
        assert answer.status_code == 202
        os.kill(process.pid, signal.SIGKILL)
    finally:
        programs.kill(process)
    process, address = serve("--uploads", tmp_path / "up", "--port", 0)

    def heard():
        found = httpx.get(f"{address}api/places", timeout=20).json()
        return found and found[0]["kind"] == "archive"

    try:
        wait_for(heard, seconds=60)
    finally:
        programs.kill(process)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a folder"),
        (["nowhere"], "holds neither station.sqlite nor ledger.sqlite"),
        (
            ["--uploads", "up", "--host", "192.0.2.1", "--token-file", "t", "--quiet"],
            "another --host",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in failing(capsys, *arguments)


def test_a_token_file_that_others_read_is_refused(capsys, tmp_path):
    path = tmp_path / "token"
    path.write_text("x" * 40)
    path.chmod(0o644)
    assert "chmod 600" in failing(capsys, tmp_path, "--token-file", path)


@pytest.mark.parametrize(
    ("host", "start"),
    [("127.0.0.1", "http://127.0.0.1:9/"), ("::1", "http://[::1]:9/")],
)
def test_the_address_opens_the_page(host, start):
    assert url(ServeSettings(host=host), 9) == start
    shown = url(ServeSettings(host=host, token=TOKEN), 9)
    assert shown == f"{start}?token={TOKEN}"
    everywhere = url(ServeSettings(host="::", token=TOKEN), 9)
    assert "::" not in everywhere


def test_the_default_token_lies_where_states_lie(monkeypatch, tmp_path: Path):
    from seacall.web.tokens import default_token_file

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_token_file() == tmp_path / "seacall" / "token"

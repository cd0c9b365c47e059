"""A model goes into a repository and comes back as it was, or not at all."""

from __future__ import annotations

import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import programs
import pytest
import tiny
import yaml

from seacall.deploy.repository import card_sha256, pull, push, readme_of
from seacall.errors import CheckpointError, SettingsError
from seacall.files import file_sha256
from seacall.models.checkpoint import CARD_NAME, ONNX_NAME, WEIGHTS_NAME, read_card


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("pushed") / "my-model")


@pytest.fixture
def repository(model, tmp_path) -> Path:
    push(model, tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def url(repository):
    handler = partial(Quiet, directory=repository)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def contents(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in folder.iterdir()}


def not_pulled(source: object, tmp_path: Path, match: str, **options) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((CheckpointError, SettingsError), match=match) as caught:
        pull(str(source), tmp_path / "pulled", **options)
    assert str(caught.value).isprintable()
    assert sorted(tmp_path.rglob("*")) == before


def change_card(repository: Path, **values: object) -> None:
    path = repository / CARD_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_is_pushed_is_what_hubs_look_for(model, repository):
    assert contents(repository).keys() == {
        "README.md",
        "config.json",
        CARD_NAME,
        WEIGHTS_NAME,
        ONNX_NAME,
    }
    _, head, page = (repository / "README.md").read_text().split("---\n", 2)
    said = yaml.safe_load(head)
    assert said["library_name"] == "seacall"
    assert said["labels"] == list(tiny.LABELS)
    assert "# my-model" in page
    config = json.loads((repository / "config.json").read_text())
    assert config["id2label"]["0"] == tiny.LABELS[0]
    assert config["num_labels"] == len(tiny.LABELS)


def test_labels_cannot_break_out_of_the_yaml_head():
    labels = ["---", 'a": b', "x: [1", "unknown"]
    text = readme_of(tiny.card(labels=labels), name="x", file_bytes={})
    assert yaml.safe_load(text.split("\n---\n")[0])["labels"] == labels


def test_a_pulled_folder_is_the_one_that_was_pushed(model, repository, tmp_path):
    pull(str(repository), tmp_path / "new" / "pulled")
    assert contents(tmp_path / "new" / "pulled") == contents(model)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["pulled"]


def test_so_is_one_from_a_url(model, url, repository, tmp_path):
    sha256 = card_sha256(repository)
    card = pull(f"{url}/", tmp_path / "pulled", sha256=sha256)
    assert contents(tmp_path / "pulled") == contents(model)
    assert card == read_card(model)


def test_a_card_with_another_sha256_is_not_taken(repository, url, tmp_path):
    for source in (repository, url):
        not_pulled(source, tmp_path, "sha256 starts with", sha256="0" * 64)
    not_pulled(repository, tmp_path, "hexadecimal", sha256="")


def test_tampered_weights_are_not_taken(repository, url, tmp_path):
    content = bytearray((repository / ONNX_NAME).read_bytes())
    content[1_000] ^= 1
    (repository / ONNX_NAME).write_bytes(content)
    for source in (repository, url):
        not_pulled(source, tmp_path, "sha256 starts with")


def test_a_missing_file_is_named(repository, url, tmp_path):
    (repository / WEIGHTS_NAME).unlink()
    not_pulled(repository, tmp_path, f"{WEIGHTS_NAME}: no such file")
    not_pulled(url, tmp_path, "404")


def test_a_card_of_another_model_is_not_taken(repository, tmp_path):
    change_card(repository, labels=["A", "B", "unknown"])
    not_pulled(repository, tmp_path, "card of another model")


@pytest.mark.parametrize("name", ["../stolen", "/tmp/stolen", "extra.py", CARD_NAME])
def test_files_that_no_model_has_are_not_taken(repository, url, tmp_path, name):
    change_card(repository, files={name: "0" * 64})
    for source in (repository, url):
        not_pulled(source, tmp_path, "files|lists|sha256")


def test_a_card_without_end_is_not_taken(repository, url, tmp_path):
    with (repository / CARD_NAME).open("wb") as file:
        file.truncate(100_000_000)
    for source in (repository, url):
        not_pulled(source, tmp_path, "longer than 4,000,000")


def test_what_is_there_stays(model, repository, tmp_path):
    (tmp_path / "pulled").mkdir()
    (tmp_path / "pulled" / "mine.txt").touch()
    not_pulled(repository, tmp_path, "holds something already")
    shutil.rmtree(tmp_path / "pulled")
    (tmp_path / "pulled").symlink_to(repository)
    not_pulled(repository, tmp_path, "is a file")
    with pytest.raises(SettingsError, match="is the model folder"):
        push(model, model)


def test_archives_and_other_addresses_are_refused(tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK\x03\x04")
    not_pulled(tmp_path / "model.zip", tmp_path, "unpacked first")
    not_pulled("file:///etc", tmp_path, "http or https")
    not_pulled(tmp_path / "nothing", tmp_path, "is no folder")


def test_both_work_from_the_command_line(model, tmp_path):
    pushed = programs.run("-m", "seacall", "push", model, tmp_path / "r", "--json")
    assert pushed.code == 0, pushed.err
    sha256 = json.loads(pushed.out)["sha256"]
    arguments = ("pull", tmp_path / "r", "-o", tmp_path / "m", "--sha256", sha256)
    done = programs.run("-m", "seacall", *arguments)
    assert done.code == 0, done.err
    assert "AudioTransformerStudent" in done.out
    done = programs.run("-m", "seacall", *arguments)
    assert done.code == 1
    assert "holds something already" in done.err

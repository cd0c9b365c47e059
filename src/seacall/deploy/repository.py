"""Push a model folder into a repository as model hubs lay them out, and pull it back.

Such a repository is a folder with ``README.md`` (whose head is YAML), ``config.json``
and weights, in git or behind a URL for each file. ``card.json`` travels with them: its
sha256 pins all the others. Nothing is unpacked, and no hub's own client is needed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seacall.errors import CheckpointError, SettingsError
from seacall.files import file_sha256, written_whole
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import (
    BANK_NAME,
    CARD_NAME,
    ONNX_NAME,
    VERIFY_NAME,
    WEIGHTS_NAME,
    Card,
    checked_file,
    read_card,
)
from seacall.models.page import model_page
from seacall.models.pretrained import check_sha256, download
from seacall.models.untrusted import MAX_JSON_BYTES, one_line

README_NAME = "README.md"
CONFIG_NAME = "config.json"
_TAGS = ("bioacoustics", "marine-mammals", "passive-acoustic-monitoring")
_MOST_BYTES = {
    CARD_NAME: MAX_JSON_BYTES,
    VERIFY_NAME: MAX_JSON_BYTES,
    BANK_NAME: 1 << 26,
    ONNX_NAME: 1 << 30,
    WEIGHTS_NAME: 1 << 30,
}
"""What a model folder may hold, and how large it may be where a stranger says so."""

Fetch = Callable[[str, Path], None]


def push(model: Path, folder: Path) -> list[Path]:
    """Lay a model folder out as a repository; git, or a hub's client, takes it there.

    Parameters
    ----------
    model
        Model folder.
    folder
        Repository; made if need be. Other files in it stay as they are.

    Returns
    -------
    paths
        What was written.

    Raises
    ------
    CheckpointError
        If it is no model folder, or a file was changed.
    SettingsError
        If the repository is the model folder, or cannot be written.
    """
    card = read_card(model)
    sources = [checked_file(model, card, name) for name in card.files]
    if folder.resolve() == model.resolve():
        raise SettingsError(f"{folder}: is the model folder; name another one")
    sizes = {name: (model / name).stat().st_size for name in card.files}
    readme = readme_of(card, name=model.resolve().name, file_bytes=sizes)
    config = json.dumps(config_of(card), indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in [*sources, model / CARD_NAME]:
            target = folder / source.relative_to(model)
            target.parent.mkdir(exist_ok=True)  # of a committee's member
            with written_whole(target) as part:
                shutil.copyfile(source, part)
        for name, text in ((README_NAME, readme), (CONFIG_NAME, config)):
            with written_whole(folder / name) as part:
                part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    names = [README_NAME, CONFIG_NAME, CARD_NAME, *card.files]
    return [folder / name for name in names]


def pull(source: str, out: Path, *, sha256: str | None = None) -> Card:
    """Fetch a model folder from a repository, and check it before it gets its name.

    Parameters
    ----------
    source
        Folder, or the URL under which its files lie, such as
        ``https://huggingface.co/NAME/MODEL/resolve/main``.
    out
        Model folder to make.
    sha256
        Of the repository's ``card.json``, or the start of it, at least 8 digits; the
        card pins the weights. None: whatever is there is taken.

    Raises
    ------
    CheckpointError
        If it is no model, does not fit its card, or cannot be had; nothing is kept.
    SettingsError
        If ``out`` holds something already, or ``sha256`` is none.
    """
    _refuse_used(out)
    if sha256 is not None and not _is_sha256(sha256):
        raise SettingsError(
            f"--sha256 {one_line(sha256)}: give 8 to 64 hexadecimal digits"
        )
    fetch = _from_url(source) if "://" in source else _from_folder(Path(source))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=out.parent) as place:
            part = Path(place, "model")
            part.mkdir()
            card = _fetched(fetch, part, sha256)
            if all(
                prefix + ONNX_NAME in card.files
                for prefix in [f"{m.folder}/" for m in card.members] or [""]
            ):
                load_classifier(part)  # a card of another model is noticed here
            if out.is_dir():
                out.rmdir()
            part.rename(out)
    except OSError as error:
        raise SettingsError(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    return card


def readme_of(card: Card, *, name: str, file_bytes: dict[str, int]) -> str:
    """Write a repository's page: YAML for machines, then the model's own page.

    Parameters
    ----------
    name
        Heading.
    file_bytes
        Size of each file, by name.
    """
    head = {
        "library_name": "seacall",
        "pipeline_tag": "audio-classification",
        "license": "other",
        "license_name": "see-training-data",
        "tags": list(_TAGS),
        "seacall_version": card.seacall_version,
        "labels": list(card.labels),
    }
    # A JSON value is a YAML value: nothing in a label can end the head.
    lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
    try:
        page = model_page(card, name=name, file_bytes=file_bytes)
    except (KeyError, TypeError, ValueError, AttributeError):  # figures of another kind
        bare = card.model_copy(update={"metrics": {}})
        page = model_page(bare, name=name, file_bytes=file_bytes)
    use = f"Use it: `seacall pull FOLDER_OR_URL -o {name}`, then `seacall detect`.\n"
    return "\n".join(["---", *lines, "---", "", page, use])


def config_of(card: Card) -> dict[str, Any]:
    """Return what programs that know hubs, and not seacall, look for."""
    front_end = card.front_end
    return {
        "architectures": [card.architecture],
        "library_name": "seacall",
        "num_labels": len(card.labels),
        "id2label": {str(k): label for k, label in enumerate(card.labels)},
        "label2id": {label: k for k, label in enumerate(card.labels)},
        "sampling_rate": front_end.profile.sample_rate,
        "clip_s": front_end.clip.duration_s,
    }


def _fetched(fetch: Fetch, folder: Path, sha256: str | None) -> Card:
    """Fetch the card, then what it lists; each is checked."""
    path = folder / CARD_NAME
    fetch(CARD_NAME, path)
    if sha256 is not None:
        check_sha256(path, sha256)
    card = read_card(folder)
    folders = ["", *(f"{member.folder}/" for member in card.members)]
    allowed = {prefix + name for prefix in folders for name in _MOST_BYTES}
    strange = sorted(set(card.files) - allowed)
    if strange or not card.weights:
        raise CheckpointError(
            f"{CARD_NAME}: lists {', '.join(strange) or 'no weights'}; a model folder "
            f"holds {WEIGHTS_NAME} or {ONNX_NAME}"
        )
    for name in card.files:
        (folder / name).parent.mkdir(exist_ok=True)
        fetch(name, folder / name)
        checked_file(folder, card, name)
    return card


def _from_folder(source: Path) -> Fetch:
    if not source.is_dir():
        raise CheckpointError(
            f"{source}: is no folder; give a repository's folder or URL "
            "(an archive must be unpacked first)"
        )

    def fetch(name: str, path: Path) -> None:
        found = source / name
        if not found.is_file():
            raise CheckpointError(f"{found}: no such file; it is no seacall model")
        if found.stat().st_size > _MOST_BYTES[Path(name).name]:
            raise CheckpointError(
                f"{found}: is longer than {_MOST_BYTES[Path(name).name]:,}"
            )
        shutil.copyfile(found, path)

    return fetch


def _from_url(source: str) -> Fetch:
    def fetch(name: str, path: Path) -> None:
        url = f"{source.rstrip('/')}/{name}"
        download(url, path, max_bytes=_MOST_BYTES[Path(name).name])

    return fetch


def _refuse_used(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise SettingsError(f"{out}: is a file; choose another name for the model")
    if out.is_dir() and any(out.iterdir()):
        raise SettingsError(f"{out}: holds something already; choose another folder")


def _is_sha256(text: str) -> bool:
    return 8 <= len(text) <= 64 and set(text) <= set("0123456789abcdef")


def card_sha256(folder: Path) -> str:
    """Return what ``--sha256`` takes, for whoever publishes a model."""
    return file_sha256(folder / CARD_NAME)

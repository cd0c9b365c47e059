"""Folders for the server's tests, written once."""

from __future__ import annotations

from pathlib import Path

import pytest
import served


@pytest.fixture(scope="session")
def station_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a station that replayed a recording."""
    return served.write_station(tmp_path_factory.mktemp("station"))


@pytest.fixture(scope="session")
def archive_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over an archive."""
    return served.write_archive(tmp_path_factory.mktemp("archive"))

"""More like a detection, over HTTP: from the run's index, which is only read."""

from __future__ import annotations

import pytest
import served
from listening import record

from seacall.config import DetectRun
from seacall.detect.recordings import detect_recordings
from seacall.search.files import FOLDER
from seacall.search.index import open_index


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("like")
    names = ("20260501_120000.wav", "20260501_130000.wav")
    paths = [
        record(folder / "rec" / name, duration_s=16.0, seed=k)
        for k, name in enumerate(names)
    ]
    run = DetectRun(threshold=("0.01",), formats=(), embeddings=True)
    detect_recordings(paths, folder / "run", run, n_workers=1)
    return folder / "run"


def test_a_run_answers_once_it_has_an_index(folder):
    with served.served(served.places_of(folder)) as server:
        rows = server.get("/api/places/run/detections").json()["rows"]
        asked = rows[0]
        path = f"/api/places/run/like?id={asked['id']}"
        before = server.get(path)
        assert before.status_code == 400
        assert "--build" in before.json()["detail"]
        assert not (folder / FOLDER).exists()  # the page writes nothing there
        open_index(folder)
        found = server.get(f"{path}&n=3").json()["rows"]
        assert 0 < len(found) <= 3
        similar = [row["similarity"] for row in found]
        assert similar == sorted(similar, reverse=True)
        for row in found:
            assert row["source"].startswith("20260501_")
            assert row["start_us"] is not None
            beside = (
                row["end_s"] <= asked["start_s"] or row["start_s"] >= asked["end_s"]
            )
            assert row["source"] != asked["source"] or beside
        known = {row["id"] for row in rows} | {None}
        assert {row["id"] for row in found} <= known
        assert server.get("/api/places/run/like?id=7").status_code == 404
        assert server.get("/api/places/other/like?id=7").status_code == 404
        assert server.get("/api/places/run/like?id=-1").status_code == 422


def test_a_station_has_nothing_to_search_in(station_folder):
    with served.served(served.places_of(station_folder)) as server:
        (place,) = server.get("/api/places").json()
        found = server.get(f"/api/places/{place['id']}/like?id=1")
        assert found.status_code == 400
        assert "keeps no embeddings" in found.json()["detail"]

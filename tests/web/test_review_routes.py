"""Reviewing over HTTP: verdicts, undo, next, quality, thresholds, labels."""

from __future__ import annotations

import io
import shutil
import zipfile
from urllib.parse import quote

import httpx
import places
import pytest
import served

BELUGA, FIN, MINKE = "Béluga blanc", "Fin Whale", "Minke Whale"


@pytest.fixture
def folder(tmp_path):
    found = [((BELUGA, FIN)[k % 2], 10.0 * k, 0.5 + 0.05 * k) for k in range(8)]
    return places.station(tmp_path / "st", found)


@pytest.fixture
def server(folder):
    with served.served(served.places_of(folder)) as running:
        yield running


class Client:
    """Sends what the page sends."""

    def __init__(self, server) -> None:
        self.base = f"{server.url}/api/places/st"
        self.headers = server.ours

    def ask(self, method, path, **options):
        return httpx.request(
            method,
            self.base + path,
            **{"headers": self.headers, "timeout": 30, "verify": False} | options,
        )

    def say(self, number, verdict, reviewer="Ann", **more):
        body = {"reviewer": reviewer, "verdict": verdict, **more}
        return self.ask("POST", f"/detections/{number}/verdicts", json=body)


@pytest.fixture
def client(server):
    return Client(server)


def test_a_verdict_is_answered_with_the_row_and_taken_back(client):
    row = client.say(1, "accept", note="clear").json()
    assert (row["id"], row["settled"]) == (1, "accepted")
    assert row["verdicts"][0]["note"] == "clear"
    assert client.say(1, "correct", label=MINKE).json()["settled"] == "corrected"
    undo = "/verdicts/last?reviewer=Ann"
    assert client.ask("DELETE", undo).json()["row"]["settled"] == "accepted"
    assert client.ask("DELETE", undo).json()["row"]["settled"] is None
    assert client.ask("DELETE", undo).json() == {"row": None}


@pytest.mark.parametrize(
    ("number", "body", "status"),
    [
        (99, {"reviewer": "Ann", "verdict": "accept"}, 404),
        (1, {"reviewer": "", "verdict": "accept"}, 422),
        (1, {"reviewer": "  ", "verdict": "accept"}, 400),
        (1, {"reviewer": "x" * 81, "verdict": "accept"}, 422),
        (1, {"reviewer": "Ann", "verdict": "maybe"}, 422),
        (1, {"reviewer": "Ann", "verdict": "correct"}, 400),
        (1, {"reviewer": "Ann", "verdict": "accept", "note": "x" * 2001}, 422),
        (1, {"reviewer": "Ann", "verdict": "accept", "more": 1}, 422),
        (1, ["Ann"], 422),
    ],
)
def test_what_is_no_verdict_is_refused_in_one_line(
    client, folder, number, body, status
):
    answer = client.ask("POST", f"/detections/{number}/verdicts", json=body)
    assert answer.status_code == status
    assert "\n" not in answer.json()["detail"]
    assert not (folder / "review.sqlite").exists()


def test_another_site_can_say_nothing(client, folder):
    client.headers = {"Origin": "https://example.com"}
    assert client.say(1, "accept").status_code == 403
    assert not (folder / "review.sqlite").exists()


def test_a_label_that_is_script_comes_back_as_it_is(client):
    label = "<script>alert(1)</script>"
    answer = client.say(1, "correct", label=label)
    assert answer.json()["verdicts"][0]["label"] == label
    assert answer.headers["content-type"].startswith("application/json")


def test_next_goes_on_until_nothing_is_left(client):
    seen = set()
    for left in range(8, 0, -1):
        answer = client.ask("GET", "/next?reviewer=Ann").json()
        assert answer["left"] == left
        seen.add(answer["row"]["id"])
        client.say(answer["row"]["id"], "accept")
    last = client.ask("GET", "/next?reviewer=Ann").json()
    assert (last["row"], last["left"], len(seen)) == (None, 0, 8)
    counts = {p["label"]: (p["n_reviewed"], p["n"]) for p in last["progress"]}
    assert counts == {BELUGA: (4, 4), FIN: (4, 4)}


def test_next_passes_over_what_is_skipped(client):
    first = client.ask("GET", f"/next?reviewer=Ann&label={quote(FIN)}").json()["row"]
    assert first["label"] == FIN
    path = f"/next?reviewer=Ann&label={quote(FIN)}&skip={first['id']}&skip=77"
    assert client.ask("GET", path).json()["row"]["id"] != first["id"]
    many = "".join(f"&skip={k}" for k in range(201))
    assert client.ask("GET", f"/next?reviewer=Ann{many}").status_code == 422


def test_quality_and_agreement_are_told(client):
    for number in range(1, 9):
        client.say(number, "accept")
        client.say(number, "accept" if number % 4 else "reject", reviewer="Bo")
    told = client.ask("GET", "/quality").json()
    rows = {row["label"]: row for row in told["rows"]}
    assert rows[BELUGA]["n_reviewed"] == 4
    assert rows[BELUGA]["precision"] == 1.0
    assert rows[BELUGA]["alarm"] is False
    assert told["agreement"]["share"] == 0.75


def test_a_threshold_hides_and_shows_again(client):
    def total():
        return client.ask("GET", "/detections").json()["total"]

    put = client.ask("PUT", "/thresholds", json={"label": FIN, "threshold": 0.8})
    row = next(row for row in put.json()["rows"] if row["label"] == FIN)
    assert (row["threshold"], row["basis"]) == (0.8, "none")
    assert [p["n"] for p in row["points"]] == sorted(
        (p["n"] for p in row["points"]), reverse=True
    )
    assert total() == 5
    client.ask("PUT", "/thresholds", json={"label": FIN, "threshold": None})
    assert total() == 8
    wrong = client.ask("PUT", "/thresholds", json={"label": "Elf", "threshold": 0.5})
    assert wrong.status_code == 404
    for value in (1.5, "x"):
        body = {"label": FIN, "threshold": value}
        assert client.ask("PUT", "/thresholds", json=body).status_code == 422


def test_labels_come_as_a_zip(client, folder):
    nothing = client.ask("GET", "/labels.zip")
    assert nothing.status_code == 400
    assert "judge some" in nothing.json()["detail"]
    places.keep_sound(folder, 1, start_s=0.0)
    client.say(1, "accept")
    answer = client.ask("GET", "/labels.zip")
    assert answer.headers["content-disposition"].endswith('filename="st-labels.zip"')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        table = archive.read("labels.csv").decode()
    assert "detections.selections.txt" in names
    assert table.splitlines()[1].startswith(f"1.flac,{BELUGA},0.000,2.000,")


def test_an_archive_is_reviewed_in_the_same_way(archive_folder, tmp_path):
    folder = tmp_path / "ar"
    shutil.copytree(archive_folder, folder)
    with served.served(served.places_of(folder)) as server:
        base = f"{server.url}/api/places/ar"
        row = server.get("/api/places/ar/next?reviewer=Ann").json()["row"]
        said = httpx.post(
            f"{base}/detections/{row['id']}/verdicts",
            json={"reviewer": "Ann", "verdict": "reject"},
            headers=server.ours,
            verify=False,
        )
        assert said.json()["settled"] == "rejected"
        listed = server.get("/api/places/ar/detections?settled=rejected").json()
        assert [r["id"] for r in listed["rows"]] == [row["id"]]
        zipped = server.get("/api/places/ar/labels.zip").content
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert ",unknown," in archive.read("labels.csv").decode()

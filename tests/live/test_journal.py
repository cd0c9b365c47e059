"""What is in a journal: detections with their sound, readings, alerts."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import stations
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from seacall.detect.clip_table import empty_table
from seacall.errors import SettingsError
from seacall.events import Detection
from seacall.live.alerts import Messenger, SendError, ask_for_alerts, is_quiet, send
from seacall.live.budget import Budget
from seacall.live.environment import CsvLines, JsonLines, NmeaLines
from seacall.live.growing import Change
from seacall.live.journal import Journal, time_us
from seacall.live.listener import News
from seacall.live.readings import Sidecar, join, keep_readings, near
from seacall.live.settings import AlertRule, EnvironmentSettings, SnippetSettings
from seacall.live.snippets import Ring
from seacall.live.source import Start

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "station") as journal:
        yield journal


def put(
    journal, *, label="Orca", score=0.9, start_s=0.0, kind="begun", marks=()
) -> int:
    """Write a detection; return its number."""
    source = journal.source("tcp://h:1")
    rows = journal.rows("SELECT id FROM segments")
    segment = rows[0][0] if rows else journal.begin(source, Start(48_000, 1, NOON, ""))
    start = NOON + timedelta(seconds=start_s)
    one = Detection(
        Path("x"), start_s, start_s + 5, 10, 99, label, score, level_db=-9, start=start
    )
    news = News(0, empty_table(3), [Change(kind, one)])
    return journal.put(segment, 0, news, marks=marks)[0]


def test_a_detection_that_grows_stays_one(journal):
    numbers = {put(journal, kind=kind) for kind in ("begun", "grown", "ended")}
    assert len(numbers) == 1
    (row,) = journal.rows("SELECT state, start_us FROM detections")
    assert tuple(row) == ("closed", time_us(NOON))


def test_marks_of_a_detection_are_those_of_all_its_parts(journal):
    put(journal, marks=["gap"])
    put(journal, kind="grown", marks=["clipped"])
    put(journal, kind="ended")
    assert journal.rows("SELECT marks FROM detections")[0][0] == "clipped,gap"


def test_what_fails_on_the_way_is_not_there_at_all(journal):
    def fail(*_):
        raise ValueError("on the way")

    journal.hooks.append(fail)
    with pytest.raises(ValueError, match="on the way"):
        put(journal)
    assert journal.rows("SELECT * FROM detections") == []


def test_a_folder_without_a_journal_says_what_to_give(tmp_path):
    with pytest.raises(SettingsError, match="seacall listen -o"):
        Journal(tmp_path, writable=False)


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 100))
def test_the_ring_keeps_the_last_samples_and_few_others(lengths, length):
    ring = Ring(length)
    whole = np.arange(sum(lengths), dtype=np.float32)
    for part in np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []:
        ring.push(part)
    begin, y = ring.between(0, 10**9)
    np.testing.assert_array_equal(y, whole[begin:])
    assert len(y) >= min(length, len(whole))
    assert len(y) < length + 60


def with_sound(journal, budget, n_bytes, **values) -> int:
    number = put(journal, **values)
    name = f"audio/{number}.flac"
    (journal.folder / name).parent.mkdir(exist_ok=True)
    (journal.folder / name).write_bytes(b"x" * n_bytes)
    budget.add(number, name, n_bytes, start_s=0)
    return number


def test_the_oldest_of_the_lowest_score_goes_first_and_kept_ones_never(journal):
    settings = SnippetSettings(budget_gb=1e-6, min_free_gb=0)  # 1000 bytes
    budget = Budget(journal, settings)
    scores = [0.35, 0.95, 0.31, 0.39, 0.52]
    numbers = [
        with_sound(journal, budget, 200, score=score, start_s=10.0 * k)
        for k, score in enumerate(scores)
    ]
    with journal.transaction() as db:
        db.execute("UPDATE detections SET kept = 1 WHERE id = ?", (numbers[0],))
    gone = []
    for _ in range(4):
        assert budget.has_room(100 if not gone else 200 * len(gone) + 100)
        rows = journal.rows("SELECT id FROM detections WHERE audio NOTNULL")
        left = {row[0] for row in rows}
        gone += [n for n in numbers if n not in left and n not in gone]
    # 0.31 and 0.39 are of the same tenth as 0.35, which is kept; then 0.52, then 0.95.
    assert gone == [numbers[2], numbers[3], numbers[4], numbers[1]]
    assert not budget.has_room(900)
    files = [path.name for path in (journal.folder / "audio").iterdir()]
    assert files == [f"{numbers[0]}.flac"]
    assert len(journal.rows("SELECT id FROM detections")) == 5


def rule(**values) -> AlertRule:
    return AlertRule(**({"name": "all", "command": ("true",)} | values))


def states(journal) -> list[str]:
    return [row[0] for row in journal.rows("SELECT state FROM alerts ORDER BY id")]


def test_each_detection_is_told_once_to_those_who_want_it(journal):
    rules = [
        rule(),
        rule(name="orca", labels=("Orca",), min_score=0.8),
        rule(name="end", when="ended"),
    ]
    journal.hooks.append(ask_for_alerts(rules))
    put(journal, score=0.5)
    put(journal, score=0.9, kind="grown")  # reaches the score as it grows
    put(journal, score=0.9, kind="ended")
    put(journal, score=0.9, label="Beluga", start_s=9)
    asked = journal.rows("SELECT rule, detection FROM alerts ORDER BY id")
    assert [tuple(row) for row in asked] == [
        ("all", 1),
        ("orca", 1),
        ("end", 1),
        ("all", asked[-1]["detection"]),
    ]
    assert asked[-1]["detection"] != 1


def test_alerts_above_the_limit_are_noted_and_not_sent(journal):
    journal.hooks.append(ask_for_alerts([rule(per_hour=2)]))
    for k in range(4):
        put(journal, start_s=10.0 * k)
    assert states(journal) == ["waiting", "waiting", "limited", "limited"]


def test_nothing_is_sent_in_quiet_hours(journal):
    journal.hooks.append(ask_for_alerts([rule(quiet=("00:00", "23:59"))]))
    put(journal)
    assert states(journal) == ["quiet"]
    at = rule(quiet=("08:00", "17:00"), timezone="-04:00")
    assert is_quiet(at, datetime(2026, 5, 1, 13, tzinfo=UTC))
    assert not is_quiet(at, datetime(2026, 5, 1, 9, tzinfo=UTC))


def test_what_fails_is_tried_again_and_in_the_end_sent(journal, monkeypatch):
    clock = [time_us(datetime.now(UTC))]
    monkeypatch.setattr("seacall.live.alerts.now_us", lambda: clock[0])
    tried = []

    def fail_twice(_rule, about):
        tried.append((clock[0], about["label"]))
        if len(tried) < 3:
            raise SendError("no network")

    journal.hooks.append(ask_for_alerts([rule()]))
    put(journal)
    messenger = Messenger(journal, [rule()], fail_twice)
    begin = clock[0]
    for _ in range(100):
        messenger.send_due()
        clock[0] += 100_000
    waits = [(at - begin) / 1e6 for at, _ in tried]
    assert waits == pytest.approx([0, 1, 3], abs=0.11)
    assert states(journal) == ["sent"]
    assert messenger.waiting() == 0


def test_alerts_that_wait_outlive_the_process(tmp_path):
    with Journal(tmp_path) as journal:
        journal.hooks.append(ask_for_alerts([rule()]))
        put(journal)
    sent = []
    with Journal(tmp_path) as journal:
        Messenger(journal, [rule()], lambda _, about: sent.append(about)).send_due()
    assert [one["label"] for one in sent] == ["Orca"]


def test_a_webhook_gets_json_and_its_failures_are_failures(journal):
    got = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            got.append(json.loads(self.rfile.read(length)))
            self.send_response(500 if self.path == "/no" else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        send(rule(command=(), webhook=f"{url}/yes"), {"label": "Orca"})
        with pytest.raises(SendError, match="500"):
            send(rule(command=(), webhook=f"{url}/no"), {"label": "Orca"})
        server.shutdown()
    assert got == [{"label": "Orca"}] * 2


def test_a_command_gets_json_and_its_exit_code_counts(tmp_path):
    target = tmp_path / "got"
    code = f"import sys; open({str(target)!r}, 'w').write(sys.stdin.read())"
    send(rule(command=(sys.executable, "-c", code)), {"label": "Orca"})
    assert json.loads(target.read_text()) == {"label": "Orca"}
    with pytest.raises(SendError, match="exit code 3"):
        send(rule(command=(sys.executable, "-c", "raise SystemExit(3)")), {})
    with pytest.raises(SendError, match="no_such_program"):
        send(rule(command=("no_such_program",)), {})


def test_a_rule_has_one_way_out():
    with pytest.raises(ValueError, match="either webhook or command"):
        AlertRule(name="a")


def test_csv_lines_are_read_with_any_columns():
    parse = CsvLines()
    lines = ["time,depth_m,note", "2026-05-01T12:00:00Z,12.5,calm", "no time,3,x", ""]
    found = [parse(line) for line in lines]
    assert [one is None for one in found] == [True, False, True, True]
    assert found[1].time == NOON
    assert dict(found[1].values) == {"depth_m": 12.5}


def test_json_lines_are_read_and_nonsense_is_not():
    parse = JsonLines()
    one = parse('{"time": 1777636800, "temp_c": 4, "ok": true, "x": NaN, "s": "n/a"}')
    assert one.time == NOON
    assert dict(one.values) == {"temp_c": 4}
    for line in ("", "[1]", "{", '{"time": null, "a": 1}', '{"time": 1e99, "a": 1}'):
        assert parse(line) is None


def nmea(body: str) -> str:
    total = 0
    for byte in body.encode():
        total ^= byte
    return f"${body}*{total:02X}"


def test_nmea_gives_position_depth_and_temperature():
    now = [NOON]
    parse = NmeaLines(lambda: now[0])
    rmc = "GPRMC,081836,A,3751.65,S,14507.36,E,010.0,360.0,130998,011.3,E"
    one = parse(nmea(rmc))
    assert one.time == datetime(1998, 9, 13, 8, 18, 36, tzinfo=UTC)
    assert one.values["latitude_deg"] == pytest.approx(-37.8608333)
    assert one.values["longitude_deg"] == pytest.approx(145.1226667)
    assert one.values["speed_m_s"] == pytest.approx(5.1444, abs=1e-4)
    now[0] += timedelta(seconds=10)
    depth = parse(nmea("SDDPT,23.5,0.5"))
    assert depth.time == one.time + timedelta(seconds=10)
    assert dict(depth.values) == {"depth_m": 23.5}
    assert dict(parse(nmea("YXMTW,17.75,C")).values) == {"water_c": 17.75}
    assert dict(parse(nmea("SDDBT,7.7,f,2.3,M,1.3,F")).values) == {"depth_m": 2.3}


@given(st.text(max_size=80))
def test_no_line_breaks_a_parser(line):
    for parse in (CsvLines(), JsonLines(), NmeaLines()):
        parse("time,a")
        parse(line)
        parse(
            nmea("GPRMC," + line.replace("\n", "").encode("ascii", "ignore").decode())
        )


def test_a_wrong_checksum_is_nothing():
    assert NmeaLines()("$SDDPT,23.5,0.5*00") is None


def readings(*pairs: tuple[float, float]):
    parse = JsonLines()
    return [
        parse(json.dumps({"time": NOON.timestamp() + at_s, "depth_m": value}))
        for at_s, value in pairs
    ]


@given(
    st.lists(st.tuples(st.integers(-999, 999), st.integers(0, 99)), max_size=20),
    st.integers(0, 500),
)
@trials(max_examples=20, deadline=None)
def test_the_nearest_reading_within_reach_is_joined(tmp_path_factory, pairs, reach_s):
    pairs = list(dict(pairs).items())
    with Journal(tmp_path_factory.mktemp("j")) as journal:
        keep_readings(journal, readings(*pairs))
        found = near(journal, time_us(NOON), tolerance_s=reach_s)
    inside = [(abs(at_s), value) for at_s, value in pairs if abs(at_s) <= reach_s]
    if not inside:
        assert found == {}
        return
    nearest = min(at_s for at_s, _ in inside)
    assert found["depth_m"] in {value for at_s, value in inside if at_s == nearest}


def test_a_reading_that_comes_late_is_joined_later(journal):
    put(journal)
    assert join(journal, tolerance_s=60) == 0
    keep_readings(journal, readings((-30, 7.0)))
    assert join(journal, tolerance_s=60) == 1
    keep_readings(journal, readings((5, 8.0), (90, 9.0)))
    assert join(journal, tolerance_s=60) == 1
    (row,) = journal.rows("SELECT environment FROM detections")
    assert json.loads(row[0]) == {"depth_m": 8.0}


def test_a_file_of_readings_is_read_as_it_grows(journal, tmp_path):
    path = tmp_path / "readings.csv"
    sidecar = Sidecar(journal, EnvironmentSettings(source=str(path)))
    sidecar.start()
    path.write_text("time,depth_m\n2026-05-01T12:00:00Z,1\nnonsense\n2026-05")
    stations.wait_for(lambda: sidecar.n_readings == 1)
    with path.open("a") as stream:
        stream.write("-01T12:01:00Z,2\n")
    stations.wait_for(lambda: sidecar.n_readings == 2)
    sidecar.stop()
    sidecar.join(5)
    assert sidecar.n_skipped == 2  # the head, and nonsense


def test_lines_by_tcp_are_read_over_broken_connections(journal):
    lines = ['{"time": 1777636800, "a": 1}\n', '{"time": 1777636900, "a": 2}\n']
    with stations.tcp_server(*(line.encode() for line in lines)) as port:
        settings = EnvironmentSettings(source=f"tcp://127.0.0.1:{port}", format="jsonl")
        sidecar = Sidecar(journal, settings)
        sidecar.start()
        stations.wait_for(lambda: sidecar.n_readings == 2)
        sidecar.stop()
        sidecar.join(5)

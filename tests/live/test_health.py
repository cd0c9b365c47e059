"""Whether a source is well: what is measured, when it is said, whom it reaches."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sounds import noise, tone

from seacall.live.clock import StreamClock
from seacall.live.health import Health, Latch, NoiseFloor
from seacall.live.levels import FLOOR_DB, Seconds, measured
from seacall.live.notify import notify, watchdog_s
from seacall.live.settings import HealthSettings
from seacall.live.status import metrics_text
from seacall.live.throttle import Throttle

RATE = 8_000


def second(y) -> object:
    return measured(np.asarray(y, np.float32), RATE)


def hum(mains_hz: float, amplitude: float = 0.02) -> np.ndarray:
    y = noise(sample_rate=RATE, sigma=0.01)
    for k in range(1, 6):
        y += tone(k * mains_hz, sample_rate=RATE, amplitude=amplitude / k)
    return y


def test_a_sine_of_full_scale_has_3_db_less():
    one = second(tone(1_000, sample_rate=RATE, amplitude=1.0))
    assert one.level_db == pytest.approx(-3.01, abs=0.01)
    assert one.octaves_db.max() == pytest.approx(-3.01, abs=0.02)
    assert one.octaves_db.argmax() == 5  # 512 to 1024 Hz


def test_silence_and_an_offset_have_the_lowest_level():
    assert second(np.zeros(RATE)).level_db == FLOOR_DB
    assert second(np.full(RATE, 0.5)).level_db < -100


def test_the_power_of_noise_is_in_its_octaves():
    one = second(noise(sample_rate=RATE, sigma=0.1))
    total = 10 * np.log10(np.sum(10 ** (one.octaves_db / 10)))
    assert total == pytest.approx(one.level_db, abs=0.1)


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_is_told_from_noise_and_calls(mains_hz):
    one = second(hum(mains_hz))
    assert one.hum_db > 20
    assert one.mains_hz == mains_hz
    assert second(noise(sample_rate=RATE)).hum_db < 15
    assert second(tone(mains_hz, sample_rate=RATE) + hum(77.3, 0.2)).hum_db < 20


def test_clipped_samples_are_counted():
    y = np.clip(tone(100, sample_rate=RATE, amplitude=2.0), -1, 1)
    assert second(y).clipped == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [4_000, 8_001, 15_000]])
def test_seconds_do_not_depend_on_chunks(cuts):
    y = noise(sample_rate=RATE, duration_s=2.5).astype(np.float32)
    seconds = Seconds(RATE)
    found = [one for part in np.split(y, cuts) for one in seconds.push(part)]
    expected = [second(y[:RATE]), second(y[RATE : 2 * RATE])]
    assert [one.level_db for one in found] == [one.level_db for one in expected]


def test_a_state_begins_and_ends_late():
    latch = Latch(3.0, 2.0)
    said = [latch.update(bool(bad)) for bad in (1, 1, 0, 1, 1, 1, 0, 1, 0, 0)]
    assert [k for k, turned in enumerate(said) if turned] == [5, 9]


def states(health: Health, y, n: int) -> list[tuple[str, bool]]:
    return [(turn.kind, turn.on) for _ in range(n) for turn in health.second(second(y))]


def test_silence_clipping_and_hum_become_states_and_go_again():
    health = Health(HealthSettings(recovered_s=5))
    sea = noise(sample_rate=RATE, sigma=0.01)
    assert states(health, sea, 120) == []
    assert states(health, np.zeros(RATE), 31) == [("silent", True)]
    assert states(health, sea, 6) == [("silent", False)]
    assert states(health, np.clip(30 * sea / sea.max(), -1, 1), 6) == [
        ("clipped", True)
    ]
    assert states(health, hum(50), 61) == [("clipped", False), ("hum", True)]
    assert health.states == ["hum"]


def floors(rng, level_db, n, spread=1.0):
    return level_db + spread * rng.standard_normal((n, 8))


def test_a_hydrophone_that_dies_slowly_or_at_once_is_dead(rng):
    for usual_db, now_db, dead in [(-60, -95, True), (-60, -66, False)]:
        floor = NoiseFloor(24)
        for one in floors(rng, usual_db, 2_000):
            floor.add(one, dead_db=10)
        for one in floors(rng, now_db, 20):
            floor.add(one, dead_db=10)
        assert floor.is_dead is dead


def test_a_place_whose_noise_comes_and_goes_is_not_dead(rng):
    floor = NoiseFloor(24)
    for hour in range(6):  # ships by day
        for one in floors(rng, -60 + 15 * (hour % 2), 3_600, spread=3):
            floor.add(one, dead_db=10)
            assert not floor.is_dead


def test_nothing_is_dead_without_a_history(rng):
    floor = NoiseFloor(24)
    for one in [*floors(rng, -60, 600), *floors(rng, -120, 60)]:
        floor.add(one, dead_db=10)
    assert not floor.is_dead


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = datetime(2026, 5, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


def drift(minutes: int, *, rate: float, stall_s: float = 0.0, burst_s: float = 0.0):
    """Let a stream run beside the clock; return what was said."""
    clock = Clock()
    stream = StreamClock(clock.now, 1_000, clock)
    begin, said = clock.now, []
    for k in range(1, 60 * minutes):
        clock.now = begin + timedelta(seconds=k + (stall_s if k > 300 else 0))
        off = stream.arrived(round(1_000 * (k * rate + burst_s)))
        if off:
            said.append(off)
            break
    return said


def test_a_stream_on_time_says_nothing():
    assert drift(60, rate=1.0) == []


def test_a_clock_that_drifts_is_told_from_a_stall():
    (off,) = drift(1_000, rate=1.0001)
    assert "+100 ppm" in off.text
    (off,) = drift(20, rate=1.0, stall_s=4.0)
    assert off.kind == "gap"
    assert "4.0 s without sound" in off.text
    (off,) = drift(20, rate=1.0, burst_s=20.0)
    assert "stored" in off.text


def test_a_flood_of_events_is_said_once_a_minute():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    said = []
    for k in range(20 * 150):
        now[0] = k / 20
        text = throttle.words("unreadable", str(k))
        said += [text] if text else []
    assert said[:5] == ["0", "1", "2", "3", "4"]
    assert said[5:] == ["1200 (and 1195 more before)", "2400 (and 1199 more before)"]
    assert throttle.rest() == {"unreadable": 599}
    now[0] += 100
    assert throttle.words("unreadable", "anew") == "anew"


def test_metrics_are_what_prometheus_reads():
    one = {
        "alive": True,
        "states": ["hum"],
        "failure": "",
        "level_db": None,
        "lag_s": 0.1,
        "buffer": 0.0,
        "heard_s": 5.0,
        "n_segments": 1,
        "n_clips": 2,
        "detections": {'a "b"': 3},
        "events": {"gap": 7},
    }
    status = {
        "time": "2026-05-01T12:00:00+00:00",
        "sources": {"x\ny": one},
        "disk_free_bytes": 5,
        "alerts_waiting": 0,
    }
    text = metrics_text(status)
    assert 'seacall_detections_total{source="x\\ny",label="a \\"b\\""} 3\n' in text
    assert 'kind="gap"} 7\n' in text
    assert "seacall_level_dbfs{" not in text
    names = [line.split()[2] for line in text.splitlines() if line[:6] == "# TYPE"]
    assert len(set(names)) == len(names)
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rsplit(" ", 1)[1]) >= 0


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(monkeypatch, tmp_path, abstract):
    name = f"@seacall-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert notify("WATCHDOG=1")
        assert systemd.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nobody_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify("READY=1")
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert watchdog_s() == 30

"""The tables of a station's journal."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sources (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    added_us INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources (id),
    key TEXT NOT NULL,
    sample_rate INTEGER NOT NULL,
    n_channels INTEGER NOT NULL,
    first_sample INTEGER NOT NULL,
    n_samples INTEGER,
    start_us INTEGER,
    began TEXT NOT NULL,
    ended TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS keys ON segments (source, key) WHERE key != '';
CREATE TABLE IF NOT EXISTS clips (
    segment INTEGER NOT NULL REFERENCES segments (id),
    channel INTEGER NOT NULL,
    first_clip INTEGER NOT NULL,
    n_clips INTEGER NOT NULL,
    logits BLOB NOT NULL,
    measures BLOB NOT NULL,
    PRIMARY KEY (segment, channel, first_clip)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS detections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    segment INTEGER NOT NULL REFERENCES segments (id),
    channel INTEGER NOT NULL,
    label TEXT NOT NULL,
    start_us INTEGER,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    low_hz REAL NOT NULL,
    high_hz REAL NOT NULL,
    score REAL NOT NULL,
    n_clips INTEGER NOT NULL,
    snr_db REAL,
    level_db REAL,
    level_unit TEXT NOT NULL,
    state TEXT NOT NULL,
    marks TEXT NOT NULL DEFAULT '',
    environment TEXT NOT NULL DEFAULT '{}',
    audio TEXT,
    audio_start_s REAL,
    audio_bytes INTEGER NOT NULL DEFAULT 0,
    kept INTEGER NOT NULL DEFAULT 0,
    score_without_prior REAL,
    begun_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    UNIQUE (segment, channel, label, start_s)
);
CREATE INDEX IF NOT EXISTS by_time ON detections (start_us);
CREATE INDEX IF NOT EXISTS by_change ON detections (changed_us);
CREATE INDEX IF NOT EXISTS with_audio ON detections (score) WHERE audio IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER REFERENCES sources (id),
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (time_us);
CREATE TABLE IF NOT EXISTS readings (
    name TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (name, time_us)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    detection INTEGER NOT NULL REFERENCES detections (id),
    asked_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    n_tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    UNIQUE (rule, detection)
);
CREATE INDEX IF NOT EXISTS due ON alerts (due_us) WHERE state = 'waiting';
"""
"""Times end in ``_us``: microseconds since 1970, UTC. ``start_s`` and ``end_s`` count
from the first sample of the segment's recording or stream."""

ADDED = {"score_without_prior": "REAL"}
"""Columns of detections that journals of earlier versions do not have."""

CHANGE = """
INSERT INTO detections (segment, channel, label, start_us, start_s, end_s, low_hz,
    high_hz, score, n_clips, snr_db, level_db, level_unit, state, marks, begun_us,
    changed_us, score_without_prior)
VALUES (:segment, :channel, :label, :start_us, :start_s, :end_s, :low_hz, :high_hz,
    :score, :n_clips, :snr_db, :level_db, :level_unit, :state, :marks, :now, :now,
    :score_without_prior)
ON CONFLICT (segment, channel, label, start_s) DO UPDATE SET
    end_s = :end_s, low_hz = :low_hz, high_hz = :high_hz, score = :score,
    n_clips = :n_clips, snr_db = :snr_db, level_db = :level_db, state = :state,
    marks = :marks, changed_us = :now, score_without_prior = :score_without_prior
RETURNING id
"""
"""Writes a detection, or what has become of it: there is never a second one."""

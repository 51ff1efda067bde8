"""A history of very many runs, made in a second: rows without a daemon, which all hold the same record."""

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from probe.drift.series import point
from probe.history.file import FILE_NAME, encode, encode_serving
from probe.history.writer import History
from probe.record import RunRecord
from probe.timestamps import NS_PER_S

_START = 1_764_000_000 * NS_PER_S
_TARGETS = (("spark", "default"), ("spark", "long"), ("local", "default"))
# One run in so many is not ok.
_FAILED, _SLOW = 1000, 50


def fill(state_dir: Path, runs: int, like: RunRecord, blob: bytes | None = None, every_s: int = 25) -> None:
    """Write runs of three series, one every few seconds; each has the record of `like`, or these bytes."""
    History(state_dir).close()
    db = sqlite3.connect(state_dir / FILE_NAME, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving,"
        " response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms, cold, chars, tokens, asked)"
        " VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, 0, 40, 10, 'text')",
        _rows(runs, like, encode(like) if blob is None else blob, every_s),
    )
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


def _rows(runs: int, like: RunRecord, blob: bytes, every_s: int) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(1)
    serving = encode_serving(point(like).serving)
    assert json.loads(serving)
    for number in range(1, runs + 1):
        target, scenario = _TARGETS[number % len(_TARGETS)]
        failed, slow = number % _FAILED == 0, number % _SLOW == 0
        wait = None if failed else round(chance.gauss(600, 60) + 800 * slow, 3)
        started = _START + number * every_s * NS_PER_S
        yield (
            run_id(number), started, target, scenario, "failed" if failed else "slow" if slow else "ok", blob, serving,
            wait, *((None,) * 3 if wait is None else (wait * 0.3, wait * 0.2, wait * 0.5)),
        )  # fmt: skip


def run_id(number: int) -> str:
    return f"20251124T160000Z-{number:06x}"

"""Holds a row of the fault matrix to its required result."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from taint import leaked

from fault_matrix.row import Row
from fault_matrix.stage import Played, play
from probe.measures import ChunkMeasures, measure_run, outcome
from probe.record import RunRecord, Stage

# A busy machine may be late, a hang is longer. That the deadlines hold to the millisecond is for the unit tests, whose
# time is virtual.
PATIENCE_S = 30.0


def each_of(rows: Sequence[Row]) -> pytest.MarkDecorator:
    """A test for each row, called as it is."""
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


async def comes_out_as_required(row: Row, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Play the row in this folder, and look at everything that a daemon has of it."""
    played = await play(row, folder)
    assert played.faulty is not None
    _came_out(row, played.faulty)
    found = _existing(played.faulty)
    assert {*found} == row.measures
    assert {name: found[name] for name, least in row.at_least.items() if min(found[name]) < least} == {}
    assert played.took_s < row.longest_s + PATIENCE_S
    _was_counted(row, played.page)
    _nothing_said_got_out(played, capsys.readouterr().out)
    assert (played.streams != []) == row.slot_kept
    assert played.left_over == []
    assert played.healthy is not None and outcome(played.healthy) == "ok"


def _came_out(row: Row, record: RunRecord) -> None:
    failure = record.failure
    told = ("", "", "") if failure is None else (failure.stage, failure.reason, failure.detail)
    stage = row.or_stage if told[0] == row.or_stage else row.stage
    assert (outcome(record), *told[:2]) == (row.outcome, stage, row.reason), (record.failure, record.doubts)
    assert record.failure is None or record.failure.server == _to_blame(row, record.failure.stage)
    ours = " ".join([told[2], *record.doubts, record.skipped or ""])
    assert row.say in ours
    assert row.said in " ".join(record.said)
    assert not row.said or row.said not in ours


def _to_blame(row: Row, stage: Stage) -> str | None:
    """The server that a row makes go wrong is the one that the failure names."""
    if row.where == "agent":
        return None if stage == "internal" else "agent"
    by_place = row.where[:3].lower() if row.where.startswith(("LLM", "STT")) else "tts"
    return {"connect": by_place, "stt": "stt", "llm": "llm", "tts": "tts", "audio": "tts", "internal": None}[stage]


def _nothing_said_got_out(played: Played, log: str) -> None:
    """No eight characters of what was asked, answered or complained of are anywhere but in the history."""
    records = [record for record in (played.faulty, played.healthy) if record is not None]
    assert leaked(records, (log, *played.pages)) == []


def _existing(record: RunRecord) -> dict[str, list[float]]:
    """The measures that some chunk of the run has, and their values."""
    chunks = [chunk for turn in measure_run(record) for chunk in turn.chunks]
    values = {
        name: [value for chunk in chunks if (value := getattr(chunk, name)) is not None]
        for name in ChunkMeasures.__dataclass_fields__
    }
    return {name: found for name, found in values.items() if found}


def _was_counted(row: Row, page: str) -> None:
    """In one outcome and no other; a run that is not good is no latency."""
    ours = [line for line in page.splitlines() if 'target="faulty"' in line]
    outcomes = _values(ours, r'voice_probe_runs_total\{outcome="(\w+)"')
    assert outcomes == {row.outcome: 1.0}
    failures = _values(ours, r'voice_probe_run_failures_total\{reason="(\w+)"')
    assert failures == ({row.reason: 1.0} if row.outcome == "failed" else {})
    observed = _values(ours, r"voice_probe_(\w+)_seconds_count")
    assert bool(observed) == (row.outcome == "ok")


def _values(lines: list[str], pattern: str) -> dict[str, float]:
    """What is not zero, by what the pattern has found."""
    found = [(match[1], float(line.rpartition(" ")[2])) for line in lines if (match := re.match(pattern, line))]
    return {name: value for name, value in found if value}

"""The table of bench/pipecat_beside.py: what pipecat reports of a turn, beside the silence in a recording of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from pipecat_beside import Figures, added, of_pipecat, table
from two_tracks import Piece, write

RATE = 16_000
SOUND = b"\0\x20" * (RATE // 10)
# The person falls silent 100 ms after the recording began, and the agent is heard 1.5 s later.
BEGIN = 1_800_000_000.0
SILENT, WAITED_MS = BEGIN + 0.1, 1500


@pytest.fixture
def reported(tmp_path: Path) -> dict[str, Any]:
    """As bench/pipecat_agent.py prints it, of a turn whose end of speech was seen 40 ms late."""
    path = tmp_path / "turn.wav"
    write(path, [Piece(10.1, RATE, SOUND)], [Piece(11.6, RATE, SOUND)])
    found = {
        "ttfb": {"WyomingStt#0": 700.0, "OpenAILLMService#0": 200.0, "WyomingTts#0": 300.0},
        "ttfa": 350.0,
        "parts": {"endpointing wait": 200.0, "transcription": 500.0},
        "latency": 1400.0,
        "since": SILENT + 0.04,
        "understood": "What is the capital of France?",
        "recording": str(path),
        "begin": BEGIN,
    }
    read: dict[str, Any] = json.loads(json.dumps(found))
    return read


def test_what_pipecat_reports_is_compared_with_the_silence(reported: dict[str, Any]) -> None:
    found = of_pipecat(reported)
    assert found["the three added up"] == 1200
    assert found["  endpointing wait"] == 200
    assert found["silence in the recording"] == pytest.approx(WAITED_MS, abs=2.1)
    assert found["latency - silence"] == pytest.approx(-100, abs=2.1)
    assert found["  it begins too late by"] == pytest.approx(40, abs=2.1)
    assert found["  it ends too early by"] == pytest.approx(60, abs=2.1)


def test_what_pipecat_does_not_report_is_missing(reported: dict[str, Any]) -> None:
    del reported["ttfb"]["WyomingStt#0"], reported["ttfa"]
    reported["since"] = None
    found = of_pipecat(reported)
    assert [found[name] for name in ("STT, TTFB", "the three added up", "TTS, TTFA")] == [None] * 3
    assert [found[name] for name in ("  it begins too late by", "  it ends too early by")] == [None] * 2
    assert found["latency - silence"] == pytest.approx(-100, abs=2.1)


def test_a_sum_of_which_a_part_is_missing_is_missing() -> None:
    assert added(1, -2, 0.5) == -0.5
    assert added(1, None) is None


def test_the_table_has_a_column_for_each_turn_and_the_median() -> None:
    turns: list[Figures] = [
        {"a": 1.4, "c": -0.4},
        {"a": 2.0, "b": None, "c": -10.0},
        {"a": 3000.0, "b": None, "c": -20.0},
    ]
    assert [line.split() for line in table("pipecat", turns)] == [
        ["pipecat,", "ms", "1", "2", "3", "median"],
        ["a", "1", "2", "3000", "2"],
        ["b", "-", "-", "-", "-"],
        ["c", "0", "-10", "-20", "-10"],
    ]


def test_a_turn_without_a_latency_ends_the_bench(reported: dict[str, Any]) -> None:
    del reported["latency"]
    with pytest.raises(SystemExit, match="no latency of a turn in which it understood 'What is the capital of France"):
        of_pipecat(reported)

"""What the log says of a run, and what it never says."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from runs import failed, free_running, record, refused, skipped, suspect

from probe.daemon.log import make_logger
from probe.record import INTERRUPTED, RunRecord
from probe.report.log_lines import LogSink


def logged(run: RunRecord, *, log_texts: bool = False) -> dict[str, Any]:
    stream = io.StringIO()
    LogSink(make_logger(stream), log_texts=log_texts).write(run)
    fields: dict[str, Any] = json.loads(stream.getvalue())
    return fields


def test_a_good_run_is_one_line_of_json() -> None:
    line = logged(record())
    line.pop("timestamp")
    assert line == {
        "event": "run",
        "level": "info",
        "run_id": record().plan.run_id,
        "trace_id": record().plan.trace_id,
        "target": "local",
        "scenario": "default",
        "outcome": "ok",
        "response_ttfb_ms": 300.0,
        "response_ttfa_ms": 400.0,
        "llm_ttft_ms": 50.0,
        "llm_gen_time_ms": 100.0,
        "tts_wait_longest_ms": 0.0,
        "tts_ttfb_ms": 200.0,
        "tts_gen_time_ms": 221.0,
        "playout_gap_total_ms": 0.0,
        "turns": 1,
        "chunks": 2,
        "duration_ms": 755.0,
        "objective_ms": 1000.0,
        "objective_measure": "response_ttfb",
    }


def test_how_the_llm_wrote_and_a_cold_start_are_logged_where_they_are_known() -> None:
    line = logged(free_running())
    assert (line["llm_ttfat_ms"], line["llm_tokens_per_second"], line["llm_longest_stall_ms"]) == (80.0, 100.0, 40.0)
    assert (line["tts_wait_longest_ms"], line["cold"]) == (142.0, False)
    assert logged(replace(free_running(), cold=True))["cold"] is True


def test_a_failure_says_why_and_where() -> None:
    line = logged(failed())
    assert (line["level"], line["stage"], line["reason"], line["chunk_num"]) == ("error", "tts", "no_audio", 2)
    assert line["detail"] == "no audio for a text of 15 characters: nothing for 10 s"
    assert (line["server"], logged(refused())["server"]) == ("tts", "llm")
    assert line["tts_url"] == "ws://localhost:8001/ws/tts/stream"


@pytest.mark.parametrize(
    ("run", "key", "text"),
    [(skipped(), "skipped", "all its slots are taken"), (suspect(), "doubts", ["the event loop was late by 31 ms"])],
)
def test_a_run_that_measured_nothing_says_why(run: RunRecord, key: str, text: Any) -> None:
    assert logged(run)["level"] == "warning"
    assert logged(run)[key] == text


def test_a_run_that_was_stopped_is_nothing_to_warn_of() -> None:
    line = logged(replace(record(), skipped=INTERRUPTED))
    assert (line["level"], line["outcome"], line["skipped"]) == ("info", "skipped", "interrupted")


def test_a_slow_run_names_its_objective() -> None:
    line = logged(record(ttfb_ms=1500))
    assert (line["objective_ms"], line["objective_measure"]) == (1000.0, "response_ttfb")


@pytest.mark.parametrize("run", [record(), failed(), refused(), skipped()])
def test_neither_secrets_nor_what_was_said_is_logged(run: RunRecord) -> None:
    text = json.dumps(logged(run))
    for secret in ("hunter", "unicorn", "cross the road", "Tell me", "Be brief", "can't say", "No slots", "said"):
        assert secret not in text


def test_what_was_said_is_logged_where_that_is_asked_for_and_secrets_still_are_not() -> None:
    line = logged(failed(), log_texts=True)
    assert line["detail"] == "no audio for a text of 15 characters: nothing for 10 s"
    assert line["said"] == ["TTS server: can't say 'cross the road?'"]
    assert line["turns"] == [{"user": "Tell me a joke.", "text": " Why did the unicorn cross the road?"}]
    assert "hunter" not in json.dumps(logged(refused(), log_texts=True))


def test_half_a_character_is_logged_all_the_same() -> None:
    run = failed()
    assert run.failure is not None
    assert logged(replace(run, failure=replace(run.failure, detail="\ud83d")))["detail"] == "\ud83d"

"""The measures of a target that hears, from records that are written out."""

from dataclasses import replace
from typing import Any

import pytest
import runs
from runs import MS, START, record

from probe.engine import doubts
from probe.measures import is_slow, measure_run, summarise
from probe.record import RunRecord, Turn

# `hearing` asks 10 ms after START; its first byte comes 300 ms later, its first sound 100 ms after that.
ASKED = START + 10 * MS


def hearing(**heard: Any) -> RunRecord:
    return runs.hearing(1, **({"transcript": "Tell me a joke"} | heard))


def test_each_part_is_between_two_timestamps() -> None:
    (measured,) = measure_run(hearing())
    assert (measured.endpointing_ms, measured.transcription_ms) == (500, 300)
    assert measured.word_error_rate == 0


def test_the_whole_wait_is_without_what_the_question_waited_for_the_probe() -> None:
    """From 900 ms before the start to the first sound 410 ms after it, less 110 ms from transcript to request."""
    (measured,) = measure_run(hearing())
    assert measured.response_ttfa_ms == pytest.approx(400)
    assert measured.voice_to_voice_ms == pytest.approx(900 + 410 - 110)
    at_once = hearing(transcript_done=ASKED)
    (measured,) = measure_run(at_once)
    assert measured.voice_to_voice_ms == pytest.approx(900 + 410)
    assert summarise(at_once).voice_to_voice_ms == pytest.approx(1310)


def test_without_an_event_for_the_end_the_transcription_begins_with_it() -> None:
    (measured,) = measure_run(hearing(speech_stopped=None))
    assert (measured.endpointing_ms, measured.transcription_ms) == (None, 800)


def test_what_did_not_happen_has_no_measure() -> None:
    nothing = hearing(speech_end=None, speech_stopped=None, transcript_done=None)
    (measured,) = measure_run(nothing)
    assert measured.endpointing_ms is measured.transcription_ms is measured.voice_to_voice_ms is None
    assert measured.word_error_rate is None
    assert measured.response_ttfa_ms == pytest.approx(400), "the answer has its own"
    (silent,) = measure_run(record())
    assert silent.voice_to_voice_ms is silent.word_error_rate is None


def test_the_objective_may_judge_it() -> None:
    run = hearing()
    target = replace(run.plan.target, objective_ms=1199.0, objective_measure="voice_to_voice")
    (measured,) = measure_run(run)
    assert is_slow(measured, target)
    assert not is_slow(measured, replace(target, objective_ms=1201.0))


def test_an_effect_before_its_cause_is_doubted() -> None:
    def found(**heard: Any) -> list[str]:
        turn: Turn = hearing(**heard).turns[0]
        return [*doubts.of_order(turn)]

    assert found() == []
    assert found(transcript_done=ASKED + 1) == ["the timestamps of its speech are out of order"]


def test_records_keep_it() -> None:
    run = hearing()
    assert RunRecord.from_json(run.to_json()) == run

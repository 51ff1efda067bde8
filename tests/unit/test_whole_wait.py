"""The measures of a target that hears, from records that are written out."""

import json
from dataclasses import replace
from typing import Any

import pytest
import runs
from runs import MS, START, record

from probe import whole_wait
from probe.clock import AnchoredClock
from probe.engine import doubts
from probe.engine.self_check import Watch
from probe.heard import Interruption
from probe.measures import is_slow, measure_run, summarise
from probe.record import RunRecord, Turn
from probe.report import document as report
from probe.tolerance import Tolerance
from probe.tracing.spans import spans

# `hearing` asks 10 ms after START; its first byte comes 300 ms later, its first sound 100 ms after that.
ASKED = START + 10 * MS


def hearing(**heard: Any) -> RunRecord:
    return runs.hearing(1, **({"transcript": "Tell me a joke"} | heard))


def test_each_part_is_between_two_timestamps() -> None:
    (measured,) = measure_run(hearing())
    assert (measured.endpointing_ms, measured.transcription_ms) == (500, 300)
    assert measured.word_error_rate == 0


def test_digits_or_words_for_a_number_are_no_error() -> None:
    (measured,) = measure_run(hearing(said="A table for 2 at 7:30.", transcript="a table for two at seven thirty"))
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


def test_what_came_before_the_end_of_the_speech_is_no_wait() -> None:
    """Such a run has failed; its figures are shown anyway."""
    (measured,) = measure_run(hearing(speech_stopped=START - 901 * MS, transcript_done=None))
    assert measured.endpointing_ms is None
    (measured,) = measure_run(hearing(speech_stopped=None, transcript_done=START - 901 * MS))
    assert measured.transcription_ms is None


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


def interrupted(last_audio: int | None, *, stopped: bool = True) -> RunRecord:
    run = hearing()
    spoken = Interruption(START + 700 * MS, last_audio, stopped=stopped)
    return replace(run, turns=(replace(run.turns[0], interruption=spoken),))


def test_an_interruption_lasts_until_the_last_audio_of_the_answer() -> None:
    run = interrupted(START + 950 * MS)
    assert measure_run(run)[0].interrupted_ms == summarise(run).interrupted_ms == 250
    assert measure_run(interrupted(START + 600 * MS))[0].interrupted_ms == 0, "none came any more"
    assert measure_run(interrupted(START + 950 * MS, stopped=False))[0].interrupted_ms is None
    assert measure_run(hearing())[0].interrupted_ms is None
    assert RunRecord.from_json(run.to_json()) == run
    document = json.loads(json.dumps(report.document(run)))["turns"][0]
    assert (document["interruption"]["stopped"], document["interrupted_ms"]) == (True, 250.0)
    (turn,) = (span for span in spans(run) if span.name == "probe.turn")
    assert [(event.name, event.at) for event in turn.events] == [("interrupted", START + 700 * MS)]
    assert turn.attributes["probe.interrupted_ms"] == 250.0


def by_itself() -> RunRecord:
    """An agent that answers what it heard without a request."""
    run = hearing()
    chunk = replace(run.turns[0].chunks[0], inference_start=None, tts_text_sent=None)
    return replace(run, turns=(replace(run.turns[0], chunks=(chunk,)),))


def test_an_answer_without_a_request_has_the_whole_wait_and_nothing_since_a_request() -> None:
    (measured,) = measure_run(by_itself())
    assert measured.voice_to_voice_ms == pytest.approx(900 + 410)
    assert measured.response_ttfb_ms is measured.response_ttfa_ms is measured.chunks[0].llm_ttft_ms is None
    assert (summarise(by_itself()).wall_time_ms or 0) > 900, "it begins with the end of the speech"
    (turn,) = by_itself().turns
    assert whole_wait.asked(turn) == START - 400 * MS, "the server says then that the speech is over"
    assert turn.heard is not None
    late = replace(turn, heard=replace(turn.heard, speech_stopped=START + 500 * MS))
    assert whole_wait.asked(late) == START - 900 * MS, "it answers by then"


@pytest.mark.parametrize("understood", [None, ASKED - MS, ASKED + 700 * MS])
def test_an_agent_that_is_told_the_end_waits_for_the_probe_alone_until_it_is_asked(
    understood: int | None,
) -> None:
    """Its transcript is no part of that, whenever it comes: from the end of the speech to the request it is ours."""
    run = hearing(speech_stopped=None, transcript_done=understood)
    chunk = replace(run.turns[0].chunks[0], tts_text_sent=None)
    turn = replace(run.turns[0], chunks=(chunk,))
    assert whole_wait.question_delay(turn) == 910 * MS
    (measured,) = measure_run(replace(run, turns=(turn,)))
    assert measured.voice_to_voice_ms == pytest.approx(400), "from the request to the first sound"
    held_up = Watch(AnchoredClock.anchored_now(), Tolerance(100, 100)).judge(replace(run, turns=(turn,)))
    assert any("held up a sound for 910 ms" in doubt for doubt in held_up.doubts)


def test_an_agent_may_say_after_its_answer_what_it_understood() -> None:
    run = hearing(transcript_done=START + 2000 * MS)
    chunk = replace(run.turns[0].chunks[0], tts_text_sent=None)
    assert [*doubts.of_order(replace(run.turns[0], chunks=(chunk,)))] == []


def test_where_a_server_cut_the_speech_off() -> None:
    (turn,) = runs.cut_off().turns
    assert turn.heard is not None
    where = whole_wait.cut_off(turn.heard)
    assert where is not None
    assert (where.after_ms, where.pause_ms, where.into_ms) == (1240, 800, 510)
    assert whole_wait.cut_off(replace(turn.heard, voice_start=None)) is None, "a run of an earlier version"
    after = whole_wait.cut_off(replace(turn.heard, pauses=()))
    assert (f"{after}", after and after.pause_ms) == ("1240 ms after it began", None)


def test_a_transcript_that_ends_at_a_pause_shows_it_too() -> None:
    (turn,) = runs.cut_off().turns
    assert turn.heard is not None
    end = turn.heard.pauses[0].end + MS
    late = replace(turn.heard, speech_end=end, speech_stopped=None, transcript_done=end + MS, transcript="tell me")
    assert f"{whole_wait.cut_off(late)}" == "from a pause of 800 ms on, 730 ms after it began"
    assert whole_wait.cut_off(replace(late, transcript="tell me a")) is None
    assert whole_wait.cut_off(replace(late, transcript="Tell me a joke.")) is None


def test_who_says_late_that_the_speech_is_over_has_no_endpointing_and_it_is_in_no_transcription() -> None:
    run = hearing(speech_stopped=None, stopped_late=ASKED + 50 * MS, transcript_done=ASKED + 700 * MS)
    (measured,) = measure_run(run)
    assert measured.endpointing_ms is measured.transcription_ms is None
    assert measured.voice_to_voice_ms is not None and measured.word_error_rate == 0
    assert RunRecord.from_json(run.to_json()) == run

"""What took the time of a turn, with times that can be worked out in the head (milliseconds after the request)."""

from typing import Any

from records import at, chunk, failure, heard, record, turn

from probe.measures import measure_run
from probe.record import Chunk, Connect, RunRecord
from probe.report import stages
from probe.report.stages import Stage, TurnStages


def of(run: RunRecord, number: int = 0) -> TurnStages:
    return stages.of_run(run, measure_run(run))[number]


def plain(each: Stage) -> tuple[Any, ...]:
    start, end = ((when - at(0)) / 1e6 for when in (each.start, each.end))
    return (each.kind, start, end) if each.over else (each.kind, start, end, "never")


def spoken(num: int = 1, start: float = 0, **changes: Any) -> Chunk:
    """100 ms to the first token, 100 ms of tokens, 150 ms to the first audio, which is half a second."""
    values: dict[str, Any] = {
        "llm_first_token": start + 100, "llm_done": start + 200, "tts_text_sent": start + 200,
        "frames": [(start + 350, 500)], "tts_segment_done": start + 360, "segment_end": "marker", "sound": heard(),
    }  # fmt: skip
    return chunk(num, start, **values | changes)


def test_each_stage_of_a_chunk_follows_the_one_before() -> None:
    found = of(record(turn(spoken(), done=400)))
    assert [plain(each) for each in found.chunks[0]] == [
        ("llm_first", 0, 100), ("llm_rest", 100, 200), ("tts_first", 200, 350), ("audio", 350, 350),
    ]  # fmt: skip
    assert [plain(each) for each in found.heard] == [("waiting", 0, 350), ("heard", 350, 850)]


def test_a_model_that_reasons_does_so_before_its_answer() -> None:
    found = of(record(turn(spoken(llm_first_answer_token=180), done=400)))
    assert [plain(each) for each in found.chunks[0]][:3] == [
        ("llm_first", 0, 100), ("reasoning", 100, 180), ("llm_rest", 180, 200),
    ]  # fmt: skip


def test_a_text_waits_for_the_server_and_then_for_the_probe() -> None:
    # The server is free at 360, and the probe writes at 400.
    late = spoken(2, 200, llm_done=300, tts_text_sent=400, frames=[(450, 100)], tts_segment_done=460)
    found = of(record(turn(spoken(), late, done=500)))
    assert [plain(each) for each in found.chunks[1]][2:5] == [
        ("queue", 300, 360), ("own", 360, 400), ("tts_first", 400, 450),
    ]  # fmt: skip


def test_a_silence_between_two_chunks_and_one_within_a_chunk() -> None:
    dry = spoken(2, 360, frames=[(1100, 100), (1500, 100)], tts_segment_done=1500)
    found = of(record(turn(spoken(), dry, done=1600)))
    assert [plain(each) for each in found.heard if each.kind in ("gap", "underrun")] == [
        ("gap", 850, 1100), ("underrun", 1200, 1500),
    ]  # fmt: skip


def test_what_the_probe_itself_held_up_is_no_silence_of_a_server() -> None:
    late = spoken(2, 400, llm_done=600, tts_text_sent=800, frames=[(950, 100)], tts_segment_done=960)
    found = of(record(turn(spoken(), late, done=1000)))
    # Of the 100 ms without sound the probe's own 200 ms took all.
    assert [plain(each) for each in found.heard if each.kind in ("gap", "own")] == [("own", 850, 950)]


def test_what_the_probe_held_up_is_not_in_the_wait_for_the_first_byte() -> None:
    found = of(record(turn(spoken(tts_text_sent=240, frames=[(390, 500)]), done=400)))
    assert [plain(each) for each in found.heard][:2] == [("waiting", 0, 350), ("own", 350, 390)]


def test_an_audible_beginning_comes_after_the_silence_in_its_audio() -> None:
    found = of(record(turn(spoken(sound=heard(200)), done=400)))
    assert [plain(each) for each in found.heard][1:] == [("silence", 350, 550), ("heard", 550, 850)]
    mute = of(record(turn(spoken(sound=heard(None)), done=400)))
    assert [plain(each) for each in mute.heard][1:] == [("silence", 350, 850)]


def test_what_never_came_was_waited_for_until_the_run_was_given_up() -> None:
    mute = spoken(2, 400, frames=[], tts_segment_done=None, segment_end=None)
    found = of(record(turn(spoken(), mute), failure=failure()))
    assert plain(found.chunks[1][-1]) == ("tts_first", 600, 9000, "never")
    assert plain(found.heard[-1]) == ("gap", 850, 9000, "never")
    nothing = of(record(turn(chunk()), failure=failure("llm")))
    assert [plain(each) for each in nothing.every()] == [
        ("llm_first", 0, 9000, "never"), ("waiting", 0, 9000, "never"),
    ]  # fmt: skip


def test_a_merged_text_has_no_speech_of_its_own() -> None:
    kept = spoken(frames=[], tts_segment_done=None, segment_end="merged")
    assert [each.kind for each in of(record(turn(kept, spoken(2, 300), done=700))).chunks[0]] == [
        "llm_first", "llm_rest",
    ]  # fmt: skip


def test_audio_without_an_end_was_waited_for() -> None:
    endless = spoken(tts_segment_done=None, segment_end=None)
    assert plain(of(record(turn(endless), failure=failure())).chunks[0][-1]) == ("audio", 350, 9000, "never")


def test_a_merged_text_that_the_probe_held_up_says_so() -> None:
    kept = spoken(tts_text_sent=230, frames=[], tts_segment_done=None, segment_end="merged")
    found = of(record(turn(kept, spoken(2, 300), done=700)))
    assert plain(found.chunks[0][-1]) == ("own", 200, 230)


def test_without_a_turn_the_connections_are_shown() -> None:
    (found,) = stages.of_run(record(connects=(Connect("llm", at(0), None),), ended=500), ())
    assert [plain(each) for each in found.every()] == [("connect", 0, 500, "never")]


def test_an_agent_that_shows_no_text_is_waited_for_since_its_request() -> None:
    agent = chunk(frames=[(700, 100)], segment_end="done", tts_segment_done=800)
    assert plain(of(record(turn(agent, done=800))).chunks[0][0]) == ("tts_first", 0, 700)


def test_connections_belong_to_the_turn_that_they_were_opened_for() -> None:
    connects = (Connect("llm", at(-20), at(-10)), Connect("tts", at(1000), at(1010)), Connect("tts", at(1015), None))
    run = record(turn(spoken(), done=900), turn(spoken(1, 1020), num=2, done=1500), connects=connects, ended=2000)
    assert [plain(each) for each in of(run).connects] == [("connect", -20, -10)]
    assert [plain(each) for each in of(run, 1).connects] == [("connect", 1000, 1010), ("connect", 1015, 2000, "never")]


def test_a_turn_without_a_chunk_has_no_stage() -> None:
    assert list(of(record(turn())).every()) == []

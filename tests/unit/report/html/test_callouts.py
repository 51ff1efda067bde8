"""The sentences on top of a run's page: who has never seen one finds the stall in them."""

from dataclasses import replace
from typing import Any

from records import at, chunk, failure, heard, record, turn

from probe.measures import measure_run
from probe.plan import ServerPlan
from probe.record import Chunk, Connect, RunRecord
from probe.report import stages
from probe.report.html.callouts import sentences


def said(run: RunRecord) -> list[str]:
    return sentences(run, stages.of_run(run, measure_run(run)))


def spoken(num: int = 1, start: float = 0, first: float = 100, ttfb: float = 150, **changes: Any) -> Chunk:
    done = start + first + 100
    values: dict[str, Any] = {
        "llm_first_token": start + first, "llm_done": done, "tts_text_sent": done, "frames": [(done + ttfb, 500)],
        "tts_segment_done": done + ttfb + 10, "segment_end": "marker", "sound": heard(),
    }  # fmt: skip
    return chunk(num, start, **values | changes)


def test_a_stall_of_the_tts_server_is_named_with_its_chunk() -> None:
    assert said(record(turn(spoken(), spoken(2, 360, ttfb=2300), done=3000))) == [
        "The longest wait was 2300 ms, in chunk 2, for the TTS server's first audio.",
        "To the first byte of the response it took 350 ms, of that 150 ms for the TTS server's first audio.",
        "A listener heard nothing for 2010 ms before chunk 2: most of it for the TTS server's first audio.",
    ]


def test_a_stall_of_the_llm_server_is_named_with_its_share_of_the_first_byte() -> None:
    assert said(record(turn(spoken(first=1250), done=2000))) == [
        "The longest wait was 1250 ms, for the LLM server's first token: 83.3 % of the 1500 ms to the first byte."
    ]


def test_a_wait_during_which_speech_played_is_none_of_the_listeners() -> None:
    run = record(turn(spoken(frames=[(350, 5000)]), spoken(2, 400, ttfb=900), done=2000))
    assert said(run)[0] == (
        "The longest wait was 900 ms, in chunk 2, for the TTS server's first audio."
        " A listener did not notice it: speech was still playing."
    )


def test_what_never_came_says_so() -> None:
    mute = spoken(2, 400, frames=[], tts_segment_done=None, segment_end=None)
    first, second = said(record(turn(spoken(), mute), failure=failure()))
    assert first == "The longest wait was 8400 ms, in chunk 2, for the TTS server's first audio. Nothing came."
    assert second.startswith("A listener heard nothing for 8150 ms in place of chunk 2: most of it for the TTS")


def test_audio_that_comes_later_than_it_plays() -> None:
    dry = spoken(frames=[(350, 100), (1000, 100)], tts_segment_done=1100)
    assert said(record(turn(dry, done=1200)))[1:] == [
        "A listener heard nothing for 550 ms within chunk 1: its audio came later than it plays."
    ]


def test_audio_without_an_end_says_so() -> None:
    endless = spoken(tts_segment_done=None, segment_end=None)
    assert said(record(turn(endless), failure=failure()))[0] == (
        "The longest wait was 8650 ms, for the end of the TTS server's audio. It did not come."
    )


def test_the_probes_own_delay_is_no_part_of_the_first_byte() -> None:
    held_up = spoken(tts_text_sent=1200, frames=[(1250, 500)], tts_segment_done=1260)
    assert said(record(turn(held_up, done=1300))) == [
        "The longest wait was 1000 ms, for the probe itself, which is in no measure.",
        "To the first byte of the response it took 250 ms, of that 100 ms for the LLM server's first token.",
    ]


def test_only_the_longest_silences_are_named_one_by_one() -> None:
    chunks = [spoken(num, 1410 * (num - 1), ttfb=1200) for num in range(1, 8)]
    found = said(record(turn(*chunks, done=20_000)))
    assert sum(each.startswith("A listener") for each in found) == 3
    assert found[-1] == "There were 3 more silences, none of them longer."


def test_turns_are_distinguished() -> None:
    second = turn(spoken(1, 5000, ttfb=700), done=6000, num=2)
    assert said(record(turn(spoken(), done=900), second))[0] == (
        "The longest wait was 700 ms, in chunk 1 of turn 2, for the TTS server's first audio: 77.8 % of the 900 ms"
        " to the first byte."
    )


def test_a_connection_names_its_server() -> None:
    run = record(turn(spoken(), done=900), connects=(Connect("tts", at(-3000), at(-10)),))
    assert said(run)[0] == "The longest wait was 2990 ms, for the connection to the TTS server."


def test_an_agent_writes_on_while_it_speaks_and_nobody_waits_for_that() -> None:
    talking = spoken(first=300, llm_first_answer_token=300, llm_done=9000, tts_text_sent=None, frames=[(700, 9000)])
    run = record(turn(talking, done=9500))
    agent = replace(run.plan.target, servers={"agent": ServerPlan("realtime", "ws://localhost:1/v1/realtime")})
    found = said(replace(run, plan=replace(run.plan, target=agent)))
    assert (
        found[0] == "The longest wait was 400 ms, for the agent's first audio: 57.1 % of the 700 ms to the first byte."
    )


def test_a_pause_between_tokens_is_named() -> None:
    stalled = spoken(llm_longest_stall=900_000_000, llm_last_token=200)
    assert "Between two tokens there were 900 ms once." in said(record(turn(stalled, done=900)))


def test_a_run_without_a_stage_has_nothing_to_say() -> None:
    assert said(record()) == said(record(turn())) == []

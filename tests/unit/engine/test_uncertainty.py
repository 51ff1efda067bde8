"""What an arrival that may have been earlier does to the figures, and what it does not."""

from dataclasses import replace

import pytest
from runs import MS, START, chunk, free_running, record
from slices import whole

from probe.engine import uncertainty
from probe.engine.doubts import of_order
from probe.engine.uncertainty import Earliest, of_stall
from probe.record import Role, Turn
from probe.tolerance import PUBLISHED_MS

TURN = record().turns[0]
FIRST, SECOND = TURN.chunks[:2]


def of_arrivals(turn: Turn, earliest: Earliest, limit_ms: float) -> str | None:
    return whole(uncertainty.of_arrivals(turn, earliest, limit_ms))


def doubt(role: Role, at: int | None, earlier_ms: float, turn: Turn = TURN) -> str | None:
    assert at is not None
    return of_arrivals(turn, {role: {at: at - round(earlier_ms * MS)}}, PUBLISHED_MS)


def test_where_all_is_known_nothing_is_doubted() -> None:
    assert of_arrivals(TURN, {}, PUBLISHED_MS) is None
    assert of_arrivals(TURN, {"llm": {}, "tts": {}}, PUBLISHED_MS) is None


def test_a_first_token_that_may_have_come_earlier_is_in_a_figure() -> None:
    found = doubt("llm", FIRST.llm_first_token, 12)
    assert found is not None
    assert found.startswith("chunk 1, llm_ttft_ms may be wrong by 12 ms")
    assert doubt("llm", FIRST.llm_first_token, 4.9) is None, "within the published error"


def test_what_answers_a_request_did_not_come_before_it() -> None:
    assert FIRST.llm_first_token is not None and FIRST.inference_start is not None
    waited = (FIRST.llm_first_token - FIRST.inference_start) / MS
    found = doubt("llm", FIRST.llm_first_token, 1_000)
    assert found is not None and f"by {waited:.0f} ms" in found


def test_a_first_audio_moves_what_a_person_waits_for() -> None:
    found = doubt("tts", FIRST.tts_first_audio, 30)
    assert found is not None and "by 30 ms" in found


def test_an_arrival_that_is_in_no_figure_is_no_doubt() -> None:
    assert doubt("llm", START + 77, 500) is None
    assert doubt("tts", FIRST.llm_first_token, 500) is None, "another server's"


def test_audio_that_had_to_wait_for_what_plays_before_it_is_in_no_figure() -> None:
    at = FIRST.tts_first_audio
    assert at is not None
    steady = chunk(1, START, frames=((at, 44_000), (at + 100 * MS, 44_000), (at + 200 * MS, 44_000)))
    assert doubt("tts", at + 100 * MS, 60, Turn(1, "?", (steady,))) is None
    dry = chunk(1, START, frames=((at, 440), (at + 100 * MS, 440)))
    found = doubt("tts", at + 100 * MS, 60, Turn(1, "?", (dry,)))
    assert found is not None and found.startswith("chunk 1, underrun_ms may be wrong by 60 ms")


def test_several_small_uncertainties_add_up() -> None:
    at = FIRST.tts_first_audio
    assert at is not None and FIRST.llm_done is not None
    both = {"llm": {FIRST.llm_done: FIRST.llm_done - 4 * MS}, "tts": {at: at - 4 * MS}}
    assert of_arrivals(TURN, {"tts": both["tts"]}, PUBLISHED_MS) is None
    found = of_arrivals(TURN, {"llm": both["llm"], "tts": both["tts"]}, PUBLISHED_MS)
    assert found is not None and "by 8 ms" in found


def test_the_last_audio_has_the_time_of_the_end_that_came_with_it() -> None:
    last = FIRST.tts_last_audio
    assert last is not None
    together = replace(FIRST, tts_segment_done=last + 1)
    assert (
        doubt("tts", last, 40, Turn(1, "?", (replace(together, frames=((FIRST.tts_first_audio or 0, 44_000),)),)))
        is None
    )
    apart = replace(FIRST, tts_segment_done=last + MS)
    assert (
        doubt("tts", last, 40, Turn(1, "?", (replace(apart, frames=((FIRST.tts_first_audio or 0, 44_000),)),)))
        is not None
    )


def test_the_longest_wait_between_tokens_is_between_two_bounds() -> None:
    turn = free_running().turns[0]
    longest = max(each.llm_longest_stall or 0 for each in turn.chunks)
    assert of_stall(turn, longest - 2 * MS, longest + 2 * MS, PUBLISHED_MS) is None
    for least, most in ((longest - 9 * MS, longest), (longest, longest + 9 * MS)):
        found = of_stall(turn, least, most, PUBLISHED_MS)
        assert found is not None and found.startswith("llm_longest_stall_ms may be wrong by 9 ms")
    assert of_stall(TURN, 0, 10**9, PUBLISHED_MS) is None, "no such figure where the server paused"


@pytest.mark.parametrize("name", ["llm_first_token", "llm_done", "tts_text_sent", "tts_first_audio"])
def test_what_came_before_its_cause_is_a_doubt(name: str) -> None:
    assert list(of_order(TURN)) == []
    before = {"llm_first_token": "inference_start", "llm_done": "llm_first_token", "tts_text_sent": "llm_done"}
    cause = getattr(FIRST, before.get(name, "tts_text_sent"))
    wrong = replace(FIRST, **{name: cause - 1})
    assert list(of_order(replace(TURN, chunks=(wrong, SECOND)))) == ["chunk 1: its timestamps are out of order"]

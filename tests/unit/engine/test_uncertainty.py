"""What an arrival that may have been earlier does to the figures, and what it does not."""

from dataclasses import replace

import pytest
from runs import MS, START, chunk, free_running, record
from slices import whole

from probe.engine import uncertainty
from probe.engine.doubts import of_order
from probe.engine.uncertainty import Earliest, Figure, doubt, stall_error_ms, without_unknown
from probe.measures import measure_turn
from probe.plan import Role
from probe.record import Turn
from probe.tolerance import PUBLISHED_MS

TURN = record().turns[0]
FIRST, SECOND = TURN.chunks[:2]


def errors_ms(turn: Turn, earliest: Earliest, limit_ms: float) -> dict[Figure, float]:
    return whole(uncertainty.errors_ms(turn, earliest, limit_ms))


def errors(role: Role, at: int | None, earlier_ms: float, turn: Turn = TURN) -> dict[Figure, float]:
    assert at is not None
    return errors_ms(turn, {role: {at: at - round(earlier_ms * MS)}}, PUBLISHED_MS)


def test_where_all_is_known_nothing_is_uncertain() -> None:
    assert errors_ms(TURN, {}, PUBLISHED_MS) == {}
    assert errors_ms(TURN, {"llm": {}, "tts": {}}, PUBLISHED_MS) == {}


def test_a_first_token_that_may_have_come_earlier_is_in_a_figure() -> None:
    assert errors("llm", FIRST.llm_first_token, 12) == {(1, "llm_ttft_ms"): pytest.approx(12)}
    assert errors("llm", FIRST.llm_first_token, 4.9) == {}, "within the published error"


def test_what_answers_a_request_did_not_come_before_it() -> None:
    assert FIRST.llm_first_token is not None and FIRST.inference_start is not None
    waited = (FIRST.llm_first_token - FIRST.inference_start) / MS
    assert errors("llm", FIRST.llm_first_token, 1_000)[1, "llm_ttft_ms"] == pytest.approx(waited)


def test_a_first_audio_moves_what_a_person_waits_for() -> None:
    found = errors("tts", FIRST.tts_first_audio, 30)
    assert found[0, "response_ttfb_ms"] == found[1, "tts_ttfb_ms"] == pytest.approx(30)
    assert doubt(found, PUBLISHED_MS) == (
        "response_ttfb_ms may be wrong by 30 ms: what came together has one time (limit 5 ms)"
    )


def test_a_figure_that_no_run_is_judged_by_is_left_out_and_casts_no_doubt() -> None:
    found = errors("llm", FIRST.llm_first_token, 12) | {(0, "llm_longest_stall_ms"): 9.0}
    assert doubt(found, PUBLISHED_MS) is None
    before, left = measure_turn(TURN), without_unknown(TURN, found)
    assert left.unknown == ("llm_longest_stall_ms",)
    assert [each.unknown for each in left.chunks] == [("llm_ttft_ms",), *[()] * (len(TURN.chunks) - 1)]
    after = measure_turn(left)
    assert before.chunks[0].llm_ttft_ms is not None
    assert after == replace(
        before,
        llm_longest_stall_ms=None,
        chunks=(replace(before.chunks[0], llm_ttft_ms=None), *before.chunks[1:]),
    )


def test_what_a_run_is_judged_by_stays_in_it_and_is_doubted() -> None:
    found = errors("tts", FIRST.tts_first_audio, 30)
    after = measure_turn(without_unknown(TURN, found))
    assert after.response_ttfb_ms == measure_turn(TURN).response_ttfb_ms
    assert (after.chunks[0].tts_ttfb_ms, after.chunks[0].combined_ttfb_ms) == (None, None)


def test_what_is_made_of_a_figure_goes_with_it() -> None:
    (chunk_1,) = without_unknown(Turn(1, "?", (FIRST,)), {(1, "tts_stream_time_ms"): 9.0}).chunks
    assert chunk_1.unknown == ("tts_stream_time_ms", "realtime_factor")


def test_an_arrival_that_is_in_no_figure_is_no_doubt() -> None:
    assert errors("llm", START + 77, 500) == {}
    assert errors("tts", FIRST.llm_first_token, 500) == {}, "another server's"


def test_audio_that_had_to_wait_for_what_plays_before_it_is_in_no_figure() -> None:
    at = FIRST.tts_first_audio
    assert at is not None
    steady = chunk(1, START, frames=((at, 44_000), (at + 100 * MS, 44_000), (at + 200 * MS, 44_000)))
    assert errors("tts", at + 100 * MS, 60, Turn(1, "?", (steady,))) == {}
    dry = chunk(1, START, frames=((at, 440), (at + 100 * MS, 440)))
    found = errors("tts", at + 100 * MS, 60, Turn(1, "?", (dry,)))
    assert found[1, "underrun_ms"] == pytest.approx(60)


def test_several_small_uncertainties_add_up() -> None:
    at = FIRST.tts_first_audio
    assert at is not None and FIRST.llm_done is not None
    both = {"llm": {FIRST.llm_done: FIRST.llm_done - 4 * MS}, "tts": {at: at - 4 * MS}}
    assert errors_ms(TURN, {"tts": both["tts"]}, PUBLISHED_MS) == {}
    assert 8 in map(round, errors_ms(TURN, {"llm": both["llm"], "tts": both["tts"]}, PUBLISHED_MS).values())


@pytest.mark.parametrize("behind", [1, MS])
def test_last_audio_that_may_have_come_before_its_end_leaves_the_time_of_the_stream_out(behind: int) -> None:
    """Most servers write the end right behind it, and not all."""
    last = FIRST.tts_last_audio
    assert last is not None
    chunk_1 = replace(FIRST, tts_segment_done=last + behind, frames=((FIRST.tts_first_audio or 0, 44_000),))
    assert errors("tts", last, 40, Turn(1, "?", (chunk_1,))) == {(1, "tts_stream_time_ms"): pytest.approx(40)}


def test_the_longest_wait_between_tokens_is_between_two_bounds() -> None:
    turn = free_running().turns[0]
    longest = max(each.llm_longest_stall or 0 for each in turn.chunks)
    assert stall_error_ms(turn, longest - 2 * MS, longest + 2 * MS, PUBLISHED_MS) == {}
    for least, most in ((longest - 9 * MS, longest), (longest, longest + 9 * MS)):
        assert stall_error_ms(turn, least, most, PUBLISHED_MS) == {(0, "llm_longest_stall_ms"): pytest.approx(9)}
    assert stall_error_ms(TURN, 0, 10**9, PUBLISHED_MS) == {}, "no such figure where the server paused"


@pytest.mark.parametrize("name", ["llm_first_token", "llm_done", "tts_text_sent", "tts_first_audio"])
def test_what_came_before_its_cause_is_a_doubt(name: str) -> None:
    assert list(of_order(TURN)) == []
    before = {"llm_first_token": "inference_start", "llm_done": "llm_first_token", "tts_text_sent": "llm_done"}
    cause = getattr(FIRST, before.get(name, "tts_text_sent"))
    wrong = replace(FIRST, **{name: cause - 1})
    assert list(of_order(replace(TURN, chunks=(wrong, SECOND)))) == ["chunk 1: its timestamps are out of order"]

"""What the probe took of a turn is known to the nanosecond, whatever ended a segment."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import chunk, heard, turn

from probe import delays
from probe.measures import measure_turn

FIRST: dict[str, Any] = {"llm_first_token": 80, "llm_done": 100, "tts_text_sent": 103}
SPOKEN: dict[str, Any] = {**FIRST, "frames": [(300, 100), (350, 50)]}


def ms(ns: int) -> float:
    return ns / 1_000_000


@pytest.mark.parametrize(
    ("end", "done", "asked", "ours"),
    [
        ("marker", 400, 407, 7),
        ("end", 400, 407, 7),
        ("gap", 500, 507, 157),
        ("merged", None, 2103, 2000),
    ],
)
def test_a_request_waits_for_the_probe_from_what_triggers_it(
    end: str, done: float | None, asked: float, ours: float
) -> None:
    """A marker at once; where only silence shows the end, or nothing, the wait was the probe's choice."""
    before = chunk(1, **(FIRST if end == "merged" else SPOKEN), tts_segment_done=done, segment_end=end)
    assert ms(delays.of_request(before, chunk(2, asked))) == pytest.approx(ours)


def test_text_waits_for_the_probe_from_the_later_of_its_end_and_the_server_being_free() -> None:
    before = chunk(1, **SPOKEN, tts_segment_done=400, segment_end="marker")
    written_while_it_spoke = chunk(2, None, llm_done=200, tts_text_sent=404)
    written_afterwards = chunk(2, None, llm_done=600, tts_text_sent=602)
    assert ms(delays.of_texts([before, written_while_it_spoke])[1]) == pytest.approx(4)
    assert ms(delays.of_texts([before, written_afterwards])[1]) == pytest.approx(2)


def test_a_request_that_did_not_wait_for_the_audio_waited_for_the_text_alone() -> None:
    before = chunk(1, **SPOKEN, tts_segment_done=400, segment_end="marker")
    assert ms(delays.of_request(before, chunk(2, 101))) == pytest.approx(1)


def test_a_chunk_without_a_request_of_its_own_waited_with_none() -> None:
    assert delays.of_request(chunk(1, **SPOKEN), chunk(2, None)) == 0


@pytest.mark.parametrize("lost", ["llm_done", "tts_text_sent"])
def test_of_what_is_not_known_nothing_is_taken_off(lost: str) -> None:
    assert delays.of_texts([chunk(1, **{**SPOKEN, lost: None})]) == [0]


def test_slowness_is_what_nobody_chose() -> None:
    held = chunk(1, **FIRST, segment_end="merged")
    spoken = chunk(2, 2103, llm_first_token=2150, llm_done=2200, tts_text_sent=2230, frames=[(2500, 100)])
    assert [ms(each) for each in delays.slowness([held, spoken])] == pytest.approx([3 + 30])
    assert ms(delays.before_audio([held, spoken])) == pytest.approx(3 + 2000 + 30)
    assert [*delays.slowness([held])] == []


def test_slowness_begins_anew_with_each_sound() -> None:
    first = chunk(1, **FIRST, frames=[(300, 100)], tts_segment_done=400, segment_end="marker")
    second = chunk(2, 450, llm_first_token=500, llm_done=600, tts_text_sent=607, frames=[(700, 100)])
    assert [ms(each) for each in delays.slowness([first, second])] == pytest.approx([3, 50 + 7])


def test_a_gap_that_a_listener_hears_is_without_what_the_probe_took() -> None:
    """The same servers, with a probe that is 40 ms slower at each step: no figure moves."""

    def played(slow: float) -> object:
        first = chunk(
            1, llm_first_token=80, llm_done=100, tts_text_sent=100 + slow, frames=[(300 + slow, 100)],
            tts_segment_done=310 + slow, segment_end="marker", sound=heard(20),
        )  # fmt: skip
        second = chunk(
            2, 310 + 2 * slow, llm_first_token=400 + 2 * slow, llm_done=450 + 2 * slow, tts_text_sent=450 + 3 * slow,
            frames=[(600 + 3 * slow, 100)], tts_segment_done=610 + 3 * slow, segment_end="marker", sound=heard(0),
        )  # fmt: skip
        measured = measure_turn(turn(first, second))
        figures = [(each.combined_ttfb_ms, each.combined_ttfa_ms, each.playout_gap_ms) for each in measured.chunks]
        return measured.response_ttfb_ms, measured.response_ttfa_ms, figures

    assert played(40) == played(0) == (300, 320, [(300, 320, None), (290, 290, 200)])


def test_a_turn_of_many_chunks_is_measured_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many cost four times as much, and not eight times: a model may answer with a list of 500 lines."""
    looked_at = 0
    known = delays.spoken_at

    def counting(each: Any) -> int | None:
        nonlocal looked_at
        looked_at += 1
        return known(each)

    monkeypatch.setattr(delays, "spoken_at", counting)
    sent = [chunk(n, n * 100, llm_done=n * 100 + 50, tts_text_sent=n * 100 + 53) for n in range(1, 101)]
    measure_turn(turn(*sent))
    assert looked_at < 3 * 100**2


@given(st.lists(st.tuples(*[st.integers(1, 40)] * 3), max_size=12))
def test_a_text_waits_for_the_last_audio_that_had_come_when_it_was_written(times: list[tuple[int, int, int]]) -> None:
    """Whatever the order in which chunks were written, spoken and done."""
    chunks = [
        chunk(n, llm_done=done, tts_text_sent=sent, frames=[(end, 10)], tts_segment_done=end, segment_end="marker")
        for n, (done, sent, end) in enumerate(times, start=1)
    ]
    for n, waited in enumerate(delays.of_texts(chunks)):
        done, sent, _ = times[n]
        assert ms(waited) == max(0, sent - max([done, *(end for _, _, end in times[:n] if end <= sent)]))

"""Where the bars of a waterfall are: percent of an axis that is 3 % longer than the last stage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import at, chunk, failure, heard, record, turn

from probe.measures import measure_run
from probe.record import Chunk, Connect, RunRecord
from probe.report import stages
from probe.report.html.waterfall_svg import AXIS, ROW, Picture, picture

ROOM = 1.03


def drawn(run: RunRecord, most: int = 100) -> Picture | None:
    return picture(stages.of_run(run, measure_run(run))[0], run.plan.target, most)


def spoken(num: int = 1, start: float = 0, ttfb: float = 150) -> Chunk:
    return chunk(
        num, start, llm_first_token=start + 100, llm_done=start + 200, tts_text_sent=start + 200,
        frames=[(start + 200 + ttfb, 100), (start + 250 + ttfb, 100)], tts_segment_done=start + 260 + ttfb,
        segment_end="marker", sound=heard(),
    )  # fmt: skip


def test_bars_are_where_the_stages_were() -> None:
    found = drawn(record(turn(spoken(), done=500)))
    assert found is not None
    listener, connected = found.rows[0], found.rows[1]
    assert [row.name for row in found.rows] == ["Listener", "Chunk 1"]
    # 400 ms are 100 %, except for the room behind them.
    assert [(bar.kind, round(bar.x * ROOM * 4), round((bar.x + bar.width) * ROOM * 4)) for bar in connected.bars] == [
        ("llm_first", 0, 100), ("llm_rest", 100, 200), ("tts_first", 200, 350), ("audio", 350, 400),
    ]  # fmt: skip
    assert [bar.kind for bar in listener.bars] == ["waiting", "heard"]
    assert (connected.summary, listener.summary) == ("LLM 200 + TTS 150 ms", "waits 350 ms")
    assert [mark.text for mark in found.marks] == ["0", "100 ms", "200 ms", "300 ms", "400 ms"]
    assert found.height == AXIS + 2 * ROW and found.objective is None


def test_a_long_bar_says_what_it_is_and_a_short_one_how_long_it_took() -> None:
    found = drawn(record(turn(spoken(ttfb=2000), done=3000)))
    assert found is not None
    by_kind = {bar.kind: bar for bar in found.rows[1].bars}
    assert (by_kind["tts_first"].label, by_kind["tts_first"].room) == ("TTS first audio 2000 ms", "narrow")
    assert (by_kind["llm_first"].label, by_kind["llm_first"].room) == ("100", "wide")
    assert by_kind["audio"].label == "" and by_kind["audio"].title == "Chunk 1, TTS: audio arrives: 50 ms"
    assert found.objective is not None and found.objective.text == "objective: first byte within 1000 ms"


def test_a_silence_is_a_band_through_all_rows() -> None:
    found = drawn(record(turn(spoken(), spoken(2, 410, ttfb=900), done=1700)))
    assert found is not None
    (band,) = found.bands
    assert (band.title, round(band.x * ROOM * 15.6), round(band.width * ROOM * 15.6)) == (
        "Chunk 2, the listener hears nothing: 960 ms", 550, 960,
    )  # fmt: skip


def test_what_never_came_says_so() -> None:
    mute = chunk(llm_first_token=100, llm_done=200, tts_text_sent=200)
    found = drawn(record(turn(mute), failure=failure()))
    assert found is not None
    never = found.rows[1].bars[-1]
    assert (never.over, never.label) == (False, "nothing came for 8800 ms")
    assert found.rows[1].summary == "LLM 200 + TTS 8800 ms, nothing came"
    assert found.rows[0].summary == "hears nothing"


def test_stages_that_overlap_have_a_row_each() -> None:
    agent = chunk(
        llm_first_token=100, llm_first_answer_token=100, llm_done=900, frames=[(300, 100), (800, 100)],
        tts_segment_done=900, segment_end="done", sound=heard(),
    )  # fmt: skip
    found = drawn(record(turn(agent, done=900)))
    assert found is not None
    assert [[bar.kind for bar in row.bars] for row in found.rows[1:]] == [
        ["llm_first", "llm_rest"],
        ["tts_first", "audio"],
    ]


def test_a_connection_before_the_request_is_left_of_its_zero() -> None:
    run = record(turn(spoken(), done=500), connects=(Connect("llm", at(-100), at(-50)), Connect("tts", at(-50), at(0))))
    found = drawn(run)
    assert found is not None
    assert found.rows[1].summary == "LLM 50 ms + TTS 50 ms" and found.rows[1].bars[0].x == 0
    assert [mark.text for mark in found.marks][:2] == ["-100 ms", "0"]


def test_of_many_chunks_the_first_and_the_longest_are_drawn() -> None:
    many = [spoken(num, num * 400, ttfb=3000 if num == 90 else 150) for num in range(1, 121)]
    found = drawn(record(turn(*many, done=99_000)), most=20)
    assert found is not None
    names = [row.name for row in found.rows[1:] if row.name]
    assert len(names) == 20 and names[0] == "Chunk 1" and "Chunk 90" in names and found.left_out == 100


def test_a_turn_of_which_nothing_has_a_time_has_no_picture() -> None:
    assert drawn(record(turn())) is None
    assert drawn(record(turn(chunk()), ended=0)) is None


MOMENTS = st.lists(st.none() | st.integers(0, 10**6), min_size=5, max_size=5)


@pytest.mark.parametrize("failed", [False, True])
@given(st.lists(MOMENTS, min_size=1, max_size=8))
def test_whatever_was_stamped_is_within_the_picture(failed: bool, stamps: list[list[int | None]]) -> None:
    chunks = [
        chunk(
            num, asked, llm_first_token=first, llm_done=done, tts_text_sent=sent,
            frames=[] if heard_at is None else [(heard_at, 50)],
        )
        for num, (asked, first, done, sent, heard_at) in enumerate(stamps, 1)
    ]  # fmt: skip
    found = drawn(record(turn(*chunks), failure=failure() if failed else None, ended=2 * 10**6))
    for row in () if found is None else found.rows:
        assert all(0 <= bar.x <= bar.x + bar.width <= 100.01 for bar in row.bars)

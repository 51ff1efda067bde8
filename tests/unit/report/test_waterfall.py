"""The waterfall, drawn by hand: at 59 columns, 40 of them are the axis."""

import click
from hypothesis import given
from hypothesis import strategies as st
from records import chunk, record, turn

from probe.record import Chunk, Turn
from probe.report.waterfall import waterfall


def drawn(*turns: Turn, width: int = 59) -> list[str]:
    return [click.unstyle(line) for line in waterfall(record(*turns), width)]


def spoken(num: int = 1, start: float = 0) -> Chunk:
    """100 ms to the first token, 100 ms of tokens, 150 ms to the first audio, 50 ms of that."""
    return chunk(
        num, start, llm_first_token=start + 100, llm_done=start + 200, tts_text_sent=start + 200,
        frames=[(start + 350, 100), (start + 400, 100)], tts_segment_done=start + 400, segment_end="marker",
    )  # fmt: skip


def test_each_stage_is_where_it_was() -> None:
    assert drawn(turn(spoken())) == [
        "",
        "WATERFALL:",
        "         |0                  |200ms               wait+rest",
        "#1 LLM   ░░░░░░░░░░██████████                     100+100ms",
        "#1 TTS                       ░░░░░░░░░░░░░░░█████ 150+50ms",
        "heard                                       ━━━━━",
        "         ░ waiting  █ tokens, audio  ━ a listener hears it",
    ]


def test_what_never_came_is_waited_for_to_the_end() -> None:
    mute = chunk(llm_first_token=100, llm_done=200, tts_text_sent=200)
    *_, llm, tts, _, _ = drawn(turn(mute))
    assert llm == "#1 LLM   ░░░░░░░░░░░░░░░░░░██████████████████     100+100ms"
    assert tts == "#1 TTS                                       ░░░░ nothing"


def test_a_text_waits_for_the_tts_server_and_an_unasked_chunk_for_nothing() -> None:
    second = chunk(
        2, None, llm_first_token=220, llm_done=300, tts_text_sent=400, frames=[(420, 100)], tts_segment_done=440,
        segment_end="marker",
    )  # fmt: skip
    lines = drawn(turn(spoken(), second), width=59)
    assert lines[5].split() == ["#2", "LLM", "█" * 7, "80ms"]
    assert lines[6].split() == ["#2", "TTS", "·" * 9 + "░" * 2 + "█", "20+0ms"]
    assert "· the TTS server is not free" in " ".join(" ".join(lines).split())


def test_a_merged_text_has_no_audio_of_its_own() -> None:
    kept = chunk(llm_first_token=100, llm_done=200, tts_text_sent=200, segment_end="merged")
    assert [line[:6] for line in drawn(turn(kept, spoken(2, 300)))[3:-2]] == ["#1 LLM", "#2 LLM", "#2 TTS"]


def test_a_turn_without_a_figure_is_not_drawn_and_several_are_told_apart() -> None:
    assert drawn(turn(chunk())) == drawn(turn()) == []
    assert [line for line in drawn(turn(spoken()), turn(), turn(spoken(), num=3)) if "WATERFALL" in line] == [
        "WATERFALL, TURN 1:",
        "WATERFALL, TURN 3:",
    ]


def test_a_long_answer_is_cut_short() -> None:
    many = [spoken(num, num * 1000) for num in range(1, 16)]
    lines = drawn(turn(*many))
    assert "and 3 more chunks" in lines and not any(line.startswith("#13") for line in lines)
    assert lines[2].split()[:2] == ["|0", "|5s"]


@given(
    st.lists(st.lists(st.none() | st.integers(0, 10**6), min_size=5, max_size=5), min_size=1, max_size=20),
    st.integers(60, 110),
)
def test_whatever_was_stamped_fits(stamps: list[list[int | None]], width: int) -> None:
    chunks = []
    for num, (asked, first, done, sent, heard) in enumerate(stamps, 1):
        frames = [] if heard is None else [(heard, 50)]
        chunks.append(chunk(num, asked, llm_first_token=first, llm_done=done, tts_text_sent=sent, frames=frames))
    assert all(len(line) <= width for line in drawn(turn(*chunks), width=width))

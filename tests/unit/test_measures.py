"""Every measure against figures worked out by hand: the definitions are DESIGN's, the arithmetic is the reader's."""

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import BYTES_PER_MS, RATE, at, chunk, failure, heard, record, turn

from probe import audio
from probe.measures import (
    ChunkMeasures,
    TurnMeasures,
    average,
    elapsed_ms,
    is_slow,
    measure_chunk,
    measure_run,
    measure_turn,
    outcome,
    reasoned,
    stages_ms,
    summarise,
)
from probe.record import INTERRUPTED, Chunk, Turn

# One chunk with everything: 400 ms of audio in two frames, after 40 ms of silence, its end seen 150 ms later.
WHOLE = chunk(
    asked=100, llm_first_token=350, llm_first_answer_token=400, llm_done=480, tts_text_sent=485,
    frames=[(1000, 300), (1150, 100)], tts_segment_done=1300, token_count=10, segment_end="gap", sound=heard(40),
)  # fmt: skip

STAMPS = (
    "llm_first_token", "llm_first_answer_token", "llm_last_token", "llm_done", "tts_text_sent", "tts_first_audio",
    "tts_last_audio", "tts_segment_done",
)  # fmt: skip


def measure(*chunks: Chunk) -> TurnMeasures:
    return measure_turn(turn(*chunks))


def gaps(*chunks: Chunk) -> list[float | None]:
    return [each.playout_gap_ms for each in measure(*chunks).chunks]


def test_the_measures_of_a_chunk() -> None:
    assert measure_chunk(WHOLE, None, 12.5, 3.5) == ChunkMeasures(
        llm_ttft_ms=250,
        llm_ttfat_ms=300,
        llm_gen_time_ms=380,
        tts_wait_ms=5,
        tts_ttfb_ms=515,
        tts_gen_time_ms=665,
        tts_stream_time_ms=665,
        audio_duration_ms=400,
        combined_ttfb_ms=895,
        probe_delay_ms=5,
        leading_silence_ms=40,
        combined_ttfa_ms=935,
        playout_gap_ms=12.5,
        underrun_ms=3.5,
        realtime_factor=400 / 665,
    )


def test_the_classic_duration_is_bytes_over_two_times_22000() -> None:
    spoken = replace(WHOLE, audio_bytes=75_768)
    assert measure_chunk(replace(spoken, sample_rate=22_000)).audio_duration_ms == 1722


@pytest.mark.parametrize(
    ("missing", "gone"),
    [
        ("llm_first_token", {"llm_ttft_ms"}),
        ("llm_first_answer_token", {"llm_ttfat_ms"}),
        ("llm_done", {"llm_gen_time_ms", "tts_wait_ms", "probe_delay_ms"}),
        (
            "tts_text_sent",
            {
                "tts_wait_ms",
                "probe_delay_ms",
                "tts_gen_time_ms",
                "tts_stream_time_ms",
                "realtime_factor",
            },
        ),
        ("tts_first_audio", {"tts_ttfb_ms", "combined_ttfb_ms", "combined_ttfa_ms"}),
        ("tts_last_audio", {"tts_stream_time_ms", "realtime_factor"}),
        ("tts_segment_done", {"tts_gen_time_ms"}),
        ("sound", {"leading_silence_ms", "combined_ttfa_ms"}),
    ],
)
def test_what_is_missing_is_none_and_only_that(missing: str, gone: set[str]) -> None:
    lost: Any = {missing: None}
    measured = measure_chunk(replace(WHOLE, **lost), None, 0.0, 0.0)
    assert {f.name for f in fields(measured) if getattr(measured, f.name) is None} == gone


def test_a_chunk_that_only_began_has_no_measure_at_all() -> None:
    assert measure(chunk(asked=5)) == TurnMeasures(None, None, (ChunkMeasures(),))


def test_a_turn_without_chunks_has_no_measure() -> None:
    assert measure() == TurnMeasures(None, None, ())


def test_zero_is_a_value_and_none_is_not() -> None:
    at_once = measure_chunk(chunk(llm_first_token=0, tts_text_sent=0, frames=[(0, 10)], sound=heard(0)))
    assert at_once.llm_ttft_ms == at_once.combined_ttfb_ms == at_once.combined_ttfa_ms == 0
    assert at_once.tts_stream_time_ms == 0
    assert at_once.realtime_factor is None, "10 ms of audio in no time has no factor"
    assert elapsed_ms(0, 0) == 0
    assert elapsed_ms(None, 0) is elapsed_ms(0, None) is None


def streamed(*chunks: Chunk, usage: int | None = None) -> TurnMeasures:
    """The measures of chunks that all came from the first one's request."""
    first, *later = chunks
    free = [first, *(replace(each, inference_start=None) for each in later)]
    return measure_turn(replace(turn(*free), usage_tokens=usage))


STREAMED = (
    chunk(1, 100, token_count=4, llm_first_token=200, llm_last_token=260, llm_longest_stall=30_000_000),
    chunk(2, token_count=3, llm_first_token=260, llm_last_token=400, llm_longest_stall=90_000_000),
    # All that it got is the rest of a token that was cut.
    chunk(3, token_count=0, llm_first_token=400, llm_last_token=400),
)


def test_how_an_answer_was_written_that_came_of_one_request() -> None:
    """Seven pieces from 200 to 400 are six intervals in 200 ms; the server counted 41 tokens in them."""
    assert streamed(*STREAMED).llm_tokens_per_second == 30
    assert streamed(*STREAMED, usage=41).llm_tokens_per_second == 200
    assert streamed(*STREAMED).llm_longest_stall_ms == 90


def test_how_an_answer_was_written_is_not_known_where_we_asked_for_it_piece_by_piece() -> None:
    measured = measure(*STREAMED)
    assert measured.llm_tokens_per_second is measured.llm_longest_stall_ms is None
    assert measure(STREAMED[0]).llm_tokens_per_second == 50, "a single chunk has none of our pauses in it"


@pytest.mark.parametrize(
    "chunks",
    [
        (replace(STREAMED[0], token_count=1),),
        (replace(STREAMED[0], llm_last_token=at(200)),),
        (replace(STREAMED[0], llm_first_token=None, llm_last_token=None, token_count=0),),
    ],
)
def test_one_moment_has_no_rate(chunks: tuple[Chunk, ...]) -> None:
    assert streamed(*chunks).llm_tokens_per_second is None


def test_a_chunk_without_a_request_has_no_latency_from_one() -> None:
    later = replace(WHOLE, inference_start=None)
    gone = {"llm_ttft_ms", "llm_ttfat_ms", "llm_gen_time_ms", "combined_ttfb_ms", "combined_ttfa_ms"}
    measured = measure_chunk(later, None, 0.0, 0.0)
    assert {f.name for f in fields(measured) if getattr(measured, f.name) is None} == gone
    assert (measured.tts_wait_ms, measured.tts_ttfb_ms) == (5, 515)


def test_a_model_that_reasons_answers_later_than_its_first_token() -> None:
    assert reasoned(measure_chunk(WHOLE))
    assert not reasoned(measure_chunk(replace(WHOLE, llm_first_answer_token=WHOLE.llm_first_token)))
    assert not reasoned(measure_chunk(replace(WHOLE, llm_first_answer_token=None)))


def test_silence_alone_is_first_byte_but_never_first_sound() -> None:
    measured = measure(chunk(frames=[(300, 500)], sound=heard(None)))
    assert measured.response_ttfb_ms == measured.chunks[0].combined_ttfb_ms == 300
    assert measured.response_ttfa_ms is measured.chunks[0].combined_ttfa_ms is None
    assert measured.chunks[0].leading_silence_ms is None


def test_there_is_no_gap_before_the_turns_first_audio() -> None:
    """However late it is: that wait is the response's, not a gap."""
    assert gaps(chunk(1, frames=[(5000, 100)])) == [None]
    assert gaps(chunk(1), chunk(2, 10, frames=[(5000, 100)])) == [None, None]


def test_the_gap_is_what_is_left_of_the_wait_once_the_audio_before_it_has_played() -> None:
    """A second chunk with a TTFB of 1.3 s is fine while 1.7 s of audio is still playing."""
    first = chunk(1, frames=[(900, 1700)])
    assert gaps(first, chunk(2, 1000, frames=[(2300, 800)])) == [None, 0]
    assert gaps(first, chunk(2, 1000, frames=[(2600, 800)])) == [None, 0]
    assert gaps(first, chunk(2, 1000, frames=[(2601, 800)])) == [None, 1]
    assert gaps(first, chunk(2, 1000, frames=[(4000, 800)])) == [None, 1400]


def test_frames_queue_up_behind_what_is_still_playing() -> None:
    """Sent faster than it plays: 100 + 1000 + 1000 ms from the first frame at 500 end at 2600."""
    burst = chunk(1, frames=[(500, 100), (501, 1000), (502, 1000)])
    assert gaps(burst, chunk(2, 600, frames=[(2700, 100)])) == [None, 100]


def test_a_segment_that_ran_dry_ends_later() -> None:
    """100 ms from 500 to 600, dry until 900, 200 ms to 1100; whoever adds durations alone would say 800."""
    dry = chunk(1, frames=[(500, 100), (900, 200)])
    assert gaps(dry, chunk(2, 600, frames=[(1150, 100)])) == [None, 50]


def test_the_playout_clock_runs_on_through_a_gap_and_through_chunks_without_audio() -> None:
    """Played out at 600, silence to 1000, then until 1100; the merged chunk between changes nothing."""
    assert gaps(
        chunk(1, frames=[(500, 100)]),
        chunk(2, 600, frames=[(1000, 100)]),
        chunk(3, 700, segment_end="merged", tts_text_sent=700),
        chunk(4, 800, frames=[(1130, 100)]),
    ) == [None, 400, None, 30]


def test_leading_silence_is_no_part_of_the_gap() -> None:
    quiet = chunk(2, 600, frames=[(700, 500)], sound=heard(310))
    assert gaps(chunk(1, frames=[(500, 100)]), quiet) == [None, 100]


def test_late_audio_plays_too_and_moves_the_last_byte() -> None:
    """The rest came after the gap had ended the segment at 750: last byte at 800, played out at 1000."""
    late = chunk(
        1, tts_text_sent=400, frames=[(500, 100), (800, 200)], tts_segment_done=750,
        segment_end="gap", late_audio_bytes=200 * BYTES_PER_MS,
    )  # fmt: skip
    measured = measure(late, chunk(2, 760, frames=[(1040, 100)]))
    assert measured.chunks[0].tts_gen_time_ms == 350
    assert measured.chunks[0].tts_stream_time_ms == 400
    assert measured.chunks[0].audio_duration_ms == 300
    assert measured.chunks[1].playout_gap_ms == 40
    assert [each.underrun_ms for each in measured.chunks] == [200, 0], "played until 600, the next frame came at 800"


def test_audio_that_is_still_playing_bridges_a_pause_within_the_next_chunk() -> None:
    before = chunk(1, frames=[(0, 1000)])
    paused = chunk(2, 10, frames=[(500, 100), (1300, 100)])
    assert [each.underrun_ms for each in measure(before, paused).chunks] == [0, 200]
    assert [each.underrun_ms for each in measure(chunk(1), paused).chunks] == [None, 700]


def test_a_merged_chunk_has_no_tts_measures_and_the_response_starts_with_the_next_ones_audio() -> None:
    merged = chunk(1, llm_first_token=80, llm_done=100, tts_text_sent=101, segment_end="merged")
    spoken = chunk(2, 2100, tts_text_sent=2200, frames=[(2500, 900)], tts_segment_done=2650, sound=heard(30))
    measured = measure(merged, spoken)
    assert measured.chunks[0] == ChunkMeasures(llm_ttft_ms=80, llm_gen_time_ms=100)
    assert measured.response_ttfb_ms == 500, "2 s of it were ours: we waited whether the server kept the text"
    assert measured.response_ttfa_ms == 530
    assert measured.chunks[1].combined_ttfb_ms == 400


def test_the_response_equals_the_first_chunk_that_sounds_by_itself() -> None:
    measured = measure(WHOLE, chunk(2, 1300, frames=[(1500, 100)], sound=heard(0)))
    assert measured.response_ttfb_ms == measured.chunks[0].combined_ttfb_ms == 895
    assert measured.response_ttfa_ms == measured.chunks[0].combined_ttfa_ms == 935


def test_first_sound_is_in_the_next_chunk_where_the_first_was_silent() -> None:
    """500 ms of silence from 300 to 800; the second chunk came at 600 and is heard from 800, audible from 825."""
    measured = measure(
        chunk(1, frames=[(300, 500)], sound=heard(None)), chunk(2, 400, frames=[(600, 500)], sound=heard(25))
    )
    assert measured.response_ttfb_ms == 300
    assert measured.response_ttfa_ms == 825
    assert measured.chunks[1].combined_ttfa_ms == 225, "of its own: first byte and silence, whatever still plays"


def test_first_sound_after_a_silent_chunk_that_has_played_out() -> None:
    measured = measure(
        chunk(1, frames=[(300, 100)], sound=heard(None)), chunk(2, 400, frames=[(600, 500)], sound=heard(25))
    )
    assert measured.response_ttfa_ms == 625


def test_every_turn_has_a_playout_clock_of_its_own() -> None:
    measured = measure_run(
        record(turn(chunk(1, frames=[(500, 5000)])), turn(chunk(1, 1000, frames=[(1800, 100)]), num=2))
    )
    assert [each.response_ttfb_ms for each in measured] == [500, 800]
    assert [each.chunks[0].playout_gap_ms for each in measured] == [None, None]


def test_the_summary_of_a_run() -> None:
    first = turn(
        WHOLE, chunk(2, 1300, token_count=5, llm_first_token=1350, frames=[(2000, 600)], sound=heard(0)), done=2100
    )
    second = turn(chunk(1, 3000, token_count=3, frames=[(3700, 250)]), num=2, done=4100)
    summary = summarise(record(first, second))
    assert (summary.chunks, summary.tokens) == (3, 18)
    assert summary.audio_ms == 400 + 600 + 250
    assert summary.wall_time_ms == 3100, "from 100 to 2100 and from 3000 to 4100: nobody waits between turns"
    assert summary.realtime_factor == 1250 / 3100
    assert (summary.response_ttfb_ms, summary.response_ttfa_ms) == (895, 935)
    assert summary.tts_wait_longest_ms == 5
    assert summary.llm_tokens_per_second is summary.llm_longest_stall_ms is None
    assert summarise(record(replace(first, usage_tokens=40), second)).tokens == 43, "the server's own count"
    # Frames at 1000 and 1150 of 300 and 100 ms play until 1400; the next comes at 2000, and 150 ms of that were our
    # wait.
    assert (summary.playout_gaps, summary.playout_gap_total_ms, summary.playout_gap_longest_ms) == (1, 450, 450)
    assert summary.first == measure_chunk(WHOLE, None, None, 0.0)
    assert summary.average.llm_ttft_ms == (250 + 50) / 2, "the third chunk has none and is left out"
    assert summary.average.combined_ttfb_ms == (895 + 700 + 700) / 3
    assert summary.average.audio_duration_ms == (400 + 600 + 250) / 3


def test_the_wall_time_of_a_run_that_ended_early_lasts_to_its_end() -> None:
    assert summarise(record(turn(chunk(asked=100)), ended=9000)).wall_time_ms == 8900


def test_the_summary_of_a_run_that_measured_nothing() -> None:
    for nothing in (record(), record(turn())):
        summary = summarise(nothing)
        assert (summary.chunks, summary.tokens, summary.audio_ms, summary.playout_gaps) == (0, 0, 0, 0)
        assert summary.first is None
        assert summary.wall_time_ms is summary.realtime_factor is None
        assert summary.response_ttfb_ms is summary.response_ttfa_ms is summary.playout_gap_longest_ms is None
        assert summary.average == ChunkMeasures()


def test_an_average_is_over_the_chunks_that_have_the_measure() -> None:
    assert average([]) == ChunkMeasures()
    assert average([ChunkMeasures(tts_ttfb_ms=1), ChunkMeasures(tts_ttfb_ms=4), ChunkMeasures()]) == ChunkMeasures(
        tts_ttfb_ms=2.5
    )


def response_after(ms: float) -> Turn:
    return turn(chunk(frames=[(ms, 100)], sound=heard()))


def test_the_objective_is_met_by_exactly_the_objective() -> None:
    assert outcome(record(response_after(1000))) == "ok"
    assert outcome(record(response_after(1000.001))) == "slow"


def test_one_slow_turn_makes_the_run_slow() -> None:
    assert outcome(record(response_after(200), response_after(1200))) == "slow"


def test_first_byte_decides_and_not_first_sound() -> None:
    assert outcome(record(turn(chunk(frames=[(900, 500)], sound=heard(300))))) == "ok"


@pytest.mark.parametrize(
    ("silence_ms", "of_first_byte", "of_first_sound"),
    [(100, "ok", "ok"), (101, "ok", "slow"), (None, "ok", "slow")],
    ids=["in time", "late", "nothing to be heard"],
)
def test_the_objective_may_be_about_the_first_sound(
    silence_ms: float | None, of_first_byte: str, of_first_sound: str
) -> None:
    run = record(turn(chunk(frames=[(900, 500)], sound=heard(silence_ms))))
    target = replace(run.plan.target, objective_measure="response_ttfa")
    assert outcome(run) == of_first_byte
    assert outcome(replace(run, plan=replace(run.plan, target=target))) == of_first_sound
    # A turn that was never spoken, such as one of white space, is late by neither.
    assert not is_slow(TurnMeasures(None, None, ()), target)


@pytest.mark.parametrize(
    ("fields_of_record", "expected"),
    [
        ({}, "slow"),
        ({"doubts": ("the event loop stood still",)}, "suspect"),
        ({"doubts": ("the event loop stood still",), "failure": failure()}, "failed"),
        ({"failure": failure("internal", "error")}, "failed"),
        ({"skipped": INTERRUPTED}, "skipped"),
        ({"skipped": "No slots available (max 1)", "doubts": ("x",)}, "skipped"),
    ],
)
def test_a_failure_outweighs_a_doubt_and_a_doubt_a_number(fields_of_record: dict[str, Any], expected: str) -> None:
    assert outcome(record(response_after(5000), **fields_of_record)) == expected


# Random chunks: ordered timestamps, any of them missing, frames of any size at any distance.


@st.composite
def random_chunks(draw: st.DrawFn) -> list[Chunk]:
    """Chunks of one turn, one after the other, whose frames may run dry, arrive late or be missing."""
    now = 0.0
    chunks = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        step = st.floats(0, 3000).map(lambda ms: round(ms, 3))
        times: dict[str, Any] = {"asked": now}
        for name in ("llm_first_token", "llm_first_answer_token", "llm_last_token", "llm_done", "tts_text_sent"):
            now += draw(step)
            times[name] = draw(st.sampled_from([now, None]))
        frames = []
        # Nobody but an agent speaks what it was not given.
        for _ in range(draw(st.integers(0, 4)) if times["tts_text_sent"] is not None else 0):
            now += draw(step)
            frames.append((now, draw(st.integers(1, 2000))))
        now += draw(step)
        times["tts_segment_done"] = draw(st.sampled_from([now, None]))
        sound = heard(draw(st.sampled_from([None, 0, 25]))) if frames else None
        chunks.append(chunk(number, frames=frames, sound=sound, **times))
    return chunks


@given(random_chunks())
def test_no_measure_of_ordered_timestamps_is_negative(chunks: list[Chunk]) -> None:
    measured = measure(*chunks)
    every = [value for each in measured.chunks for f in fields(each) if (value := getattr(each, f.name)) is not None]
    whole = [getattr(measured, f.name) or 0 for f in fields(measured) if f.name != "chunks"]
    assert min([*every, *whole], default=0) >= 0


@given(random_chunks(), st.sets(st.sampled_from(STAMPS)))
def test_a_measure_is_none_exactly_where_one_of_its_timestamps_is_missing(chunks: list[Chunk], lost: set[str]) -> None:
    for each in chunks:
        nothing: Any = dict.fromkeys(lost)
        partial = replace(each, **nothing)
        measured = measure_chunk(partial)
        needed = {
            "llm_ttft_ms": ("llm_first_token",),
            "llm_ttfat_ms": ("llm_first_answer_token",),
            "llm_gen_time_ms": ("llm_done",),
            "tts_wait_ms": ("llm_done", "tts_text_sent"),
            "tts_ttfb_ms": ("tts_began", "tts_first_audio"),
            "tts_gen_time_ms": ("tts_text_sent", "tts_segment_done"),
            "tts_stream_time_ms": ("tts_text_sent", "tts_last_audio"),
            "combined_ttfb_ms": ("tts_first_audio",),
        }
        for name, stamps in needed.items():
            whole = all(getattr(partial, stamp) is not None for stamp in stamps)
            # The end of a segment that made no sound measures nothing.
            whole = whole and (name != "tts_gen_time_ms" or bool(partial.frames))
            assert (getattr(measured, name) is not None) == whole, name
        assert (measured.audio_duration_ms is not None) == bool(partial.frames)


@given(random_chunks())
def test_playout_lasts_as_long_as_the_bytes_and_the_gaps_inside(chunks: list[Chunk]) -> None:
    """Between its start and its end the playout clock plays every byte once; all else is silence, without bytes."""
    frames = [frame for each in chunks for frame in each.frames]
    frames = [(arrival - at(0), size) for arrival, size in frames]
    heard_frames = list(audio.playout(frames, RATE))
    if not frames:
        assert heard_frames == []
        return
    played = sum(end - start for start, end in heard_frames)
    assert played == pytest.approx(audio.duration_ns(sum(size for _, size in frames), RATE))
    dry = sum(max(0, after[0] - before[1]) for before, after in pairwise(heard_frames))
    assert heard_frames[-1][1] - heard_frames[0][0] == pytest.approx(played + dry)
    assert all(start >= arrival for (start, _), (arrival, _) in zip(heard_frames, frames, strict=True))
    assert all(before[1] <= after[0] for before, after in pairwise(heard_frames))
    # The gaps between chunks are a part of that silence; the rest of it is inside of them.
    between = sum(gap for gap in gaps(*chunks) if gap is not None)
    assert between * 1e6 <= dry + 1000


@given(random_chunks(), st.integers(0, 3), st.sampled_from([None, 0, 1, 2, 100]))
def test_the_rate_times_the_time_is_the_tokens(chunks: list[Chunk], tokens: int, usage: int | None) -> None:
    counted = [replace(each, token_count=tokens) for each in chunks]
    measured = streamed(*counted, usage=usage)
    firsts = [each.llm_first_token for each in chunks if each.llm_first_token is not None]
    lasts = [each.llm_last_token for each in chunks if each.llm_last_token is not None]
    total = tokens * len(chunks) if usage is None else usage
    took_s = (max(lasts) - firsts[0]) / 1e9 if firsts and lasts else 0.0
    if took_s > 0 and total > 1:
        assert measured.llm_tokens_per_second == pytest.approx((total - 1) / took_s)
    else:
        assert measured.llm_tokens_per_second is None


@given(random_chunks(), st.lists(st.one_of(st.none(), st.integers(0, 10**10)), min_size=4, max_size=4))
def test_the_longest_stall_is_one_of_the_chunks(chunks: list[Chunk], stalls: list[int | None]) -> None:
    stalled = [replace(each, llm_longest_stall=stall) for each, stall in zip(chunks, stalls, strict=False)]
    known = [each.llm_longest_stall for each in stalled if each.llm_longest_stall is not None]
    assert streamed(*stalled).llm_longest_stall_ms == (max(known) / 1e6 if known else None)
    assert measure(*stalled).llm_longest_stall_ms == (None if len(chunks) > 1 or not known else known[0] / 1e6)


@given(random_chunks(), st.floats(0, 1e7))
def test_measures_do_not_depend_on_when_a_turn_was(chunks: list[Chunk], later_ms: float) -> None:
    shift = round(later_ms * 1e6)

    def moved(each: Chunk) -> Chunk:
        stamps: Any = {
            name: None if (old := getattr(each, name)) is None else old + shift for name in ("inference_start", *STAMPS)
        }
        return replace(each, frames=tuple((arrival + shift, size) for arrival, size in each.frames), **stamps)

    assert measure(*map(moved, chunks)) == measure(*chunks)


def test_a_priming_frame_of_silence_is_no_early_sound() -> None:
    """20 ms of silence at once, and the speech 900 ms later: that is when a listener hears something."""
    spoken = chunk(
        asked=0, llm_first_token=10, llm_done=50, tts_text_sent=50, frames=[(100, 20), (1000, 600)], sound=heard(20)
    )
    measured = measure(spoken)
    assert measured.response_ttfb_ms == 100
    assert measured.response_ttfa_ms == 1000
    assert (measured.chunks[0].leading_silence_ms, measured.chunks[0].combined_ttfa_ms) == (900, 1000)


def test_silence_in_slow_drips_is_as_long_as_it_takes() -> None:
    drips = [(100 + 60 * n, 20) for n in range(15)]
    measured = measure(chunk(asked=0, tts_text_sent=50, frames=[*drips, (1000, 600)], sound=heard(310)))
    assert measured.response_ttfa_ms == 1010


def test_sound_of_a_later_chunk_waits_for_what_is_played_before_it() -> None:
    silent = chunk(1, asked=0, tts_text_sent=10, frames=[(100, 500)], sound=heard(None))
    spoken = chunk(2, 200, tts_text_sent=300, frames=[(400, 600)], sound=heard(50))
    measured = measure(silent, spoken)
    assert measured.response_ttfa_ms == 650
    assert measured.chunks[1].combined_ttfa_ms == 250


# An agent: nobody hands it a text, and it writes on while it speaks.
AGENT = chunk(
    llm_first_token=200, llm_first_answer_token=200, llm_last_token=900, llm_done=900, tts_segment_done=1300,
    frames=[(500, 300), (900, 400)], token_count=10, segment_end="marker", sound=heard(40), text="Well, hello there.",
)  # fmt: skip


def test_the_measures_of_an_agent() -> None:
    measured = measure(AGENT)
    assert measured.chunks == (
        ChunkMeasures(
            llm_ttft_ms=200, llm_ttfat_ms=200, llm_gen_time_ms=900, tts_ttfb_ms=300, audio_duration_ms=700,
            combined_ttfb_ms=500, leading_silence_ms=40, combined_ttfa_ms=540, underrun_ms=100,
        ),
    )  # fmt: skip
    assert (measured.response_ttfb_ms, measured.response_ttfa_ms) == (500, 540)
    assert (measured.llm_tokens_per_second, measured.llm_longest_stall_ms) == (None, None)
    assert stages_ms(measured) == {"combined_ttfb": 500, "llm_ttft": 200, "llm_decode": None, "tts_ttfb": 300}


def test_text_that_an_agent_shows_after_its_sound_begins_no_stage() -> None:
    late: Any = dict.fromkeys(("llm_first_token", "llm_first_answer_token", "llm_last_token", "llm_done"), at(950))
    (measured,) = measure(replace(AGENT, **late)).chunks
    assert (measured.llm_ttft_ms, measured.tts_ttfb_ms, measured.combined_ttfb_ms) == (950, None, 500)

"""What is measured, compared with what really happened; by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from records import EPOCH, RATE, chunk, record, turn

from probe.accuracy import HANDED_ON, REQUEST, Calibration, Truth, by_trace, errors, spread
from probe.clock import AnchoredClock
from probe.measures import measure_run
from probe.record import RunRecord

# Monotonic time began an hour before the epoch of the records.
CLOCK = AnchoredClock(EPOCH, 3_600_000_000_000)
TOOK = 30_000


def mono(ms: float) -> int:
    return CLOCK.monotonic_ns + round(ms * 1e6)


# When each chunk is asked for, and how much audio is in each of its two frames; milliseconds.
APART = ((0, 100), (1000, 100))
# The second is there before the first has been played, and the third is not.
CLOSE = ((0, 250), (470, 150), (940, 150))


def measured(late_ms: float = 0.0, chunks_of: Sequence[tuple[int, int]] = APART) -> RunRecord:
    """All that arrives is stamped so much later than it was sent."""
    chunks = [
        chunk(
            number,
            asked,
            frames=[(asked + 300 + late_ms, size), (asked + 450 + late_ms, size)],
            llm_first_token=asked + 100 + late_ms,
            llm_done=asked + 200 + late_ms,
            tts_text_sent=asked + 210,
            tts_segment_done=asked + 460 + late_ms,
            segment_end="marker",
        )
        for number, (asked, size) in enumerate(chunks_of, 1)
    ]
    return record(turn(*chunks))


def truth(took: int = TOOK, chunks_of: Sequence[tuple[int, int]] = APART) -> Truth:
    """When the servers read and wrote: a request is read 2 ms after it was handed over."""
    llm: list[list[object]] = []
    tts: list[list[object]] = []
    for asked, size in chunks_of:
        action = "continue_stream" if asked else "start_stream"
        audio = 2 * RATE * size // 1000
        llm += [
            [mono(asked + 2), "in", action, 100, 0],
            [mono(asked + 100), "out", "token", 40, TOOK],
            [mono(asked + 150), "out", "token", 40, TOOK],
            [mono(asked + 200), "out", "paused", 90, TOOK],
        ]
        tts += [
            [mono(asked + 211), "in", "text", 30, 0],
            [mono(asked + 300), "out", "audio", audio, TOOK],
            [mono(asked + 450), "out", "audio", audio, took],
            [mono(asked + 460), "out", "segment_complete", 50, TOOK],
        ]
    truths = by_trace([
        {"trace_id": "t", "server": "tts", "frames": tts},
        {"trace_id": "t", "server": "llm", "frames": llm},
    ])  # fmt: skip
    return truths["t"]


def test_stamps_in_time_have_no_error() -> None:
    found = errors(measured(), CLOCK, truth())
    assert {name for name, each in found.items() if any(abs(error) > 1e-6 for error in each)} == {HANDED_ON, REQUEST}
    assert found[HANDED_ON] == pytest.approx([10.0, 10.0])
    assert found[REQUEST] == pytest.approx([2.0, 2.0])
    assert len(found["playout_gap_ms"]) == 1


def test_what_the_probe_took_is_in_no_gap_that_comes_later() -> None:
    """It passed on the text before the one that is waited for, too: all audio would have been there earlier."""
    found = errors(measured(chunks_of=CLOSE), CLOCK, truth(chunks_of=CLOSE))
    assert found["playout_gap_ms"] == pytest.approx([0.0, 0.0])
    gaps = [each.playout_gap_ms for each in measure_run(measured(chunks_of=CLOSE))[0].chunks]
    assert gaps[1:] == pytest.approx([0.0, 100.0])


def test_late_stamps_are_errors_of_what_they_end() -> None:
    found = errors(measured(late_ms=3.0), CLOCK, truth())
    for name in ("llm_ttft_ms", "llm_gen_time_ms", "tts_ttfb_ms", "tts_stream_time_ms"):
        assert found[name] == pytest.approx([3.0, 3.0])
    # The late stamp of the LLM's end makes the probe's own part look shorter, which is taken off.
    assert found["combined_ttfb_ms"] == pytest.approx([6.0, 6.0])
    # Both its ends are late, and so are both triggers of the probe's own part.
    assert found["playout_gap_ms"] == pytest.approx([6.0])


def test_an_error_over_the_limit_in_a_run_without_a_doubt_is_counted() -> None:
    calibration = Calibration()
    calibration.add(measured(late_ms=25.0), CLOCK, truth())
    calibration.add(measured(late_ms=1.0), CLOCK, truth())
    calibration.add(replace(measured(late_ms=25.0), doubts=("event-loop lag of 25 ms",)), CLOCK, truth())
    assert (calibration.valid, calibration.suspect, calibration.untrue) == (2, 1, 1)
    bars = calibration.bars()
    assert bars is not None and 25.0 <= bars.largest <= 50.0


def test_a_truth_that_is_not_known_is_not_compared() -> None:
    calibration = Calibration()
    calibration.add(measured(late_ms=25.0), CLOCK, truth(took=5_000_000))
    assert (calibration.untrue, calibration.uncertain) == (0, 2)
    assert calibration.bars() is None


def test_the_largest_error_may_be_negative() -> None:
    assert spread([0.1, -3.0, 1.0]).largest == -3.0

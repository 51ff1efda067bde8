"""What is said of a target in both flows, from records that are written out."""

from collections.abc import Sequence
from dataclasses import replace

import click
from runs import MS, START, chunk, failed, hearing, record

from probe.heard import Heard
from probe.record import RunRecord
from probe.report.flow_report import NAMES, Flows, document, report, sentence, state

MINUTE = 60 * 10**9
SCATTER = (0, 7, -4, 11, -9, 3, -6, 8, -2, 5)


def run(number: int, later_ms: int) -> RunRecord:
    """A run of two chunks, the second one of which is heard so long after the first one's audio came."""
    whole = record(number, started=START + number * MINUTE)
    first = whole.turns[0].chunks[0]
    second = chunk(2, first.tts_segment_done or 0, later_ms)
    turn = replace(whole.turns[0], chunks=(first, second), done=(second.tts_segment_done or 0) + MS)
    return replace(whole, turns=(turn,), ended=(turn.done or 0) + MS)


def flows(sequential: Sequence[RunRecord], overlapped: Sequence[RunRecord]) -> Flows:
    return Flows("spark", sequential, overlapped, 0.03)


def many(later_ms: int, count: int = 20) -> list[RunRecord]:
    return [run(number, later_ms + SCATTER[number % 10]) for number in range(count)]


def test_what_is_gained_is_the_silence_between_chunks_and_the_whole_answer() -> None:
    compared = flows([*many(5400), failed(90)], many(5100))
    assert state(compared) == "faster"
    text = sentence(compared)
    assert text.startswith("a listener waits 300 ms less between chunks (95 % interval -3")
    assert "; the whole answer takes 300 ms less (95 % interval -3" in text
    lines = [click.unstyle(line) for line in report(compared, 80)]
    assert max(map(len, lines)) <= 80
    assert lines[0] == "spark, sequential: 21 runs (20 ok, 1 failed)"
    (row,) = (line for line in lines if line.startswith("first byte"))
    assert row.split()[-1] == "same", "the first chunk is the same in both"
    found = document(compared)
    assert found["measures"]["playout_gap_total_ms"]["difference_ms"] == -300
    assert found["measures"]["response_ttfb_ms"]["state"] == "same"
    assert found["sequential"] == {"runs": 21, "usable": 20, "outcomes": {"ok": 20, "failed": 1}}


def test_no_gain_is_said_as_such_and_few_runs_are_no_verdict() -> None:
    assert state(flows(many(5400), many(5400))) == "same"
    assert state(flows(many(5100), many(5400))) == "slower"
    few = flows(many(5400, 3), many(5100, 3))
    assert (state(few), sentence(few)) == (
        "unknown",
        "3 runs with figures in a flow; so few have no interval, 20 of each are a start",
    )
    none = flows([failed(1)], many(5100))
    assert state(none) == "unknown"
    assert "no run with figures" in sentence(none)


def test_an_answer_without_gaps_has_a_longest_one_of_nothing() -> None:
    compared = flows(many(5400), many(10))
    found = document(compared)["measures"]
    assert found["playout_gap_longest_ms"]["overlapped_ms"] == 0
    assert found["playout_gap_total_ms"]["overlapped_ms"] == 0


def spoken(number: int, later_ms: int) -> RunRecord:
    """The same of a target that hears: the speech ends 910 ms before the request."""
    whole, heard = run(number, later_ms), hearing(number)
    ended = whole.started - 900 * MS
    turn = replace(whole.turns[0], heard=replace(heard.turns[0].heard or Heard(), speech_end=ended))
    return replace(whole, plan=heard.plan, turns=(turn,))


def test_of_a_target_that_hears_all_begins_with_the_end_of_the_speech() -> None:
    sequential, overlapped = (
        [spoken(number, later + SCATTER[number % 10]) for number in range(20)] for later in (5400, 5100)
    )
    compared = flows(sequential, overlapped)
    found = document(compared)["measures"]
    assert [*found][:3] == [*NAMES][:3] == ["voice_to_voice_ms", "endpointing_ms", "transcription_ms"]
    assert found["speech_to_end_ms"]["sequential_ms"] == found["wall_time_ms"]["sequential_ms"] + 910
    assert found["speech_to_end_ms"]["difference_ms"] == -300
    assert state(compared) == "faster"
    assert "; from the end of the speech to that of the answer it takes 300 ms less (95 % interval -3" in sentence(
        compared
    )
    asked_in_text = document(flows(many(5400), many(5100)))["measures"]
    assert not {"voice_to_voice_ms", "endpointing_ms", "transcription_ms", "speech_to_end_ms"} & {*asked_in_text}


def test_a_change_that_is_much_of_the_answer_is_little_of_the_whole_wait() -> None:
    """The verdict of a target that hears is about all of what a person waits for, endpointing included."""

    def begun_earlier(by_ms: int, later_ms: int) -> list[RunRecord]:
        changed = []
        for number in range(20):
            whole = spoken(number, later_ms)
            heard = whole.turns[0].heard or Heard()
            earlier = replace(heard, speech_end=(heard.speech_end or 0) - by_ms * MS)
            changed.append(replace(whole, turns=(replace(whole.turns[0], heard=earlier),)))
        return changed

    assert state(flows(begun_earlier(0, 1400), begun_earlier(0, 1300))) == "faster"
    assert state(flows(begun_earlier(5000, 1400), begun_earlier(5000, 1300))) == "same"

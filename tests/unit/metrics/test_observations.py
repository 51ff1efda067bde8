"""Which figures of a run count as latencies, and at which position."""

from dataclasses import replace

import pytest
from runs import MS, START, chunk, failed, free_running, record, refused, skipped, suspect

from probe.metrics.observations import MEASURES, SERIES, observations
from probe.record import RunRecord, Turn


def by_position(run: RunRecord) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for each in observations(run):
        found.setdefault(each.position, {}).setdefault(each.name, []).append(each.seconds)
    return found


def test_the_first_chunk_and_a_further_one() -> None:
    found = by_position(record())
    assert found["first"] == {
        "combined_ttfb": [pytest.approx(0.3)],
        "combined_ttfa": [pytest.approx(0.4)],
        "llm_ttft": [pytest.approx(0.05)],
        "llm_generation": [pytest.approx(0.1)],
        "tts_wait": [pytest.approx(0)],
        "tts_ttfb": [pytest.approx(0.2)],
        "tts_generation": [pytest.approx(0.221)],
        "audio_duration": [pytest.approx(1.0)],
        "probe_delay": [pytest.approx(0)],
    }
    assert found["next"].keys() == MEASURES.keys() - {"llm_ttfat"}, "nothing was said of an answer's first token"
    assert found["next"]["combined_ttfb"] == [pytest.approx(0.4)]
    assert found["next"]["playout_gap"] == [0]


def test_an_answer_of_one_request_has_latencies_from_it_at_its_start_alone() -> None:
    found = by_position(free_running())
    assert found["first"]["llm_ttfat"] == [pytest.approx(0.08)]
    assert found["next"].keys() == MEASURES.keys() - {
        "combined_ttfb", "combined_ttfa", "llm_ttft", "llm_ttfat", "llm_generation",
    }  # fmt: skip
    assert found["next"]["tts_wait"] == [pytest.approx(0.142), pytest.approx(0.07)]


@pytest.mark.parametrize("run", [record(), free_running()])
def test_a_target_can_fill_what_its_runs_have(run: RunRecord) -> None:
    had = {(each.name, each.position) for each in observations(run)}
    assert had <= set(SERIES["free_running" if run.turns[0].usage_tokens else "pausing"])
    assert not had <= set(SERIES["pausing" if run.turns[0].usage_tokens else "free_running"])


def test_a_cold_run_is_no_latency() -> None:
    assert list(observations(replace(record(), cold=True))) == []
    assert list(observations(replace(record(), cold=False))) == list(observations(record()))


def test_the_start_of_a_turn_is_the_turns_when_its_first_text_was_spoken_with_the_next() -> None:
    merged = chunk(1, START, tts_first_audio=None, tts_last_audio=None, tts_segment_done=None, frames=(), audio_bytes=0)
    merged = replace(merged, segment_end="merged", sound=None)
    turn = Turn(1, "?", (merged, chunk(2, START + 2000 * MS)), done=START + 3000 * MS)
    found = by_position(replace(record(), turns=(turn,)))
    assert found["first"] == {
        # What the probe waited for, whether the server kept the first text, is none of it.
        "combined_ttfb": [pytest.approx(0.4)],
        "combined_ttfa": [pytest.approx(0.5)],
        "llm_ttft": [pytest.approx(0.05)],
        "llm_generation": [pytest.approx(0.1)],
    }
    assert found["next"]["combined_ttfb"] == [pytest.approx(0.3)]


def test_a_chunk_without_sound_is_no_further_one() -> None:
    whole = record()
    silent = chunk(3, START + 2000 * MS, text="", tts_text_sent=None, tts_first_audio=None, frames=(), sound=None)
    turns = (replace(whole.turns[0], chunks=(*whole.turns[0].chunks, silent)),)
    assert list(observations(replace(whole, turns=turns))) == list(observations(whole))


def test_each_turn_has_a_start() -> None:
    whole = record()
    assert len(by_position(replace(whole, turns=whole.turns * 3))["first"]["llm_ttft"]) == 3


def test_a_slow_run_counts() -> None:
    assert by_position(record(ttfb_ms=1500))["first"]["combined_ttfb"] == [pytest.approx(1.5)]


@pytest.mark.parametrize("run", [failed(), refused(), skipped(), suspect()])
def test_what_is_not_complete_or_not_trusted_is_no_latency(run: RunRecord) -> None:
    assert list(observations(run)) == []

"""An answer that runs freely, on virtual time: what is recorded of it, and what is measured."""

import inspect
import sys
from dataclasses import replace
from typing import Any

import pytest
from fakes import FakeNetwork, frames, newer_tts, tone
from free_running import answering, protocols, speaking, words
from runs import PLAN

from probe.engine import llm_side, runner
from probe.engine.llm_side import MAX_CHUNKS
from probe.measures import measure_run, outcome, summarise
from probe.plan import Pause
from probe.record import RunRecord

SENTENCES = Pause(sentence_boundary=True)


def spoken(ms: float, ttfb: float = 0.2) -> list[Any]:
    return [ttfb, *frames(tone(ms))]


def go(virtual: Any, *steps: Any, texts: int, ttfb: float = 0.2) -> RunRecord:
    plan = speaking(replace(PLAN, scenario=replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES)))
    network = FakeNetwork(answering(*steps), newer_tts(*(spoken(300, ttfb) for _ in range(texts))))
    record: RunRecord = virtual.run(runner.run(plan, protocols(), network(virtual.clock), virtual.clock))
    assert outcome(record) == "ok", record.failure
    return record


def test_what_is_measured_of_it(virtual: Any) -> None:
    """Tokens at 100, 120 (reasoning), 220, 240, 260 (which shows the first end), 280, 300 ms; a text takes 200 ms."""
    record = go(
        virtual, *words("Hm, well.", "reasoning", first=0.1), *words("Hello there. It is me.", first=0.1),
        {"usage": 30}, {"times": {"prompt_ms": 41.5}}, texts=2,
    )  # fmt: skip
    (turn,), (measured,) = record.turns, measure_run(record)
    first, second = measured.chunks
    assert (first.llm_ttft_ms, first.llm_ttfat_ms, first.llm_gen_time_ms) == (100, 220, 260)
    assert second.llm_ttft_ms is second.llm_ttfat_ms is second.combined_ttfb_ms is None
    assert first.tts_wait_ms == 0
    assert second.tts_wait_ms == pytest.approx(160), "from 300 until the first text had been spoken at 460"
    assert measured.llm_longest_stall_ms == pytest.approx(100)
    assert measured.llm_tokens_per_second == pytest.approx(29 / 0.2)
    assert (summarise(record).tokens, turn.server_times) == (30, {"prompt_ms": 41.5})


def test_the_wait_behind_a_token_with_several_sentences_is_a_stall(virtual: Any) -> None:
    record = go(virtual, 0.2, {"answer": "One. Two. Th"}, 0.5, {"answer": "ree."}, texts=3)
    assert [chunk.text for chunk in record.turns[0].chunks] == ["One.", " Two.", " Three."]
    assert measure_run(record)[0].llm_longest_stall_ms == pytest.approx(500)
    assert measure_run(record)[0].llm_tokens_per_second == pytest.approx(2)


def test_a_token_may_hold_more_sentences_than_functions_may_be_nested(
    virtual: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm_side, "MAX_CHUNKS", 1500)
    deep = len(inspect.stack()) + 200
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(deep)
    try:
        record = go(virtual, 0.2, {"answer": "Go on. " * 250}, texts=250, ttfb=0.01)
    finally:
        sys.setrecursionlimit(before)
    assert len(record.turns[0].chunks) == 251, "and the space behind the last one"


def test_an_answer_of_more_chunks_than_anyone_listens_to_is_a_flood(virtual: Any) -> None:
    plan = speaking(replace(PLAN, scenario=replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES)))
    network = FakeNetwork(answering(0.2, {"answer": "a\n" * 5000}), newer_tts(spoken(300)))
    record = virtual.run(runner.run(plan, protocols(), network(virtual.clock), virtual.clock))
    assert (record.failure.stage, record.failure.reason) == ("llm", "flood")
    assert len(record.turns[0].chunks) <= MAX_CHUNKS


def test_a_chunk_of_more_text_than_anyone_listens_to_is_a_flood(virtual: Any) -> None:
    plan = speaking(replace(PLAN, scenario=replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES)))
    network = FakeNetwork(answering(0.2, *[{"answer": "a" * 2**10}] * 65), newer_tts(spoken(300)))
    record = virtual.run(runner.run(plan, protocols(), network(virtual.clock), virtual.clock))
    assert (record.failure.stage, record.failure.reason) == ("llm", "flood")
    assert "65536 characters" in record.failure.detail


def test_a_text_that_is_not_spoken_is_named_however_far_the_answer_is(virtual: Any) -> None:
    plan = speaking(replace(PLAN, scenario=replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES)))
    network = FakeNetwork(answering(0.2, {"answer": "One. Two. Three."}), newer_tts(spoken(300), []))
    record = virtual.run(runner.run(plan, protocols(), network(virtual.clock), virtual.clock))
    assert (record.failure.reason, record.failure.chunk_num) == ("no_audio", 2)


def test_what_turns_out_to_be_reasoning_is_none_of_the_answer(virtual: Any) -> None:
    """A template that opens <think> itself: the server calls it an answer until it closes."""
    plan = speaking(replace(PLAN, scenario=replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES)))
    steps = (0.1, {"answer": "Hm"}, 0.1, {"answer": ", well"}, 0.1, {"reasoned": ""}, {"think": "</think>"}, 0.1)
    network = FakeNetwork(answering(*steps, {"answer": "Hello. "}, {"model": "qwen3"}), newer_tts(spoken(300)))
    record = virtual.run(runner.run(plan, protocols(), network(virtual.clock), virtual.clock))
    (turn,) = record.turns
    chunk = turn.chunks[0]
    assert (record.failure, [each.text for each in turn.chunks]) == (None, ["Hello.", " "])
    assert turn.model == "qwen3"
    assert chunk.llm_first_answer_token - chunk.llm_first_token == 300_000_000
    assert network.sent("tts", "text")[0]["text"] == "Hello."


def test_an_answer_that_was_all_reasoning_is_none(virtual: Any) -> None:
    plan = speaking(replace(PLAN, scenario=replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES)))
    network = FakeNetwork(answering(0.1, {"answer": "Hm"}, {"reasoned": ""}), newer_tts(spoken(300)))
    record = virtual.run(runner.run(plan, protocols(), network(virtual.clock), virtual.clock))
    assert (record.failure.reason, record.failure.detail) == ("no_answer", "no answer text, 1 reasoning tokens")


def test_reasoning_that_has_been_spoken_can_not_be_taken_back(virtual: Any) -> None:
    plan = speaking(replace(PLAN, scenario=replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES)))
    steps = (0.1, {"answer": "Hm. "}, {"answer": "Well"}, 0.1, {"reasoned": ""}, {"answer": "Hello."})
    network = FakeNetwork(answering(*steps), newer_tts(spoken(300)))
    record = virtual.run(runner.run(plan, protocols(), network(virtual.clock), virtual.clock))
    assert (record.failure.stage, record.failure.reason) == ("llm", "malformed")
    assert "opens_reasoning = true" in record.failure.detail

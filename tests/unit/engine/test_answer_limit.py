"""Answers that are longer than anyone listens to: where they end, and what is sent to the servers."""

from dataclasses import replace
from typing import Any

import pytest
from fakes import FakeNetwork, frames, llm, newer_tts, say, tone
from free_running import answering, protocols, speaking, words
from runs import PLAN, record

from probe.config import ScenarioConfig
from probe.drift.fingerprint import fingerprint
from probe.engine import runner
from probe.measures import outcome
from probe.plan import Pause
from probe.protocols.registry import chosen
from probe.record import RunRecord

SENTENCES = Pause(sentence_boundary=True)
TEXT = "One two three. Four five six. Seven eight nine. Ten eleven twelve."


def spoken(ms: float = 200) -> list[Any]:
    return [0.05, *frames(tone(ms))]


def plan(**limits: Any) -> Any:
    limited = replace(PLAN.scenario, first_pause=SENTENCES, next_pause=SENTENCES, max_answer_tokens=None)
    return replace(PLAN, scenario=replace(limited, **limits))


def freely(
    virtual: Any, steps: list[Any], texts: int, *, ms: float = 200, **limits: Any
) -> tuple[RunRecord, FakeNetwork]:
    network = FakeNetwork(answering(*steps), newer_tts(*(spoken(ms) for _ in range(texts))))
    run = runner.run(speaking(plan(**limits)), protocols(), network(virtual.clock), virtual.clock)
    made: RunRecord = virtual.run(run)
    return made, network


@pytest.mark.parametrize(
    ("limits", "texts"),
    [
        ({}, ["One two three.", " Four five six.", " Seven eight nine.", " Ten eleven twelve."]),
        # The token that shows the end of a sentence counts: it is the fourth.
        ({"max_answer_tokens": 4}, ["One two three."]),
        ({"max_answer_tokens": 5}, ["One two three.", " Four five six."]),
        ({"max_chunks": 1}, ["One two three."]),
        ({"max_chunks": 3}, ["One two three.", " Four five six.", " Seven eight nine."]),
        ({"max_answer_tokens": 100, "max_chunks": 9}, 4),
    ],
)
def test_an_answer_that_runs_freely_ends_with_a_sentence(virtual: Any, limits: dict[str, int], texts: Any) -> None:
    made, _ = freely(virtual, words(TEXT), 4, **limits)
    assert outcome(made) == "ok", made.failure
    (turn,) = made.turns
    heard = [chunk.text for chunk in turn.chunks]
    assert heard == texts if isinstance(texts, list) else len(heard) == texts
    assert turn.chunks[-1].final
    assert (turn.chunks[-1].stop_reason == "limit") is (len(heard) < 4)
    assert all(chunk.tts_first_audio is not None for chunk in turn.chunks)


def test_an_answer_without_a_sentence_is_cut_off_at_twice_the_tokens(virtual: Any) -> None:
    made, _ = freely(virtual, words("word " * 50), 1, ms=5000, max_answer_tokens=10)
    assert outcome(made) == "ok", made.failure
    (chunk,) = made.turns[0].chunks
    assert (chunk.token_count, chunk.stop_reason) == (20, "limit")


def test_a_server_that_is_cut_off_is_listened_to_no_more(virtual: Any) -> None:
    """It would go on for a minute, and the run is over when what it had said has been spoken."""
    slow = [*words("One two three. Four"), *words(" and" * 60, token=1.0)]
    made, _ = freely(virtual, slow, 1, max_chunks=1)
    assert outcome(made) == "ok", made.failure
    assert made.ended - made.started < 2 * 10**9


def test_reasoning_is_no_answer(virtual: Any) -> None:
    made, _ = freely(virtual, [*words("Let me think. " * 10, "reasoning"), *words(TEXT)], 4, max_answer_tokens=5)
    assert [chunk.text for chunk in made.turns[0].chunks] == ["One two three.", " Four five six."]


@pytest.mark.parametrize(("limits", "chunks"), [({"max_answer_tokens": 6}, 2), ({"max_chunks": 1}, 1), ({}, 3)])
def test_a_server_that_pauses_is_asked_no_more_and_gives_its_slot_back(
    virtual: Any, limits: dict[str, int], chunks: int
) -> None:
    served = llm(say("One two three."), say(" Four five six."), say(" Seven eight nine.", done=True))
    network = FakeNetwork(served, newer_tts(*(spoken() for _ in range(3))))
    planned = plan(**limits)
    made: RunRecord = virtual.run(runner.run(planned, chosen(planned.target), network(virtual.clock), virtual.clock))
    assert outcome(made) == "ok", made.failure
    assert len(made.turns[0].chunks) == chunks
    assert (made.turns[0].chunks[-1].stop_reason == "limit") is (chunks < 3)
    assert made.turns[0].done is not None


def test_the_limits_are_no_other_configuration_to_what_is_compared() -> None:
    made = record()
    scenario = replace(made.plan.scenario, max_answer_tokens=None, max_chunks=7)
    assert made.plan.scenario.max_answer_tokens == 120
    assert fingerprint(replace(made, plan=replace(made.plan, scenario=scenario))) == fingerprint(made)


def test_a_record_of_before_has_no_limits() -> None:
    old = ScenarioConfig().record("old")
    assert (old.max_answer_tokens, old.max_chunks) == (120, None)
    text = record().to_json().replace(',"max_answer_tokens":120,"max_chunks":null', "")
    assert "max_chunks" not in text
    assert RunRecord.from_json(text).plan.scenario.max_answer_tokens is None

"""Whole conversations, mutated, reordered, cut: whatever the servers do, a run ends, says why, and frees the slot.

More of them: `make fuzz`.
"""

from typing import Any

import conversations
import pytest
from conversations import ANSWERS, DROP, MUTATIONS, Mutation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.measures import outcome

steps = st.one_of(
    st.sampled_from([0.05, 0.2, 3.0, 30.0]),
    st.just(DROP),
    st.binary(max_size=9),
    st.text(max_size=9),
    st.sampled_from([
        {"type": "token", "content": 7},
        {"type": "paused", "text": "", "reason": "max_tokens"},
        {"type": "done", "text": " \ud83d"},
        {"type": "done"},
        {"type": "segment_complete", "audio_ms": -1},
        {"type": "error", "message": "no", "fatal": False},
        {"error": {"code": 1}},
        {"stream_id": "another", "type": "done"},
    ]),
)  # fmt: skip
mutations = st.builds(
    Mutation,
    answer=st.sampled_from(ANSWERS),
    what=st.sampled_from(MUTATIONS),
    at=st.integers(0, 9),
    to=st.integers(0, 99),
    step=steps,
)


def play(virtual: Any, mistakes: list[Mutation]) -> Any:
    fake = conversations.network(mistakes)
    began = virtual.loop.time()
    record = virtual.run(conversations.run(fake, virtual.clock))
    conversations.check(record, fake, virtual.loop.time() - began)
    return record


def test_without_a_mistake_all_is_well(virtual: Any) -> None:
    assert outcome(play(virtual, [])) == "ok"


# A loop for all examples: time goes on from one to the next, and nothing else is left of them.
@settings(
    max_examples=max(1, settings().max_examples // 4),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(mutations, min_size=1, max_size=4))
def test_any_conversation_ends_in_an_outcome(virtual: Any, mistakes: list[Mutation]) -> None:
    play(virtual, mistakes)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("what", ["leave out", "repeat", "cut"])
def test_every_frame_of_every_answer(virtual: Any, answer: str, what: str) -> None:
    for at in range(len(conversations.healthy()[answer])):
        play(virtual, [Mutation(answer, what, at, to=3)])

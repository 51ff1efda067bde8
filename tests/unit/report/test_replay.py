"""The timeline of a record is the one that was seen while the run went on."""

from dataclasses import replace
from typing import Any

import pytest
from fakes import FakeNetwork, frames, llm, newer_tts, older_tts, say, tone
from free_running import answering, protocols, speaking, words
from runs import PLAN, failed, record

from probe.engine import runner
from probe.plan import Pause, Plan
from probe.progress import Event
from probe.protocols.choice import Protocols
from probe.protocols.registry import chosen
from probe.record import RunRecord
from probe.report import timeline
from probe.report.replay import timeline_events

CUT_OFF: list[Any] = [0.2, tone(200), 0.3, tone(100)]


def spoken(ms: float, ttfb: float = 0.2) -> list[Any]:
    steps: list[Any] = [ttfb]
    for frame in frames(tone(ms)):
        steps += [frame, 0.01]
    return steps


def watched(
    virtual: Any, network: FakeNetwork, plan: Plan = PLAN, speak: Protocols | None = None
) -> tuple[list[Event], RunRecord]:
    events: list[Event] = []
    speak = speak or chosen(plan.target)
    done = virtual.run(runner.run(plan, speak, network(virtual.clock), virtual.clock, events.append))
    return events, RunRecord.from_json(done.to_json())


def lines(events: list[Event], plan: Plan) -> list[str]:
    shown = [event for event in events if event.kind not in {*timeline.FRAMES, "warning"}]
    return [line for event in shown for line in timeline.lines(event, plan, 110)]


TWO = (say("Why did the unicorn"), say(" cross the road?", done=True))
HELD = (say("Sure"), say(", here it is, my friend.", done=True))
NETWORKS = {
    "newer": lambda: FakeNetwork(llm(*TWO), newer_tts(spoken(1000), spoken(800))),
    "older": lambda: FakeNetwork(llm(*TWO), older_tts(spoken(500), spoken(500))),
    "held": lambda: FakeNetwork(llm(*HELD), older_tts([], spoken(900))),
    "late": lambda: FakeNetwork(llm(*TWO, say("", done=True)), older_tts(CUT_OFF, spoken(500))),
    "no audio": lambda: FakeNetwork(llm(*TWO), newer_tts(spoken(1000), [30.0])),
    "no LLM": lambda: FakeNetwork(None, newer_tts()),
    "LLM dies": lambda: FakeNetwork(llm(TWO[0], [0.1, {"error": "Stream not found"}]), newer_tts(spoken(900))),
}


def test_a_derived_timeline_of_a_free_running_answer_is_the_live_one(virtual: Any) -> None:
    spoken_of = "One of them. Two more. And then all the rest."
    answer = (*words("Hmm.", "reasoning", first=0.2), *words(spoken_of, first=0.1))
    network = FakeNetwork(answering(*answer), newer_tts(*(spoken(500) for _ in range(5))))
    plan = replace(
        PLAN, scenario=replace(PLAN.scenario, first_pause=Pause(sentence_boundary=True), next_pause=Pause(max_tokens=2))
    )
    live, run = watched(virtual, network, speaking(plan), protocols())
    seen = lines(live, run.plan)
    assert lines(timeline_events(run), run.plan) == seen
    assert sum("First token of the answer" in line for line in seen) == 1
    assert [line.partition("·  ")[2] for line in seen if "·" in line] == [
        "LLM #2: cut: max_tokens, 2 tokens", "LLM #3: cut: max_tokens, 2 tokens", "LLM #4: cut: max_tokens, 2 tokens",
        "LLM #5: done: stop, 1 token",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_a_derived_timeline_is_the_live_one(virtual: Any, name: str) -> None:
    live, run = watched(virtual, NETWORKS[name]())
    seen = lines(live, run.plan)
    assert lines(timeline_events(run), run.plan) == seen
    assert len(seen) > 1 or name == "no LLM"


def test_events_come_in_the_order_of_time() -> None:
    for run in (record(), failed()):
        moments = [event.at for event in timeline_events(run)]
        assert moments == sorted(moments)


def test_verbose_lines_show_each_frame() -> None:
    shown = [line for event in timeline_events(record()) for line in timeline.lines(event, PLAN, 110)]
    assert sum("22000 bytes" in line for line in shown) == 4

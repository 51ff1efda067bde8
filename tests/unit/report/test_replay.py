"""The timeline of a record is the one that was seen while the run went on."""

from typing import Any

import pytest
from fakes import FakeNetwork, frames, llm, newer_tts, older_tts, say, tone
from runs import PLAN, failed, record

from probe.engine import runner
from probe.protocols.registry import chosen
from probe.record import Event, Plan, RunRecord
from probe.report import timeline
from probe.report.replay import timeline_events

CUT_OFF: list[Any] = [0.2, tone(200), 0.3, tone(100)]


def spoken(ms: float, ttfb: float = 0.2) -> list[Any]:
    steps: list[Any] = [ttfb]
    for frame in frames(tone(ms)):
        steps += [frame, 0.01]
    return steps


def watched(virtual: Any, network: FakeNetwork, plan: Plan = PLAN) -> tuple[list[Event], RunRecord]:
    events: list[Event] = []
    done = virtual.run(runner.run(plan, chosen(plan.target), network(virtual.clock), virtual.clock, events.append))
    return events, RunRecord.from_json(done.to_json())


def lines(events: list[Event], plan: Plan) -> list[str]:
    shown = [event for event in events if event.kind not in {*timeline.FRAMES, "warning"}]
    return [line for event in shown for line in timeline.lines(event, plan)]


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
    shown = [line for event in timeline_events(record()) for line in timeline.lines(event, PLAN)]
    assert sum("22000 bytes" in line for line in shown) == 4

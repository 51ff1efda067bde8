"""What a run leaves behind: its record, and none of its audio beside that until the garbage collector comes by."""

import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import GONE, FakeNetwork, frames, llm, newer_tts, say, tone

from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.plan import new_plan
from probe.protocols.registry import chosen
from probe.protocols.segments import Segment
from probe.record import Chunk

PLAN = new_plan(TargetConfig().record("test"), ScenarioConfig().record("test"))
ANSWER = (say("Why did the unicorn"), say(" cross the road?", done=True))
FIRST = [0.2, *frames(tone(1000))]


@pytest.fixture
def no_collections() -> Iterator[None]:
    """What is there already is left out, here and of all later collections: the tests before have left a lot."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()


def audio_bytes() -> int:
    """Of all audio that somebody still has."""
    return sum(len(each.pcm) for each in gc.get_objects() if type(each) in {Segment, Chunk})


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize("second", [[0.2, *frames(tone(800))], [0.2, *frames(tone(300)), GONE]], ids=["ok", "failed"])
def test_the_audio_of_a_run_is_gone_with_its_record(virtual: Any, second: Any) -> None:
    before = audio_bytes()
    network = FakeNetwork(llm(*ANSWER), newer_tts(FIRST, second))
    record = virtual.run(runner.run(PLAN, chosen(PLAN.target), network(virtual.clock), virtual.clock))
    kept = sum(len(chunk.pcm) for turn in record.turns for chunk in turn.chunks)
    assert kept > 40_000
    assert audio_bytes() - before == kept
    del record
    assert audio_bytes() == before


def of_runs() -> Counter[type]:
    """What is there of runs that are over or go on, by its type."""
    of_run = ("probe.engine.", "probe.protocols.", "probe.transport.inbox", "probe.transport.stamps")
    types = Counter(map(type, gc.get_objects()))
    return Counter({each: number for each, number in types.items() if str(each.__module__).startswith(of_run)})


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize("second", [[0.2, *frames(tone(800))], [0.2, *frames(tone(300)), GONE]], ids=["ok", "failed"])
def test_nothing_of_a_run_waits_for_the_garbage_collector(virtual: Any, second: Any) -> None:
    """It would stop the event loop to free what servers have flooded many runs with."""
    network = FakeNetwork(llm(*ANSWER), newer_tts(FIRST, second))
    before = of_runs()
    record = virtual.run(runner.run(PLAN, chosen(PLAN.target), network(virtual.clock), virtual.clock))
    assert record.turns
    network.links.clear()
    assert of_runs() - before == Counter()

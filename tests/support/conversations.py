"""Whole conversations gone wrong: the frames of a healthy one, left out, repeated, swapped, cut and replaced."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fakes import DROP, FakeNetwork, Step, frames, tone

from probe.clock import Clock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.measures import TRUSTED, measure_run, outcome
from probe.plan import new_plan
from probe.protocols.registry import chosen
from probe.record import REASONS, RunRecord
from probe.report import document, terminal

LIMITS = {"connect_s": 1, "llm_s": 2, "tts_s": 2, "run_s": 20, "release_s": 2, "hold_s": 0.5}
PLAN = new_plan(TargetConfig.of(limits=LIMITS).record("fuzzed"), ScenarioConfig.of(turns=2).record("default"))
# What a run may take beyond its own deadline: releasing the slot, and closing.
GRACE_S = 10.0
# Where frames may be mutated: the answers to each of a conversation's requests.
ANSWERS = ("start", "continue", "end", "init", "text", "close")


def healthy() -> dict[str, list[Step]]:
    """What both servers answer to each request, as they do when all is well."""
    return {
        "start": [0.1, *_tokens("Hello", " there."), _end("paused", "Hello there.")],
        "continue": [0.1, *_tokens(" How", " are you?"), _end("done", " How are you?")],
        "end": [0.01, {"stream_id": "s", "status": "ended"}],
        "init": [0.01, {"type": "stream_created", "stream_id": "s"}],
        "text": [0.1, *frames(tone(300)), {"type": "segment_complete", "segment": 1, "audio_ms": 300}],
        "close": [0.01, {"type": "done", "total_audio_ms": 600, "segments_generated": 2}],
    }


def _tokens(*contents: str) -> list[Step]:
    return [{"type": "token", "content": content} for content in contents]


def _end(kind: str, text: str) -> Step:
    return {"type": kind, "reason": "eos", "text": text, "tokens": 2, "ttft_ms": 1.0, "elapsed_ms": 2.0}


@dataclass(frozen=True)
class Mutation:
    """One thing that goes wrong in one answer. Positions are taken modulo the answer's length."""

    answer: str
    what: str
    at: int = 0
    to: int = 0
    step: Step = None

    def apply(self, answers: dict[str, list[Step]]) -> None:
        steps = answers[self.answer]
        at = self.at % len(steps) if steps else 0
        match self.what:
            case "leave out" if steps:
                del steps[at]
            case "repeat" if steps:
                steps[at:at] = [steps[at]] * (self.to % 4)
            case "move" if steps:
                steps.insert(self.to % len(steps), steps.pop(at))
            case "give away" if steps:
                answers[ANSWERS[self.to % len(ANSWERS)]].append(steps.pop(at))
            case "cut" if steps:
                steps[at] = _cut(steps[at], self.to)
            case "insert":
                steps.insert(at, self.step)


MUTATIONS = ("leave out", "repeat", "move", "give away", "cut", "insert")


def _cut(step: Step, to: int) -> Step:
    if isinstance(step, bytes):
        return step[: to % (len(step) + 1)]
    if isinstance(step, dict):
        text = json.dumps(step)
        return text[: to % (len(text) + 1)]
    return step


def network(mutations: Iterable[Mutation]) -> FakeNetwork:
    """Both servers, with these mistakes."""
    answers = healthy()
    for mutation in mutations:
        mutation.apply(answers)

    def llm(request: dict[str, Any]) -> Sequence[Step]:
        return answers.get(str(request.get("action")).removesuffix("_stream"), [])

    def tts(request: dict[str, Any]) -> Sequence[Step]:
        return answers.get(str(request.get("type")), [])

    return FakeNetwork(lambda: llm, lambda: tts)


async def run(fake: FakeNetwork, clock: Clock) -> RunRecord:
    """Measure them, however long it takes."""
    record = await runner.run(PLAN, chosen(PLAN.target), fake(clock), clock)
    for task in [task for link in fake.links for task in link.tasks]:
        task.cancel()
    await asyncio.sleep(0)
    return record


def check(record: RunRecord, fake: FakeNetwork, took_s: float) -> None:
    """What must hold whatever the servers did."""
    assert took_s < LIMITS["run_s"] + GRACE_S, "it took longer than it may"
    came_out = outcome(record)
    if record.failure is not None:
        assert record.failure.reason in REASONS[record.failure.stage]
        assert (record.failure.stage, record.failure.reason) != ("internal", "error"), record.failure.detail
        assert record.failure.detail.isprintable()
    started = {each["stream_id"] for each in fake.sent("llm", "start_stream")}
    ended = {each["stream_id"] for each in fake.sent("llm", "end_stream")}
    gone = any(not link.open for link in fake.links if link.server == "llm")
    assert started <= ended or gone, "a slot is left taken"
    if came_out in TRUSTED:
        _looks_valid(record)
    # Whoever reads it can.
    assert RunRecord.from_json(record.to_json()).failure == record.failure
    json.dumps(document.document(record)).encode()
    "\n".join(terminal.report(record, 100)).encode()


def _looks_valid(record: RunRecord) -> None:
    """A number that looks valid is one: every turn was heard, and nothing took less than no time."""
    assert len(record.turns) == 2
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        assert sum(chunk.audio_bytes for chunk in turn.chunks) > 0
        assert measured.response_ttfb_ms is not None and measured.response_ttfb_ms >= 0
        for each in measured.chunks:
            values = (getattr(each, name) for name in type(each).__dataclass_fields__)
            assert all(value >= 0 for value in values if value is not None)


__all__ = ["ANSWERS", "DROP", "MUTATIONS", "Mutation", "check", "healthy", "network", "run"]

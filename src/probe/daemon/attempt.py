"""One attempt to measure: courtesy first, then the run, watched for what would make it untrustworthy."""

import asyncio
from dataclasses import dataclass

from probe import courtesy, engine, httpget, protocols
from probe.clock import AnchoredClock
from probe.config import Config
from probe.courtesy import Question
from probe.plan import new_plan
from probe.protocols import llama_cpp
from probe.record import Plan, RunRecord, Target
from probe.schedule import Entry
from probe.selfcheck import Watch
from probe.transport import WebSocketConnector


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it. `began` is when the run proper began, in seconds since the epoch."""

    record: RunRecord
    began: float
    lag_s: float = 0.0


def skipped(entry: Entry, reason: str) -> RunRecord:
    """The record of a run that did not take place."""
    at = AnchoredClock.anchored_now().now()
    return RunRecord(new_plan(entry.target, entry.scenario), at, at, skipped=reason)


async def attempt(entry: Entry, config: Config, stop: asyncio.Event) -> Attempt | None:
    """Measure, or leave the server to its users; None where `stop` is set before there was anything to measure."""
    reason = None
    if config.courtesy.enabled:
        reason = await courtesy.wait_for_users(_questions(entry.target), httpget.get, config.courtesy.max_wait_s, stop)
    if stop.is_set():
        return None
    clock = AnchoredClock.anchored_now()
    if reason is not None:
        return Attempt(skipped(entry, reason), clock.now() / 1e9)
    return await _measure(new_plan(entry.target, entry.scenario), clock, config.self_check.max_lag_ms, stop)


def _questions(target: Target) -> list[Question]:
    codec = protocols.LLM[target.llm_protocol]()
    questions = [Question(codec.health_url(target.llm_url), codec.users)]
    if target.llama_url is not None:
        questions.append(Question(llama_cpp.slots_url(target.llama_url), llama_cpp.users))
    return questions


async def _measure(plan: Plan, clock: AnchoredClock, max_lag_ms: float, stop: asyncio.Event) -> Attempt:
    codecs = protocols.LLM[plan.target.llm_protocol](), protocols.TTS[plan.target.tts_protocol]()
    with Watch(clock, max_lag_ms) as watch:
        record = await engine.run(plan, codecs, WebSocketConnector, clock, stop=stop)
    lag_ms = max(watch.longest_ms(record).values(), default=0.0)
    return Attempt(watch.judge(record), record.started / 1e9, lag_ms / 1000)

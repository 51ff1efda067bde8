"""One attempt to measure: courtesy first, then the run, watched for what would make it untrustworthy."""

import asyncio
from dataclasses import dataclass, replace

from probe import protocols
from probe.clock import AnchoredClock
from probe.config import Config
from probe.daemon import courtesy
from probe.daemon.courtesy import Question
from probe.daemon.schedule import Entry
from probe.engine import runner
from probe.engine.self_check import Watch
from probe.plan import new_plan
from probe.protocols.llama_chunked import llama_server
from probe.record import Plan, RunRecord, ServerIdentity, Target
from probe.transport import ask
from probe.transport.connector import SocketConnector


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
    served, reason = await asyncio.gather(_served(entry.target), _users(entry.target, config, stop))
    if stop.is_set():
        return None
    clock = AnchoredClock.anchored_now()
    if reason is not None:
        return Attempt(replace(skipped(entry, reason), served=served), clock.now() / 1e9)
    done = await _measure(new_plan(entry.target, entry.scenario), clock, config.self_check.max_lag_ms, stop)
    return replace(done, record=replace(done.record, served=served))


async def _served(target: Target) -> ServerIdentity:
    """Ask llama.cpp what it serves, before anything is measured."""
    if target.llama_url is None:
        return ServerIdentity()
    return llama_server.served(await ask.get(llama_server.props_url(target.llama_url), courtesy.ASK_TIMEOUT_S) or b"")


async def _users(target: Target, config: Config, stop: asyncio.Event) -> str | None:
    """Why to leave the server to its users, if they hold it for longer than we wait."""
    if not config.courtesy.enabled:
        return None
    return await courtesy.wait_for_users(_questions(target), ask.get, config.courtesy.max_wait_s, stop)


def _questions(target: Target) -> list[Question]:
    codec = protocols.LLM[target.llm_protocol]()
    questions = [Question(codec.health_url(target.llm_url), codec.users)]
    if target.llama_url is not None:
        questions.append(Question(llama_server.slots_url(target.llama_url), llama_server.users))
    return questions


async def _measure(plan: Plan, clock: AnchoredClock, max_lag_ms: float, stop: asyncio.Event) -> Attempt:
    codecs = protocols.LLM[plan.target.llm_protocol](), protocols.TTS[plan.target.tts_protocol]()
    with Watch(clock, max_lag_ms) as watch:
        record = await runner.run(plan, codecs, SocketConnector, clock, stop=stop)
    lag_ms = max(watch.longest_ms(record).values(), default=0.0)
    return Attempt(watch.judge(record), record.started / 1e9, lag_ms / 1000)

"""One run: drives a scenario through a target and returns the record of what happened. Knows no sink."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from pathlib import PurePath
from typing import Any

from probe.clock import Clock
from probe.engine import doubts, judge, uncertainty
from probe.engine.agent_turn import AgentTurn
from probe.engine.dialogue import Dialogue
from probe.engine.faults import Busy, Fault, Stopped
from probe.engine.hearing import Hearing
from probe.engine.lines import AGENT, LLM, STT, TTS, Line
from probe.engine.pauses import settled
from probe.engine.session import Session
from probe.engine.turn import TurnInProgress
from probe.engine.uncertainty import Earliest
from probe.plan import Plan
from probe.progress import Event
from probe.protocols.base import Terms
from probe.protocols.choice import Protocols
from probe.record import INTERRUPTED, RunRecord, Turn
from probe.tolerance import PUBLISHED_MS
from probe.transport import share
from probe.transport.connector import Connector
from probe.transport.deadline import within
from probe.transport.share import Slices


def ignore(_event: Event) -> None:
    """Ignore all events."""


async def run(
    plan: Plan,
    protocols: Protocols,
    connector: Connector,
    clock: Clock,
    observe: Callable[[Event], None] = ignore,
    stop: asyncio.Event | None = None,
    max_error_ms: float = PUBLISHED_MS,
) -> RunRecord:
    """Run a plan to its end and return the record, a partial one where a server failed or `stop` was set.

    What it started on the servers it ends, whatever happened; that takes `limits.release_s` and the closing of two
    connections at most. Raises nothing but CancelledError, and that after releasing the LLM's slot.
    `observe` is called from within the run: it must return at once. Where a figure may be wrong by more than
    `max_error_ms`, because of what is not known of an arrival, the record says so.
    """
    started = clock.now()
    plan = settled(plan, protocols)
    dialogue = _dialogue(plan, protocols, connector, clock, observe)
    fault: Fault | None = None
    skipped: str | None = None
    try:
        await _until_stopped(dialogue.converse(), plan.target.limits.run_s, stop)
    except Busy as busy:
        skipped = str(busy)
    except Stopped:
        skipped = INTERRUPTED
    except Fault as error:
        # Its traceback has this frame, and with it all audio, until the garbage collector finds both.
        fault = error.with_traceback(None)
    except TimeoutError:
        fault = _overdue(dialogue.session, plan.target.limits.run_s)
    except Exception as error:  # noqa: BLE001 - a mistake of ours is a failure of the run, not the end of the probe
        dialogue.session.quotes.of_ours(error)
        fault = Fault("internal", "error", f"{type(error).__name__} in {_where(error)}")
    finally:
        ended = clock.now()
        await dialogue.release()
    turns = tuple([await judge.finished(turn, plan.target.audible_dbfs) for turn in dialogue.turns])
    complaints = [turn.tts.complaint_as_ending() for turn in dialogue.turns]
    unheard = judge.audio_failure(turns, complaints, plan.target)
    failure = unheard if skipped is None else None
    if fault is not None:
        whole = dialogue.failure(await dialogue.diagnose(fault), ended)
        failure = judge.with_what_was_before(whole, unheard)
    found: list[str] = []
    earliest = dialogue.session.stamps.vague()
    known = []
    for progress, turn in zip(dialogue.turns, turns, strict=True):
        sure, doubted = await share.in_slices(_judged(progress, turn, earliest, max_error_ms))
        known.append(sure)
        found += [f"turn {turn.turn_num}, {each}" for each in doubted]
    turns = tuple(known)
    found += judge.audio_doubts(turns, plan.target.audible_dbfs)
    connects, said = tuple(dialogue.session.connects), tuple(dialogue.session.quotes.all)
    unstamped = dialogue.session.stamps.unstamped()
    # What was asked before the run may say more of it; the answers themselves only say that a model had to be loaded.
    cold = True if any(turn.llm.loaded for turn in dialogue.turns) else None
    for progress in dialogue.turns:
        progress.tts.let_go()
    return RunRecord(
        plan, started, ended, connects, turns, failure, skipped, tuple(found), said, cold=cold, unstamped=unstamped
    )


def _judged(
    progress: TurnInProgress, turn: Turn, earliest: Earliest, limit_ms: float
) -> Slices[tuple[Turn, list[str]]]:
    """The turn without the figures that nobody can know, and what speaks against the others."""
    of_audio = yield from doubts.of_audio(progress.tts.heard)
    errors_ms = yield from uncertainty.errors_ms(turn, earliest, limit_ms)
    errors_ms |= uncertainty.stall_error_ms(turn, progress.llm.stall_least, progress.llm.stall_most, limit_ms)
    of_times = uncertainty.doubt(errors_ms, limit_ms)
    known = uncertainty.without_unknown(turn, errors_ms)
    return known, [*of_audio, *doubts.of_order(turn), *(() if of_times is None else (of_times,))]


def _dialogue(
    plan: Plan, protocols: Protocols, connector: Connector, clock: Clock, observe: Callable[[Event], None]
) -> Dialogue:
    servers, limits = plan.target.servers, plan.target.limits
    if "agent" in servers:
        patience_s = max(limits.llm_s, limits.tts_s)
        agent = protocols.of["agent"].converse(Terms(servers["agent"], plan.run_id, patience_s))
        session = Session(plan, protocols, {AGENT: agent}, connector, clock, observe)
        return Dialogue(session, protocols, (AGENT,), lambda n: AgentTurn(session, agent, n))
    llm = protocols.of["llm"].converse(Terms(servers["llm"], plan.run_id, limits.llm_s))
    terms = Terms(servers["tts"], plan.run_id, limits.tts_s)
    first = protocols.of["tts"].converse(terms)
    others = {Line("tts", n): protocols.of["tts"].converse(terms) for n in range(2, first.concurrency + 1)}
    tts = {TTS: first, **others}
    if "stt" not in servers:
        session = Session(plan, protocols, {LLM: llm, **tts}, connector, clock, observe)
        return Dialogue(session, protocols, (LLM, TTS), lambda n: TurnInProgress(session, llm, tts, n))
    stt = protocols.of["stt"].converse(Terms(servers["stt"], plan.run_id, limits.stt_s))
    session = Session(plan, protocols, {LLM: llm, **tts, STT: stt}, connector, clock, observe)

    def begin(turn_num: int) -> TurnInProgress:
        hearing = Hearing(session, stt, plan.speech[turn_num - 1])
        return TurnInProgress(session, llm, tts, turn_num, hearing=hearing)

    return Dialogue(session, protocols, (LLM, TTS, STT), begin)


async def _until_stopped(work: Coroutine[Any, Any, None], limit_s: float, stop: asyncio.Event | None) -> None:
    """Run `work` to its end. Raises Stopped where `stop` is set before, TimeoutError after `limit_s`."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future((stop or asyncio.Event()).wait())
    try:
        async with within(limit_s):
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait([working, stopping])


def _where(error: Exception) -> str:
    """The line of ours that raised it: what it says may quote what a server said."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}, line {frame.lineno}"


def _overdue(session: Session, limit_s: float) -> Fault:
    if session.stage in ("stt", "llm", "tts"):
        return Fault(session.stage, "run_deadline", f"the run took longer than {limit_s:g} s")
    waited_for = Line(session.connects[-1].server) if session.connects else None
    return Fault("connect", "timeout", f"the run took longer than {limit_s:g} s", waited_for)

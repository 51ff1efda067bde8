"""One run: drives a scenario through a target and returns the record of what happened. Knows no sink."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from probe import audio
from probe.clock import Clock
from probe.engine import doubts
from probe.engine.llm_stream import LlmChunk, LlmStream
from probe.engine.session import Busy, Fault, Session
from probe.engine.tts_stream import TtsStream
from probe.protocols.base import LlmCodec, TtsCodec
from probe.protocols.magpie.attribution import Segment
from probe.record import AudioAnalysis, Chunk, Event, EventKind, Failure, Plan, RunRecord, Turn
from probe.transport.connector import Connector
from probe.transport.inbox import Inbox

# A slot is normally given back in milliseconds; one that isn't must not hold up the next turn for long.
END_PATIENCE_S = 1.0
# How much of a text a failure quotes.
_SHOWN = 60
# A server that keeps pausing without a word would be asked again for as long as the run may take.
MAX_EMPTY_CHUNKS = 20


def ignore(_event: Event) -> None:
    """Watch nothing."""


async def run(
    plan: Plan,
    codecs: tuple[LlmCodec, TtsCodec],
    connector: Callable[[Clock], Connector],
    clock: Clock,
    observe: Callable[[Event], None] = ignore,
    stop: asyncio.Event | None = None,
) -> RunRecord:
    """Run a plan to its end and return the record, a partial one where a server failed or `stop` was set.

    What it started on the servers it ends, whatever happened; that takes `limits.release_s` and the closing of two
    connections at the most. Raises nothing but CancelledError, and that after giving back the LLM's slot.
    `observe` is called from within the run: it must return at once.
    """
    started = clock.now()
    inbox = Inbox(clock)
    dialogue = _Dialogue(Session(plan, connector(clock), inbox, clock, observe), codecs)
    fault: Fault | None = None
    skipped: str | None = None
    try:
        await _until_stopped(dialogue.converse(), plan.target.limits.run_s, stop)
    except Busy as busy:
        fault = dialogue.own_stream(busy)
        skipped = str(busy) if fault is None else None
    except Fault as error:
        fault = error
    except TimeoutError:
        fault = _overdue(dialogue.session, plan.target.limits.run_s)
    except Exception as error:  # noqa: BLE001 - a mistake of ours is a failure of the run, not the end of the probe
        fault = Fault("internal", "error", f"{type(error).__name__}: {error}")
    finally:
        ended = clock.now()
        await dialogue.release()
    turns = tuple([await turn.freeze() for turn in dialogue.turns])
    failure = None
    unheard = _audio_failure(turns, [turn.tts.said() for turn in dialogue.turns])
    if fault is not None:
        failure = _with_what_was_before(dialogue.failure(await dialogue.diagnose(fault), ended), unheard)
    elif skipped is None:
        failure = unheard
    found = tuple(
        f"turn {turn.turn_num}, {doubt}" for turn in dialogue.turns for doubt in doubts.of_audio(turn.tts.segments)
    )
    return RunRecord(plan, started, ended, tuple(dialogue.session.connects), turns, failure, skipped, found)


class _TurnInProgress:
    """A turn's two streams and the chunks that join them."""

    def __init__(self, session: Session, codecs: tuple[LlmCodec, TtsCodec], turn_num: int, *, markers: bool) -> None:
        self.turn_num = turn_num
        self.user = session.plan.scenario.user_turns[turn_num - 1]
        self.llm = LlmStream(session, codecs[0], f"probe-{session.plan.run_id}-{turn_num}")
        self.tts = TtsStream(session, codecs[1], self.tell_segment, markers=markers)
        self._session = session

    def reply(self) -> str:
        return "".join(draft.text for draft in self.llm.drafts)

    def tell_segment(self, kind: EventKind, at: int, segment: Segment) -> None:
        draft = self.llm.drafts[segment.chunk_num - 1]
        self._session.tell(kind, at, _with_segment(draft.chunk(), segment))

    async def freeze(self) -> Turn:
        spoken = {segment.chunk_num: segment for segment in self.tts.segments.all}
        chunks = [await _finished(draft, spoken.get(draft.chunk_num)) for draft in self.llm.drafts]
        return Turn(self.turn_num, self.user, tuple(chunks), self.tts.segments.done, self.tts.segments.stray_bytes)


class _Dialogue:
    """The scenario's turns, one after the other."""

    def __init__(self, session: Session, codecs: tuple[LlmCodec, TtsCodec]) -> None:
        self.session = session
        self.turns: list[_TurnInProgress] = []
        self._codecs = codecs

    async def converse(self) -> None:
        scenario = self.session.plan.scenario
        messages = [{"role": "system", "content": _system_prompt(self.session.plan)}]
        await self.session.connect("llm")
        await self.session.connect("tts")
        for text in scenario.user_turns:
            messages.append({"role": "user", "content": text})
            turn = self._next_turn()
            await self._take(turn, messages)
            messages.append({"role": "assistant", "content": turn.reply()})

    def failure(self, fault: Fault, at: int) -> Failure:
        turn = self.turns[-1] if self.turns else None
        chunk_num = len(turn.llm.drafts) or None if turn is not None else None
        turn_num = None if turn is None else turn.turn_num
        return Failure(fault.stage, fault.reason, str(fault), at, turn_num, chunk_num)

    def own_stream(self, busy: Busy) -> Fault | None:
        """Whether it is the stream of a turn before that holds the slot, and no user."""
        kept = [turn.turn_num for turn in self.turns[:-1] if turn.llm.kept]
        if not kept:
            return None
        return Fault("llm", "server_error", f"LLM server: {busy}; it has not given back the slot of turn {kept[-1]}")

    async def diagnose(self, fault: Fault) -> Fault:
        """Servers answer a voice that they don't have with silence: ask whether this was one."""
        if fault.reason != "no_audio":
            return fault
        target, codec = self.session.plan.target, self._codecs[1]
        voices = codec.voices(await self.session.fetch(codec.config_url(target.tts_url)) or b"")
        if voices is None or target.voice in voices:
            return fault
        return Fault(
            "tts", "unknown_voice", f"the TTS server has no voice {target.voice!r}; it has {', '.join(voices)}"
        )

    async def release(self) -> None:
        """Leave nothing behind on the servers. Never raises but for cancellation."""
        limit = self.session.plan.target.limits.release_s
        try:
            async with asyncio.timeout(limit):
                if self.turns:
                    await _quietly(self.turns[-1].tts.cancel())
                    await _quietly(self.turns[-1].llm.release(limit))
        except TimeoutError:
            self.session.tell("warning", self.session.clock.now(), text="the LLM server has not confirmed end_stream")
        finally:
            await asyncio.gather(self.session.drop("llm"), self.session.drop("tts"))

    def _next_turn(self) -> _TurnInProgress:
        markers = bool(self.turns) and self.turns[-1].tts.segments.markers
        turn = _TurnInProgress(self.session, self._codecs, len(self.turns) + 1, markers=markers)
        self.turns.append(turn)
        self.session.peers = {"llm": turn.llm, "tts": turn.tts}
        self.session.turn_num = turn.turn_num
        return turn

    async def _take(self, turn: _TurnInProgress, messages: list[dict[str, str]]) -> None:
        scenario = self.session.plan.scenario
        if turn.turn_num == 1:
            await turn.tts.open()
        else:
            await self.session.rest(scenario.turn_pause_s)
            await self.session.connect("llm")
            await turn.tts.reopen()
        draft = await turn.llm.start(messages, scenario.first_pause, scenario.temperature)
        unsent = ""
        while not turn.llm.finished:
            unsent = await self._speak(turn, draft, unsent)
            await turn.tts.settle()
            _require_progress(turn.llm.drafts)
            draft = await turn.llm.resume(scenario.next_pause)
        await self._speak(turn, draft, unsent)
        await turn.tts.close()
        # A server that has said all and is gone has done its part; the slot is another matter, see `release`.
        await _quietly(turn.llm.request_end())
        await turn.tts.finish()
        self.session.tell("turn_done", self.session.clock.now(), text=turn.reply())
        await turn.llm.await_end(END_PATIENCE_S)
        if not audio.speakable(turn.reply()):
            raise Fault("llm", "empty_response", "the response has no word to speak")

    async def _speak(self, turn: _TurnInProgress, draft: LlmChunk, unsent: str) -> str:
        """Send a chunk's text; returns what is to go with the next one instead.

        White space alone gets no answer from the server, so nobody waits for one; but it may part two words.
        """
        text = unsent + draft.text
        if not text.strip():
            return text
        await turn.tts.settle()
        segment = await turn.tts.speak(draft.chunk_num, text)
        turn.tell_segment("tts_text", segment.sent, segment)
        return ""


async def _until_stopped(work: Coroutine[Any, Any, None], limit_s: float, stop: asyncio.Event | None) -> None:
    """Run `work` to its end. Raises Fault where `stop` is set before, TimeoutError after `limit_s`."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future((stop or asyncio.Event()).wait())
    try:
        async with asyncio.timeout(limit_s):
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Fault("internal", "interrupted", "the run was interrupted")
        working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait([working, stopping])


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """Do what can be done to tidy up: the failure that is reported is the one before it, a mistake of ours included."""
    with suppress(Exception):
        await work


def _require_progress(drafts: list[LlmChunk]) -> None:
    last = drafts[-MAX_EMPTY_CHUNKS:]
    if len(last) == MAX_EMPTY_CHUNKS and not any(draft.text.strip() for draft in last):
        raise Fault("llm", "no_progress", f"{MAX_EMPTY_CHUNKS} chunks in a row without a word")


def _overdue(session: Session, limit_s: float) -> Fault:
    if session.stage in ("llm", "tts"):
        return Fault(session.stage, "run_deadline", f"the run took longer than {limit_s:g} s")
    return Fault("connect", "timeout", f"the run took longer than {limit_s:g} s")


def _system_prompt(plan: Plan) -> str:
    """A fresh conversation begins with a line that no server has seen, so that the model answers and not a cache."""
    if plan.scenario.prompt_cache == "reused":
        return plan.scenario.system_prompt
    return f"Conversation {plan.run_id}.\n{plan.scenario.system_prompt}".rstrip()


def _with_segment(chunk: Chunk, segment: Segment) -> Chunk:
    frames = tuple(segment.frames)
    return replace(
        chunk,
        tts_text_sent=segment.sent,
        tts_first_audio=frames[0][0] if frames else None,
        tts_last_audio=frames[-1][0] if frames else None,
        tts_segment_done=segment.done,
        segment_end=segment.end,
        audio_bytes=sum(size for _, size in frames),
        late_audio_bytes=segment.late_bytes,
        frames=frames,
    )


async def _listen(pcm: bytes) -> AudioAnalysis:
    """Measure a segment, however long, without holding up the event loop, where other runs are measured."""
    hearing = audio.AudioAnalyser(pcm)
    for _ in hearing.blocks():
        await asyncio.sleep(0)
    return hearing.sound()


async def _finished(draft: LlmChunk, segment: Segment | None) -> Chunk:
    if segment is None:
        return draft.chunk()
    pcm = bytes(segment.pcm)
    return replace(_with_segment(draft.chunk(), segment), pcm=pcm, sound=await _listen(pcm) if pcm else None)


def _audio_failure(turns: Sequence[Turn], said: Sequence[str]) -> Failure | None:
    """The first segment that is not speech: complete, and still no answer. `said`: each turn's complaints."""
    for turn, complaint in zip(turns, said, strict=True):
        for chunk in turn.chunks:
            reason = None if chunk.segment_end == "merged" else audio.fault(chunk.sound, chunk.audio_bytes, chunk.text)
            if reason is not None and chunk.tts_text_sent is not None:
                at = chunk.tts_last_audio or turn.done or chunk.tts_text_sent
                where = f"turn {turn.turn_num}, chunk {chunk.chunk_num}"
                detail = f"{where}: the TTS server sent {_AUDIO_FAULTS[reason]} for {chunk.text.strip()[:_SHOWN]!r}"
                detail += complaint
                return Failure("audio", reason, detail, at, turn.turn_num, chunk.chunk_num)
    return None


def _with_what_was_before(failure: Failure, unheard: Failure | None) -> Failure:
    """A record has one failure, the one that ended the run; its detail says which audio had been no speech by then."""
    if unheard is None or unheard.turn_num == failure.turn_num:
        return failure
    return replace(failure, detail=f"{failure.detail}; before that, {unheard.detail}")


_AUDIO_FAULTS = {
    "missing": "no audio",
    "silent": "nothing but silence",
    "noise": "noise at full scale",
    "odd_bytes": "half a sample (an odd number of bytes of 16-bit audio)",
}

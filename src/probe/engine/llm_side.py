"""The LLM's side of a turn: its answer, chunk by chunk, whether the server pauses after each or the probe cuts it."""

from collections.abc import Iterable
from contextlib import suppress

from msgspec.structs import replace

from probe.blame import NAMES
from probe.engine import answer_limit
from probe.engine.answer_limit import AnswerLimit
from probe.engine.cutter import cut, undecided
from probe.engine.faults import Busy, Fault
from probe.engine.lines import LLM, Line
from probe.engine.llm_chunk import LlmChunk
from probe.engine.session import Session
from probe.plan import Pause
from probe.protocols.base import (
    Answering,
    ChunkEnd,
    Done,
    Event,
    LlmConversation,
    Loaded,
    Malformed,
    Question,
    Reasoned,
    Refused,
    ServerTimes,
    Step,
    Token,
    Usage,
)
from probe.record import Stage
from probe.timestamps import NEVER, NS_PER_S

# No server that pauses makes chunks of more than 500 tokens.
MAX_TOKENS = 5000
# Characters of one chunk, reasoning included: more than an hour of speech.
MAX_CHUNK_TEXT = 2**16
# Pieces that a free-running answer is cut into. Nobody listens to so many, and measuring them takes their square.
MAX_CHUNKS = 500


class LlmSide:
    """One answer. What the server holds for it is released by `finish`, or by `release` in any other state."""

    stage: Stage = "llm"

    def __init__(self, session: Session, conversation: LlmConversation, line: Line = LLM) -> None:
        self.chunks: list[LlmChunk] = []
        self.finished = False
        self.pausing = conversation.pausing
        # As the server names the one that answers.
        self.model: str | None = None
        self.usage: Usage | None = None
        self.server_times = ServerTimes({})
        # Whether the server said that it loaded its model for this answer.
        self.loaded = False
        self._session = session
        self._line = line
        self._name = NAMES[line.role]
        self._conversation = conversation
        self._started = False
        # Whether the answer was longer than wanted: the server may go on, and nobody listens.
        self.cut_short = False
        self._limit = AnswerLimit(session.plan.scenario)
        self._reasoning_tokens = 0
        # Between which, in nanoseconds, the longest wait between two tokens is, by what is known of their arrivals.
        self.stall_least = self.stall_most = 0
        self._reading: LlmChunk | None = None

    @property
    def owes(self) -> bool:
        return self._started and not self.finished

    @property
    def reading(self) -> bool:
        """Whether a chunk is still to be completed."""
        return self._reading is not None

    @property
    def complete_chunks(self) -> int:
        """How many chunks, from the first, have their whole text."""
        return len(self.chunks) - self.reading

    @property
    def overrun(self) -> bool:
        """Whether the answer is far longer than wanted."""
        return self._limit.overrun()

    async def ask(self, question: Question) -> None:
        """Request the answer. Its first chunk begins."""
        self._started = True
        chunk = self._begin()
        await self._request(chunk, self._conversation.ask(question, chunk.inference_start or 0))

    def expect(self) -> None:
        """Begin an answer that needs no request: the server gives it by itself, once it has heard a question."""
        self._started = True
        self._reading = LlmChunk(1, None)
        self.chunks.append(self._reading)

    def forget(self) -> None:
        """An answer that was expected has not begun."""
        if [(each.inference_start, each.first_token) for each in self.chunks] == [(None, None)]:
            self.chunks.clear()
            self._reading = None

    async def resume(self, pause: Pause) -> None:
        """Let a paused server continue. Its next chunk begins."""
        chunk = self._begin()
        await self._request(chunk, self._conversation.resume(pause, chunk.inference_start or 0))

    async def complete(self) -> LlmChunk:
        """Read the chunk that has begun to its end."""
        while self._reading is not None:
            await self._session.pump(NEVER, self._line)
        return self.chunks[-1]

    async def finish(self) -> None:
        """Have the server release what it holds for the answer, without waiting for its confirmation."""
        await self._session.perform(self._line, self._conversation.finish())

    async def cut_off(self) -> None:
        """Have a server that goes on by itself stop. One that pauses has stopped."""
        if not self.pausing:
            await self._session.perform(self._line, self._conversation.release(self._session.clock.now(), 0))

    async def await_release(self, timeout_s: float) -> None:
        """Wait until the server has released that, or `timeout_s`. A server that doesn't is no failure."""
        until = self._session.clock.now() + round(timeout_s * NS_PER_S)
        with suppress(Fault):
            while self._conversation.holds:
                if not await self._session.pump(until):
                    return

    @property
    def released(self) -> bool:
        """Whether the server is known to hold nothing for this run any more, where that matters to others."""
        return self._conversation.released

    async def release(self, timeout_s: float) -> None:
        """Have it released in any state of the answer, within `timeout_s`."""
        if not self._started:
            return
        self.finished = True
        self._reading = None
        steps = self._conversation.release(self._session.clock.now(), round(timeout_s * NS_PER_S))
        await self._session.perform(self._line, steps)
        await self.await_release(timeout_s)

    def on_event(self, event: Event, at: int) -> None:
        chunk = self._reading
        if chunk is not None and at < (chunk.inference_start or 0):
            # It waited to be read since before we asked: no answer to what we asked for.
            chunk = None
        match event:
            case Token(text, kind) if chunk is not None:
                self._token(chunk, text, kind, at)
            case ChunkEnd() if chunk is not None:
                self._end_chunk(chunk, event, at)
            case Done(reason) if chunk is not None:
                self._end_answer(chunk, ChunkEnd(final=True, reason=reason), at)
            case Reasoned() if chunk is not None:
                self._reasoned(chunk)
            case Answering() | Usage() | ServerTimes() | Loaded():
                self._note(event)
            case Refused(fatal=True) if chunk is not None:
                raise self._refusal(event)
            case Malformed(detail) if self.owes:
                raise Fault("llm", "malformed", f"{self._name} server sent a frame that is not its protocol: {detail}")

    def on_written(self, at: int) -> None:
        chunk = self._reading
        if chunk is not None and chunk.inference_start is not None and chunk.first_token is None:
            chunk.inference_start = at

    def _begin(self) -> LlmChunk:
        # The chunk is there before the write: an answer may arrive while the write still waits.
        self._reading = LlmChunk(len(self.chunks) + 1, self._session.clock.now())
        self.chunks.append(self._reading)
        self._session.stage = "llm"
        return self._reading

    async def _request(self, chunk: LlmChunk, steps: Iterable[Step]) -> None:
        if (written := await self._session.perform(self._line, steps)) is not None:
            chunk.inference_start = written
        self._session.report("llm_start", chunk.inference_start or 0, chunk.chunk())

    def _token(self, chunk: LlmChunk, content: str, kind: str, at: int) -> None:
        chunk.token_count += 1
        chunk.size += len(content)
        before = self._last_token_of(chunk)
        if before is not None:
            chunk.longest_stall = max(chunk.longest_stall or 0, at - before)
            self.stall_least = max(self.stall_least, self._session.stamps.earliest(self._line.role, at) - before)
            self.stall_most = max(self.stall_most, at - self._session.stamps.earliest(self._line.role, before))
        chunk.last_token = at
        if kind == "answer":
            chunk.tokens.append(content)
            chunk.first_answer_token = chunk.first_answer_token or at
            self._limit.tokens += 1
        else:
            self._reasoning_tokens += 1
        if chunk.token_count > MAX_TOKENS:
            raise Fault("llm", "flood", f"the {self._name} server sent more than {MAX_TOKENS} tokens in one chunk")
        if chunk.size > MAX_CHUNK_TEXT:
            raise Fault(
                "llm", "flood", f"the {self._name} server sent more than {MAX_CHUNK_TEXT} characters in one chunk"
            )
        if chunk.first_token is None:
            chunk.first_token = at
            self._session.report("llm_first_token", at, chunk.chunk())
        self._session.report("llm_token", at, text=f"{'token' if kind == 'answer' else kind} {content!r}")
        if not self.pausing and kind == "answer":
            piece: str | None = content
            while piece and self._reading is not None:
                piece = self._cut(self._reading, piece, at)
            if self._reading is not None and self._limit.overrun():
                self.cut_short = True
                self._end_chunk(self._reading, ChunkEnd(final=True, reason=answer_limit.REASON), at)

    def _note(self, event: Answering | Usage | ServerTimes | Loaded) -> None:
        """Further facts about the answer that the server reports."""
        match event:
            case Answering(model):
                self.model = model or self.model
            case Usage():
                self.usage = event
            case ServerTimes():
                self.server_times = event
            case Loaded():
                self.loaded = True

    def _reasoned(self, chunk: LlmChunk) -> None:
        """What seemed to be the answer was none. Where some of it has been passed on, it is too late for that."""
        if chunk.chunk_num > 1 or chunk.handed:
            spoken = "reasoning came as answer, up to a </think>, and was spoken: the server needs a reasoning parser"
            raise Fault("llm", "malformed", f"{spoken}, or the target opens_reasoning = true")
        self._reasoning_tokens += len(chunk.tokens)
        self._limit.tokens = 0
        chunk.tokens.clear()
        chunk.undecided = ""
        chunk.first_answer_token = None

    def _last_token_of(self, chunk: LlmChunk) -> int | None:
        """The token before this one, of the same request: a chunk that needed none goes on where the last was cut."""
        if chunk.last_token is not None or chunk.inference_start is not None or chunk is self.chunks[0]:
            return chunk.last_token
        return self.chunks[-2].last_token

    def _cut(self, chunk: LlmChunk, last: str, at: int) -> str | None:
        """End the chunk where its pause says, and begin the next one with what is left of its last token: returned.

        None where the chunk goes on.
        """
        scenario = self._session.plan.scenario
        pause = scenario.first_pause if chunk.chunk_num == 1 else scenario.next_pause
        size = cut(chunk.tokens, chunk.undecided, pause)
        if size is None:
            chunk.undecided = undecided(chunk.undecided + last)
            return None
        if chunk.chunk_num >= MAX_CHUNKS:
            raise Fault("llm", "flood", f"the answer has more than {MAX_CHUNKS} chunks")
        text = chunk.text
        rest = text[size:]
        following = LlmChunk(chunk.chunk_num + 1, None)
        if rest:
            following.tokens = [rest]
            following.first_token = following.first_answer_token = following.last_token = at
        if len(rest) >= len(last):
            # The token that showed the end is none of this chunk.
            chunk.token_count, following.token_count = chunk.token_count - 1, 1
        reason = "sentence_boundary" if pause.sentence_boundary else "max_tokens"
        self._end_chunk(chunk, ChunkEnd(final=False, reason=reason, text=text[:size]), at)
        if self.finished:
            return None
        self._reading = following
        self.chunks.append(following)
        return rest

    def _end_answer(self, chunk: LlmChunk, end: ChunkEnd, at: int) -> None:
        """The server that goes on by itself is done. What was begun behind the last cut may have come to nothing."""
        if self._reasoning_tokens and not any(each.tokens for each in self.chunks):
            raise Fault("llm", "no_answer", f"no answer text, {self._reasoning_tokens} reasoning tokens")
        if chunk.tokens or chunk.chunk_num == 1:
            self._end_chunk(chunk, end, at)
            return
        self.chunks.pop()
        last = self.chunks[-1]
        last.end = replace(last.end or end, final=True, reason=end.reason)
        self._reading = None
        self.finished = True

    def _end_chunk(self, chunk: LlmChunk, end: ChunkEnd, at: int) -> None:
        if chunk.token_count == 0:
            # A server that sends no tokens one by one says how many they were.
            self._limit.tokens += end.tokens or 0
        if not end.final and end.refusal is None and self._limit.reached(chunk.chunk_num):
            end, self.cut_short = answer_limit.ended(end), True
        chunk.end, chunk.done_at = end, at
        self._reading = None
        # Where the server doesn't pause, it was our rule that ended a chunk, and the server goes on.
        self._session.report("llm_chunk_end" if self.pausing or end.final else "llm_cut", at, chunk.chunk())
        if end.refusal is not None:
            raise self._refusal(end.refusal)
        self.finished = end.final

    def _refusal(self, refusal: Refused) -> Exception:
        # A stream that goes on has its slot.
        if refusal.busy and len(self.chunks) == 1:
            return Busy(refusal.message)
        prefix = f"{self._name} server: " if refusal.reason == "server_error" else ""
        return Fault("llm", refusal.reason, f"{prefix}{refusal.message}")

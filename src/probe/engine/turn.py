"""One turn: the LLM's side, the TTS server's side, and the chunks that join them; in either flow."""

from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from probe.audio import speakable
from probe.engine.faults import Fault
from probe.engine.hearing import Hearing
from probe.engine.lines import LLM, STT, Line
from probe.engine.llm_chunk import LlmChunk
from probe.engine.llm_side import LlmSide
from probe.engine.session import Session
from probe.engine.side import Side
from probe.engine.speech import Speech
from probe.plan import Flow
from probe.progress import EventKind
from probe.protocols.base import LlmConversation, Messages, Question, TtsConversation
from probe.protocols.segments import Segment
from probe.record import Chunk
from probe.spoken import without_pauses

if TYPE_CHECKING:
    from probe.heard import Interruption

# A slot is normally released in milliseconds; one that isn't must not hold up the next turn for long.
END_PATIENCE_S = 1.0
# A server that keeps pausing without a word would be asked again for as long as the run may take.
MAX_EMPTY_CHUNKS = 20


class TurnInProgress:
    """A turn in progress."""

    def __init__(
        self,
        session: Session,
        llm: LlmConversation,
        tts: Mapping[Line, TtsConversation],
        turn_num: int,
        asked_on: Line = LLM,
        hearing: Hearing | None = None,
    ) -> None:
        self.turn_num = turn_num
        self.user = without_pauses(session.plan.scenario.user_turns[turn_num - 1])
        self.llm = LlmSide(session, llm, asked_on)
        self.tts = Speech(session, tts, self.report_segment)
        # The speech that it answers, where the target hears.
        self.hearing = hearing
        # How it was spoken into.
        self.interruption: Interruption | None = None
        self._session = session
        # Text that goes with the next chunk's: nobody hears it by itself, but it may part two words, or shape the next.
        self._unsent = ""

    @property
    def by_line(self) -> Mapping[Line, Side]:
        """Who listens to which server."""
        heard = {} if self.hearing is None else {STT: self.hearing}
        return {LLM: self.llm, **self.tts.sides, **heard}

    def answer(self) -> str:
        return "".join(chunk.text for chunk in self.llm.chunks)

    async def hear(self, before: Messages) -> str:
        """What the LLM is asked: the text, or what the STT server understood of it. Raises Fault and Busy.

        `before` is what was said in the turns before.
        The TTS server is ready before anybody speaks, as that of a real agent is.
        """
        del before
        await self.tts.open()
        return self.user if self.hearing is None else await self.hearing.take()

    async def take(self, question: Question) -> None:
        """Ask, and have the answer spoken chunk by chunk. Raises Fault and Busy."""
        await self.llm.ask(question)
        await self._spoken()
        await self.tts.close()
        # A server that has said all and is gone has done its part; the slot is another matter, see `LlmSide.release`.
        await quietly(self.llm.finish())
        await self.tts.finish()
        self._session.report("turn_done", self._session.clock.now(), text=self.answer())
        await self.llm.await_release(END_PATIENCE_S)
        if not speakable(self.answer()):
            raise Fault("llm", "empty_response", "the response has no word to speak")

    def report_segment(self, kind: EventKind, at: int, segment: Segment) -> None:
        chunk = self.llm.chunks[segment.chunk_num - 1]
        self._session.report(kind, at, with_segment(chunk.chunk(), segment))

    async def _spoken(self) -> None:
        match self._flow():
            case "streamed":
                await self._streamed()
            case "sequential":
                await self._sequential()
            case "overlapped":
                await self._overlapped()

    def _flow(self) -> Flow:
        if self._session.plan.scenario.flow == "streamed":
            return "streamed"
        if not self.llm.pausing:
            return "overlapped"
        return self._session.plan.scenario.flow or "sequential"

    async def _sequential(self) -> None:
        """The next chunk is asked for when the audio of the one before is complete."""
        chunk = await self.llm.complete()
        while not self.llm.finished:
            await self._speak(chunk)
            await self.tts.settle()
            _require_progress(self.llm.chunks)
            await self.llm.resume(self._session.plan.scenario.next_pause)
            chunk = await self.llm.complete()
        await self._speak(chunk)

    async def _overlapped(self) -> None:
        """The LLM goes on while the TTS server works; a complete chunk waits until that is free."""
        spoken, stopped = 0, False
        while not (self.llm.finished and spoken == len(self.llm.chunks)):
            while spoken < self.llm.complete_chunks and self.tts.free:
                await self._speak(self.llm.chunks[spoken])
                spoken += 1
            _require_progress(self.llm.chunks)
            if self.llm.cut_short and not stopped:
                stopped = True
                await quietly(self.llm.cut_off())
            if self.llm.owes and not self.llm.reading:
                await self.llm.resume(self._session.plan.scenario.next_pause)
            waited = (*((LLM,) if self.llm.reading else ()), *self.tts.speaking)
            if waited:
                await self.tts.step(*waited)

    async def _streamed(self) -> None:
        """Each piece is passed on as it comes; the TTS server cuts it, and all audio is of the first chunk."""
        while True:
            chunk = self.llm.chunks[-1]
            if piece := chunk.fresh():
                await self._add(piece)
            elif self.llm.finished:
                break
            elif self.llm.reading:
                await self.tts.step(LLM)
            else:
                await self.llm.resume(self._session.plan.scenario.next_pause)
        if self.llm.cut_short:
            await quietly(self.llm.cut_off())

    async def _add(self, piece: str) -> None:
        segment = await self.tts.add(1, piece)
        if segment.text == piece:
            self.report_segment("tts_text", segment.sent, segment)

    async def _speak(self, chunk: LlmChunk) -> None:
        """Hand a chunk's text over, once the server is free for it. Without a word there is nothing to be spoken."""
        text = self._unsent + chunk.text
        if not speakable(text):
            self._unsent = text
            return
        self._unsent = ""
        segment = await self.tts.speak(chunk.chunk_num, text)
        self.report_segment("tts_text", segment.sent, segment)


async def quietly(work: Coroutine[Any, Any, None]) -> None:
    """Do what can be done to tidy up: the failure that is reported is the one before it, a mistake of ours included."""
    with suppress(Exception):
        await work


def with_segment(chunk: Chunk, segment: Segment) -> Chunk:
    """The chunk with what is known of its audio."""
    frames = tuple(segment.frames)
    return replace(
        chunk,
        tts_text_sent=segment.sent if segment.handed_over else None,
        text_streamed=segment.streamed,
        tts_first_audio=frames[0][0] if frames else None,
        tts_last_audio=frames[-1][0] if frames else None,
        tts_segment_done=segment.done,
        segment_end=segment.end,
        sample_rate=segment.sample_rate if frames else None,
        audio_bytes=sum(size for _, size in frames),
        late_audio_bytes=segment.late_bytes,
        frames=frames,
    )


def _require_progress(chunks: list[LlmChunk]) -> None:
    last = chunks[-MAX_EMPTY_CHUNKS:]
    if len(last) == MAX_EMPTY_CHUNKS and not any(speakable(chunk.text) for chunk in last):
        raise Fault("llm", "no_progress", f"{MAX_EMPTY_CHUNKS} chunks in a row without a word")

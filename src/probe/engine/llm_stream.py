"""The LLM's side of a turn: one stream, asked for chunk after chunk."""

from contextlib import suppress
from dataclasses import dataclass, field

from probe.engine.session import Busy, Fault, Session
from probe.protocols.base import ChunkEnd, LlmCodec, Malformed, Messages, ServerError, StreamEnded, Token
from probe.record import Chunk, Pause
from probe.transport.framing.base import Binary, Text
from probe.transport.inbox import NEVER, NS_PER_S, Arrival

# Of the time for it, a server that is still generating gets so much to read our end_stream on the connection that it is
# busy with; the rest is for another connection.
RELEASE_SHARE = 0.4
# No chunk of this protocol has more than 500 tokens.
MAX_TOKENS = 5000
# A server whose llama.cpp has died says so in a normal reply.
_DEAD_BACKEND = ("connection_error", "empty_response")


@dataclass(slots=True)
class LlmChunk:
    """The LLM's half of a chunk while it grows."""

    chunk_num: int
    inference_start: int
    tokens: list[str] = field(default_factory=list)
    first_token: int | None = None
    done_at: int | None = None
    end: ChunkEnd | None = None

    @property
    def text(self) -> str:
        """This chunk's text; the tokens joined where the server did not repeat it."""
        told = None if self.end is None else self.end.text
        return "".join(self.tokens) if told is None else told

    def chunk(self) -> Chunk:
        end = self.end
        reported = end.tokens if end is not None and end.tokens is not None else 0
        return Chunk(
            chunk_num=self.chunk_num,
            inference_start=self.inference_start,
            text=self.text,
            token_count=len(self.tokens) or reported,
            stop_reason=None if end is None else end.reason,
            final=end is not None and end.done,
            server_ttft_ms=None if end is None else end.server_ttft_ms,
            llm_first_token=self.first_token,
            llm_done=self.done_at,
        )


class LlmStream:
    """One stream on the chunked LLM server. It owns a slot there from `start` until the server has said `ended`."""

    def __init__(self, session: Session, codec: LlmCodec, stream_id: str) -> None:
        self.drafts: list[LlmChunk] = []
        self.finished = False
        self._session = session
        self._codec = codec
        self._stream_id = stream_id
        self._started = False
        self._ended = False
        self._refused: ServerError | None = None
        self._reading: LlmChunk | None = None

    @property
    def busy(self) -> bool:
        return self._started and not self.finished and not self._ended

    @property
    def kept(self) -> bool:
        """Whether the server has not given the slot back, though it was asked to."""
        return self.finished and not self._ended

    async def start(self, messages: Messages, pause: Pause, temperature: float) -> LlmChunk:
        """Ask for the first chunk and read it to its end."""
        request = self._codec.start(self._stream_id, messages, pause, temperature)
        self._started = True
        return await self._read(request)

    async def resume(self, pause: Pause) -> LlmChunk:
        """Ask for the next chunk and read it to its end."""
        return await self._read(self._codec.resume(self._stream_id, pause))

    async def request_end(self) -> None:
        """Ask the server to give the slot back, without waiting for its word."""
        if self._session.connected("llm") and not self._ended:
            await self._session.send("llm", self._codec.end(self._stream_id))

    async def await_end(self, timeout_s: float) -> None:
        """Wait until the server has given the slot back, or `timeout_s`. A server that doesn't is not at fault."""
        until = self._session.clock.now() + round(timeout_s * NS_PER_S)
        with suppress(Fault):
            while not self._ended and self._session.connected("llm"):
                if not await self._session.pump("llm", until):
                    return

    async def release(self, timeout_s: float) -> None:
        """Give the slot back whatever state the dialogue is in, within `timeout_s`.

        A server that generates reads its requests only afterwards, and may keep the slot for good when it finds its
        client gone by then: where the old connection brings no answer, the request goes over a new one as well.
        """
        if not self._started:
            return
        self.finished = True
        self._reading = None
        # The connection may have ended, and nobody have read that yet: there is still the new one.
        with suppress(Fault):
            await self.request_end()
        await self.await_end(RELEASE_SHARE * timeout_s)
        if not self._ended:
            # Not politely: a server that does not read would take the time that the other connection needs.
            self._session.abort("llm")
            await self._session.connect("llm", timeout_s)
            await self.request_end()
            await self.await_end(timeout_s)

    def on_frame(self, arrival: Arrival) -> None:
        frame = arrival.frame
        if not isinstance(frame, Text | Binary):
            return
        event = self._codec.decode(frame.data, binary=isinstance(frame, Binary), stream_id=self._stream_id)
        draft = self._reading
        if draft is not None and arrival.at < draft.inference_start:
            # It waited to be read since before we asked: no answer to what we asked for.
            draft = None
        match event:
            case Token(content) if draft is not None:
                self._token(draft, content, arrival.at)
            case ChunkEnd() if draft is not None:
                draft.end, draft.done_at = event, arrival.at
                self._reading = None
            case StreamEnded():
                self._ended = self.finished
            case ServerError() if draft is not None:
                self._refused = event
            case ServerError():
                # The answer to an end_stream for a stream that is gone already.
                self._ended = self._ended or self.finished
            case Malformed(detail) if self.busy:
                raise Fault("llm", "malformed", f"LLM server sent a frame that is not its protocol: {detail}")

    async def keep_alive(self) -> None:
        """Nothing to do: LLM servers keep an idle stream."""

    def _token(self, draft: LlmChunk, content: str, at: int) -> None:
        draft.tokens.append(content)
        if len(draft.tokens) > MAX_TOKENS:
            raise Fault("llm", "flood", f"the LLM server sent more than {MAX_TOKENS} tokens in one chunk")
        if draft.first_token is None:
            draft.first_token = at
            self._session.tell("llm_first_token", at, draft.chunk())
        self._session.tell("llm_token", at, text=f"token {content!r}")

    async def _read(self, request: str) -> LlmChunk:
        # The draft is there before the write: an answer may arrive while the write still waits.
        draft = LlmChunk(len(self.drafts) + 1, self._session.clock.now())
        self.drafts.append(draft)
        self._reading = draft
        self._session.stage = "llm"
        draft.inference_start = await self._session.send("llm", request)
        self._session.tell("llm_start", draft.inference_start, draft.chunk())
        while draft.end is None:
            if self._refused is not None:
                raise self._refusal(self._refused)
            await self._session.pump("llm", NEVER)
        self._session.tell("llm_chunk_end", draft.done_at or 0, draft.chunk())
        if draft.end.reason in _DEAD_BACKEND:
            raise Fault("llm", str(draft.end.reason), f"the LLM server answered {draft.end.reason}: is its model up?")
        self.finished = draft.end.done
        return draft

    def _refusal(self, error: ServerError) -> Exception:
        # A stream that goes on has its slot.
        if error.busy and len(self.drafts) == 1:
            return Busy(error.message)
        return Fault("llm", "server_error", f"LLM server: {error.message}")

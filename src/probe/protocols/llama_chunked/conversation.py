"""A run's conversation with the chunked LLM server. Each turn is a stream, which owns a slot until its end."""

from collections.abc import Iterable

from probe.plan import Pause
from probe.protocols.base import ChunkEnd, Connect, Drop, LlmConversation, Question, Refused, Send, Step, Terms, Unknown
from probe.protocols.llama_chunked.codec import LlamaChunked, StreamEnded, stream_id
from probe.transport.framing.base import Binary, Ended, Incoming, Text

# Of the time for it, a server that is still generating gets so much to read our end_stream on the connection that it is
# busy with; the rest is for another connection.
RELEASE_SHARE = 0.4


class ChunkedConversation(LlmConversation):
    """One stream per turn: start_stream, continue_stream for each further chunk, end_stream."""

    pausing = True

    def __init__(self, terms: Terms) -> None:
        self._codec = LlamaChunked()
        self._run_id = terms.run_id
        self._turn_num = 0
        # What came before this is no answer to what was asked last.
        self._asked_at = 0
        # Whether the answer is complete, or given up: nothing more is wanted of the stream.
        self._over = False
        self._ended = False
        self._connected = False
        # Turns whose slot the server has not released, though it was asked to.
        self._kept: list[int] = []
        self._reconnects_at: int | None = None

    @property
    def holds(self) -> bool:
        return self._over and not self._ended and (self._connected or self._reconnects_at is not None)

    @property
    def released(self) -> bool:
        return not self._turn_num or (self._over and self._ended and not self._kept)

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        if self._over and not self._ended:
            self._kept.append(self._turn_num)
        self._turn_num, self._asked_at = question.turn_num, now
        self._over = self._ended = False
        self._connected = True
        request = self._codec.start(self._stream_id, question.messages, question.pause, question.temperature)
        return Connect(), _send(request)

    def resume(self, pause: Pause, now: int) -> Iterable[Step]:
        self._asked_at = now
        return (_send(self._codec.resume(self._stream_id, pause)),)

    def finish(self) -> Iterable[Step]:
        self._over = True
        return (self._end(),) if self._connected and not self._ended else ()

    def release(self, now: int, within_ns: int) -> Iterable[Step]:
        """Release the slot, whatever state the dialogue is in.

        A server that generates reads its requests only afterwards, and may keep the slot permanently when it finds its
        client gone by then: where the old connection brings no answer, the request goes over a new one as well.
        """
        if not self._turn_num or (self._over and self._ended):
            return ()
        self._over = True
        if not self._connected:
            return self._once_more()
        self._reconnects_at = now + round(RELEASE_SHARE * within_ns)
        return (self._end(),)

    def wakes_at(self) -> int | None:
        return None if self._ended else self._reconnects_at

    def wake(self, now: int) -> Iterable[Step]:
        del now
        # Not politely: a server that does not read would take the time that the other connection needs.
        return Drop(), *self._once_more()

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        match frame:
            case Text(data):
                return self._read(data, at, binary=False)
            case Binary(data):
                return self._read(data, at, binary=True)
            case Ended():
                self._connected = False
                return self._once_more() if self._reconnects_at is not None and not self._ended else ()
        return (Unknown(),)

    def _read(self, data: bytes, at: int, *, binary: bool) -> Iterable[Step]:
        reply = self._codec.decode(data, binary=binary, stream_id=self._stream_id)
        if self._over:
            # The refusal of an end_stream says that the stream is gone already.
            self._ended = self._ended or isinstance(reply, StreamEnded | Refused)
            return ()
        if at < self._asked_at or isinstance(reply, StreamEnded):
            return ()
        self._over = isinstance(reply, ChunkEnd) and reply.final
        if isinstance(reply, Refused) and reply.busy and self._kept:
            message = f"{reply.message}; it has not released the slot of turn {self._kept[-1]}"
            return (Refused(message, reply.said),)
        return (reply,)

    def _once_more(self) -> Iterable[Step]:
        self._reconnects_at = None
        self._connected = True
        return Connect(), self._end()

    def _end(self) -> Send:
        return _send(self._codec.end(self._stream_id))

    @property
    def _stream_id(self) -> str:
        return stream_id(self._run_id, self._turn_num)


def _send(request: str) -> Send:
    return Send(Text(request.encode()))

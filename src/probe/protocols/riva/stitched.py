"""A turn in one call: text after text, which the server speaks as one. Nothing says where the audio of each ends."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from probe.protocols.base import (
    Close,
    Connect,
    Done,
    Drop,
    Malformed,
    Ready,
    Refused,
    Send,
    Step,
    Terms,
    TtsConversation,
    Unknown,
)
from probe.protocols.http_answers import with_advice
from probe.protocols.http_speech import Reading, Said
from probe.protocols.riva import wire
from probe.protocols.riva.call import Call, called, read_as
from probe.protocols.riva.conversation import SYNTHESIZE, spoken
from probe.protocols.segments import InOrder, Segment
from probe.timestamps import NEVER, NS_PER_MS
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Response


class ByGap(InOrder):
    """A text is spoken when no more audio has come for so long, or when the server has ended its answer."""

    def __init__(self, sample_rate: int, gap_ns: int) -> None:
        super().__init__(sample_rate)
        self._gap = gap_ns

    def wakes_at(self) -> int | None:
        segment = self.pending()
        if segment is None or not segment.frames:
            return super().wakes_at()
        return segment.frames[-1][0] + self._gap

    def audio(self, pcm: bytes, at: int) -> Segment | None:
        """Audio after the end of all texts is late audio of the last one."""
        if self.done is not None or self.pending() is not None or not self.all:
            return super().audio(pcm, at)
        last = self.all[-1]
        last.late_bytes += len(pcm)
        last.frames.append((at, len(pcm)))
        last.pcm += pcm
        return last

    def doubts(self) -> Sequence[str]:
        late = [each.chunk_num for each in self.all if each.late_bytes]
        return [f"chunk {number}: audio after the pause that ended it (gap_ms)" for number in late]

    def expire(self, now: int) -> Segment | None:
        segment, until = self.pending(), self.wakes_at()
        if segment is None or until is None or until is NEVER or now < until:
            return None
        segment.end, segment.done = "gap", now
        return segment


class StitchedConversation(TtsConversation):
    """One call per turn, with a message for each text. A text is sent when the one before counts as spoken."""

    def __init__(self, terms: Terms) -> None:
        self._server = terms.server
        self._calling = False
        self._reading: Reading | None = None

    @property
    def sample_rate(self) -> int:
        rate: int = self._server.options["sample_rate"]
        return rate

    def attribution(self) -> ByGap:
        return ByGap(self.sample_rate, round(self._server.options["gap_ms"] * NS_PER_MS))

    def open(self, now: int) -> Iterable[Step]:
        del now
        self._calling, self._reading = False, None
        return Connect(), Ready()

    def speak(self, text: str, now: int) -> Iterable[Step]:
        del now
        message = spoken(self._server, text)
        if self._calling:
            return (Send(Body(wire.framed(message))),)
        self._calling = True
        request = called(SYNTHESIZE, message, self._server.options.get("deadline_s"))
        return Connect(), Send(replace(request, ends=False))

    def close(self, now: int) -> Iterable[Step]:
        del now
        return (Send(BodyEnd()),) if self._calling else (Done(),)

    def cancel(self) -> Iterable[Step]:
        return (Close(),)

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        if isinstance(frame, Ended) and not self._calling:
            return (Drop(),)
        return self._read(frame) if self._calling else (Unknown(),)

    def _read(self, frame: Incoming) -> Iterator[Step]:
        reading = self._reading
        match frame:
            case Response():
                self._reading = read_as(frame, SYNTHESIZE, self.sample_rate)
            case Body(data) if reading is not None:
                yield from self._passed_on(reading.feed(data))
            case BodyEnd(trailers) if reading is not None:
                end = reading.trailed(trailers) if isinstance(reading, Call) else reading.end()
                yield from self._passed_on(end)
                if self._calling:
                    self._calling = False
                    yield Done()

    def _passed_on(self, said: Iterable[Said]) -> Iterator[Step]:
        for each in said:
            if isinstance(each, Refused | Malformed):
                self._calling = False
                yield with_advice(each, self._server)
                return
            yield each

"""A run's talk with a Riva server that hears: a connection and a call of `StreamingRecognize` for each turn."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from probe.plan import ServerPlan
from probe.protocols.base import Connect, Drop, Malformed, Refused, Send, Step, Terms, Unknown
from probe.protocols.hearing import SttConversation, understood
from probe.protocols.http_answers import BODY_PATIENCE_S, with_advice
from probe.protocols.riva import wire
from probe.protocols.riva.call import Failed, NoCall, called, none_of_grpc
from probe.protocols.riva.recognition import Recognition
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Response

SERVICE = "/nvidia.riva.asr.RivaSpeechRecognition"
RECOGNIZE = f"{SERVICE}/StreamingRecognize"
# 16 bit, of the encodings that there are.
_LINEAR_PCM = 1
# Of a request: how to hear, or the next samples.
_SETTINGS, _AUDIO = 1, 2
_RECOGNITION, _INTERIM = 1, 2
_ENCODING, _RATE, _LANGUAGE, _ALTERNATIVES, _CHANNELS, _PUNCTUATION, _MODEL, _ENDPOINTING = 1, 2, 3, 4, 7, 11, 13, 25
_STOP_HISTORY = 3


class RivaHearing(SttConversation):
    """It sends a final result for each part of the speech, and has no other event for its end.

    Where the server finds the end, the first one with a word is the transcript, as for any agent that listens to it;
    else all of them, once the server has ended the call that we have ended.
    """

    def __init__(self, terms: Terms) -> None:
        self._server = terms.server
        self._options = terms.server.options
        # Whether a call waits for its answer, and whether the connection has had one.
        self._calling = self._called = False
        self._reading: Recognition | Failed | NoCall | None = None
        self._parts: list[str] = []
        self._gives_up_at: int | None = None

    @property
    def input_rate(self) -> int:
        rate: int = self._options["sample_rate"]
        return rate

    @property
    def finds_end(self) -> bool:
        return bool(self._options["endpointing"] == "server")

    @property
    def says_end(self) -> bool:
        return False

    def begin(self, now: int) -> Iterable[Step]:
        """The call of the turn before may still go on, and a connection has one at a time."""
        del now
        used, self._called, self._calling = self._called, True, True
        self._reading, self._parts, self._gives_up_at = None, [], None
        request = called(RECOGNIZE, wire.message({_SETTINGS: wanted(self._server)}))
        return (*((Drop(),) if used else ()), Connect(), Send(replace(request, ends=False)))

    def hear(self, pcm: bytes, now: int) -> Iterable[Step]:
        del now
        return (Send(Body(wire.framed(wire.message({_AUDIO: pcm})))),)

    def end(self, now: int) -> Iterable[Step]:
        del now
        return (Send(BodyEnd()),)

    def wakes_at(self) -> int | None:
        return self._gives_up_at

    def wake(self, now: int) -> Iterable[Step]:
        """A proxy in between does not come to the end of its complaint."""
        del now
        return self._over()

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        if isinstance(frame, Ended):
            return self._gone()
        return self._read(frame, at) if self._calling else (Unknown(),)

    def _read(self, frame: Incoming, at: int) -> Iterator[Step]:
        match frame:
            case Response():
                other = none_of_grpc(frame, RECOGNIZE)
                self._reading = Recognition(frame, RECOGNIZE) if other is None else other
                self._gives_up_at = None if other is None else at + round(BODY_PATIENCE_S * NS_PER_S)
            case Body(data) if self._reading is not None:
                yield from self._passed_on(self._reading.feed(data))
            case BodyEnd(trailers) if isinstance(self._reading, Recognition):
                yield from self._passed_on(self._reading.trailed(trailers))
                if self._calling:
                    self._calling = False
                    yield understood(" ".join(self._parts))
            case BodyEnd():
                yield from self._over()

    def _gone(self) -> Iterable[Step]:
        """Nobody can say again what was said: the end of the connection is that of the transcription."""
        if not self._calling:
            return (Drop(),)
        return self._over()

    def _over(self) -> Iterable[Step]:
        """No more of an answer comes that is none of gRPC's."""
        reading = self._reading
        return self._passed_on(reading.end()) if isinstance(reading, Failed | NoCall) else ()

    def _passed_on(self, said: Iterable[str | Malformed | Refused]) -> Iterator[Step]:
        for each in said:
            if isinstance(each, str):
                self._parts.append(each)
                if not self.finds_end:
                    continue
                yield understood(each)
                yield Send(BodyEnd())
            else:
                yield with_advice(each, self._server)
            self._calling, self._gives_up_at = False, None
            return


def wanted(server: ServerPlan) -> bytes:
    """How to hear: the message before the first samples."""
    options = server.options
    silence = options.get("stop_history_ms", 0)
    recognition = {
        _ENCODING: _LINEAR_PCM,
        _RATE: options["sample_rate"],
        _LANGUAGE: options["language"],
        _ALTERNATIVES: 1,
        _CHANNELS: 1,
        _PUNCTUATION: int(options["punctuation"]),
        _MODEL: options.get("model", ""),
        _ENDPOINTING: wire.message({_STOP_HISTORY: silence}),
    }
    return wire.message({_RECOGNITION: wire.message(recognition), _INTERIM: int(options["interim_results"])})

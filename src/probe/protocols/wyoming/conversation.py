"""A run's conversation with a Wyoming server: a connection and a request for each text, as Home Assistant does."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from probe.audio import speakable
from probe.protocols.base import (
    Connect,
    Done,
    Drop,
    Event,
    Malformed,
    Ready,
    Refused,
    SegmentEnd,
    Send,
    Step,
    Terms,
    TtsConversation,
    Unknown,
)
from probe.protocols.wyoming import info
from probe.protocols.wyoming.events import Events, Heard, written
from probe.protocols.wyoming.speech import Speech
from probe.transport.framing.base import Ended, Incoming, Raw

# Of Piper's voices, should a server send audio without saying so; such audio is no answer anyway.
_USUAL_RATE = 22_050
_VOICE = {"voice": "name", "language": "language", "speaker": "speaker"}


class WyomingConversation(TtsConversation):
    """One text at a time, each on a connection of its own: servers may answer only one, or end with it.

    The first is opened when the turn begins, those of later texts when the text is there. A segment ends with
    `audio-stop`, or with `synthesize-stopped` where the server takes the answer as it is written, and cuts it: whether
    it does is asked before the run's first turn.
    """

    def __init__(self, terms: Terms) -> None:
        self._options = terms.server.options
        self._streamed = self._options.get("mode") == "streamed"
        self._ends_with = "synthesize-stopped" if self._streamed else "audio-stop"
        self._known_to_stream = False
        self._text = ""
        # What is being spoken.
        self._speech: Speech | None = None
        # Those of the connection that is open.
        self._events = Events()
        self._closed = False
        # Whether the connection was opened before there was a text: its server may have ended it meanwhile.
        self._waited = False

    @property
    def sample_rate(self) -> int:
        return _USUAL_RATE

    def open(self, now: int) -> Iterable[Step]:
        del now
        self._closed, self._speech, self._waited, self._text = False, None, True, ""
        self._events = Events()
        if self._streamed and not self._known_to_stream:
            return Connect(), Send(Raw(written("describe")))
        return Connect(), Ready()

    def speak(self, text: str, now: int) -> Iterable[Step]:
        del now
        self._text = text
        if not self._waited:
            self._events = Events()
        return self._ask()

    def add(self, piece: str, now: int) -> Iterable[Step]:
        del now
        self._text += piece
        if self._speech is None:
            return self._ask()
        return (Send(Raw(written("synthesize-chunk", {"text": piece}))),)

    def close(self, now: int) -> Iterable[Step]:
        del now
        self._closed = True
        if self._speech is None:
            return (Done(),)
        return (Send(Raw(written("synthesize-stop"))),) if self._streamed else ()

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        match frame:
            case Raw(data) if self._speech is not None:
                return self._read(data, self._speech)
            case Raw(data) if self._streamed and not self._known_to_stream:
                return self._described(data)
            case Raw(data):
                # Without a request an event is ignored, but an invalid frame is an error anyway.
                return [each for each in self._events.feed(data) if not isinstance(each, Heard)] or (Unknown(),)
            case Ended():
                return self._ended(frame)
        return (Unknown(),)

    def _described(self, data: bytes) -> Iterator[Step]:
        """Text goes on a connection of its own: this one has been answered on."""
        for event in self._events.feed(data):
            if isinstance(event, Malformed | Refused):
                yield event
                return
            if event.type != "info":
                continue
            if not info.takes_streams(event.data):
                yield Refused(info.NO_STREAMS, reason="no_stream")
                return
            self._known_to_stream = True
            self._events = Events()
            yield from (Drop(), Connect(), Ready())
            return
        yield Unknown()

    def _read(self, data: bytes, speech: Speech) -> Iterator[Step]:
        self._waited = False
        for event in self._events.feed(data):
            if isinstance(event, Malformed | Refused):
                yield event
                return
            for said in speech.take(event):
                if isinstance(said, SegmentEnd) or self._had_no_words(said, speech):
                    yield from self._complete(speech, SegmentEnd())
                    return
                yield said
                if isinstance(said, Refused):
                    return

    def _had_no_words(self, said: Event, speech: Speech) -> bool:
        """Whether it is Piper's error for a text without a word, such as "...": of that there is nothing to hear."""
        failed = isinstance(said, Refused) and said.reason == "server_error"
        return failed and not self._streamed and not speech.heard and not speakable(self._text)

    def _complete(self, speech: Speech, end: SegmentEnd) -> Iterator[Step]:
        self._speech = None
        if not speech.heard and speakable(self._text):
            yield Refused(f"{self._ends_with} and no audio for a text", reason="no_audio")
            return
        if self._streamed and not self._closed:
            yield Refused("it ended the stream of text before that was complete", reason="ended_early")
            return
        yield end
        yield Drop()
        if self._closed:
            yield Done()

    def _ended(self, frame: Ended) -> Iterable[Step]:
        waited, self._waited = self._waited, False
        if self._speech is None:
            if self._streamed and not self._known_to_stream:
                return (Refused("it ended the connection instead of describing itself", reason="no_stream"),)
            # The next text opens another.
            return (Drop(),)
        if not waited or frame.how != "closed":
            return ()
        self._events = Events()
        return self._ask()

    def _ask(self) -> Iterable[Step]:
        """Of a text that is written piece by piece, all that there is by now."""
        self._speech = Speech(self._ends_with)
        return Connect(), Send(Raw(self._request()))

    def _request(self) -> bytes:
        voice = {name: value for option, name in _VOICE.items() if (value := self._options.get(option)) is not None}
        spoken_by: Mapping[str, Any] = {"voice": voice} if voice else {}
        if not self._streamed:
            return written("synthesize", {"text": self._text, **spoken_by})
        chunk = written("synthesize-chunk", {"text": self._text})
        end = written("synthesize-stop") if self._closed else b""
        return written("synthesize-start", spoken_by) + chunk + end

"""A run's conversation with a Wyoming server: a connection and a request for each text, as Home Assistant does."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from probe.audio import speakable
from probe.protocols.base import (
    Connect,
    Done,
    Drop,
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
from probe.protocols.wyoming.events import Events, Heard, written
from probe.protocols.wyoming.speech import Speech
from probe.transport.framing.base import Ended, Incoming, Raw

# Of Piper's voices, should a server send audio without saying so; such audio is no answer anyway.
_USUAL_RATE = 22_050
_VOICE = {"voice": "name", "language": "language", "speaker": "speaker"}


class WyomingConversation(TtsConversation):
    """One text at a time, each on a connection of its own: servers may answer only one, or end with it.

    The first is opened when the turn begins, those of later texts when the text is there. A segment ends with
    `audio-stop`, or with `synthesize-stopped` where the server itself cuts the text.
    """

    def __init__(self, terms: Terms) -> None:
        self._options = terms.server.options
        self._ends_with = "synthesize-stopped" if self._options.get("mode") == "streamed" else "audio-stop"
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
        self._closed, self._speech, self._waited = False, None, True
        self._events = Events()
        return Connect(), Ready()

    def speak(self, text: str, now: int) -> Iterable[Step]:
        del now
        self._text = text
        if not self._waited:
            self._events = Events()
        return self._ask()

    def close(self, now: int) -> Iterable[Step]:
        del now
        self._closed = True
        return () if self._speech is not None else (Done(),)

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        match frame:
            case Raw(data) if self._speech is not None:
                return self._read(data, self._speech)
            case Raw(data):
                # Without a request an event is ignored, but an invalid frame is an error anyway.
                return [each for each in self._events.feed(data) if not isinstance(each, Heard)] or (Unknown(),)
            case Ended():
                return self._ended(frame)
        return (Unknown(),)

    def _read(self, data: bytes, speech: Speech) -> Iterator[Step]:
        self._waited = False
        for event in self._events.feed(data):
            if isinstance(event, Malformed | Refused):
                yield event
                return
            for said in speech.take(event):
                if isinstance(said, SegmentEnd):
                    yield from self._complete(speech, said)
                    return
                yield said
                if isinstance(said, Refused):
                    return

    def _complete(self, speech: Speech, end: SegmentEnd) -> Iterator[Step]:
        self._speech = None
        if not speech.heard and speakable(self._text):
            yield Refused(f"{self._ends_with} and no audio for a text", reason="no_audio")
            return
        yield end
        yield Drop()
        if self._closed:
            yield Done()

    def _ended(self, frame: Ended) -> Iterable[Step]:
        waited, self._waited = self._waited, False
        if self._speech is None:
            # The next text opens another.
            return (Drop(),)
        if not waited or frame.how != "closed":
            return ()
        self._events = Events()
        return self._ask()

    def _ask(self) -> Iterable[Step]:
        self._speech = Speech(self._ends_with)
        return Connect(), Send(Raw(self._request()))

    def _request(self) -> bytes:
        voice = {name: value for option, name in _VOICE.items() if (value := self._options.get(option)) is not None}
        spoken_by: Mapping[str, Any] = {"voice": voice} if voice else {}
        if self._ends_with == "audio-stop":
            return written("synthesize", {"text": self._text, **spoken_by})
        chunk = written("synthesize-chunk", {"text": self._text})
        return written("synthesize-start", spoken_by) + chunk + written("synthesize-stop")

"""A run's conversation with a Wyoming server that hears: a connection and a transcription for each turn."""

from collections.abc import Iterable, Iterator

from probe.protocols.base import (
    Connect,
    Drop,
    Malformed,
    Refused,
    Send,
    SpeechStopped,
    Step,
    Terms,
    Unknown,
)
from probe.protocols.hearing import SttConversation, understood
from probe.protocols.wyoming.events import Events, Heard, refusal, written
from probe.transport.framing.base import Ended, Incoming, Raw

# Of one transcription; the longest that has a place in an event is 1 MiB. Who hears has no audio to send.
MAX_BYTES = 2**21


class WyomingHearing(SttConversation):
    """Most servers wait for `audio-stop`; one that listens for the end of the speech itself says `voice-stopped`."""

    def __init__(self, terms: Terms) -> None:
        self._options = terms.server.options
        self._events = Events()
        self._received = 0
        self._form = {"rate": self.input_rate, "width": 2, "channels": 1}

    @property
    def input_rate(self) -> int:
        rate: int = self._options["sample_rate"]
        return rate

    @property
    def finds_end(self) -> bool:
        return bool(self._options["endpointing"] == "server")

    def begin(self, now: int) -> Iterable[Step]:
        del now
        self._events, self._received = Events(), 0
        options = {"model": "name", "language": "language"}
        wanted = {name: value for option, name in options.items() if (value := self._options.get(option)) is not None}
        return Connect(), Send(Raw(written("transcribe", wanted) + written("audio-start", self._form)))

    def hear(self, pcm: bytes, now: int) -> Iterable[Step]:
        del now
        return (Send(Raw(written("audio-chunk", self._form, pcm))),)

    def end(self, now: int) -> Iterable[Step]:
        del now
        return (Send(Raw(written("audio-stop"))),)

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        return self._read(frame.data) if isinstance(frame, Raw) else _ended(frame)

    def _read(self, data: bytes) -> Iterator[Step]:
        self._received += len(data)
        if self._received > MAX_BYTES:
            yield Refused(f"more than {MAX_BYTES // 2**20} MiB about one transcript", reason="flood")
            return
        for event in self._events.feed(data):
            if isinstance(event, Malformed | Refused):
                yield event
                return
            yield from self._said(event)

    def _said(self, event: Heard) -> Iterator[Step]:
        match event.type:
            case "voice-stopped" if self.finds_end:
                yield SpeechStopped()
            case "transcript":
                text = event.data.get("text")
                if not isinstance(text, str):
                    yield Malformed("a transcript without a text")
                    return
                yield understood(text)
                # Most servers end the connection themselves now, and none needs it.
                yield Drop()
            case "error":
                yield refusal(event.data)
            case _:
                yield Unknown()


def _ended(frame: Incoming) -> Iterable[Step]:
    """Nobody can say again what was said: the end of the connection is that of the transcription."""
    return () if isinstance(frame, Ended) else (Unknown(),)

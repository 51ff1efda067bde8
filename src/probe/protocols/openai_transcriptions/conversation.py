"""A run's conversation with a server of `/v1/audio/transcriptions`: one upload per turn, when all has been said."""

import io
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from probe.audio import write_wav_into
from probe.protocols.base import Connect, Drop, Event, Malformed, Refused, Send, Step, Terms, Unknown
from probe.protocols.hearing import SttConversation
from probe.protocols.http_answers import BODY_PATIENCE_S, FailedAnswer, media_type, succeeded, with_advice
from probe.protocols.openai_transcriptions.answer import Document, Stream
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

_PATH = "/audio/transcriptions"
_BOUNDARY = "voice-probe-8c1f6a2be07d4951b3"


class TranscriptionsConversation(SttConversation):
    """The whole recording is uploaded at the end of the speech, as agents do with such servers."""

    def __init__(self, terms: Terms) -> None:
        parts = urlsplit(terms.server.url)
        self._server = terms.server
        self._options = terms.server.options
        self._path = f"{parts.path.rstrip('/')}{_PATH}"
        self._target = f"{self._path}?{parts.query}" if parts.query else self._path
        self._pcm = bytearray()
        self._request: Send | None = None
        self._reading: Document | Stream | FailedAnswer | None = None
        # Whether the answer is owed, and whether the server may have closed the connection before it saw the request.
        self._owed = self._stale = False
        self._gives_up_at: int | None = None

    @property
    def input_rate(self) -> int:
        rate: int = self._options["sample_rate"]
        return rate

    @property
    def finds_end(self) -> bool:
        return False

    def begin(self, now: int) -> Iterable[Step]:
        del now
        self._pcm = bytearray()
        self._reading, self._owed, self._gives_up_at = None, False, None
        return (Connect(),)

    def hear(self, pcm: bytes, now: int) -> Iterable[Step]:
        del now
        self._pcm += pcm
        return ()

    def end(self, now: int) -> Iterable[Step]:
        del now
        headers = {
            "content-type": f"multipart/form-data; boundary={_BOUNDARY}",
            "accept": "text/event-stream" if self._options["stream"] else "application/json",
        }
        self._request = Send(Request("POST", self._target, headers, self._form()))
        self._owed = self._stale = True
        return Connect(), self._request

    def wakes_at(self) -> int | None:
        return self._gives_up_at

    def wake(self, now: int) -> Iterable[Step]:
        """The server does not come to the end of what it complains of."""
        del now
        self._gives_up_at = None
        return () if self._reading is None else self._passed_on(self._reading.end())

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        match frame:
            case Response() if self._owed:
                return self._begins(frame, at)
            case Body(data) if self._reading is not None:
                return self._passed_on(self._reading.feed(data))
            case BodyEnd() if self._reading is not None:
                return self._over(self._reading.end())
            case Ended():
                return self._gone(frame)
        return (Unknown(),)

    def _begins(self, response: Response, at: int) -> Iterator[Step]:
        self._stale = False
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not succeeded(response):
            self._reading = FailedAnswer(response, self._path)
            self._gives_up_at = at + round(BODY_PATIENCE_S * NS_PER_S)
        elif kind == "text/event-stream":
            self._reading = Stream()
        elif kind in ("application/json", "text/plain"):
            self._reading = Document(is_json=kind == "application/json")
        else:
            yield Malformed(f"HTTP {response.status} with {media_type(kind)} instead of a transcript")

    def _passed_on(self, events: Iterable[Event]) -> Iterator[Step]:
        for each in events:
            yield with_advice(each, self._server) if isinstance(each, Refused | Malformed) else each

    def _over(self, events: Iterable[Event]) -> Iterator[Step]:
        self._reading, self._owed, self._gives_up_at = None, False, None
        yield from self._passed_on(events)

    def _gone(self, ended: Ended) -> Iterable[Step]:
        reading, stale = self._reading, self._stale
        self._reading, self._stale, self._gives_up_at = None, False, None
        if not self._owed:
            return (Drop(),)
        if stale and ended.how == "closed" and self._request is not None:
            # It was idle for as long as the speech lasted.
            return Connect(), self._request
        return self._over(reading.end()) if isinstance(reading, FailedAnswer) else ()

    def _form(self) -> bytes:
        """The request's body: a field for each option, and the recording as a WAV file."""
        file = io.BytesIO()
        write_wav_into(file, self._pcm, self.input_rate)
        given: Mapping[str, str | None] = {
            "model": self._options.get("model"),
            "language": self._options.get("language"),
            "response_format": "json",
            "stream": "true" if self._options["stream"] else None,
        }
        fields = [(f'name="{name}"', value.encode()) for name, value in given.items() if value is not None]
        fields.append(('name="file"; filename="speech.wav"\r\nContent-Type: audio/wav', file.getvalue()))
        parts = (
            f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
            for head, data in fields
        )
        return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()

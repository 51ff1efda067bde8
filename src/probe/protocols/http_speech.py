"""A run's talk with a speech server over HTTP: a request for each text, on one connection while it is open."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from probe.audio import speakable
from probe.protocols.base import (
    Audio,
    AudioFormat,
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
from probe.protocols.http_answers import BODY_PATIENCE_S, with_advice
from probe.protocols.kept_alive import too_idle
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

Said = Audio | AudioFormat | Refused | Malformed


class Reading(Protocol):
    """The body of one answer while it comes in. After a Refused or a Malformed there is nothing more to read."""

    @property
    def complaint(self) -> bool:
        """Whether it is the server's words, so that what has come of it says more than its end."""

    @property
    def empty(self) -> str:
        """What it is called when it was all that came, without a sample."""

    def feed(self, data: bytes) -> Iterable[Said]:
        """Take a piece of the body, as it came in."""

    def end(self) -> Iterable[Said]:
        """The body is complete."""


class HttpSpeech(TtsConversation):
    """One text at a time: the next is sent when the answer to the one before has ended.

    A segment ends with the body of its answer. A connection that its server closes between two texts is opened again
    for the next, as an HTTP client does. A protocol says what is asked for, and how the answer is read.
    """

    def __init__(self, terms: Terms) -> None:
        self._server = terms.server
        self._text = ""
        # Whether a text waits for the end of its answer, and its body as far as it has come.
        self._pending = False
        self._reading: Reading | None = None
        self._heard = False
        self._closed = False
        self._connected = False
        # Whether the server may have closed the connection before it saw the request.
        self._stale = False
        # Since when it is kept open without a request.
        self._kept_since: int | None = None
        self._complains_since: int | None = None

    @property
    def sample_rate(self) -> int:
        rate: int = self._server.options["sample_rate"]
        return rate

    def request(self, text: str) -> Request:
        """What has the text spoken."""
        raise NotImplementedError

    def reading(self, response: Response) -> Reading:
        """How the body behind this head is read."""
        raise NotImplementedError

    def trailed(self, reading: Reading, end: BodyEnd) -> Iterable[Said]:
        """The body is complete: what that says, and what stands behind it."""
        del end
        return reading.end()

    @property
    def concurrency(self) -> int:
        limit: int = self._server.options.get("concurrency", 1)
        return limit

    def open(self, now: int) -> Iterable[Step]:
        self._closed = self._pending = False
        left = self._left(now)
        self._connected = True
        return *left, Connect(), Ready()

    def speak(self, text: str, now: int) -> Iterable[Step]:
        self._text, self._pending = text, True
        self._reading, self._heard, self._complains_since = None, False, None
        left = self._left(now)
        self._stale, self._connected, self._kept_since = self._connected, True, None
        return *left, *self._ask()

    def close(self, now: int) -> Iterable[Step]:
        del now
        self._closed = True
        return () if self._pending else (Done(),)

    def wakes_at(self) -> int | None:
        since = self._complains_since
        return None if since is None else since + round(BODY_PATIENCE_S * NS_PER_S)

    def wake(self, now: int) -> Iterable[Step]:
        """The server does not come to the end of what it complains of."""
        del now
        return () if self._reading is None else self._passed_on(self._reading.end())

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        if isinstance(frame, Ended):
            return self._ended(frame)
        if not self._pending:
            return (Unknown(),)
        return self._read(frame, at)

    def _read(self, frame: Incoming, at: int) -> Iterator[Step]:
        reading = self._reading
        match frame:
            case Response():
                self._reading = reading = self.reading(frame)
            case Body(data) if reading is not None:
                yield from self._passed_on(reading.feed(data))
            case BodyEnd() if reading is not None:
                yield from self._passed_on(self.trailed(reading, frame))
                self._kept_since = at
                if self._pending:
                    yield from self._complete(reading)
        if self._pending and reading is not None and reading.complaint and self._complains_since is None:
            self._complains_since = at

    def _passed_on(self, said: Iterable[Said]) -> Iterator[Step]:
        """What the answer says, up to what makes it a failure."""
        for each in said:
            self._heard = self._heard or isinstance(each, Audio)
            if isinstance(each, Refused | Malformed):
                self._over()
                yield with_advice(each, self._server)
                return
            yield each

    def _complete(self, reading: Reading) -> Iterator[Step]:
        heard = self._heard
        self._over()
        if not heard and speakable(self._text):
            voice = self._server.options.get("voice")
            hint = "" if voice is None else f"; does it have the voice {voice!r}?"
            yield Refused(f"{reading.empty} for a text{hint}", reason="no_audio")
            return
        yield SegmentEnd(how="end")
        if self._closed:
            yield Done()

    def _ended(self, frame: Ended) -> Iterable[Step]:
        self._connected, self._kept_since = False, None
        if not self._pending:
            # Between two texts a server may close: nothing is owed, and the next text opens a connection.
            return (Drop(),)
        reading = self._reading
        if reading is None and self._stale and frame.how == "closed":
            self._stale, self._connected = False, True
            return self._ask()
        return self._passed_on(reading.end()) if reading is not None and reading.complaint else ()

    def _left(self, now: int) -> Iterable[Step]:
        """Leave a connection that its server may be about to close."""
        if not too_idle(self._kept_since, now):
            return ()
        self._connected, self._kept_since = False, None
        return (Drop(),)

    def _ask(self) -> Iterable[Step]:
        return Connect(), Send(self.request(self._text))

    def _over(self) -> None:
        self._pending, self._reading, self._complains_since = False, None, None

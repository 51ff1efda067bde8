"""A run's conversation with a Magpie TTS server, older or newer. Each turn is a stream of its own."""

from collections.abc import Iterable

from msgspec.structs import replace

from probe.protocols.base import (
    Audio,
    Close,
    Connect,
    Done,
    Malformed,
    Ready,
    Refused,
    Send,
    Step,
    Terms,
    TtsConversation,
    Unknown,
)
from probe.protocols.magpie import behaviour
from probe.protocols.magpie.attribution import Guessed
from probe.protocols.magpie.codec import MagpieTts
from probe.protocols.segments import Attribution
from probe.timestamps import NEVER, NS_PER_S
from probe.transport.framing.base import Binary, Ended, Incoming, Text

# On a connection that has served a stream, an older server ignores a second `init`: so long do we wait for its answer.
REUSE_PATIENCE_S = 2
# TTS servers drop a stream after about 30 s without activity.
KEEP_ALIVE_S = 10


class MagpieConversation(TtsConversation):
    """One stream per turn: init, a text per chunk, close. A connection is used again where the server takes that."""

    def __init__(self, terms: Terms) -> None:
        self._codec = MagpieTts()
        self._options = terms.server.options
        self._patience_ns = round(terms.patience_s * NS_PER_S)
        # What the turns so far have shown of this server.
        self._behaviour = behaviour.stated(self._options)
        # Whether the connection has served a stream already, so that it may take no second one.
        self._used = False
        self._created = False
        self._closed = False
        self._segments: Guessed | None = None
        self._gives_up_at: int | None = None
        # The last that was heard of the server, or said to it.
        self._active_at = 0

    @property
    def sample_rate(self) -> int:
        rate: int = self._options["sample_rate"]
        return rate

    def attribution(self) -> Attribution:
        self._segments = Guessed(self._options, self._behaviour)
        return self._segments

    def open(self, now: int) -> Iterable[Step]:
        self._created = self._closed = False
        self._active_at = now
        if self._used:
            # A newer one may take its time, as for any stream.
            patience_s = NEVER if self._behaviour.markers else REUSE_PATIENCE_S
            self._gives_up_at = now + min(self._patience_ns, patience_s * NS_PER_S)
        return Connect(), self._init()

    def speak(self, text: str, now: int) -> Iterable[Step]:
        self._active_at = now
        return (_send(self._codec.text(text)),)

    def close(self, now: int) -> Iterable[Step]:
        self._active_at = now
        self._closed = True
        return (_send(self._codec.close()),)

    def cancel(self) -> Iterable[Step]:
        return (_send(self._codec.cancel()),)

    def wakes_at(self) -> int | None:
        if not self._created:
            return self._gives_up_at
        segments = self._segments
        idle = segments is not None and segments.done is None and segments.pending() is None
        return self._active_at + KEEP_ALIVE_S * NS_PER_S if idle and not self._closed else None

    def wake(self, now: int) -> Iterable[Step]:
        self._active_at = now
        return (_send(self._codec.ping()),) if self._created else self._open_anew()

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        self._active_at = at
        match frame:
            case Text(data):
                return self._read(self._codec.decode(data, binary=False))
            case Binary(data):
                return self._read(self._codec.decode(data, binary=True))
            case Ended():
                self._used = False
                return self._open_anew() if self._gives_up_at is not None else ()
        return (Unknown(),)

    def _read(self, event: Step) -> Iterable[Step]:
        match event:
            case Ready():
                self._created = self._used = True
                self._gives_up_at = None
            case Audio(pcm) if not pcm:
                return ()
            # What comes before the stream was created does not belong to our streams.
            case Done() if not self._created:
                return ()
            # A second stream is not for this connection: no failure before a new one has refused it too.
            case Refused(fatal=True) if self._gives_up_at is not None:
                return replace(event, fatal=False), *self._open_anew()
            case Malformed() if self._gives_up_at is not None:
                return self._open_anew()
        return (event,)

    def _open_anew(self) -> Iterable[Step]:
        """The connection of the turn before takes no second stream: a new one does."""
        self._gives_up_at = None
        self._used = False
        return Close(), Connect(), self._init()

    def _init(self) -> Send:
        return _send(self._codec.init(self._options["voice"], self._options["language"], self._options["mode"]))


def _send(request: str) -> Send:
    return Send(Text(request.encode()))

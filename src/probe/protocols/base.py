"""The interface between the engine and the wire protocols: events (what a server says) and actions (what to do)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from msgspec import Struct

from probe.plan import Pause, ServerPlan
from probe.protocols.segments import Attribution, InOrder
from probe.transport.framing.base import Incoming, Outgoing

Messages = Sequence[Mapping[str, str]]

# What a server sends


class Ready(Struct, frozen=True):
    """The TTS server is ready for text."""


class Token(Struct, frozen=True, gc=False):
    """One piece of the answer as the server streams it, or of the reasoning before it, which nobody hears."""

    text: str
    kind: Literal["answer", "reasoning"] = "answer"


class Reasoned(Struct, frozen=True, gc=False):
    """What came as answer so far was reasoning: its end has come, and its start was none of the answer's."""


class Answering(Struct, frozen=True, gc=False):
    """It begins to answer; which model does, as the server names it, where it does so."""

    model: str | None = None


class Refused(Struct, frozen=True, gc=False):
    """The server says what went wrong. `busy`: all its slots are taken, by others. Where not `fatal`, it goes on.

    `message` is ours, and goes to every sink: status codes, sizes, nothing that a server wrote. `said` is the server's
    own words, which may quote what was asked: only the history keeps them. `reason` is one of the record's reasons for
    the server's stage.
    """

    message: str
    said: str = ""
    fatal: bool = True
    busy: bool = False
    reason: str = "server_error"


class ChunkEnd(Struct, frozen=True):
    """The LLM stopped: until it is asked to go on, or (`final`) because the answer is complete.

    `text` is None where the server does not repeat the chunk's text. `refusal`: it stopped because something broke.
    """

    final: bool
    reason: str | None = None
    text: str | None = None
    tokens: int | None = None
    server_ttft_ms: float | None = None
    refusal: Refused | None = None


class Usage(Struct, frozen=True):
    """How many tokens the server counted in the whole answer, reasoning included.

    Of its prompt: how many it has, and how many of them the server had read before; None where it does not say.
    """

    tokens: int
    prompt: int | None = None
    cached: int | None = None


class ServerTimes(Struct, frozen=True):
    """How long its work took as the server itself measured it: milliseconds, by the server's own names.

    `first_token_ms` is from the start of its work to the first token; None where it does not say.
    """

    values: Mapping[str, float]
    first_token_ms: float | None = None


class Loaded(Struct, frozen=True):
    """The server had to load its model for this answer: it was cold, whatever was known of it before."""


class AudioFormat(Struct, frozen=True, gc=False):
    """How the audio from now on is made, as the server states it."""

    rate: int
    width: int = 2
    channels: int = 1


class Audio(Struct, frozen=True, gc=False):
    """Samples as they came in."""

    pcm: bytes


class SegmentEnd(Struct, frozen=True, gc=False):
    """The TTS server has sent the last sample of one segment, which lasts so long if it says so."""

    audio_ms: float | None = None
    how: Literal["marker", "end"] = "marker"


class Done(Struct, frozen=True):
    """Complete: an LLM's answer, or all audio of a turn (in this many segments, if the TTS server counts them)."""

    reason: str | None = None
    segments: int | None = None


class SpeechStopped(Struct, frozen=True):
    """The server heard the end of what a person said."""


class Transcript(Struct, frozen=True):
    """What the server understood."""

    text: str


class Malformed(Struct, frozen=True, gc=False):
    """Not the protocol: what was wrong with the frame, in our words (`detail`); `said` is the start of the frame."""

    detail: str
    said: str = ""


class Unknown(Struct, frozen=True, gc=False):
    """Well-formed, and nothing that a measurement needs."""


Event = (
    Ready | Token | Reasoned | Answering | ChunkEnd | Usage | ServerTimes | Loaded | AudioFormat | Audio | SegmentEnd
    | Done | SpeechStopped | Transcript | Refused | Malformed | Unknown
)  # fmt: skip


# What a protocol does


class Connect(Struct, frozen=True):
    """Have a connection: the one that is open, else a new one."""


class Send(Struct, frozen=True):
    """Write a frame. The moment of a request is that of its last one."""

    frame: Outgoing


class Close(Struct, frozen=True):
    """Close the connection politely, and read no more of it."""


class Drop(Struct, frozen=True):
    """End the connection at once, and read no more of it."""


Action = Connect | Send | Close | Drop
# Done or delivered in this order.
Step = Event | Action


class Terms(Struct, frozen=True):
    """What a conversation begins with. `patience_s`: how long its server may be silent while it owes something."""

    server: ServerPlan
    run_id: str
    patience_s: float


class Question(Struct, frozen=True):
    """What the LLM is asked at the start of a turn; `pause` says where the first chunk ends."""

    turn_num: int
    messages: Messages
    pause: Pause
    temperature: float


class Conversation:
    """One run's conversation with one server. It has state and nothing else: no socket, no clock, no waiting.

    Frames and times (nanoseconds of the run's clock) come in, events and actions come out; foreign bytes never raise.
    """

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        """Take a frame, or the end of the connection. Returns what it says, and what to do about it."""
        raise NotImplementedError

    def wakes_at(self) -> int | None:
        """When to call `wake` though nothing has come; None where there is nothing to wait for."""
        return None

    def wake(self, now: int) -> Iterable[Step]:
        """The time of `wakes_at` has passed."""
        del now
        return ()


class LlmConversation(Conversation):
    """An LLM server that answers a turn. A protocol overrides what it has."""

    # Whether the server stops after each chunk until it is asked for the next one (`resume`).
    pausing: ClassVar[bool] = False

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        """Begin the answer to a turn. Frames from before `now` do not belong to it."""
        raise NotImplementedError

    def resume(self, pause: Pause, now: int) -> Iterable[Step]:
        """Have a pausing server go on to the next pause."""
        raise NotImplementedError

    def finish(self) -> Iterable[Step]:
        """The answer is complete: have the server release what it holds for it."""
        return ()

    def release(self, now: int, within_ns: int) -> Iterable[Step]:
        """The run ends, in whatever state: have the server release what it holds, within that time."""
        del now, within_ns
        return (Drop(),)

    @property
    def holds(self) -> bool:
        """Whether the server was asked to release something, and may still do so."""
        return False

    @property
    def released(self) -> bool:
        """Whether it holds nothing for this run any more, as far as it matters: see `ServerProtocol.unfinished`."""
        return True


class TtsConversation(Conversation):
    """A TTS server that speaks the texts of a turn. A protocol overrides what it has."""

    @property
    def concurrency(self) -> int:
        """How many texts of a turn may be unanswered at a time. Each is spoken in a conversation of its own."""
        return 1

    def open(self, now: int) -> Iterable[Step]:
        """A turn begins: get ready for its texts. `Ready` says when."""
        del now
        return (Connect(), Ready())

    def attribution(self) -> Attribution:
        """The attribution of audio to texts for the turn that begins."""
        return InOrder(self.sample_rate)

    @property
    def sample_rate(self) -> int:
        """Of the audio, in Hz, as configured; an `AudioFormat` says better."""
        raise NotImplementedError

    def speak(self, text: str, now: int) -> Iterable[Step]:
        """Hand over a text, which is spoken as one segment."""
        raise NotImplementedError

    def add(self, piece: str, now: int) -> Iterable[Step]:
        """Hand over the next piece of an answer that the server cuts, instead of `speak`; it is one segment.

        `close` says that it is complete.
        """
        raise NotImplementedError

    def close(self, now: int) -> Iterable[Step]:
        """No more text comes in this turn. `Done` says that all its audio has come."""
        raise NotImplementedError

    def cancel(self) -> Iterable[Step]:
        """Stop the current speech, which is no longer needed."""
        return (Drop(),)

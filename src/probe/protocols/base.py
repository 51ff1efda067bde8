"""What a wire protocol says, whatever its bytes: events out of frames, frames out of requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from probe.record import Pause

Messages = Sequence[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the response."""

    content: str


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """The LLM stopped: for now, or (`done`) for good. `text` is None where the server left it out."""

    done: bool
    reason: str | None
    text: str | None
    tokens: int | None
    server_ttft_ms: float | None


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The LLM server has given up the stream and its slot."""


@dataclass(frozen=True, slots=True)
class StreamCreated:
    """The TTS server is ready for text."""


@dataclass(frozen=True, slots=True)
class Audio:
    """PCM of one frame."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class SegmentComplete:
    """The TTS server has sent the last byte of one segment, which lasts so long if it says so."""

    audio_ms: float | None = None


@dataclass(frozen=True, slots=True)
class StreamDone:
    """The TTS server has sent all audio of a stream, in so many segments if it says so."""

    segments: int | None = None


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server says what went wrong. `busy`: all its slots are taken, by others."""

    message: str
    fatal: bool = True
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not the protocol: what was wrong with the frame."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Well-formed, and nothing that a measurement needs."""


LlmEvent = Token | ChunkEnd | StreamEnded | ServerError | Malformed | Unknown
TtsEvent = Audio | StreamCreated | SegmentComplete | StreamDone | ServerError | Malformed | Unknown


class LlmCodec(Protocol):
    """One LLM stream's requests and replies. Pure: `decode` takes any bytes and never raises."""

    def start(self, stream_id: str, messages: Messages, pause: Pause, temperature: float) -> str: ...

    def resume(self, stream_id: str, pause: Pause) -> str: ...

    def end(self, stream_id: str) -> str: ...

    def decode(self, data: bytes, *, binary: bool, stream_id: str) -> LlmEvent: ...

    def health_url(self, url: str) -> str:
        """Where a server with this WebSocket URL says who uses it."""

    def users(self, document: bytes) -> int | None:
        """Read out of that how many streams hold its slots; None where it doesn't say."""


class TtsCodec(Protocol):
    """One TTS stream's requests and replies. Pure: `decode` takes any bytes and never raises."""

    def init(self, voice: str, language: str, mode: str) -> str: ...

    def text(self, text: str) -> str: ...

    def close(self) -> str: ...

    def cancel(self) -> str: ...

    def ping(self) -> str: ...

    def decode(self, data: bytes, *, binary: bool) -> TtsEvent: ...

    def config_url(self, url: str) -> str:
        """Where a server with this WebSocket URL describes itself."""

    def voices(self, document: bytes) -> tuple[str, ...] | None:
        """Read the voices out of that description; None where it doesn't say."""

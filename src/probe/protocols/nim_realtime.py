"""The realtime WebSocket of NVIDIA's speech NIM (`/v1/realtime?intent=synthesize`): text in, base64 PCM out."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from msgspec import Meta, Struct

from probe.audio import speakable
from probe.plan import ServerPlan
from probe.protocols.base import (
    Close,
    Connect,
    Done,
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
from probe.protocols.base64_audio import decoded
from probe.protocols.base64_audio import event as parsed
from probe.protocols.declaration import ServerProtocol
from probe.protocols.fields import REPORTED, complaint
from probe.protocols.recognise import recognised
from probe.protocols.samples import Samples, wrong
from probe.transport.framing.base import Ended, Incoming, Text

_Name = Annotated[str, Meta(min_length=1)]
_INTENT = ("intent", "synthesize")


class NimRealtimeOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who speaks, and which audio is asked for."""

    voice: Annotated[_Name | None, Meta(description="a voice of the server; without it, its own one speaks")] = None
    language: Annotated[_Name, Meta(description="of the text, as the server calls it")] = "en-US"
    sample_rate: Annotated[int, Meta(ge=8000, le=192_000, description="of the audio, in Hz: it is asked for")] = 22_050


class NimRealtime(TtsConversation):
    """A connection for each turn: a synthesis that was ended takes no more text. Each text is committed by itself."""

    def __init__(self, terms: Terms) -> None:
        self._options: Mapping[str, Any] = terms.server.options
        self._told = self._ready = self._used = self._closed = False
        # The text that is being spoken, and its audio.
        self._text: str | None = None
        self._samples = Samples()
        self._heard = False

    @property
    def sample_rate(self) -> int:
        rate: int = self._options["sample_rate"]
        return rate

    def open(self, now: int) -> Iterable[Step]:
        del now
        used, self._used = self._used, False
        self._told = self._ready = self._closed = False
        self._text = None
        return (Close(), Connect()) if used else (Connect(),)

    def speak(self, text: str, now: int) -> Iterable[Step]:
        del now
        self._text, self._samples, self._heard, self._used = text, Samples(), False, True
        return _send("input_text.append", text=text), _send("input_text.commit")

    def close(self, now: int) -> Iterable[Step]:
        del now
        self._closed = True
        return (Done(),) if self._text is None else (_send("input_text.done"),)

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        match frame:
            case Text(data):
                yield from self._read(data)
            case Ended():
                self._used = False
            case _:
                yield Malformed("a binary message")

    def _read(self, data: bytes) -> Iterator[Step]:
        event = parsed(data, b"audio")
        if isinstance(event, Malformed | Refused):
            yield event
            return
        match event.get("type"):
            case "conversation.created" if not self._told:
                self._told = True
                yield self._session()
            case "synthesize_session.updated" if self._told and not self._ready:
                self._ready = True
                yield Ready()
            case "conversation.item.speech.data" if self._text is not None:
                yield from self._audio(event.get("audio"), data)
            case "conversation.item.speech.completed" if self._text is not None:
                yield from self._complete(self._text)
            case "error":
                yield _refused(event.get("error"), event, data)
            case str():
                yield Unknown()
            case _:
                yield Malformed("an event without a type")

    def _session(self) -> Send:
        voice = self._options.get("voice")
        synthesis = {"language_code": self._options["language"]} | ({"voice_name": voice} if voice else {})
        audio = {"sample_rate_hz": self.sample_rate, "num_channels": 1, "audio_format": "LINEAR_PCM"}
        session = {"input_text_synthesis": synthesis, "output_audio_params": audio}
        return _send("synthesize_session.update", session=session)

    def _audio(self, audio: Any, frame: bytes) -> Iterator[Step]:
        if not isinstance(audio, str | bytes):
            yield Malformed("an event of audio without any")
            return
        pcm = decoded(audio, frame)
        if isinstance(pcm, Malformed):
            yield pcm
            return
        kind, name = (recognised(pcm, whole=True) if pcm and not self._heard else None) or ("raw", "")
        if kind in ("wav", "compressed"):
            yield wrong(name)
            return
        self._heard = self._heard or bool(pcm)
        yield from self._samples.take(pcm)

    def _complete(self, text: str) -> Iterator[Step]:
        self._text = None
        yield from self._samples.rest()
        if not self._heard and speakable(text):
            yield Refused("speech.completed and no audio for a text", reason="no_audio")
            return
        yield SegmentEnd()
        if self._closed:
            yield Done()


def _refused(error: Any, event: Mapping[str, Any], data: bytes) -> Refused:
    """Nothing more is spoken on this connection."""
    said = complaint(error.get("message") if isinstance(error, dict) else event.get("message"), data)
    return Refused(REPORTED, said, reason="unknown_voice" if "voice" in said.lower() else "server_error")


def _send(kind: str, **fields: Any) -> Send:
    return Send(Text(json.dumps({"type": kind, **fields}).encode()))


def _dialled(server: ServerPlan) -> ServerPlan:
    """What is wanted of the endpoint, which recognises speech, too, is part of the URL."""
    parts = urlsplit(server.url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if all(name != _INTENT[0] for name, _ in query):
        query.append(_INTENT)
    url = urlunsplit(parts._replace(query=urlencode(query)))
    return ServerPlan(server.protocol, url, server.options, server.headers)


PROTOCOL = ServerProtocol(
    name="nim_realtime",
    schemes=("ws", "wss"),
    default_url="ws://localhost:9000/v1/realtime",
    framing="websocket_media",
    options=NimRealtimeOptions,
    converse=NimRealtime,
    dialled=_dialled,
)

"""vLLM-Omni's speech WebSocket, `/v1/audio/speech/stream`: text in, PCM out, and a rate that the server states."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from probe.audio import BYTES_PER_SAMPLE, speakable
from probe.plan import ServerPlan
from probe.protocols import server_page
from probe.protocols.base import (
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
from probe.protocols.declaration import ServerProtocol
from probe.protocols.fields import REPORTED, complaint, count_or_none, http_url, parse_object
from probe.protocols.inquiries import Inquiries, Inquiry
from probe.protocols.samples import RATES, Samples, wrong
from probe.server_state import ServerState
from probe.transport.framing.base import Binary, Ended, Incoming, Text

_Name = Annotated[str, Meta(min_length=1)]
# What the probe itself decides.
_OURS = ("type", "response_format", "stream_audio", "word_timestamps")


def _additions(config: dict[str, Any]) -> dict[str, Any]:
    if taken := [name for name in _OURS if name in config]:
        raise ValueError(f"{' and '.join(taken)} can't be replaced")
    return config


class VllmSpeechOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model speaks, and how."""

    model: Annotated[_Name | None, Meta(description="as the server calls it; without it, its only one")] = None
    voice: Annotated[_Name | None, Meta(description="a voice of the server; without it, its own one speaks")] = None
    language: Annotated[_Name | None, Meta(description="of the text, as the model calls it")] = None
    sample_rate: Annotated[
        int, Meta(ge=8000, le=192_000, description="of the audio, in Hz, where the server does not state it")
    ] = 24_000
    extra_config: Annotated[
        dict[str, Any],
        _additions,
        Meta(description="merged into session.config, such as { split_granularity = 'sentence' }"),
    ] = field(default_factory=dict)


class VllmSpeech(TtsConversation):
    """Each text is an utterance of its own (`input.text`, `input.done`) on one connection, which the server may end.

    A segment ends with `session.done`; where the server cuts the text, it has the audio of several sentences.
    """

    def __init__(self, terms: Terms) -> None:
        self._options: Mapping[str, Any] = terms.server.options
        # Whether this connection has its configuration.
        self._told = False
        # The text that is being spoken, and its audio.
        self._text: str | None = None
        self._samples = Samples()
        self._heard = self._closed = False

    @property
    def sample_rate(self) -> int:
        rate: int = self._options["sample_rate"]
        return rate

    def open(self, now: int) -> Iterable[Step]:
        del now
        self._closed, self._text = False, None
        return Connect(), *self._configured(), Ready()

    def speak(self, text: str, now: int) -> Iterable[Step]:
        del now
        self._text, self._samples, self._heard = text, Samples(), False
        return Connect(), *self._configured(), _send("input.text", text=text), _send("input.done")

    def close(self, now: int) -> Iterable[Step]:
        del now
        self._closed = True
        return (Done(),) if self._text is None else ()

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        match frame:
            case Binary(data) if self._text is not None:
                yield from self._audio(data)
            case Text(data):
                yield from self._read(data)
            case Ended():
                self._told = False
                if self._text is None:
                    # The next text opens another.
                    yield Drop()
            case _:
                yield Unknown()

    def _configured(self) -> tuple[Send, ...]:
        if self._told:
            return ()
        self._told = True
        given = {name: value for name in ("model", "voice", "language") if (value := self._options.get(name))}
        more = dict(self._options.get("extra_config") or {})
        return (_send("session.config", **given, **more, response_format="pcm", stream_audio=True),)

    def _read(self, data: bytes) -> Iterator[Step]:
        event = parse_object(data)
        if isinstance(event, Malformed):
            yield event
            return
        match event.get("type"):
            case "audio.start" if self._text is not None:
                yield from self._formatted(event)
            case "audio.done" if event.get("error") is True:
                yield Refused("its audio failed")
            case "session.done" if self._text is not None:
                yield from self._complete(self._text)
            case "error":
                said = complaint(event.get("message"), data)
                reason = "unknown_voice" if "voice" in said.lower() else "server_error"
                yield Refused(REPORTED, said, fatal=self._text is not None, reason=reason)
            case str():
                yield Unknown()
            case _:
                yield Malformed("an event without a type")

    def _formatted(self, event: Mapping[str, Any]) -> Iterator[Step]:
        rate, channels = count_or_none(event.get("sample_rate")), count_or_none(event.get("channels"))
        if event.get("format", "pcm") != "pcm":
            yield wrong("another format than was asked for")
        elif channels not in (None, 1) or (rate is not None and rate not in RATES):
            yield wrong(f"{8 * BYTES_PER_SAMPLE}-bit PCM, {channels} channel(s) at {rate} Hz")
        elif rate is not None:
            yield AudioFormat(rate)

    def _audio(self, data: bytes) -> Iterator[Step]:
        for audio in self._samples.take(data):
            self._heard = True
            yield audio

    def _complete(self, text: str) -> Iterator[Step]:
        self._text = None
        yield from self._samples.rest()
        if not self._heard and speakable(text):
            yield Refused("session.done and no audio for a text", reason="no_audio")
            return
        yield SegmentEnd()
        if self._closed:
            yield Done()


def _send(kind: str, **fields: Any) -> Send:
    return Send(Text(json.dumps({"type": kind, **fields}).encode()))


def _figures(server: ServerPlan) -> Inquiries[ServerState | None]:
    """Its page of metrics, as that of the same program with a model that writes."""
    return (Inquiry(http_url(server.url, "/metrics"), server_page.state, server.headers),)


PROTOCOL = ServerProtocol(
    name="vllm_speech",
    schemes=("ws", "wss"),
    default_url="ws://localhost:8091/v1/audio/speech/stream",
    framing="websocket",
    options=VllmSpeechOptions,
    converse=VllmSpeech,
    figures=_figures,
)

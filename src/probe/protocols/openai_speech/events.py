"""Audio in server-sent events: base64 in JSON, by the names that OpenAI, vLLM-Omni and others give it."""

from collections.abc import Iterator
from typing import Any

from probe.protocols.base import Audio, AudioFormat, Malformed, Refused
from probe.protocols.base64_audio import decoded
from probe.protocols.fields import REPORTED, parse_object, shown
from probe.protocols.http_answers import complaint, words_of
from probe.protocols.http_speech import Said
from probe.protocols.openai_speech.body import Body
from probe.protocols.openai_speech.content_type import content_type
from probe.protocols.openai_speech.event_stream import MAX_EVENT_BYTES, EventStream, ServerSent
from probe.protocols.samples import RATES

# OpenAI's own has no such event; some servers end with the one of chat completions.
_END = b"[DONE]"
_WAV = b"RIFF"


class EventBody:
    """A stream of events. Each has whole base64 of its own; a sample may go on in the next one.

    A server may send one file in pieces, or a WAV file in each event. `rate` is that of raw samples.
    """

    complaint = False
    empty = "an event stream without audio"

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._stream = EventStream()
        self._body = self._new_body()

    def feed(self, data: bytes) -> Iterator[Said]:
        for sent in self._stream.feed(data):
            yield from self._read(sent)
        if self._stream.overlong:
            yield Refused(f"an event of more than {MAX_EVENT_BYTES // 2**20} MiB", reason="flood")

    def end(self) -> Iterator[Said]:
        for sent in self._stream.end():
            yield from self._read(sent)
        yield from self._body.end()

    def _read(self, sent: ServerSent) -> Iterator[Said]:
        if sent.data.strip() == _END:
            return
        event = parse_object(sent.data)
        if isinstance(event, Malformed):
            yield event
            return
        kind = event.get("type")
        kind = kind if isinstance(kind, str) else sent.name
        if complaint(event) is not None or kind.endswith("error"):
            yield Refused(REPORTED, words_of(event) or shown(sent.data))
        elif audio := _audio_in(event):
            yield from self._audio(audio, event)

    def _audio(self, text: str, event: dict[str, Any]) -> Iterator[Said]:
        data = decoded(text, text.encode("utf-8", "replace"))
        if isinstance(data, Malformed):
            yield data
            return
        if (rate := _rate_in(event)) is not None and rate != self._rate:
            self._rate = rate
            yield from self._anew()
        elif data.startswith(_WAV):
            yield from self._anew()
        yield from self._body.feed(data)

    def _anew(self) -> Iterator[Said]:
        """A file of its own begins with this event: what came before it is complete."""
        yield from (each for each in self._body.end() if isinstance(each, Audio | AudioFormat))
        self._body = self._new_body()

    def _new_body(self) -> Body:
        return Body(content_type("audio/pcm"), self._rate)


def _audio_in(event: dict[str, Any]) -> str:
    """The base64 of an event; empty where it has none."""
    audio = event.get("audio")
    nested = audio.get("data") if isinstance(audio, dict) else audio
    found = (nested, event.get("delta"), event.get("data"))
    return next((each for each in found if isinstance(each, str)), "")


def _rate_in(event: dict[str, Any]) -> int | None:
    audio = event.get("audio")
    stated = audio.get("sample_rate") if isinstance(audio, dict) else event.get("sample_rate")
    return stated if isinstance(stated, int) and not isinstance(stated, bool) and stated in RATES else None

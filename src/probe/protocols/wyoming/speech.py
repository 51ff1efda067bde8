"""The answer to one text, event by event: audio of one format, and its end."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from probe.audio import BYTES_PER_SAMPLE
from probe.protocols.base import AudioFormat, Event, Refused, SegmentEnd, Unknown
from probe.protocols.fields import count_or_none
from probe.protocols.samples import RATES, Samples, wrong
from probe.protocols.wyoming.events import Heard, refusal

_FORMAT = ("rate", "width", "channels")


class Speech:
    """The audio of one text, which `ends_with` one kind of event; it may come in several stretches."""

    def __init__(self, ends_with: str) -> None:
        self.heard = False
        self._ends_with = ends_with
        self._samples = Samples()
        self._format: dict[str, int | None] = dict.fromkeys(_FORMAT)
        self._rate: int | None = None

    def take(self, event: Heard) -> Iterator[Event]:
        """What an event says; a SegmentEnd or a Refused is the end."""
        match event.type:
            case "audio-start":
                yield from self._formatted(event.data)
            case "audio-chunk":
                yield from self._chunk(event)
            case "error":
                yield _explained(event.data)
            case self._ends_with:
                yield from self._samples.rest()
                yield SegmentEnd()
            case _:
                yield Unknown()

    def _chunk(self, event: Heard) -> Iterator[Event]:
        """A chunk states its format itself, too."""
        for each in self._formatted(event.data):
            yield each
            if isinstance(each, Refused):
                return
        for audio in self._samples.take(event.payload):
            self.heard = True
            yield audio

    def _formatted(self, data: Mapping[str, Any]) -> Iterator[AudioFormat | Refused]:
        """Nothing where the format is the one that is known; what is not stated is as before."""
        stated = {name: count_or_none(data[name]) for name in _FORMAT if data.get(name) is not None}
        self._format |= stated
        rate, width, channels = (self._format[name] for name in _FORMAT)
        if rate is None or width is None or channels is None:
            yield wrong("audio whose format is not stated")
        elif (width, channels) != (BYTES_PER_SAMPLE, 1) or rate not in RATES:
            yield wrong(f"{8 * width}-bit PCM, {channels} channel(s) at {rate} Hz")
        elif self._rate is None:
            self._rate = rate
            yield AudioFormat(rate)
        elif rate != self._rate:
            yield wrong(f"audio that goes from {self._rate} to {rate} Hz in one text")


def _explained(data: Mapping[str, Any]) -> Refused:
    refused = refusal(data)
    return replace(refused, reason="unknown_voice") if "voice" in refused.said.lower() else refused

"""How an answer is read, as its head says: status, type, rate."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from probe.protocols.base import Refused
from probe.protocols.fields import one_line
from probe.protocols.http_answers import FailedAnswer, succeeded
from probe.protocols.http_speech import Reading
from probe.protocols.openai_speech.body import Body
from probe.protocols.openai_speech.content_type import content_type, rate_in_hz
from probe.protocols.openai_speech.events import EventBody
from probe.protocols.samples import wrong
from probe.transport.framing.base import Response

# With one of these a server refuses a voice that it does not have.
_REFUSING = (400, 404, 422)


def reading_of(response: Response, path: str, configured_rate: int) -> Reading:
    """How `path` is answered. Raw samples have the rate that the head states, else the configured one."""
    headers = response.headers
    if not succeeded(response):
        return Failed(response, path)
    encoding = one_line(headers.get("content-encoding", "")) or "identity"
    if encoding.lower() != "identity":
        return Encoded(encoding)
    declared = content_type(headers.get("content-type", ""))
    rate = declared.rate or rate_in_hz(headers.get("x-sample-rate", "")) or configured_rate
    return EventBody(rate) if declared.kind == "events" else Body(declared, rate)


class Failed(FailedAnswer):
    """An answer whose status is a failure."""

    complaint = True
    empty = ""

    def __init__(self, response: Response, path: str) -> None:
        super().__init__(response, path)
        self._refuses = response.status in _REFUSING

    def end(self) -> Iterator[Refused]:
        for refused in super().end():
            unknown = self._refuses and "voice" in refused.said.lower()
            yield replace(refused, reason="unknown_voice") if unknown else refused


class Encoded:
    """A body that is compressed, though that was asked not to be: when a sample came in is not to be known."""

    complaint = False
    empty = "an empty body"

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def feed(self, data: bytes) -> Iterator[Refused]:
        if data:
            yield replace(wrong("a packed body"), said=f"content-encoding: {self._encoding}")

    def end(self) -> Iterable[Refused]:
        return ()

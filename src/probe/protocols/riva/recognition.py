"""The answer to a call of `StreamingRecognize`: results, and which text is final. Pure, and bounded."""

from collections.abc import Iterator, Mapping

from probe.protocols.base import Malformed, Refused
from probe.protocols.hearing import MAX_EVENTS
from probe.protocols.riva import wire
from probe.protocols.riva.call import CUT, no_message, refusal
from probe.transport.framing.base import Response

# With the times of each word, one of a minute's speech has 10 KiB, and 200 fields of words.
MAX_MESSAGE_BYTES = 2**16
MAX_FIELDS = 2**11
# Of one answer, whose interim results repeat what was understood so far.
MAX_BYTES = 2**21
_RESULTS = _ALTERNATIVES = _TRANSCRIPT = 1
_IS_FINAL = 2


class Recognition:
    """What was understood, as far as it is final: a text for each part of the speech that the server has settled."""

    def __init__(self, response: Response, path: str) -> None:
        self._method = path.rpartition("/")[2]
        self._headers = response.headers
        self._messages = wire.Messages(MAX_EVENTS, MAX_MESSAGE_BYTES)
        self._received = 0

    def feed(self, data: bytes) -> Iterator[str | Malformed | Refused]:
        """Take a piece of the body. Nothing comes after what is no text."""
        self._received += len(data)
        if self._received > MAX_BYTES:
            yield Refused(f"more than {MAX_BYTES // 2**20} MiB about one transcript", reason="flood")
            return
        for each in self._messages.feed(data):
            said = _final(each) if isinstance(each, bytes) else each
            if said:
                yield said
            if not isinstance(said, str):
                return

    def trailed(self, trailers: Mapping[str, str]) -> Iterator[Malformed | Refused]:
        """The answer is complete."""
        if (refused := refusal({**self._headers, **trailers}, self._method)) is not None:
            yield refused
        elif self._messages.cut:
            yield CUT


def _final(message: bytes) -> str | Malformed:
    """The text of the final results in a message; empty where there are none, or none with a word."""
    try:
        return " ".join(filter(None, _finals(message)))
    except ValueError as error:
        return no_message(error, message)


def _finals(message: bytes) -> Iterator[str]:
    """The text of each final result, by the best of its alternatives. Raises ValueError."""
    left = MAX_FIELDS
    for result in wire.texts(wire.read(message, left), _RESULTS):
        fields = wire.read(result, left)
        left -= len(fields)
        if any(number == _IS_FINAL and value for number, value in fields):
            best = b"".join(wire.texts(fields, _ALTERNATIVES)[:1])
            of_best = wire.read(best, left)
            left -= len(of_best)
            yield b"".join(wire.texts(of_best, _TRANSCRIPT)[-1:]).decode("utf-8", "replace").strip()

"""One answer of an Ollama server as it comes in: a JSON object on each line; the last one says `done`."""

from collections.abc import Iterator
from typing import Any

from probe.protocols.answer_text import AnswerText
from probe.protocols.base import Event, Loaded, Malformed, Refused, ServerTimes, Usage
from probe.protocols.fields import REPORTED, count_or_none, finish_reason, parse_object, shown, time_or_none
from probe.protocols.http_answers import complaint
from probe.timestamps import NS_PER_MS

# A server sends a few hundred bytes; one that does not stream, its whole answer.
MAX_LINE_BYTES = 2**18
_TIMES = ("load_duration", "prompt_eval_duration", "eval_duration", "total_duration")
# With a model that is loaded, `load_duration` is what finding it takes: tens of milliseconds, more on a busy machine.
# Loading takes seconds. A small model that is still in memory may take less than this; `/api/ps`, asked before, knows.
LOADED_MS = 500.0


class Lines:
    """An answer, line by line. What is kept is the start of one line."""

    def __init__(self) -> None:
        self._text = AnswerText()
        self._line = bytearray()

    @property
    def owes_rest(self) -> bool:
        """The line that ends the answer has all that there is."""
        return False

    def feed(self, data: bytes) -> Iterator[Event]:
        start, *more = data.split(b"\n")
        yield from self._add(start)
        for piece in more:
            yield from self._complete()
            yield from self._add(piece)

    def end(self) -> Iterator[Event]:
        """The response is complete; the answer may be incomplete."""
        yield from self._complete()
        if not self._text.over:
            yield Refused("the LLM server ended its response before the end of its answer", reason="closed")

    def cut(self) -> Iterator[Event]:
        """The connection is gone. The last line may have come anyway, without its end."""
        if not isinstance(parse_object(bytes(self._line)), Malformed):
            yield from self._complete()

    def _add(self, piece: bytes) -> Iterator[Event]:
        self._line += piece
        if len(self._line) > MAX_LINE_BYTES:
            self._line.clear()
            yield Refused(f"a line of the answer is longer than {MAX_LINE_BYTES} bytes", reason="flood")

    def _complete(self) -> Iterator[Event]:
        data = bytes(self._line).strip()
        self._line.clear()
        if not data:
            return
        document = parse_object(data)
        if isinstance(document, Malformed):
            yield document
        elif (message := complaint(document)) is not None:
            yield Refused(REPORTED, message or shown(data))
        else:
            yield from self._document(document, data)

    def _document(self, document: dict[str, Any], data: bytes) -> Iterator[Event]:
        yield from self._text.answering(document.get("model"))
        message = document.get("message")
        if isinstance(message, dict):
            yield from self._text.piece(message.get("thinking"), message.get("content"), message.get("tool_calls"))
        elif document.get("done") is not True:
            yield Malformed("JSON that is not part of an answer", shown(data))
        if document.get("done") is True and not self._text.over:
            yield from _account(document)
            yield from self._text.finish(finish_reason(document.get("done_reason")))


def _account(document: dict[str, Any]) -> Iterator[Event]:
    """What the server says of its own work, in nanoseconds and tokens."""
    given = {name: time_or_none(document.get(name)) for name in _TIMES}
    times = {name.replace("duration", "ms"): value / NS_PER_MS for name, value in given.items() if value is not None}
    if times:
        read = times.get("prompt_eval_ms")
        yield ServerTimes(times, None if read is None else times.get("load_ms", 0.0) + read)
    if times.get("load_ms", 0.0) >= LOADED_MS:
        yield Loaded()
    if (tokens := count_or_none(document.get("eval_count"))) is not None:
        yield Usage(tokens, count_or_none(document.get("prompt_eval_count")))

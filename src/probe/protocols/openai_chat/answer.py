"""One answer as it comes in: server-sent events, or a whole document where the server does not stream."""

from collections.abc import Iterator
from typing import Any

from probe.protocols.answer_text import AnswerText
from probe.protocols.base import Event, Malformed, Refused, ServerTimes, Usage
from probe.protocols.fields import REPORTED, count_or_none, finish_reason, one_line, parse_object, shown, time_or_none
from probe.protocols.http_answers import complaint, words_in
from probe.protocols.sse import MAX_LINE_BYTES, Field, Fields

MAX_DOCUMENT_BYTES = 2**18
# Reasoning, by the names that servers have for it. One may repeat it under two of them.
_REASONING = ("reasoning_content", "reasoning", "thinking")
_END = b"[DONE]"
_MOST_TIMES = 32


class Answer(AnswerText):
    """What the documents of one answer say."""

    def document(self, document: dict[str, Any], data: bytes) -> Iterator[Event]:
        """Take one of the stream's documents, or the whole answer in one."""
        if (message := complaint(document)) is not None:
            yield Refused(REPORTED, message or shown(data))
            return
        yield from self.answering(document.get("model"))
        choice = _choice(document)
        piece = choice.get("delta") or choice.get("message")
        if isinstance(piece, dict):
            reasoning = next((text for name in _REASONING if (text := piece.get(name))), None)
            tools = piece.get("tool_calls") or piece.get("function_call")
            yield from self.piece(reasoning, piece.get("content"), tools)
        if times := _times(document):
            yield ServerTimes(times, next((times[name] for name in _FIRST_TOKEN if name in times), None))
        usage = document.get("usage")
        if isinstance(usage, dict) and (tokens := count_or_none(usage.get("completion_tokens"))) is not None:
            details = usage.get("prompt_tokens_details")
            cached = details.get("cached_tokens") if isinstance(details, dict) else None
            yield Usage(tokens, count_or_none(usage.get("prompt_tokens")), count_or_none(cached))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            yield from self.finish(finish_reason(reason))


# How long the server itself took to its first token, by the names of vLLM and of llama.cpp.
_FIRST_TOKEN = ("time_to_first_token_ms", "prompt_ms")


class Streamed:
    """An answer in events. `opened`: it begins inside the reasoning, whose start is not in it."""

    def __init__(self, *, opened: bool = False) -> None:
        self._answer = Answer(opened=opened)
        self._fields = Fields()
        self._data: list[bytes] = []
        self._data_size = 0
        self._kind = b""
        self._ended = False

    @property
    def owes_rest(self) -> bool:
        """Whether the answer is complete, and its last words (usage, times) may still come."""
        return self._answer.over and not self._ended

    def feed(self, data: bytes) -> Iterator[Event]:
        for each in self._fields.feed(data):
            yield from self._field(each)
        if self._fields.overlong:
            yield Refused(f"a line of the answer is longer than {MAX_LINE_BYTES} bytes", reason="flood")

    def end(self) -> Iterator[Event]:
        """The response is complete; the answer may be incomplete."""
        yield from self.cut()
        if not self._answer.over:
            yield Refused("the LLM server ended its response before the end of its answer", reason="closed")

    def cut(self) -> Iterator[Event]:
        """The connection is gone. The last event may have come anyway: its empty line may be missing."""
        for each in self._fields.end():
            if each.name == "data":
                self._data.append(each.value)
            else:
                yield from self._field(each)
        data = b"\n".join(self._data)
        self._data.clear()
        document = _read(data)
        if not isinstance(document, Malformed):
            yield from self._event(document, data, self._kind)

    def _field(self, field: Field) -> Iterator[Event]:
        match field.name:
            case "data":
                yield from self._line(field.value)
            case "event":
                self._kind = field.value.strip()
            case "error":
                # Of older llama.cpp servers.
                yield Refused(REPORTED, words_in(field.value) or shown(field.value))
            case "":
                data, self._kind, kind = b"\n".join(self._data), b"", self._kind
                self._data.clear()
                self._data_size = 0
                if data.strip():
                    yield from self._event(_read(data), data, kind)

    def _line(self, value: bytes) -> Iterator[Event]:
        """An event whose line is complete does not wait for the empty line after it, which some servers forget."""
        if not self._data and not isinstance(document := _read(value), Malformed):
            yield from self._event(document, value, self._kind)
            return
        self._data.append(value)
        self._data_size += len(value) + 1
        if self._data_size > MAX_LINE_BYTES:
            self._data.clear()
            yield Refused(f"an event of the answer is longer than {MAX_LINE_BYTES} bytes", reason="flood")

    def _event(self, document: dict[str, Any] | Malformed | None, data: bytes, kind: bytes) -> Iterator[Event]:
        if self._ended:
            return
        if document is None:
            self._ended = True
            yield from self._answer.finish(None)
        elif isinstance(document, Malformed):
            yield document
        elif kind == b"error":
            yield Refused(REPORTED, words_in(data) or shown(data))
        else:
            yield from self._answer.document(document, data)


class Whole:
    """An answer in one document, from a server that does not stream: all its tokens are one."""

    owes_rest = False

    def __init__(self, *, opened: bool = False) -> None:
        self._opened = opened
        self._body = bytearray()

    def feed(self, data: bytes) -> Iterator[Event]:
        self._body += data
        if len(self._body) > MAX_DOCUMENT_BYTES:
            self._body.clear()
            yield Refused(f"the answer is longer than {MAX_DOCUMENT_BYTES} bytes", reason="flood")

    def end(self) -> Iterator[Event]:
        data = bytes(self._body)
        document = parse_object(data)
        if isinstance(document, Malformed):
            yield document
            return
        answer = Answer(opened=self._opened)
        yield from answer.document(document, data)
        if not isinstance(_choice(document).get("message"), dict):
            if complaint(document) is None:
                yield Malformed("JSON that is not an answer", shown(data))
        else:
            yield from answer.finish(None)

    def cut(self) -> Iterator[Event]:
        yield from ()


def _read(data: bytes) -> dict[str, Any] | Malformed | None:
    """The document of an event; None for the word that ends the stream."""
    return None if data.strip() == _END else parse_object(data)


def _choice(document: dict[str, Any]) -> dict[str, Any]:
    """The first choice; only one is asked for. Some documents have none."""
    choices = document.get("choices")
    found = choices[0] if isinstance(choices, list) and choices else None
    return found if isinstance(found, dict) else {}


def _times(document: dict[str, Any]) -> dict[str, float]:
    """What llama.cpp (`timings`) and vLLM (`metrics`) say of their own work, in milliseconds."""
    found: dict[str, float] = {}
    for name in ("timings", "metrics"):
        given = document.get(name)
        for key, value in given.items() if isinstance(given, dict) else ():
            if key.endswith("_ms") and len(found) < _MOST_TIMES and (time := time_or_none(value)) is not None:
                found[one_line(key)] = time
    return found

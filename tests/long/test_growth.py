"""Whatever sees foreign text takes as long as that is long: four times the text, some four times the time.

One that looks at the same text again and again takes sixteen times as long, and a server, a collector or a proxy could
stop the daemon with it. Ratios of processor time, the best of several: a busy machine makes no difference to them.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from probe.audio import speakable
from probe.credentials import secrets_of, without
from probe.engine.cutter import cut, sentence_end, undecided
from probe.otlp.collector import Endpoint
from probe.plan import Pause, ServerPlan
from probe.protocols import fields, http_answers, server_page
from probe.protocols.llama_chunked.codec import LlamaChunked
from probe.protocols.magpie.codec import MagpieTts
from probe.protocols.ollama.answer import Lines
from probe.protocols.openai_chat.answer import Streamed, Whole
from probe.protocols.openai_speech import request
from probe.protocols.riva import wire
from probe.protocols.riva.call import refusal
from probe.protocols.sse import Fields
from probe.protocols.thinking import Thinking
from probe.protocols.wyoming.events import Events, written
from probe.report.format import shortened, table, wrapped
from probe.text import cut as cut_text
from probe.text import one_line, storable
from probe.transport.framing.base import Refusal, Response
from probe.urls import shown, without_secrets

SMALL, LARGE = 2**14, 2**16
# Linear is 4, quadratic 16.
MOST = 11.0
# So long the event loop may be blocked: what takes less, however it grows, is no matter.
NEGLIGIBLE_S = 0.02
TRIES = 8
ALPHABETS = (
    "://", ":", "/", "@", "?", "#", ")", ".", "!", "…", "'", '"', " ", "\n", "a", "1", "é", "\u0301", "\x1b[", "\x9b",
    "\ud800", "😀", "<", "</", "<think>", "</think>", "<t", ">", "{", "}", "[", "]", "\\", '"{', "\\u", "data:",
    "data: {}", "\r", "\r\n", ",", "Dr.", "1.", " 1.", ". ", "://a?", "://@", "://a@", "://a?)", "://a#.", "sk-12345",
    "Tell me a", "vllm:num_requests_running ", '{le="1"} ', "。", "।", "؟",
)  # fmt: skip
KEY = "sk-1234567890-1234567890"
SERVER = ServerPlan("x", "http://h/v1", {}, {"authorization": f"Bearer {KEY}"})


def tokens(text: str, size: int = 64) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def think(text: str) -> None:
    thinking = Thinking()
    for token in tokens(text):
        list(thinking.content(token))
    list(thinking.rest())


def cut_up(text: str) -> None:
    """As the engine does: after each token, and no text that has been decided is looked at again."""
    so_far: list[str] = []
    tail = ""
    for token in tokens(text):
        so_far.append(token)
        if cut(so_far, tail, Pause(sentence_boundary=True)) is None:
            tail = undecided(tail + token)
        else:
            so_far, tail = [], ""


def read_events(text: str) -> None:
    reader = Fields()
    for piece in pieces(as_bytes(text), 64):
        list(reader.feed(piece))
    list(reader.end())


def stream(text: str) -> None:
    answer = Streamed()
    for piece in pieces(as_bytes(text), 64):
        list(answer.feed(piece))
    list(answer.end())


def whole(text: str) -> None:
    answer = Whole()
    for piece in pieces(as_bytes(json.dumps({"choices": [{"message": {"content": text}}]})), 64):
        list(answer.feed(piece))
    list(answer.end())


def read_lines(text: str) -> None:
    """Of an Ollama server: each with an answer, and as it comes."""
    answer = Lines()
    data = b"".join(json.dumps({"message": {"content": each}}).encode() + b"\n" for each in tokens(text))
    for piece in (*pieces(data, 64), *pieces(as_bytes(text), 64)):
        list(answer.feed(piece))
    list(answer.end())


def read_wyoming(text: str) -> None:
    """Events with the text in their data, and the text instead of one."""
    data = b"".join(written("error", {"text": each}) for each in tokens(text))
    events = Events()
    for piece in (*pieces(data, 64), *pieces(as_bytes(text), 64)):
        list(events.feed(piece))


def read_grpc(text: str) -> None:
    """Messages with the text in a field, the text instead of one, and the words of a status."""
    data = b"".join(wire.framed(wire.message({1: each})) for each in tokens(text))
    messages = wire.Messages()
    for piece in pieces(data, 64):
        for each in messages.feed(piece):
            if isinstance(each, bytes):
                wire.read(each)
    list(wire.Messages().feed(as_bytes(text)))
    refusal({"grpc-status": "3", "grpc-message": text}, "method")
    with suppress(ValueError):
        wire.read(as_bytes(text))


READERS: dict[str, Callable[[str], Any]] = {
    "urls.without_secrets": without_secrets,
    "urls.shown": shown,
    "text.one_line": one_line,
    "text.cut": lambda text: cut_text(text, 100),
    "text.storable": storable,
    "audio.speakable": speakable,
    "cutter.sentence_end": sentence_end,
    "cutter.cut": cut_up,
    "report.wrapped": lambda text: list(wrapped(text, 80)),
    "report.shortened": lambda text: shortened(text, 200),
    "report.table": lambda text: list(table(("a", "b"), [["1", text]], 80)),
    "fields.one_line": fields.one_line,
    "fields.shown": lambda text: fields.shown(as_bytes(text)),
    "fields.parse_object": lambda text: fields.parse_object(as_bytes(text)),
    "http_answers.words_in": lambda text: http_answers.words_in(as_bytes(text)),
    "http_answers.words_in JSON": lambda text: http_answers.words_in(json.dumps({"error": {"message": text}}).encode()),
    "ollama.Lines": read_lines,
    "wyoming.Events": read_wyoming,
    "riva.Messages": read_grpc,
    "http_answers.refusal": lambda text: http_answers.refusal(Response(307, {"location": text}), "/v1", as_bytes(text)),
    "http_answers.refused_handshake": lambda text: http_answers.refused_handshake(
        Refusal(401, {"location": text}, as_bytes(text)), SERVER
    ),
    "credentials.without": lambda text: without(text, secrets_of(SERVER.url, SERVER.headers)),
    "openai_chat.thinking": think,
    "openai_chat.Streamed": stream,
    "openai_chat.Whole": whole,
    "server_page.state": lambda text: server_page.state(as_bytes(text)),
    "openai_speech.voices": lambda text: request.voices(as_bytes(text)),
    "llama_chunked.decode": lambda text: LlamaChunked().decode(as_bytes(text), binary=False, stream_id="s"),
    "llama_chunked.decode error": lambda text: LlamaChunked().decode(
        json.dumps({"error": text}).encode(), binary=False, stream_id="s"
    ),
    "magpie.decode": lambda text: MagpieTts().decode(as_bytes(text), binary=False),
    "sse.Fields": read_events,
    "tracing.reason": Endpoint("http://u:password@h", headers={"authorization": f"Bearer {KEY}"}).reason,
}


def of_size(alphabet: str, size: int) -> str:
    return (alphabet * (size // len(alphabet) + 1))[:size]


def texts(size: int) -> Iterator[str]:
    """One part again and again; and with a start and an end that make a search begin and fail."""
    for alphabet in ALPHABETS:
        yield of_size(alphabet, size)
    for start, alphabet in itertools.product(("http://a?", "<", '{"a": "', "data: "), (")", "://", "<", ".", "a", "?")):
        yield start + of_size(alphabet, size) + "x"


def took_s(read: Callable[[str], Any], text: str) -> float:
    began = time.process_time()
    read(text)
    return time.process_time() - began


def growth(read: Callable[[str], Any], small: str, large: str) -> float:
    """How many times as long the large text takes; 0 for what takes no time worth speaking of."""
    of_large = took_s(read, large)
    for _try in range(TRIES):
        if of_large < NEGLIGIBLE_S:
            return 0.0
        of_small = min(took_s(read, small) for _ in range(3))
        if of_large <= MOST * of_small:
            return of_large / of_small
        of_large = min(of_large, took_s(read, large))
    return of_large / of_small


@pytest.mark.parametrize("name", READERS)
def test_time_grows_as_the_text_does(name: str) -> None:
    read = READERS[name]
    pairs = zip(texts(SMALL), texts(LARGE), strict=True)
    found = {ascii(large[:20]): growth(read, small, large) for small, large in pairs}
    assert {text: ratio for text, ratio in found.items() if ratio > MOST} == {}


def test_a_quadratic_function_would_be_found() -> None:
    def quadratic(text: str) -> None:
        # What each step costs beside its search is linear, and must be little of it.
        for start in range(0, len(text), 32):
            text[start:].count("ab")

    # A short measurement that was disturbed looks linear, for readers as well; not three times in a row.
    assert any(growth(quadratic, of_size("a", SMALL), of_size("a", LARGE)) > MOST for _ in range(3))

"""What a server writes is in the fields for it and in no other, whatever it writes and wherever it puts it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from framings import opened
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import Pause, ServerPlan
from probe.protocols.base import Conversation, Event, Question, Terms
from probe.protocols.http_chat import HttpChat
from probe.protocols.llama_chunked.conversation import ChunkedConversation
from probe.protocols.magpie.conversation import MagpieConversation
from probe.protocols.nim_realtime import NimRealtime
from probe.protocols.ollama.conversation import OllamaConversation
from probe.protocols.openai_chat.conversation import ChatConversation
from probe.protocols.openai_realtime.conversation import RealtimeConversation
from probe.protocols.openai_speech.conversation import SpeechConversation
from probe.protocols.openai_transcriptions.conversation import TranscriptionsConversation
from probe.protocols.registry import PROTOCOLS
from probe.protocols.riva.conversation import RivaConversation
from probe.protocols.riva.hearing import RivaHearing
from probe.protocols.riva.nim import NimConversation
from probe.protocols.riva.stitched import StitchedConversation
from probe.protocols.vllm_speech import VllmSpeech
from probe.protocols.wyoming.conversation import WyomingConversation
from probe.protocols.wyoming.hearing import WyomingHearing
from probe.reference.faults import wire
from probe.transport.framing.base import (
    Binary,
    Body,
    BodyEnd,
    Ended,
    Framing,
    FramingError,
    Incoming,
    Raw,
    Request,
    Response,
    Text,
)
from probe.transport.framing.http1 import Http1
from probe.transport.framing.http2 import Http2
from probe.transport.framing.websocket import WebSocket

CANARY = "Zebulon Quartermaine takes Atorvastatin"
# Every part of it of this many characters is a leak.
PART = 8
# Where what a server wrote belongs: an answer's own text, and its other words.
KEPT_APART = ("said", "text", "pcm")
# Names that any of the protocols gives a meaning.
KEYS = (
    "type", "error", "message", "msg", "detail", "details", "title", "status", "reason", "content", "text", "fatal",
    "choices", "delta", "finish_reason", "tool_calls", "usage", "timings", "object", "audio", "data", "format", "code",
    "param", "loc", "stream_id", "voices", "model", "role", "id", "thinking", "done", "done_reason", "rate", "width",
    "channels",
)  # fmt: skip
TYPES = ("token", "paused", "done", "error", "stream_created", "segment_complete", "speech.audio.delta", "error.x")

words = st.sampled_from((CANARY, CANARY.lower(), CANARY[:PART], f"error near: {CANARY[9:30]}…", *TYPES))
values = st.recursive(
    words | st.none() | st.booleans() | st.integers(0, 600),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*KEYS, CANARY)), inner, max_size=4),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
statuses = st.sampled_from((200, 206, 301, 307, 400, 401, 404, 422, 429, 500, 503))
types = st.sampled_from(
    (
        "text/event-stream",
        "application/x-ndjson",
        "application/json",
        "audio/pcm",
        "text/plain",
        "text/html",
        CANARY,
        f"audio/{CANARY[:PART]}",
    )
)
headers = st.fixed_dictionaries(
    {"content-type": types},
    optional={"location": st.just(f"http://h/{CANARY}"), "content-encoding": st.just(CANARY), CANARY: st.just(CANARY)},
)


def leaks(text: str) -> bool:
    """Whether any eight characters of the canary are in it, in whatever case."""
    return any(CANARY[at : at + PART].lower() in text.lower() for at in range(len(CANARY) - PART + 1))


def ours(event: Any) -> str:
    """All of an event's fields that every sink may read."""
    fields = msgspec.to_builtins(event) if isinstance(event, Event) else {}
    return json.dumps([value for _, value in _flat(fields)], ensure_ascii=False)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in KEPT_APART:
                yield from _flat(each, key)
    else:
        yield name, str(value)


def heard(talk: Conversation, frames: Iterable[Incoming]) -> list[str]:
    return [ours(step) for at, frame in enumerate(frames, 10) for step in talk.received(frame, at)]


def written(kind: type[HttpChat] = ChatConversation) -> HttpChat:
    talk = kind(Terms(ServerPlan("any", "http://h/v1", {}), "run", 10.0))
    list(talk.ask(Question(1, ({"role": "user", "content": CANARY},), Pause(10), 0.7), 1))
    return talk


def spoken() -> SpeechConversation:
    options = {"voice": "x", "sample_rate": 24000}
    talk = SpeechConversation(Terms(ServerPlan("openai_speech", "http://h/v1", options), "run", 10.0))
    list(talk.open(0))
    list(talk.speak(CANARY, 1))
    return talk


def spoken_by_a_nim() -> NimConversation:
    options = {"voice": "x", "language": "en-US", "sample_rate": 24000}
    talk = NimConversation(Terms(ServerPlan("riva_http", "http://h", options), "run", 10.0))
    list(talk.open(0))
    list(talk.speak(CANARY, 1))
    return talk


def transcribing(*, stream: bool = False) -> TranscriptionsConversation:
    options = {"sample_rate": 16_000, "stream": stream}
    talk = TranscriptionsConversation(Terms(ServerPlan("openai_transcriptions", "http://h/v1", options), "run", 10.0))
    list(talk.begin(0))
    list(talk.end(1))
    return talk


OVER_HTTP: Mapping[str, Callable[[], Conversation]] = {
    "openai_chat": written,
    "ollama": lambda: written(OllamaConversation),
    "openai_speech": spoken,
    "riva_http": spoken_by_a_nim,
    "openai_transcriptions": transcribing,
}


def chunked() -> ChunkedConversation:
    talk = ChunkedConversation(Terms(ServerPlan("chunked", "ws://h/ws", {}), "run", 10.0))
    list(talk.ask(Question(1, ({"role": "user", "content": CANARY},), Pause(10), 0.7), 1))
    return talk


def magpie() -> MagpieConversation:
    options = {
        "voice": "x", "language": "en", "mode": "batch", "sample_rate": 22000, "gap_ms": 100, "hold_s": 1.0,
        "flush_ms": 0,
    }  # fmt: skip
    talk = MagpieConversation(Terms(ServerPlan("magpie", "ws://h/ws", options), "run", 10.0))
    talk.attribution()
    list(talk.open(0))
    return talk


@given(
    statuses,
    headers,
    st.lists(documents, max_size=3),
    st.sampled_from((b"data: %s\n\n", b"%s", b"error: %s\n", b"%s%s")),
)
def test_over_http(status: int, head: dict[str, str], said: list[dict[str, Any]], form: bytes) -> None:
    bodies = [Body(form.replace(b"%s", json.dumps(each).encode())) for each in said]
    for make in OVER_HTTP.values():
        found = heard(make(), [Response(status, head), *bodies, BodyEnd()])
        assert not any(map(leaks, found)), found


def hearing_over_tcp() -> WyomingHearing:
    options = {"sample_rate": 16_000, "endpointing": "server"}
    talk = WyomingHearing(Terms(ServerPlan("wyoming", "tcp://h:1", options), "run", 10.0))
    list(talk.begin(0))
    return talk


def over_tcp(mode: str) -> WyomingConversation:
    options = {"voice": "x", "mode": mode}
    talk = WyomingConversation(Terms(ServerPlan("wyoming", "tcp://h:1", options), "run", 10.0))
    list(talk.open(0))
    list(talk.add(CANARY, 1) if mode == "streamed" else talk.speak(CANARY, 1))
    return talk


@given(
    st.sampled_from(("error", "audio-start", "audio-chunk", "audio-stop", "transcript", "info", CANARY)),
    documents | words,
    st.booleans(),
    st.sampled_from(("whole", "streamed")),
)
def test_over_tcp(kind: str, said: Any, inline: bool, mode: str) -> None:
    data = json.dumps(said).encode()
    line = {"type": kind, **({"data": said} if inline else {"data_length": len(data)})}
    frame = json.dumps(line).encode() + b"\n" + (b"" if inline else data)
    for each in (frame, frame[:40], data + b"\n"):
        for talk in (over_tcp(mode), hearing_over_tcp()):
            found = heard(talk, [Raw(each), Ended("closed", "by the server", CANARY)])
            assert not any(map(leaks, found)), found


def over_grpc(kind: type[RivaConversation | StitchedConversation]) -> RivaConversation | StitchedConversation:
    options = {"voice": "x", "language": "en-US", "sample_rate": 24000, "gap_ms": 100}
    talk = kind(Terms(ServerPlan("riva", "grpc://h:1", options), "run", 10.0))
    list(talk.open(0))
    list(talk.speak(CANARY, 1))
    return talk


def hearing_over_grpc() -> RivaHearing:
    options = {"sample_rate": 16_000, "language": "en-US", "endpointing": "server", "punctuation": True}
    options |= {"interim_results": True}
    talk = RivaHearing(Terms(ServerPlan("riva", "grpc://h:1", options), "run", 10.0))
    list(talk.begin(0))
    return talk


@given(
    headers,
    st.sampled_from(("application/grpc", CANARY, "text/html")),
    st.sampled_from(("0", "3", "5", "8", "14", "16", "99", "", CANARY)),
    st.booleans(),
    st.sampled_from((b"", b"\0\0\0\0\x0a", b"\1")),
)
def test_over_grpc(head: dict[str, str], kind: str, status: str, at_once: bool, before: bytes) -> None:
    trailers = {"grpc-status": status, "grpc-message": CANARY, CANARY: CANARY}
    answer = Response(200, head | {"content-type": kind} | (trailers if at_once else {}))
    last: list[Incoming] = [BodyEnd({} if at_once else trailers), Ended("closed", "by the server", CANARY)]
    for talk in (over_grpc(RivaConversation), over_grpc(StitchedConversation), hearing_over_grpc()):
        found = heard(talk, [answer, Body(before + CANARY.encode()), *last])
        assert not any(map(leaks, found)), found


@given(st.lists(documents | words, max_size=3), st.integers(1, 200), st.booleans())
def test_over_web_socket(said: list[Any], cut: int, whole: bool) -> None:
    frames = [json.dumps(each, ensure_ascii=False).encode() for each in said]
    for talk in (chunked(), magpie()):
        found = heard(talk, [Text(each if whole else each[:cut]) for each in frames])
        assert not any(map(leaks, found)), found
    assert not any(map(leaks, heard(chunked(), [Binary(CANARY.encode())])))


def agent() -> RealtimeConversation:
    options = {"voice": "x", "sample_rate": 24000}
    talk = RealtimeConversation(Terms(ServerPlan("openai_realtime", "ws://h/v1", options), "run", 10.0))
    talk.prepare(Question(1, ({"role": "user", "content": CANARY},), Pause(10), 0.7))
    list(talk.open(0))
    return talk


AGENT_EVENTS = (
    "session.created", "session.updated", "error", "response.created", "response.audio.delta", "response.text.done",
    "response.done", CANARY,
)  # fmt: skip
agent_events = st.tuples(
    st.sampled_from(AGENT_EVENTS), st.sampled_from(("session", "error", "response", "delta")), documents | words
)


@given(st.lists(agent_events, max_size=4), st.integers(1, 200))
def test_of_an_agent(said: list[tuple[str, str, Any]], cut: int) -> None:
    talk = agent()
    for kind, name, value in said:
        frame = json.dumps({"type": kind, name: value}).encode()
        found = heard(talk, [Text(frame)] if "model" not in frame.decode() else [])
        assert not any(map(leaks, [*found, *heard(talk, [Text(frame[:cut]), Binary(frame)])])), found


SPEECH_EVENTS = (
    "audio.start", "audio.done", "session.done", "error", "conversation.created", "conversation.item.speech.data",
    "conversation.item.speech.completed", CANARY,
)  # fmt: skip
speech_fields = st.dictionaries(st.sampled_from((*KEYS, "sample_rate")), documents | words, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(SPEECH_EVENTS), speech_fields), max_size=4))
def test_of_speech_over_a_web_socket(said: list[tuple[str, Any]]) -> None:
    options = {"sample_rate": 24_000, "language": "en-US", "voice": "x"}
    for kind in (VllmSpeech, NimRealtime):
        talk = kind(Terms(ServerPlan("any", "ws://h", options), "run", 10.0))
        list(talk.open(0))
        list(talk.speak(CANARY, 1))
        found = heard(talk, [Text(json.dumps({**fields, "type": name}).encode()) for name, fields in said])
        assert not any(map(leaks, found)), found


def test_every_protocol_is_among_these() -> None:
    elsewhere = {"chunked", "magpie", "wyoming", "riva", "vllm_speech", "nim_realtime", "openai_realtime"}
    assert {name for protocols in PROTOCOLS.values() for name in protocols} == {*OVER_HTTP, *elsewhere}


def test_the_reason_of_a_close_frame_is_what_the_server_said() -> None:
    frame = wire.frame(wire.CLOSE, wire.close_payload(1011, CANARY))
    assert [*opened().receive(frame)] == [Ended("closed", "close frame 1011 (internal error)", CANARY)]


def _asked() -> Http1:
    framing = Http1("http://h/v1", {})
    framing.send(Request("GET", "/v1"))
    return framing


def _called() -> Http2:
    framing = Http2("grpc://h:1", {})
    framing.hello()
    framing.send(Request("POST", "/v1"))
    return framing


def _shaking_hands() -> WebSocket:
    framing = WebSocket("ws://h/ws", {})
    framing.hello()
    return framing


@pytest.mark.parametrize(
    "data",
    [
        f"{CANARY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {CANARY}\r\n\r\n",
        f"HTTP/1.1 101 {CANARY}\r\nUpgrade: {CANARY}\r\nConnection: {CANARY}\r\n\r\n",
        f"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {CANARY}\r\n\r\n",
    ],
)
@pytest.mark.parametrize("begin", [_asked, _shaking_hands, _called])
def test_what_breaks_a_framing_is_what_the_server_said(begin: Callable[[], Framing], data: str) -> None:
    with pytest.raises(FramingError) as raised:
        list(begin().receive(data.encode()))
    assert not leaks(str(raised.value))

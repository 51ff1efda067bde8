"""Both codecs against transcripts of the servers in use, and against anything else that bytes can be."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import Pause
from probe.protocols import registry
from probe.protocols.base import (
    Audio,
    ChunkEnd,
    Done,
    Malformed,
    Ready,
    Refused,
    SegmentEnd,
    Token,
    Unknown,
)
from probe.protocols.llama_chunked.codec import LlamaChunked, StreamEnded
from probe.protocols.magpie import codec as magpie
from probe.protocols.magpie.codec import MagpieTts
from probe.reference.llm_stream import Reason

LLM = LlamaChunked()
TTS = MagpieTts()
STREAM = "probe-r1-1"


def reported(said: str, *, fatal: bool = True) -> Refused:
    return Refused("it reported an error", said, fatal=fatal)


def llm(frame: Any) -> Any:
    data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    return LLM.decode(data, binary=False, stream_id=STREAM)


def tts(frame: Any) -> Any:
    data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    return TTS.decode(data, binary=False)


def test_the_founding_protocols_are_the_defaults() -> None:
    """The first of each, which configurations without a protocol mean."""
    assert (next(iter(registry.LLM)), next(iter(registry.TTS))) == ("chunked", "magpie")


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        # A streamed response: tokens, a pause after exactly so many, a sentence's end, and the last chunk.
        (b'{"type": "token", "content": "Why"}', Token("Why")),
        (b'{"type": "token", "content": " did"}', Token(" did")),
        (b'{"type": "token", "content": ""}', Token("")),
        (b'{"type": "token"}', Token("")),
        (
            {"type": "paused", "reason": "max_tokens", "text": "Why did", "tokens": 2, "ttft_ms": 111.5},
            ChunkEnd(final=False, reason="max_tokens", text="Why did", tokens=2, server_ttft_ms=111.5),
        ),
        (
            {"type": "paused", "reason": "sentence_boundary", "text": " it? Be", "tokens": 5, "ttft_ms": 31},
            ChunkEnd(
                final=False, reason="sentence_boundary", text=" it? Be", tokens=5, server_ttft_ms=31.0
            ),
        ),
        (
            {"type": "done", "reason": "sentence_boundary_eos", "text": "cause.", "tokens": 2, "ttft_ms": 31},
            ChunkEnd(final=True, reason="sentence_boundary_eos", text="cause.", tokens=2, server_ttft_ms=31.0),
        ),
        (
            {"type": "done", "reason": "eos", "text": "", "tokens": 0, "ttft_ms": None, "elapsed_ms": 12},
            ChunkEnd(final=True, reason="eos", text="", tokens=0, server_ttft_ms=None),
        ),
        (b'{"type": "done"}', ChunkEnd(final=True, reason=None, text=None, tokens=None, server_ttft_ms=None)),
        # The buffered reply of a server that does not stream, paused and done.
        (
            {
                "stream_id": STREAM, "status": "started", "text": "Why did", "tokens": 2, "paused": True,
                "reason": "max_tokens", "done": False, "ttft_ms": 111, "full_text": "Why did",
            },
            ChunkEnd(final=False, reason="max_tokens", text="Why did", tokens=2, server_ttft_ms=111.0),
        ),
        (
            {
                "stream_id": STREAM, "status": "started", "text": "No.", "tokens": 2, "paused": False,
                "reason": "eos", "done": True, "ttft_ms": 111, "full_text": "No.",
            },
            ChunkEnd(final=True, reason="eos", text="No.", tokens=2, server_ttft_ms=111.0),
        ),
        # Acknowledgements.
        ({"stream_id": STREAM, "status": "ended"}, StreamEnded()),
        ({"status": "pong"}, Unknown()),
        ({"stream_id": STREAM, "status": "started"}, Unknown()),
        # Errors.
        ({"error": "stream_id required"}, reported("stream_id required")),
        ({"stream_id": STREAM, "error": "Stream not found"}, reported("Stream not found")),
        (
            {"stream_id": STREAM, "error": "llama.cpp answers HTTP 503: Loading model"},
            Refused(
                "the model behind the LLM server is still being loaded",
                "llama.cpp answers HTTP 503: Loading model", reason="loading",
            ),
        ),
        (
            {"stream_id": STREAM, "error": "No slots available (max 1)"},
            Refused("all its slots are taken", "No slots available (max 1)", busy=True),
        ),
        ({"error": "Unknown action: x"}, reported("Unknown action: x")),
        ({"error": {"code": 500}}, reported('{"error": {"code": 500}}')),
        ({"type": "error", "error": "out of memory"}, reported("out of memory")),
        ({"error": ""}, reported('{"error": ""}')),
        ({"error": "\x07"}, reported(r'{"error": "\\u0007"}')),
        # What another stream, or a newer server, says.
        ({"stream_id": "probe-r0-1", "error": "Stream not found"}, Unknown()),
        ({"type": "token", "stream_id": "probe-r0-1", "content": "x"}, Unknown()),
        ({"type": "token", "stream_id": STREAM, "content": "x"}, Token("x")),
        ({"type": "token", "content": "x", "logprob": -0.1}, Token("x")),
        ({"type": "progress", "percent": 3}, Unknown()),
        ({"type": "paused", "error": None, "tokens": 1}, ChunkEnd(False, None, None, 1, None)),
        ({"stream_id": STREAM, "status": "ended", "error": None}, StreamEnded()),
        ({"type": "done", "ttft_ms": 10**400}, ChunkEnd(True, None, None, None, None)),
        ({"type": "done", "ttft_ms": -5, "tokens": 2**63}, ChunkEnd(True, None, None, None, None)),
        ({"text": "no word of done or paused"}, Unknown()),
        ({}, Unknown()),
    ],
)  # fmt: skip
def test_what_the_llm_server_says(frame: Any, event: Any) -> None:
    assert llm(frame) == event


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ({"type": "stream_created", "stream_id": "0a1b"}, Ready()),
        ({"type": "segment_complete", "segment": 1, "audio_ms": 1722.0}, SegmentEnd(1722.0)),
        ({"type": "segment_complete", "segment": 1, "audio_ms": "long"}, SegmentEnd()),
        ({"type": "done", "total_audio_ms": 16600, "segments_generated": 6}, Done(segments=6)),
        ({"type": "done"}, Done()),
        ({"type": "error", "message": "Unknown voice", "fatal": True}, reported("Unknown voice", fatal=True)),
        ({"type": "error", "message": "try again", "fatal": False}, reported("try again", fatal=False)),
        ({"type": "error", "message": "who knows"}, reported("who knows", fatal=True)),
        ({"type": "error", "message": "who knows", "fatal": 0}, reported("who knows", fatal=True)),
        ({"type": "error"}, reported('{"type": "error"}')),
        ({"type": "pong"}, Unknown()),
        ({"type": "visemes", "list": [1, 2]}, Unknown()),
        ({}, Unknown()),
    ],
)
def test_what_the_tts_server_says(frame: Any, event: Any) -> None:
    assert tts(frame) == event


@pytest.mark.parametrize("pcm", [b"", b"\x00", b"\x01\x02" * 2048, b'{"type": "done"}'])
def test_binary_is_audio_from_the_tts_server_and_nothing_from_the_llm_server(pcm: bytes) -> None:
    assert TTS.decode(pcm, binary=True) == Audio(pcm)
    assert LLM.decode(pcm, binary=True, stream_id=STREAM) == Malformed(f"binary frame of {len(pcm)} bytes")


@pytest.mark.parametrize(
    ("frame", "detail", "said"),
    [
        (b"", "not JSON", ""),
        (b"<html>\n502</html>", "not JSON", r"<html>\n502</html>"),
        (b'{"type": "token", "content": "cut of', "not JSON", '{"type": "token", "content": "cut of'),
        (b"\xff\xfe\xfa", "not JSON", r"\ufffd\ufffd\ufffd"),
        (b"[1, 2]", "not a JSON object", "[1, 2]"),
        (b'"done"', "not a JSON object", '"done"'),
        (b"null", "not a JSON object", "null"),
        (b"[" * 20_000, "not JSON", "[" * 80 + "…"),
        (b'{"tokens": ' + b"9" * 5000 + b"}", "not JSON", '{"tokens": ' + "9" * 69 + "…"),
        (b"\x1b[31mred\x1b[0m", "not JSON", r"\x1b[31mred\x1b[0m"),
    ],
)
def test_what_is_no_json_object_is_shown_in_one_printable_line(frame: bytes, detail: str, said: str) -> None:
    assert llm(frame) == tts(frame) == Malformed(detail, said)
    assert said.isprintable()


def test_a_token_whose_content_is_no_text_is_malformed() -> None:
    for content in (7, None, ["x"], True):
        assert isinstance(llm({"type": "token", "content": content}), Malformed)


@pytest.mark.parametrize("wrong", [-1, 1.5, "3", True, None, [], {}, 1e400])
def test_fields_of_the_wrong_kind_are_missing_not_zero(wrong: Any) -> None:
    end = llm({"type": "done", "reason": wrong, "text": wrong, "tokens": wrong, "ttft_ms": wrong})
    assert isinstance(end, ChunkEnd)
    assert end.tokens is None
    if not isinstance(wrong, str):
        assert end.text is end.reason is None
    if wrong not in (-1, 1.5):
        assert end.server_ttft_ms is None


def test_half_characters_can_be_stored_and_printed() -> None:
    """JSON may hold half of a surrogate pair; what is kept of it must be UTF-8."""
    whole, half = rb'"\ud83e\udd84"', rb'"a\ud83e"'
    assert llm(b'{"type": "token", "content": ' + whole + b"}") == Token("\N{UNICORN FACE}")
    assert llm(b'{"type": "token", "content": ' + half + b"}") == Token("a\N{REPLACEMENT CHARACTER}")
    end = llm(b'{"type": "done", "text": ' + half + b', "reason": ' + half + b"}")
    assert isinstance(end, ChunkEnd)
    assert (end.text, end.reason) == ("a\N{REPLACEMENT CHARACTER}", "other")


def test_what_a_server_complains_of_is_one_printable_line() -> None:
    nasty = "\x1b[31mline one\r\nline two\ud83e \x07" + "!" * 1000
    for event in (llm({"error": nasty}), tts({"type": "error", "message": nasty})):
        assert isinstance(event, Refused)
        assert event.said.startswith("[31mline one line two !!!") and event.said.endswith("!…")
        assert event.said.isprintable() and len(event.said) <= 301
        assert event.message == "it reported an error"


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        *((name, name) for name in Reason),
        ("stop", "stop"), ("Tell me a joke", "other"), ("EOS", "other"), ("", None), (None, None), (7, None),
    ],
)  # fmt: skip
def test_why_a_chunk_ended_is_one_of_the_words_for_it(stated: Any, kept: str | None) -> None:
    assert llm({"type": "done", "reason": stated}).reason == kept


@pytest.mark.parametrize(
    ("pause", "wire"),
    [
        (Pause(max_tokens=10), {"max_tokens": 10}),
        (Pause(sentence_boundary=True), {"sentence_boundary": True}),
        (Pause(), {}),
    ],
)
def test_requests_to_the_llm_server(pause: Pause, wire: dict[str, Any]) -> None:
    messages = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": 'Say "ü"\n🦄'})
    assert json.loads(LLM.start(STREAM, messages, pause, 0.7)) == {
        "action": "start_stream",
        "stream_id": STREAM,
        "messages": list(messages),
        "pause": wire,
        "stream_tokens": True,
        "temperature": 0.7,
    }
    assert json.loads(LLM.resume(STREAM, pause)) == {
        "action": "continue_stream",
        "stream_id": STREAM,
        "pause": wire,
    }
    assert json.loads(LLM.end(STREAM)) == {"action": "end_stream", "stream_id": STREAM}


def test_requests_to_the_tts_server() -> None:
    assert json.loads(TTS.init("aria", "en", "batch")) == {"type": "init", "voice": "aria", "language": "en"}
    assert json.loads(TTS.init("leo", "de", "stream")) == {
        "type": "init",
        "voice": "leo",
        "language": "de",
        "default_mode": "stream",
    }
    assert json.loads(TTS.text(" Hello!\n")) == {"type": "text", "text": " Hello!\n"}
    assert json.loads(TTS.close()) == {"type": "close"}
    assert json.loads(TTS.cancel()) == {"type": "cancel"}
    assert json.loads(TTS.ping()) == {"type": "ping"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://localhost:8001/ws/tts/stream", "http://localhost:8001/v1/audio/config"),
        ("wss://tts.example/ws?key=1#x", "https://tts.example/v1/audio/config?key=1"),
        ("ws://user:secret@[::1]:8001/", "http://user:secret@[::1]:8001/v1/audio/config"),
    ],
)
def test_a_tts_server_describes_itself_at(url: str, expected: str) -> None:
    assert magpie.config_url(url) == expected


@pytest.mark.parametrize(
    ("document", "voices"),
    [
        (b'{"sample_rate": 22000, "voices": ["aria", "leo"], "languages": ["en"]}', ("aria", "leo")),
        (b'{"voices": {"aria": 2, "leo": 4}}', ("aria", "leo")),
        (b'{"voices": ["a\\n\\u001b[0mb"]}', ("a [0mb",)),
        (b'{"voices": []}', None),
        (b'{"voices": ["aria", 7]}', None),
        (b'{"voices": "aria"}', None),
        (b'{"voices": null}', None),
        (b"{}", None),
        (b"[]", None),
        (b"not found", None),
        (b"", None),
    ],
)
def test_the_voices_that_a_tts_server_says_it_has(document: bytes, voices: tuple[str, ...] | None) -> None:
    assert magpie.voices(document) == voices


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
# Objects with the fields that a codec looks at, and anything in them.
any_reply = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["token", "paused", "done", "error", "stream_created", "segment_complete", "pong"]
        ) | any_json,
        "stream_id": st.just(STREAM) | any_json,
        **dict.fromkeys(
            ("content", "text", "tokens", "reason", "ttft_ms", "error", "status", "done", "paused", "message", "fatal"),
            any_json,
        ),
        "voices": any_json,
    },
)  # fmt: skip


@given(st.one_of(st.binary(), st.text().map(str.encode), any_json, any_reply), st.booleans())
def test_nothing_that_a_server_sends_raises(frame: Any, binary: bool) -> None:
    data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    for event in (LLM.decode(data, binary=binary, stream_id=STREAM), TTS.decode(data, binary=binary)):
        for text in (getattr(event, name, None) for name in ("content", "text", "reason", "message", "detail", "said")):
            if text is not None:
                assert isinstance(text, str)
                text.encode()
    magpie.voices(data)


@pytest.mark.parametrize("depth", range(200, 1100, 60))
def test_depth_does_not_raise_either(depth: int) -> None:
    for field in (b'{"error": ', b'{"type": "error", "message": ', b'{"type": "token", "content": ', b'{"voices": '):
        frame = field + b"[" * depth + b"]" * depth + b"}"
        llm(frame)
        tts(frame)
        magpie.voices(frame)


@given(st.text(alphabet=st.characters()), st.text(), st.sampled_from(["batch", "stream"]))
def test_any_text_reaches_the_server_as_it_is(text: str, name: str, mode: str) -> None:
    message = {"role": "user", "content": text}
    assert json.loads(LLM.start(name, [message], Pause(), 0.5))["messages"] == [message]
    assert json.loads(LLM.end(name))["stream_id"] == json.loads(LLM.resume(name, Pause()))["stream_id"] == name
    assert json.loads(TTS.text(text))["text"] == text
    assert json.loads(TTS.init(name, text, mode))["voice"] == name
    for request in (LLM.start(name, [message], Pause(), 0.5), TTS.text(text), TTS.init(name, text, mode)):
        assert request.isascii(), "and so fits into any text frame"

"""A turn with an Ollama server: its requests, the events of its answers, and its questions."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from framings import cut_anywhere, cut_in_two, mutated
from hypothesis import given
from hypothesis import strategies as st

from probe import config
from probe.config import ConfigError
from probe.plan import Pause, ServerPlan
from probe.protocols import registry
from probe.protocols.base import (
    Answering,
    Connect,
    Done,
    Event,
    Loaded,
    Malformed,
    Question,
    Refused,
    Send,
    ServerTimes,
    Step,
    Terms,
    Token,
    Usage,
)
from probe.protocols.fields import REPORTED
from probe.protocols.ollama import PROTOCOL
from probe.protocols.ollama.answer import LOADED_MS, MAX_LINE_BYTES
from probe.protocols.ollama.conversation import OllamaConversation
from probe.record import REASONS, ServerIdentity
from probe.transport.framing.base import Body, BodyEnd, Ended, Request, Response

NDJSON = {"content-type": "application/x-ndjson"}
MESSAGES = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüß dich."})
GONE = Ended("closed", "in the middle of its response")
CLOSED = Refused("the LLM server ended its response before the end of its answer", reason="closed")
# As a server of 2026 writes it, by its documentation: reasoning, an answer, and the account of it.
BODY = (
    '{"model":"qwen3:8b","created_at":"2026-11-29T10:00:00.1Z","message":{"role":"assistant","content":"",'
    '"thinking":"Hm"},"done":false}\n'
    '{"model":"qwen3:8b","created_at":"2026-11-29T10:00:00.2Z","message":{"role":"assistant","content":"Café"},'
    '"done":false}\n'
    '{"model":"qwen3:8b","created_at":"2026-11-29T10:00:00.3Z","message":{"role":"assistant",'
    '"content":" \\ud83d\\udc67."},"done":false}\n'
    '{"model":"qwen3:8b","created_at":"2026-11-29T10:00:00.4Z","message":{"role":"assistant","content":""},'
    '"done":true,"done_reason":"stop","total_duration":5191566416,"load_duration":2154458042,"prompt_eval_count":26,'
    '"prompt_eval_duration":383809000,"eval_count":9,"eval_duration":4799921000}\n'
).encode()
TIMES = ServerTimes(
    {"load_ms": 2154.458042, "prompt_eval_ms": 383.809, "eval_ms": 4799.921, "total_ms": 5191.566416},
    2154.458042 + 383.809,
)
SAID = [
    Answering("qwen3:8b"), Token("Hm", "reasoning"), Token("Café"), Token(" \U0001f467."), TIMES, Loaded(),
    Usage(9, 26), Done("stop"),
]  # fmt: skip


def conversation(url: str = "http://spark:11434", **options: Any) -> OllamaConversation:
    return OllamaConversation(Terms(ServerPlan("ollama", url, options), "run", 10.0))


def asked(talk: OllamaConversation) -> tuple[list[Step], Request]:
    *steps, last = talk.ask(Question(1, MESSAGES, Pause(10), 0.7), 0)
    assert isinstance(last, Send) and isinstance(last.frame, Request)
    return steps, last.frame


def body(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(conversation(**options))[1].body)
    return found


def answered(pieces: Iterable[bytes], headers: Mapping[str, str] = NDJSON, status: int = 200) -> list[Step]:
    """All events of one response."""
    talk = conversation()
    asked(talk)
    steps = [*talk.received(Response(status, headers), 1)]
    for piece in pieces:
        steps += talk.received(Body(piece), 1)
    return [*steps, *talk.received(BodyEnd(), 1)]


def lines(*documents: Any) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in documents)


def piece(content: Any) -> dict[str, Any]:
    return {"message": {"content": content}, "done": False}


END: dict[str, Any] = {"done": True, "done_reason": "stop"}


def test_a_request_has_what_it_takes_and_no_more() -> None:
    steps, request = asked(conversation())
    assert steps == [Connect()]
    assert (request.method, request.target) == ("POST", "/api/chat")
    assert request.headers == {"content-type": "application/json", "accept": "application/x-ndjson"}
    assert json.loads(request.body) == {"messages": list(MESSAGES), "stream": True, "options": {"temperature": 0.7}}


def test_options_are_in_the_request() -> None:
    sent = body(
        model="qwen3:8b",
        keep_alive=-1,
        think=False,
        num_ctx=8192,
        max_tokens=50,
        extra_options={"seed": 0, "num_ctx": 9},
    )
    assert {name: sent[name] for name in ("model", "keep_alive", "think", "options")} == {
        "model": "qwen3:8b",
        "keep_alive": -1,
        "think": False,
        "options": {"temperature": 0.7, "num_ctx": 9, "num_predict": 50, "seed": 0},
    }
    assert "num_predict" not in body(max_tokens=0)["options"]


def test_an_answer_says_the_same_wherever_it_is_cut() -> None:
    assert answered([BODY]) == SAID
    for pieces in cut_in_two(BODY):
        assert answered(pieces) == SAID
    assert answered([BODY[at : at + 1] for at in range(len(BODY))]) == SAID
    assert answered([BODY.replace(b"\n", b"\r\n")]) == answered([BODY.rstrip()]) == SAID


def test_an_answer_in_one_document_is_one() -> None:
    whole = lines(END | {"message": {"role": "assistant", "content": "Hi."}, "eval_count": 2})
    assert answered([whole], {"content-type": "application/json"}) == [Token("Hi."), Usage(2), Done("stop")]


@pytest.mark.parametrize(("load_ms", "loaded"), [(LOADED_MS, True), (LOADED_MS - 1, False), (0, False)])
def test_a_model_that_was_loaded_is_known_by_its_time(load_ms: float, loaded: bool) -> None:
    found = answered([lines(piece("Hi."), END | {"load_duration": load_ms * 1e6})])
    assert (Loaded() in found) is loaded
    assert ServerTimes({"load_ms": load_ms}) in found


def test_what_is_wrong_in_the_account_is_missing() -> None:
    wrong = {"load_duration": "long", "eval_duration": -1, "total_duration": None, "eval_count": 2.5}
    assert answered([lines(piece("Hi."), END | wrong)]) == [Token("Hi."), Done("stop")]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (lines(piece("Hi"), {"error": "CUDA\n error"}), [Token("Hi"), Refused(REPORTED, "CUDA error"), CLOSED]),
        (lines(piece("Hi")), [Token("Hi"), CLOSED]),
        (b"", [CLOSED]),
        (lines(piece("Hi"), {"message": {"content": ""}, "done": "yes"}), [Token("Hi"), CLOSED]),
        (lines(piece("<think>Hm</think>Hi"), END),
         [*(Token(each, "reasoning") for each in ("<think>", "Hm", "</think>")), Token("Hi"), Done("stop")]),
        (lines({"message": {"tool_calls": [{}]}, "done": False}, END),
         [Refused("the model called a tool (tool_calls) instead of answering", reason="no_answer")]),
        (lines(piece("Hi"), {"done": True, "done_reason": "sic transit"}), [Token("Hi"), Done("other")]),
        (lines(piece("Hi"), END, piece("there"), END), [Token("Hi"), Done("stop")]),
        (lines({"status": "ok"}), [Malformed("JSON that is not part of an answer", '{"status": "ok"}'), CLOSED]),
        (lines(piece(7), END), [Malformed("text that is int"), Done("stop")]),
        (b"hello\n" + lines(END), [Malformed("not JSON", "hello"), Done("stop")]),
        (b"\n\r\n" + lines(END), [Done("stop")]),
    ],
)  # fmt: skip
def test_what_else_it_may_say(data: bytes, events: list[Event]) -> None:
    assert answered([data]) == events


def test_a_line_without_an_end_is_a_flood() -> None:
    found = answered([b"x" * MAX_LINE_BYTES, b"x"])
    assert found[0] == Refused(f"a line of the answer is longer than {MAX_LINE_BYTES} bytes", reason="flood")


@pytest.mark.parametrize(("rest", "events"), [(b"", []), (json.dumps(END).encode(), [Done("stop")]), (b'{"do', [])])
def test_a_last_line_counts_though_the_connection_is_gone(rest: bytes, events: list[Event]) -> None:
    talk = conversation()
    asked(talk)
    list(talk.received(Response(200, NDJSON), 1))
    assert [*talk.received(Body(lines(piece("Hi")) + rest), 1)][:1] == [Token("Hi")]
    assert [*talk.received(GONE, 1)] == events
    assert not talk.holds


@pytest.mark.parametrize(
    ("status", "message", "refused"),
    [
        (404, "model 'qwen9' not found", {"reason": "not_found"}),
        (503, "server busy, please try again. maximum pending requests exceeded",
         {"busy": True, "reason": "unavailable"}),
        (400, '"qwen" does not support thinking', {}),
    ],
)  # fmt: skip
def test_a_refusal(status: int, message: str, refused: dict[str, Any]) -> None:
    assert answered([lines({"error": message})], {"content-type": "application/json"}, status) == [
        Refused(f"HTTP {status} for /api/chat", message, **refused)
    ]


def test_another_type_is_none_of_its_answers() -> None:
    (found,) = answered([], {"content-type": "text/event-stream"})
    assert isinstance(found, Malformed) and found.detail.endswith("instead of application/x-ndjson")


@given(st.one_of(st.binary(), cut_anywhere(BODY).map(b"".join), mutated(BODY)), st.integers(1, 40))
def test_nothing_that_it_sends_raises_and_cuts_change_nothing(data: bytes, size: int) -> None:
    whole = answered([data])
    assert whole == answered([data[at : at + size] for at in range(0, len(data), size)])
    for step in whole:
        assert not isinstance(step, Refused) or step.reason in REASONS["llm"]


# What may be written for it


def options(tmp_path: Path, text: str) -> Mapping[str, Any]:
    path = tmp_path / "probe.toml"
    path.write_text(f'[targets.t.llm]\nprotocol = "ollama"\nurl = "http://spark:11434"\n{text}')
    return config.load(path).targets["t"].record("t").servers["llm"].options


def test_the_defaults(tmp_path: Path) -> None:
    assert options(tmp_path, "") == {"max_tokens": 1024, "extra_options": {}}


@pytest.mark.parametrize(
    ("written", "value"),
    [('"10m"', "10m"), ("-1", -1), ("0", 0), ("1.5", 1.5), ('"300"', 300.0), ('" 5m "', "5m")],
)
def test_how_long_a_model_is_kept(tmp_path: Path, written: str, value: Any) -> None:
    assert options(tmp_path, f"keep_alive = {written}")["keep_alive"] == value


@pytest.mark.parametrize(
    ("written", "value"), [("true", True), ("false", False), ('"high"', "high"), ('"false"', False)]
)
def test_whether_it_thinks(tmp_path: Path, written: str, value: Any) -> None:
    assert (
        options(tmp_path, f"think = {written}")["think"] is value
        or options(tmp_path, f"think = {written}")["think"] == value
    )


@pytest.mark.parametrize(
    "wrong", ['think = "much"', "think = 1.5", "keep_alive = true", 'keep_alive = ""', "num_ctx = 0"]
)
def test_what_can_not_be(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match=f"targets.t.llm.{wrong.partition(' ')[0]}"):
        options(tmp_path, wrong)


def test_a_plain_http_address_still_means_the_older_protocol() -> None:
    speaking = [each.name for each in registry.LLM.values() if "http" in each.schemes]
    assert speaking == ["openai_chat", "ollama"]


# What it says of itself

SERVER = ServerPlan("ollama", "https://me:pw@spark/llm/?key=1", {"model": "qwen3"}, {"authorization": "Bearer key"})
LISTED = lines({"models": [{"name": "qwen3:latest"}, {"model": "phi4:14b"}, 7, {}]})


def test_it_is_asked_where_it_is_with_its_credentials() -> None:
    questions: list[Any] = [*PROTOCOL.identity(SERVER), *PROTOCOL.cold(SERVER)]
    assert [each.url for each in questions] == [
        f"https://me:pw@spark/llm/api/{name}?key=1" for name in ("version", "tags", "ps")
    ]
    assert all(each.headers == SERVER.headers for each in questions)
    assert list(PROTOCOL.users(SERVER)) == []


def test_what_serves_is_its_version_and_the_model_that_it_has() -> None:
    questions: Any = PROTOCOL.identity(SERVER)
    of_version, of_tags = questions
    assert of_version.read(b'{"version": "0.40.8"}') == ServerIdentity(None, "0.40.8")
    assert of_tags.read(LISTED) == ServerIdentity("qwen3")
    assert of_tags.read(lines({"models": [{"name": "phi4:14b"}]})) == of_tags.read(b"no") == ServerIdentity()


@pytest.mark.parametrize(
    ("page", "cold"), [(LISTED, False), (b'{"models": []}', True), (b'{"models": 3}', None), (b"no", None)]
)
def test_a_model_that_is_not_among_those_loaded_is_cold(page: bytes, cold: bool | None) -> None:
    questions: Any = PROTOCOL.cold(SERVER)
    (inquiry,) = questions
    assert inquiry.read(page) is cold
